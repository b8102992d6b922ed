//! The built binary as a pipeline runs it: a real `ansible-playbook`, a real sshd, the real status server of the examples.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use support::{Ended, Example, Receiver, StatusServer, WithSettings, ended, processes_naming, step, surroundings};

/// A payload or a list of one without the times in it, which are checked to be some.
fn timeless(json: &str) -> String {
    let mut timeless = json.to_owned();
    for key in ["last_check", "since"] {
        let Some((before, rest)) = timeless.split_once(&format!(r#""{key}":""#)) else { continue };
        let (time, after) = rest.split_once('"').unwrap();
        let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00Z");
        timeless = format!(r#"{before}"{key}":"TIME"{after}"#);
    }
    timeless
}

/// What the status server lists of a payload.
fn listed(payload: &str) -> String {
    format!(r#"[{},"since":"TIME"}}]"#, payload.strip_suffix('}').unwrap())
}

const SYNCED: &str = r#"{"repo":"rsyslog","server":"rsyslog-lab","sync_status":"SYNCED","drift_count":0,"files":[],"last_check":"TIME"}"#;
const DRIFTED: &str = r#"{"repo":"rsyslog","server":"rsyslog-lab","sync_status":"OUT_OF_SYNC","drift_count":2,"files":[{"name":"rsyslog.conf"},{"name":"rsyslog.d/30-lab.conf"}],"last_check":"TIME"}"#;

#[test]
fn the_example_is_reported_byte_for_byte_and_shown_by_the_status_server() {
    for check in ["true", "false"] {
        let example = Example::deployed();
        let store = example.folder().path().join("statuses.db");
        let server = StatusServer::start(&["--file", store.to_str().unwrap()]);
        let receiver = Receiver::start();

        let end = ended(example.step(&server.url).settings([("check", check)]));
        assert_eq!(end.code, Some(0), "{end:?}");
        assert!(end.stdout.ends_with("✓ Status update successful (HTTP 200)\n"), "{end:?}");
        assert_eq!(timeless(&server.statuses()), listed(SYNCED));

        for file in ["rsyslog.conf", "rsyslog.d/30-lab.conf"] {
            fs::write(example.etc().join(file), "edited by hand\n").unwrap();
        }
        let end = ended(example.step(&server.url).settings([("check", check)]));
        assert_eq!(end.code, Some(0), "{end:?}");
        assert_eq!(timeless(&server.statuses()), listed(DRIFTED));
        assert_eq!(fs::read_to_string(example.etc().join("rsyslog.conf")).unwrap(), "edited by hand\n");

        let end = ended(example.step(&receiver.url()).settings([("check", check), ("fail_on_drift", "yes")]));
        assert_eq!(end.code, Some(2), "{end:?}");
        let posts = receiver.posts();
        assert_eq!(timeless(&posts[0].body), DRIFTED);
        assert_eq!((posts.len(), posts[0].path.as_str()), (1, "/api/status"));
        assert_eq!(posts[0].header("content-type"), Some("application/json"));
        assert_eq!(posts[0].header("user-agent"), Some(concat!("plugin-gitops-status/", env!("CARGO_PKG_VERSION"))));
    }
}

#[test]
fn the_deploy_playbook_itself_can_be_the_check() {
    let example = Example::deployed();
    fs::write(example.etc().join("rsyslog.conf"), "edited by hand\n").unwrap();
    let receiver = Receiver::start();
    let settings = [("playbook", "ansible/playbooks/deploy.yml"), ("relative_to", example.etc().to_str().unwrap())]
        .map(|(name, value)| (name, value.to_owned()));
    let end =
        ended(example.step(&receiver.url()).settings(settings.iter().map(|(name, value)| (*name, value.as_str()))));
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(receiver.posts()[0].body.contains(r#""files":[{"name":"rsyslog.conf"}]"#), "{:?}", receiver.posts());
    assert_eq!(fs::read_to_string(example.etc().join("rsyslog.conf")).unwrap(), "edited by hand\n");
}

#[test]
fn a_dry_run_prints_what_would_be_sent_and_the_file_holds_the_same() {
    let example = Example::deployed();
    let file = example.folder().path().join("payload.json");
    let mut step = example.step("");
    let end = ended(step.settings([("dry_run", "on"), ("payload_file", file.to_str().unwrap())]));
    assert_eq!(end.code, Some(0), "{end:?}");
    let printed = end.stdout.lines().find_map(|line| line.strip_prefix("[3/4] Payload: ")).unwrap();
    assert_eq!(timeless(printed), SYNCED);
    assert_eq!(fs::read_to_string(file).unwrap(), format!("{printed}\n"));
    assert!(end.stdout.ends_with("[4/4] Dry run, nothing is sent\n"), "{end:?}");
}

#[test]
fn per_host_and_details_report_each_host_by_its_own_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hosts"), "[all]\nweb1\nweb2\ndead ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1\n[all:vars]\nansible_connection=local\n").unwrap();
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: manage it\n      copy: {content: x, dest: \"{{ lookup('env', 'TARGET') }}/{{ inventory_hostname }}\"}\n";
    fs::write(folder.path().join("site.yml"), playbook).unwrap();
    fs::write(folder.path().join("web1"), "x").unwrap();
    fs::write(folder.path().join("web2"), "y").unwrap();
    let receiver = Receiver::start();
    let end = ended(step(folder.path()).env("TARGET", folder.path()).settings([
        ("gitops_status_server_url", receiver.url().as_str()),
        ("repo_name", "r"),
        ("playbook", "site.yml"),
        ("inventory", "hosts"),
        ("per_host", "true"),
        ("details", "true"),
    ]));
    assert_eq!(end.code, Some(1), "{end:?}");
    let bodies: Vec<serde_json::Value> =
        receiver.posts().iter().map(|post| serde_json::from_str(&post.body).unwrap()).collect();
    let told: Vec<_> =
        bodies.iter().map(|body| (body["server"].as_str().unwrap(), body["sync_status"].as_str().unwrap())).collect();
    assert_eq!(told, [("web1", "SYNCED"), ("web2", "OUT_OF_SYNC")], "{end:?}");
    assert_eq!(bodies[1]["details"]["hosts"]["web2"]["tasks_changed"], 1);
    assert_eq!(bodies[1]["details"]["schema"], 1);
    assert!(end.stderr.contains("nothing is claimed for dead"), "{end:?}");
    assert!(end.stderr.contains("on dead: task `manage it` could not reach the host"), "{end:?}");
}

#[test]
fn a_host_that_hangs_spoils_nobody_where_tasks_have_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hosts"), "web1\nweb2\n[all:vars]\nansible_connection=local\n").unwrap();
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: hang\n      command: sleep 3600\n      check_mode: false\n      changed_when: false\n      when: inventory_hostname == 'web1'\n    - name: manage it\n      file: {path: \"{{ playbook_dir }}\", state: directory}\n";
    fs::write(folder.path().join("site.yml"), playbook).unwrap();
    let receiver = Receiver::start();
    let end = ended(step(folder.path()).settings([
        ("gitops_status_server_url", receiver.url().as_str()),
        ("repo_name", "r"),
        ("playbook", "site.yml"),
        ("inventory", "hosts"),
        ("per_host", "true"),
        ("ansible_env", r#"{"ANSIBLE_TASK_TIMEOUT":"20"}"#),
    ]));
    assert_eq!(end.code, Some(1), "{end:?}");
    assert_eq!(receiver.posts().len(), 1, "{end:?}");
    assert!(receiver.posts()[0].body.contains(r#""server":"web2","sync_status":"SYNCED""#), "{:?}", receiver.posts());
    assert!(end.stderr.contains("on web1: task `hang` failed"), "{end:?}");
    assert_eq!(processes_naming(folder.path().to_str().unwrap()), Vec::<String>::new());
}

fn refused(end: &Ended, receiver: &Receiver, parts: &[&str]) {
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(receiver.posts().is_empty());
    for part in parts {
        assert!(end.stderr.contains(part), "{part:?} is missing in {end:?}");
    }
}

#[test]
fn what_is_not_there_is_named_in_a_sentence() {
    let example = Example::deployed();
    let receiver = Receiver::start();
    let run = |settings: &[(&str, &str)]| ended(example.step(&receiver.url()).settings(settings.iter().copied()));
    refused(
        &run(&[("playbook", "ansible/none.yml")]),
        &receiver,
        &["playbook `ansible/none.yml` does not exist", "check the path"],
    );
    refused(&run(&[("inventory", "none.ini")]), &receiver, &["inventory `none.ini` does not exist", "`none.ini,`"]);
    refused(
        &run(&[("ansible_config", "none.cfg")]),
        &receiver,
        &["`ansible_config` names `none.cfg`, which does not exist"],
    );
    let mut step = example.step(&receiver.url());
    refused(
        &ended(step.env("PATH", "/nonexistent")),
        &receiver,
        &["`ansible-playbook` is not on PATH", "install ansible-core"],
    );
    refused(&run(&[("payload_file", "/nonexistent/x")]), &receiver, &["cannot write the payload to `/nonexistent/x`"]);
    refused(
        &run(&[("chek", "no"), ("forks", "many")]),
        &receiver,
        &["`chek` is not a setting; did you mean `check`?", "`forks` is \"many\""],
    );
}

#[test]
fn a_redirect_is_no_success_and_names_its_target() {
    let example = Example::deployed();
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.server_addr());
    let answering = std::thread::spawn(move || {
        let request = server.recv().unwrap();
        let location = tiny_http::Header::from_bytes("Location", "http://login.example/").unwrap();
        request.respond(tiny_http::Response::from_string("moved").with_status_code(302).with_header(location)).unwrap();
    });
    let end = ended(&mut example.step(&url));
    answering.join().unwrap();
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.stderr.contains("HTTP 302: it redirects to http://login.example/ (1 attempt)"), "{end:?}");
}

#[test]
fn the_status_servers_own_sentence_is_shown() {
    let example = Example::deployed();
    let token = example.folder().path().join("token");
    fs::write(&token, "right\n").unwrap();
    let store = example.folder().path().join("statuses.db");
    let server = StatusServer::start(&["--file", store.to_str().unwrap(), "--token-file", token.to_str().unwrap()]);
    let end = ended(example.step(&server.url).settings([("status_server_token", "not-that-one")]));
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.stderr.contains("HTTP 401: the bearer token is missing or wrong"), "{end:?}");
    assert!(end.stderr.contains("check `status_server_token`"), "{end:?}");
    assert!(!format!("{end:?}").contains("not-that-one"), "{end:?}");
    assert_eq!(server.statuses(), "[]");
    let end = ended(example.step(&server.url).settings([("status_server_token", "right")]));
    assert_eq!(end.code, Some(0), "{end:?}");
}

/// A playbook that says where it is and then waits for ever.
fn hanging(folder: &Path) -> Command {
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: reached\n      debug: {msg: here}\n    - name: hang\n      command: sleep 3600\n      check_mode: false\n";
    fs::write(folder.join("hang.yml"), playbook).unwrap();
    fs::write(folder.join("hosts"), "web1 ansible_connection=local\n").unwrap();
    let mut step = step(folder);
    step.settings([("playbook", "hang.yml"), ("inventory", "hosts"), ("repo_name", "r"), ("server_name", "s")]);
    step.env("TMPDIR", folder.join("tmp"));
    fs::create_dir(folder.join("tmp")).unwrap();
    step
}

#[test]
fn a_signal_ends_the_run_claims_nothing_and_leaves_nothing() {
    for (signal, code) in
        [(rustix::process::Signal::TERM, 143), (rustix::process::Signal::INT, 130), (rustix::process::Signal::HUP, 129)]
    {
        let folder = tempfile::tempdir().unwrap();
        let receiver = Receiver::start();
        let mut step = hanging(folder.path());
        step.settings([("gitops_status_server_url", receiver.url().as_str()), ("report_unknown", "true")]);
        let mut child = step.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("TASK [hang]")));
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal).unwrap();
        let end: Ended = child.wait_with_output().unwrap().into();
        assert_eq!(end.code, Some(code), "{end:?}");
        assert!(end.stderr.contains("nothing is claimed"), "{end:?}");
        assert!(receiver.posts().is_empty());
        assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
        assert_eq!(processes_naming(folder.path().to_str().unwrap()), Vec::<String>::new());
    }
}

#[test]
fn a_run_over_its_time_is_ended_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start();
    let mut step = hanging(folder.path());
    let end = ended(step.settings([("gitops_status_server_url", receiver.url().as_str()), ("timeout", "4s")]));
    refused(&end, &receiver, &["the run was not over within `timeout` (during task `hang`)", "raise `timeout`"]);
    assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
    assert_eq!(processes_naming(folder.path().to_str().unwrap()), Vec::<String>::new());
}

#[test]
fn vaulted_variables_are_read_with_the_setting_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("password"), "v4ult").unwrap();
    fs::write(path("vars.yml"), "content: from the vault\n").unwrap();
    let mut vault = Command::new("ansible-vault");
    surroundings(&mut vault).arg("encrypt").arg("--vault-password-file").arg(path("password")).arg(path("vars.yml"));
    assert_eq!(ended(&mut vault).code, Some(0));
    fs::write(path("managed"), "from the vault").unwrap();
    fs::write(path("site.yml"), "- hosts: all\n  gather_facts: false\n  vars_files: vars.yml\n  tasks:\n    - copy: {content: \"{{ content }}\", dest: \"{{ playbook_dir }}/managed\"}\n").unwrap();
    let run = |password: &str| {
        let mut step = step(folder.path());
        ended(step.settings([
            ("playbook", "site.yml"),
            ("inventory", "h,"),
            ("repo_name", "r"),
            ("server_name", "s"),
            ("dry_run", "1"),
            ("vault_password", password),
            ("extra_vars", "ansible_connection=local"),
        ]))
    };
    let end = run("v4ult");
    assert!(end.stdout.contains(r#""sync_status":"SYNCED""#), "{end:?}");
    assert!(!end.stdout.contains("v4ult") && end.code == Some(0), "{end:?}");
    assert_eq!(run("wrong").code, Some(1));
}

#[test]
fn roles_are_installed_before_the_run_and_a_failure_of_that_claims_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("lab/tasks")).unwrap();
    fs::create_dir_all(path("lab/meta")).unwrap();
    fs::write(
        path("lab/meta/main.yml"),
        "galaxy_info: {author: me, description: d, license: x, min_ansible_version: '2.9'}\n",
    )
    .unwrap();
    fs::write(path("lab/tasks/main.yml"), "- copy: {content: x, dest: \"{{ playbook_dir }}/managed\"}\n").unwrap();
    let packed = Command::new("tar").args(["czf", "lab.tar.gz", "lab"]).current_dir(folder.path()).status().unwrap();
    assert!(packed.success());
    fs::remove_dir_all(path("lab")).unwrap();
    fs::write(
        path("requirements.yml"),
        format!("roles:\n  - {{src: 'file://{}', name: lab}}\n", path("lab.tar.gz").display()),
    )
    .unwrap();
    fs::write(path("none.yml"), "roles:\n  - {src: 'file:///nonexistent.tar.gz', name: none}\n").unwrap();
    fs::write(path("site.yml"), "- hosts: all\n  gather_facts: false\n  roles: [lab]\n").unwrap();
    fs::write(path("managed"), "x").unwrap();
    let run = |requirements: &str| {
        let mut step = step(folder.path());
        ended(step.env("HOME", folder.path()).settings([
            ("playbook", "site.yml"),
            ("inventory", "h,"),
            ("repo_name", "r"),
            ("server_name", "s"),
            ("dry_run", "1"),
            ("galaxy_requirements", requirements),
            ("extra_vars", "ansible_connection=local"),
        ]))
    };
    for _ in 0..2 {
        let end = run("requirements.yml");
        assert!(end.stdout.contains(r#""sync_status":"SYNCED""#), "{end:?}");
    }
    let end = run("none.yml");
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(
        end.stderr.contains("`ansible-galaxy` exited with code 1 while it installed what `none.yml` lists"),
        "{end:?}"
    );
    let end = run("absent.yml");
    assert!(end.stderr.contains("`galaxy_requirements` names `absent.yml`, which does not exist"), "{end:?}");
}

#[test]
fn help_lists_every_setting_and_other_arguments_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let help = ended(step(folder.path()).arg("--help"));
    assert_eq!(help.code, Some(0));
    for setting in plugin_gitops_status::TABLE {
        assert!(help.stdout.contains(&format!("{} ", setting.variable())), "{} is missing", setting.name);
    }
    let version = ended(step(folder.path()).arg("--version"));
    assert_eq!(version.stdout, concat!("plugin-gitops-status ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(ended(step(folder.path()).arg("--dry-run")).code, Some(1));
}

#[test]
fn sudo_that_wants_a_terminal_is_named_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let sudo = folder.path().join("sudo");
    // What `Defaults requiretty` makes of sudo; changing this machine's own is nothing a test should do.
    fs::write(
        &sudo,
        "#!/bin/sh\n[ -t 0 ] && exit 0\necho 'sudo: sorry, you must have a tty to run sudo' >&2\nexit 1\n",
    )
    .unwrap();
    fs::set_permissions(&sudo, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(
        folder.path().join("site.yml"),
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - file: {path: /etc, state: directory}\n",
    )
    .unwrap();
    let become_by = "ansible_become=true ansible_become_user=nobody";
    let host = format!("web1 ansible_connection=local {become_by} ansible_become_exe={}\n", sudo.display());
    fs::write(folder.path().join("hosts"), host).unwrap();
    let receiver = Receiver::start();
    let mut step = step(folder.path());
    // Chosen by the step over ssh alone; this is a local host.
    step.env("ANSIBLE_PIPELINING", "true").settings([
        ("gitops_status_server_url", receiver.url().as_str()),
        ("repo_name", "r"),
        ("server_name", "s"),
        ("playbook", "site.yml"),
        ("inventory", "hosts"),
    ]);
    refused(&ended(&mut step), &receiver, &["`requiretty`", "set `ansible_env: {ANSIBLE_PIPELINING: \"false\"}`"]);
}
