//! What opens servers, sudo, vaults and git: each with a real counterpart that refuses whoever does not have it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::harness::ended::Ended;
use crate::harness::server::Scripted;
use crate::harness::sshd::Sshd;
use crate::harness::step::{Step, text};
use crate::harness::suite::{Need, NotRun, Suite, suite};
use crate::harness::{root, succeeded};

pub fn suite() -> Suite {
    suite!(
        "access",
        [Need::Ansible, Need::Ssh],
        an_unknown_host_key_is_shown_ready_to_be_compared_and_pasted,
        a_jump_host_is_reached_with_the_settings_alone,
        a_jump_host_whose_key_is_not_known_is_refused_and_shown,
        a_configuration_file_of_the_repository_names_the_jump_host,
        a_certificate_opens_what_its_key_does_not,
        roles_and_collections_come_from_git_over_ssh,
        three_vaults_are_read_with_the_settings_alone,
        sudo_is_given_the_password_of_an_ordinary_user,
        variables_of_environment_reach_lookups_and_nothing_else,
    )
}

/// A step whose only server is behind a real sshd, with the key that opens it, and in sync.
fn with_server(receiver: &Scripted) -> (Step, Sshd) {
    let step = Step::ansible("in-sync").target_file("managed", "x").to(receiver.url());
    let sshd = Sshd::start(&step, "ssh");
    let step = step.file("hosts", &host(&sshd, "")).setting("ssh_private_key", sshd.read("key"));
    (step, sshd)
}

/// The inventory's line of a server, with further variables.
fn host(sshd: &Sshd, variables: &str) -> String {
    format!("web1 {} {variables}\n", sshd.inventory_variables())
}

