//! The image, as a pipeline runs it. `.ci/image` builds it and runs these tests with IMAGE and ENGINE set; without an
//! image there is nothing to test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::examples::rsyslog;
use crate::harness::container::{Network, engine, image};
use crate::harness::ended::Ended;
use crate::harness::step::Step;
use crate::harness::suite::{Need, Suite, suite};
use crate::harness::{copy, root, succeeded, variable};
use crate::tidy::blocks;

pub fn suite() -> Suite {
    suite!(
        "image",
        [Need::Image],
        the_image_says_its_version,
        the_binary_is_static,
        the_example_is_checked_as_root_as_anybody_and_read_only,
        docker_run_checks_a_repository_on_a_laptop,
        ssh_works_for_a_uid_without_a_name,
        as_pid_1_it_ends_on_sigterm,
        what_is_missing_is_named_as_outside,
        python_packages_are_added_as_documented,
    )
}

/// The example's repository and an empty directory for the server's /etc, and a network with a status server.
struct Surroundings {
    example: Step,
    network: Network,
}

impl Surroundings {
    fn new() -> Self {
        let example = rsyslog();
        let folder = example.path("");
        // Another uid than ours has to read the repository.
        for folder in [&folder, &example.repository(), &example.target()] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let name = folder.file_name().unwrap().to_string_lossy().trim_matches('.').to_lowercase();
        Self { network: Network::new(&name), example }
    }

    /// `run` with the workspace and the server's /etc mounted, up to and without the image's name.
    fn run(&self, options: &[&str]) -> Command {
        let mut run = engine(&["run", "--rm", "--network", &self.network.name, "--workdir", "/woodpecker/src"]);
        run.arg("--volume").arg(format!("{}:/woodpecker/src:ro", self.example.repository().display()));
        run.arg("--volume").arg(format!("{}:/target/etc", self.example.target().display()));
        run.args(options);
        run
    }

    fn deploy(&self) {
        let mut deploy = self.run(&["--entrypoint", "ansible-playbook"]);
        deploy.args([&image(), "-e", EXTRA_VARS, "-i", "ansible/inventory.ini", "ansible/playbooks/deploy.yml"]);
        succeeded(&mut deploy);
    }

    /// The step of the example, with further options of `run`.
    fn step(&self, options: &[&str]) -> Ended {
        let mut step = self.run(options);
        let settings = [
            ("CI_REPO_NAME", "rsyslog"),
            ("PLUGIN_GITOPS_STATUS_SERVER_URL", "http://status:8080"),
            ("PLUGIN_SERVER_NAME", "rsyslog-lab"),
            ("PLUGIN_PLAYBOOK", "ansible/playbooks/drift-check.yml"),
            ("PLUGIN_INVENTORY", "ansible/inventory.ini"),
            ("PLUGIN_ANSIBLE_CONFIG", "ansible.cfg"),
            ("PLUGIN_EXTRA_VARS", EXTRA_VARS),
        ];
        for (name, value) in settings {
            step.arg("--env").arg(format!("{name}={value}"));
        }
        step.arg(image()).output().unwrap().into()
    }
}

const EXTRA_VARS: &str = r#"{"etc":"/target/etc","ansible_connection":"local","ansible_become":false}"#;

fn the_image_says_its_version() {
    let end = succeeded(&mut engine(&["run", "--rm", &image(), "--version"]));
    assert_eq!(end.stdout, concat!("plugin-gitops-status ", env!("CARGO_PKG_VERSION"), "\n"));
}

fn the_binary_is_static() {
    let folder = tempfile::tempdir().unwrap();
    let container = succeeded(&mut engine(&["create", &image()])).stdout;
    let binary = folder.path().join("binary");
    let inside = format!("{}:/usr/local/bin/plugin-gitops-status", container.trim());
    succeeded(engine(&["cp", &inside]).arg(&binary));
    succeeded(&mut engine(&["rm", container.trim()]));
    let headers = fs::read(binary).unwrap();
    // Program headers start at byte 64 of a 64-bit ELF file and are 56 bytes each; type 3 names a dynamic loader.
    let count = usize::from(u16::from_le_bytes([headers[56], headers[57]]));
    let types: Vec<u32> =
        (0..count).map(|number| u32::from_le_bytes(headers[64 + number * 56..][..4].try_into().unwrap())).collect();
    assert!(types.contains(&1) && !types.contains(&3), "{types:?}");
}