/// The lines for `known_hosts` that the log shows.
fn shown_keys(end: &Ended) -> Vec<String> {
    let lines = end.stderr.lines().map(str::trim).filter(|line| line.starts_with("[127.0.0.1]:"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Nothing was sent.
#[track_caller]
fn claims_nothing(receiver: &Scripted, end: &Ended) {
    end.expect_code(1);
    assert_eq!(receiver.bodies(), Vec::<String>::new(), "{end}");
}

fn an_unknown_host_key_is_shown_ready_to_be_compared_and_pasted() {
    let receiver = Scripted::keeping();
    let (step, sshd) = with_server(&receiver);
    let other = "web2.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIALFNVdKNYTltm6ZxeclgGDNaUOjIIM05pxd3mn6GbNx\n";
    for step in [step.again(), step.again().setting("ssh_known_hosts", other)] {
        let end = step.run();
        claims_nothing(&receiver, &end);
        assert_eq!(shown_keys(&end), [sshd.read("known_hosts")], "{end}");
        let known = succeeded(Command::new("ssh-keygen").arg("-lf").arg(sshd.path("host.pub"))).stdout;
        end.expect_error(known.split(' ').nth(1).unwrap()).expect_error("add its line to `ssh_known_hosts`");
        assert_eq!(sshd.logins(), 0, "somebody logged in to a server that is not known");
    }
    // Another key than the known one is no line to be pasted.
    let end = step.again().setting("ssh_known_hosts", sshd.another_key()).run();
    claims_nothing(&receiver, &end);
    assert_eq!(shown_keys(&end), Vec::<String>::new(), "{end}");

    let pasted = shown_keys(&step.run()).concat();
    step.setting("ssh_known_hosts", pasted).run().expect_delivered();
}

/// A step with a server and a jump host before it, each with known hosts of its own.
struct Chain {
    step: Step,
    server: Sshd,
    jump: Sshd,
    receiver: Scripted,
}

impl Chain {
    fn start() -> Self {
        let receiver = Scripted::keeping();
        let (step, server) = with_server(&receiver);
        // One key for both, as one setting holds it.
        let keys = format!("AuthorizedKeysFile {}", server.path("key.pub").display());
        let jump = Sshd::start_with(&step, "jump", &keys, "");
        Self { step, server, jump, receiver }
    }

    fn known_hosts(&self) -> String {
        self.jump.read("known_hosts") + &self.server.read("known_hosts")
    }

    /// The ways to name a jump host in an inventory.
    fn ways(&self) -> [String; 2] {
        let port = self.jump.port();
        [format!("-o ProxyJump=127.0.0.1:{port}"), format!("-o ProxyCommand='ssh -p {port} -W %h:%p 127.0.0.1'")]
    }

    fn through(&self, way: &str) -> Step {
        let args = format!("ansible_ssh_common_args=\"{way}\"");
        self.step.again().file("hosts", &host(&self.server, &args))
    }
}

fn a_jump_host_is_reached_with_the_settings_alone() {
    let chain = Chain::start();
    for (number, way) in (1..).zip(chain.ways()) {
        let step = chain.through(&way).setting("ssh_known_hosts", chain.known_hosts());
        step.run().expect_delivered();
        assert!(chain.jump.logins() >= number, "the way by {way} did not lead through the jump host");
    }
    // The server's own key is checked too.
    let wrong = chain.jump.read("known_hosts") + &chain.server.another_key();
    for way in chain.ways() {
        let end = chain.through(&way).setting("ssh_known_hosts", &wrong).run();
        end.expect_code(1).expect_log("REMOTE HOST IDENTIFICATION HAS CHANGED");
    }
}

fn a_jump_host_whose_key_is_not_known_is_refused_and_shown() {
    let chain = Chain::start();
    let unknown = chain.server.read("known_hosts");
    let changed = chain.server.read("known_hosts") + &chain.jump.another_key();
    for way in chain.ways() {
        for (known_hosts, shown) in [(&unknown, vec![chain.jump.read("known_hosts")]), (&changed, Vec::new())] {
            let end = chain.through(&way).setting("ssh_known_hosts", known_hosts).run();
            claims_nothing(&chain.receiver, &end);
            assert_eq!(shown_keys(&end), shown, "{way}: {end}");
        }
        assert_eq!((chain.jump.logins(), chain.server.logins()), (0, 0), "{way}");
    }
}

fn a_configuration_file_of_the_repository_names_the_jump_host() {
    let chain = Chain::start();
    let config =
        format!("Host jump\n  HostName 127.0.0.1\n  Port {}\nHost 127.0.0.1\n  ProxyJump jump\n", chain.jump.port());
    // ssh asks more of an included file than of one that is named: anybody may write to this one.
    let step = chain.step.again().file("ssh config", &config);
    fs::set_permissions(step.repository().join("ssh config"), Permissions::from_mode(0o666)).unwrap();
    let step = step.setting("ssh_known_hosts", chain.known_hosts()).setting("ansible_config", "ansible.cfg");
    for (number, name) in (1..).zip(["ssh_args", "ssh_common_args"]) {
        let value = format!("[ssh_connection]\n{name} = -o ControlMaster=auto -o ControlPersist=60s -F 'ssh config'\n");
        step.again().file("ansible.cfg", &value).run().expect_delivered();
        assert!(chain.jump.logins() >= number, "{name}");
    }
    // One that is not there is ssh's to complain about.
    let end = step.file("ansible.cfg", "[ssh_connection]\nssh_args = -F nonesuch\n").run();
    end.expect_code(1).expect_log("nonesuch");
    assert_eq!(chain.receiver.bodies().len(), 2);
}

fn a_certificate_opens_what_its_key_does_not() {
    let receiver = Scripted::keeping();
    let step = Step::ansible("in-sync").target_file("managed", "x").to(receiver.url());
    let authority = step.path("authority");
    let make = |arguments: &[&str]| succeeded(Command::new("ssh-keygen").args(["-q"]).args(arguments));
    make(&["-t", "ed25519", "-N", "", "-f", text(&authority)]);
    let config = format!("TrustedUserCAKeys {}.pub\nAuthorizedKeysFile none", authority.display());
    let sshd = Sshd::start_with(&step, "ssh", &config, "");
    let user = succeeded(Command::new("id").arg("-un")).stdout;
    make(&["-s", text(&authority), "-I", "test", "-n", user.trim(), text(&sshd.path("key.pub"))]);
    let step = step
        .file("hosts", &host(&sshd, ""))
        .settings([("ssh_private_key", sshd.read("key").as_str()), ("ssh_known_hosts", &sshd.read("known_hosts"))]);
    let end = step.run();
    claims_nothing(&receiver, &end);
    end.expect_log("Permission denied");
    step.setting("ssh_certificate", sshd.read("key-cert.pub")).run().expect_delivered();
}

fn roles_and_collections_come_from_git_over_ssh() -> Result<(), NotRun> {
    if Command::new("git").arg("--version").output().is_err() {
        return Err(NotRun("git is not installed".to_owned()));
    }
    let receiver = Scripted::keeping();
    let step = Step::ansible("with-a-role").target_file("managed", "x").to(receiver.url());
    let step = step.file("hosts", "web1 ansible_connection=local\n");
    let sshd = Sshd::start(&step, "ssh");
    let role = repository(
        &step,
        "lab",
        &[
            ("tasks/main.yml", "- copy: {content: x, dest: \"{{ lookup('env', 'TARGET') }}/managed\"}\n"),
            ("meta/main.yml", "galaxy_info: {author: me, description: d, license: x, min_ansible_version: '2.9'}\n"),
        ],
    );
    let collection = repository(
        &step,
        "tools",
        &[(
            "galaxy.yml",
            "{namespace: acme, name: tools, version: 1.0.0, readme: galaxy.yml, authors: [me], license: [MIT]}\n",
        )],
    );
    let url = |path: &str| format!("ssh://127.0.0.1:{}{path}", sshd.port());
    let requirements = format!(
        "roles:\n  - {{src: '{}', scm: git, name: lab}}\ncollections:\n  - {{name: '{}', type: git}}\n",
        url(&role),
        url(&collection)
    );
    let step = step.file("requirements.yml", &requirements).setting("galaxy_requirements", "requirements.yml");

    // Neither without the key nor from a server that nobody has met.
    let known_hosts = sshd.read("known_hosts");
    let end = step.again().setting("ssh_known_hosts", &known_hosts).run();
    claims_nothing(&receiver, &end);
    let step = step.setting("ssh_private_key", sshd.read("key"));
    let end = step.again().run();
    claims_nothing(&receiver, &end);
    assert_eq!(shown_keys(&end), [known_hosts.as_str()], "{end}");
    assert_eq!(sshd.logins(), 0);

    step.setting("ssh_known_hosts", &known_hosts).run().expect_delivered();
    assert!(sshd.logins() >= 2, "one login each for the role and the collection");
    Ok(())
}

/// Makes a git repository beside the step's own, and gives its path.
fn repository(step: &Step, name: &str, files: &[(&str, &str)]) -> String {
    let folder = step.path(name);
    for (file, text) in files {
        fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
        fs::write(folder.join(file), text).unwrap();
    }
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=me", "-c", "user.email=me@example.com", "-c", "safe.directory=*"];
        succeeded(step.beside("git").current_dir(&folder).args(identity).args(arguments));
    };
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "first"]);
    text(&folder).to_owned()
}