fn the_example_is_checked_as_root_as_anybody_and_read_only() {
    let surroundings = Surroundings::new();
    surroundings.deploy();
    let ways: [&[&str]; 4] = [
        &[],
        &["--user", "12345:12345"],
        &["--read-only", "--tmpfs", "/tmp"],
        &["--user", "12345", "--read-only", "--tmpfs", "/tmp:mode=1777", "--cap-drop", "ALL"],
    ];
    for way in ways {
        let end = surroundings.step(way);
        assert_eq!(end.code, Some(0), "{way:?}: {end}");
        assert!(surroundings.network.statuses().contains(r#""sync_status":"SYNCED""#), "{way:?}: {end}");
    }
    fs::write(surroundings.example.target().join("rsyslog.conf"), "# by hand\n").unwrap();
    for way in ways {
        let end = surroundings.step(way);
        assert_eq!(end.code, Some(0), "{way:?}: {end}");
        let statuses = surroundings.network.statuses();
        assert!(statuses.contains(r#""sync_status":"OUT_OF_SYNC""#), "{way:?}: {statuses} {end}");
        assert!(statuses.contains(r#""files":[{"name":"rsyslog.conf"}]"#), "{way:?}: {statuses}");
    }
}

fn docker_run_checks_a_repository_on_a_laptop() {
    let surroundings = Surroundings::new();
    surroundings.deploy();
    let variables = surroundings.example.path("variables.json");
    fs::write(&variables, EXTRA_VARS).unwrap();
    let etc = format!("--volume {}:/target/etc:ro", surroundings.example.target().display());
    let mut run = Command::new(root().join("examples/docker-run.sh"));
    run.current_dir(surroundings.example.repository()).env("ENGINE", variable("ENGINE").unwrap()).env("IMAGE", image());
    run.env("OPTIONS", format!("--network {} {etc}", surroundings.network.name));
    run.args(["gitops-status-server-url=http://status:8080", "server_name=rsyslog-lab", "ansible_config=ansible.cfg"]);
    run.args(["playbook=ansible/playbooks/drift-check.yml", "inventory=ansible/inventory.ini"]);
    let end: Ended = run.arg(format!("extra_vars=@{}", variables.display())).output().unwrap().into();
    end.expect_code(0);
    let statuses = surroundings.network.statuses();
    let directory = surroundings.example.repository();
    let name = directory.file_name().unwrap().to_str().unwrap();
    assert!(statuses.contains(&format!(r#""repo":"{name}""#)), "{statuses}");
    assert!(statuses.contains(r#""sync_status":"SYNCED""#), "{statuses}");
}

fn ssh_works_for_a_uid_without_a_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    succeeded(Command::new("bash").arg(root().join("tests/sshd.sh")).env("CASE_TMP", folder.path()));
    let of_sshd = |name: &str| fs::read_to_string(folder.path().join("ssh").join(name)).unwrap();
    fs::write(folder.path().join("there.txt"), "as it should be\n").unwrap();
    let playbook = "- hosts: web1\n  gather_facts: false\n  tasks:\n    - ansible.builtin.copy:\n        \
                    content: |\n          as it should be\n        dest: \"{{ there }}\"\n";
    fs::write(folder.path().join("p.yml"), playbook).unwrap();
    let theirs = fs::read_to_string(folder.path().join("inventory.ini")).unwrap();
    let python = theirs.lines().find(|line| line.starts_with("ansible_python_interpreter=")).unwrap();
    let port = of_sshd("port");
    let inventory = format!("web1 ansible_host=127.0.0.1 ansible_port={} ansible_user=root {python}\n", port.trim());
    fs::write(folder.path().join("hosts"), inventory).unwrap();

    let mut step = engine(&["run", "--rm", "--network", "host", "--user", "12345", "--workdir", "/woodpecker/src"]);
    step.arg("--volume").arg(format!("{}:/woodpecker/src:ro", folder.path().display()));
    let there = format!(r#"{{"there":"{}"}}"#, folder.path().join("there.txt").display());
    for (name, value) in [
        ("DRY_RUN", "true"),
        ("REPO_NAME", "r"),
        ("SERVER_NAME", "s"),
        ("PLAYBOOK", "p.yml"),
        ("INVENTORY", "hosts"),
        ("EXTRA_VARS", &there),
        ("SSH_PRIVATE_KEY", &of_sshd("key")),
        ("SSH_KNOWN_HOSTS", &of_sshd("known_hosts")),
    ] {
        step.arg("--env").arg(format!("PLUGIN_{name}={value}"));
    }
    let end: Ended = step.arg(image()).output().unwrap().into();
    succeeded(Command::new("kill").arg(of_sshd("pid").trim()));
    end.expect_code(0);
    end.expect_log(r#""sync_status":"SYNCED""#);
}

fn as_pid_1_it_ends_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // A process that leaves its parent and does not listen: as PID 1 it is ours to end.
    let playbook = "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - ansible.builtin.shell: \
                    trap '' TERM; (setsid sleep 600 &) ; sleep 600\n      check_mode: false\n";
    fs::write(folder.path().join("p.yml"), playbook).unwrap();
    fs::write(folder.path().join("hosts"), "localhost ansible_connection=local\n").unwrap();
    let name = format!("gitops-term-{}", std::process::id());
    let mut step = engine(&["run", "--rm", "--name", &name, "--workdir", "/woodpecker/src"]);
    step.arg("--volume").arg(format!("{}:/woodpecker/src:ro", folder.path().display()));
    for setting in ["DRY_RUN=true", "REPO_NAME=r", "SERVER_NAME=s", "PLAYBOOK=p.yml", "INVENTORY=hosts"] {
        step.args(["--env", &format!("PLUGIN_{setting}")]);
    }
    let mut running = step.arg(image()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("TASK [")));
    // An engine kills what has not ended by then, and the exit code would be 137.
    succeeded(&mut engine(&["stop", "--time", "5", &name]));
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    let end: Ended = running.wait_with_output().unwrap().into();
    assert_eq!(end.code, Some(143), "{rest:?} {end}");
    assert!(!rest.concat().contains("sync_status"), "{rest:?}");
}

fn what_is_missing_is_named_as_outside() {
    let surroundings = Surroundings::new();
    let end = surroundings.step(&["--env", "PLUGIN_LIMIT=nowhere"]);
    end.expect_code(1);
    assert!(!end.stdout.contains("SYNCED"), "{end}");

    fs::remove_file(surroundings.example.repository().join("ansible/playbooks/drift-check.yml")).unwrap();
    let end = surroundings.step(&[]);
    end.expect_code(1);
    end.expect_error("drift-check.yml");

    copy(&root().join("examples/rsyslog/ansible"), &surroundings.example.repository().join("ansible"));
    surroundings.deploy();
    fs::set_permissions(surroundings.example.repository(), fs::Permissions::from_mode(0o700)).unwrap();
    let end = surroundings.step(&["--user", "12345", "--cap-drop", "ALL"]);
    end.expect_code(1);
    end.expect_error("drift-check.yml");
    fs::set_permissions(surroundings.example.repository(), fs::Permissions::from_mode(0o755)).unwrap();

    succeeded(&mut engine(&["rm", "--force", "--volumes", &surroundings.network.server()]));
    let end = surroundings.step(&["--env", "PLUGIN_RETRY_FOR=1s"]);
    end.expect_code(1);
    end.expect_error("the host name cannot be resolved");
    assert!(Path::new(&surroundings.example.target().join("rsyslog.conf")).exists(), "the deploy was for nothing");
}

/// The recipe of the documents, with one of its packages. Where `PYTHON_IMAGE` is set, it stands in for the python image.
fn python_packages_are_added_as_documented() {
    let recipes = blocks("docs/troubleshooting.md", "dockerfile");
    let [recipe] = recipes.as_slice() else { panic!("one recipe is expected: {recipes:#?}") };
    let replaced = |text: String, old: &str, new: &str| {
        assert_eq!(text.matches(old).count(), 1, "{old} in {text}");
        text.replace(old, new)
    };
    let recipe = replaced(recipe.clone(), " boto3 hcloud kubernetes", " hcloud");
    let mut recipe = replaced(recipe, "FROM plugin-gitops-status", &format!("FROM {}", image()));
    if let Some(python) = variable("PYTHON_IMAGE") {
        recipe = replaced(recipe, "FROM python:3.13-slim", &format!("FROM {python}"));
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Dockerfile"), recipe).unwrap();
    let name = format!("gitops-status-packages:{}", std::process::id());
    let build = variable("BUILD").unwrap();
    let mut words = build.split(' ');
    succeeded(Command::new(words.next().unwrap()).args(words).args(["--tag", &name]).arg(folder.path()));

    let mut python = engine(&["run", "--rm", "--user", "12345", "--read-only", "--entrypoint", "python3", &name, "-c"]);
    let found =
        python.arg("import hcloud, jinja2, requests; print(hcloud.__file__, jinja2.__file__)").output().unwrap();
    succeeded(&mut engine(&["rmi", &name]));
    let found = Ended::from(found).expect_code(0).stdout.clone();
    // What Ansible itself imports is not replaced.
    let (added, own) = ("/usr/lib/python3/dist-packages/hcloud/", "/usr/local/lib/python3.13/dist-packages/jinja2/");
    assert!(found.contains(added) && found.contains(own), "{found}");
}