fn three_vaults_are_read_with_the_settings_alone() {
    let receiver = Scripted::keeping();
    let ids = ["default", "prod", "lab"];
    let step = Step::ansible("three-vaults").to(receiver.url()).target_file("managed", "default prod lab\n");
    for id in ids {
        let step = step.again().file(&format!("{id}.yml"), &format!("of_{id}: {id}\n"));
        let password = step.path(&format!("{id}-password"));
        fs::write(&password, format!("pass word of {id}\n")).unwrap();
        let mut vault = step.beside("ansible-vault");
        vault.args(["encrypt", "--encrypt-vault-id", id, "--vault-id", &format!("{id}@{}", password.display())]);
        succeeded(vault.arg(format!("{id}.yml")));
        fs::remove_file(password).unwrap();
    }
    let of = |id: &str| format!("pass word of {id}");
    let passwords = format!(r#"{{"prod":"{}","lab":"{}"}}"#, of("prod"), of("lab"));
    let step = step.setting("vault_password", of("default"));
    let end = step.again().run();
    claims_nothing(&receiver, &end);
    let end = step.again().setting("vault_passwords", &passwords).run();
    end.expect_delivered().expect_no("pass word of");

    // What the repository names itself is asked too.
    fs::write(step.repository().join("lab-password"), of("lab")).unwrap();
    let step = step.file("ansible.cfg", "[defaults]\nvault_identity_list = lab@lab-password\n");
    let step = step.setting("ansible_config", "ansible.cfg");
    step.setting("vault_passwords", format!(r#"{{"prod":"{}"}}"#, of("prod"))).run().expect_delivered();
}

fn sudo_is_given_the_password_of_an_ordinary_user() -> Result<(), NotRun> {
    // A user, a password and a rule for sudo, in a namespace where they change nothing of this machine.
    let operator = root().join("tests/programs/with-an-operator");
    let tried = Command::new("unshare").arg("--mount").arg(&operator).args(["sudo", "--version"]).output();
    match tried {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            return Err(NotRun(format!(
                "no user can be made here: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )));
        }
        Err(error) => return Err(NotRun(format!("no user can be made here: cannot run `unshare`: {error}"))),
    }
    let receiver = Scripted::keeping();
    let step = Step::ansible("in-sync").target_file("managed", "x").to(receiver.url());
    // Their key is read by sshd as that user.
    fs::set_permissions(step.path(""), Permissions::from_mode(0o711)).unwrap();
    let sshd = Sshd::start_with(&step, "ssh", "", &format!("unshare --mount {}", operator.display()));
    fs::set_permissions(step.target(), Permissions::from_mode(0o700)).unwrap();
    let step = step.file("hosts", &host(&sshd, "")).settings([
        ("user", "operator"),
        ("become", "true"),
        ("ssh_private_key", sshd.read("key").as_str()),
        ("ssh_known_hosts", &sshd.read("known_hosts")),
    ]);
    for wrong in [None, Some("not that one")] {
        let step = step.again();
        let step = if let Some(wrong) = wrong { step.setting("become_password", wrong) } else { step };
        claims_nothing(&receiver, &step.run());
    }
    let end = step.setting("become_password", "the word of the operator").run();
    end.expect_delivered().expect_no("the word of");
    Ok(())
}

fn variables_of_environment_reach_lookups_and_nothing_else() {
    let step = Step::ansible("shows-environment").dry().env("CI_COMMIT_SHA", "abc");
    let step = step.setting("environment", r#"{"LAB_TOKEN":"t0ken-of-the-lab","ANSIBLE_FORKS":"7"}"#);
    let end = step.target_file("managed", "16 7\n").run();
    end.expect_code(0).expect_log(r#""sync_status":"SYNCED""#).expect_no("t0ken-of-the-lab").expect_log("********");
}
