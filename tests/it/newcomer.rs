//! What somebody who is new here copies: the steps of the pages, the deploy steps of the examples and the script for a
//! laptop, each against a server that no ssh of this machine has met.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::harness::ended::Ended;
use crate::harness::server::Scripted;
use crate::harness::sshd::Sshd;
use crate::harness::step::Step;
use crate::harness::suite::{Need, Suite, suite};
use crate::harness::{ansible, root};
use crate::tidy::blocks;

pub fn suite() -> Suite {
    suite!(
        "newcomer",
        [Need::Ansible, Need::Ssh],
        each_step_of_the_pages_reaches_its_server,
        the_deploy_step_of_rsyslog_reaches_its_server,
        the_deploy_step_of_any_playbook_reaches_its_server,
        the_commands_of_the_quick_start_check_a_repository,
        a_container_is_told_where_localhost_leads,
    )
}

/// A step of a pipeline.
#[derive(Debug, Deserialize)]
struct PipelineStep {
    name: String,
    commands: Vec<String>,
    settings: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
}

/// The secrets that the pipelines name. `known_hosts` is what a person who has compared it has stored.
fn steps_of(pipeline: &str, key: &str, known_hosts: &str) -> Vec<PipelineStep> {
    let secrets = serde_json::json!({
        "deploy_key": key, "known_hosts": known_hosts, "status_server_token": "t0ken-of-the-status-server",
    });
    let mut read = Command::new(ansible::bin().unwrap().join("python3"));
    read.arg(root().join("tests/programs/settings-of-steps")).arg(secrets.to_string());
    let mut read = read.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    read.stdin.take().unwrap().write_all(pipeline.replace("${GROUP}", "web").as_bytes()).unwrap();
    let end: Ended = read.wait_with_output().unwrap().into();
    end.expect_code(0);
    serde_json::from_str(&end.stdout).unwrap()
}

fn each_step_of_the_pages_reaches_its_server() {
    let receiver = Scripted::keeping();
    let step = Step::ansible("in-sync").target_file("managed", "x").env("CI_REPO_NAME", "r");
    let sshd = Sshd::start(&step, "ssh");
    let step = step.file("hosts", &format!("[web]\nweb1 {}\n", sshd.inventory_variables()));
    let mut count = 0;
    for page in ["README.md", "plugin.md"] {
        for block in blocks(page, "yaml").iter().filter(|block| block.contains("steps:")) {
            for (known_hosts, is_right) in [(sshd.read("known_hosts"), true), (sshd.another_key(), false)] {
                let pipeline = steps_of(block, &sshd.read("key"), &known_hosts);
                let [shown] = pipeline.as_slice() else { panic!("{page}: one step is expected: {pipeline:?}") };
                receiver.forget();
                let step = ["playbook", "inventory", "repo_name", "server_name"]
                    .iter()
                    .fold(step.again(), |step, name| step.without(name));
                let step = step.settings(shown.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
                let end = step.to(receiver.url()).run();
                assert_eq!(end.code, Some(i32::from(!is_right)), "{page}: {end}");
                assert_eq!(receiver.bodies().len(), usize::from(is_right), "{page}: {end}");
                count += 1;
            }
        }
    }
    assert!(count > 4, "only {count} steps were run");
}

fn the_deploy_step_of_rsyslog_reaches_its_server() {
    deploys("rsyslog", "ansible/inventory.ini", "[rsyslog]\nrsyslog-lab");
}

fn the_deploy_step_of_any_playbook_reaches_its_server() {
    deploys("any-playbook", "inventory.ini", "gateway");
}

/// Runs the commands of an example's deploy step and then its check, on a directory that stands for the server's /etc.
#[track_caller]
fn deploys(example: &str, inventory: &str, host: &str) {
    let receiver = Scripted::keeping();
    let step = Step::in_copy_of(&format!("examples/{example}")).env("CI_REPO_NAME", example);
    let sshd = Sshd::start(&step, "ssh");
    let step = step.file(inventory, &format!("{host} {}\n", sshd.inventory_variables()));
    let etc = format!("etc: {}\n", step.target().display());
    let files = ["ansible/playbooks/deploy.yml", "ansible/playbooks/drift-check.yml", "roles/banner/defaults/main.yml"];
    let there = files.map(|file| step.repository().join(file)).into_iter().filter(|file| file.exists());
    for file in there {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("etc: /etc\n"), "{} would change this machine", file.display());
        fs::write(file, text.replace("etc: /etc\n", &etc)).unwrap();
    }
    let pipeline = crate::harness::read(format!("examples/{example}/.woodpecker.yml"));
    for (known_hosts, is_right) in [(sshd.another_key(), false), (sshd.read("known_hosts"), true)] {
        let steps = steps_of(&pipeline, &sshd.read("key"), &known_hosts);
        let deploy = steps.iter().find(|step| step.name == "deploy").unwrap();
        let mut shell = step.beside("sh");
        // An ssh that outlives the test would hold its output.
        shell
            .env("ANSIBLE_SSH_ARGS", "-o ControlMaster=no")
            .env("ANSIBLE_PIPELINING", "true")
            .envs(&deploy.environment);
        let end: Ended = shell.args(["-ec", &deploy.commands.join("\n")]).output().unwrap().into();
        assert_eq!(end.code == Some(0), is_right, "{end}");
        assert_eq!(fs::read_dir(step.target()).unwrap().count() > 0, is_right, "{end}");
    }
    let steps = steps_of(&pipeline, &sshd.read("key"), &sshd.read("known_hosts"));
    let check = steps.iter().find(|step| step.name == "update-gitops-status").unwrap();
    let check = step.settings(check.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    check.to(receiver.url()).run().expect_delivered();
    assert!(receiver.bodies()[0].contains(r#""sync_status":"SYNCED""#), "{:?}", receiver.bodies());
}

/// The third step of README, with docker's place taken by the plugin itself.
fn the_commands_of_the_quick_start_check_a_repository() {
    let step = Step::ansible("in-sync").target_file("managed", "x");
    let sshd = Sshd::start(&step, "ssh");
    let step = step.file("hosts", &format!("web01 {}\n", sshd.inventory_variables()));
    let home = step.path("home");
    fs::create_dir(home.join(".ssh")).unwrap();
    fs::copy(sshd.path("key"), home.join(".ssh/KEY")).unwrap();
    let shown = blocks("README.md", "sh").into_iter().find(|block| block.contains("docker-run.sh")).unwrap();
    let mut commands = shown;
    for (shown, here) in [
        ("YOUR_REPOSITORY", step.repository().display().to_string()),
        (".../", format!("{}/", root().display())),
        ("ed25519 web01", format!("ed25519 -p {} 127.0.0.1", sshd.port())),
    ] {
        assert!(commands.contains(shown), "{shown} is not in {commands}");
        commands = commands.replace(shown, &here);
    }
    let mut shell = step.beside("sh");
    shell.env("ENGINE", root().join("tests/programs/engine-that-runs-here"));
    shell.env("BINARY_OF_THE_PLUGIN", env!("CARGO_BIN_EXE_plugin-gitops-status"));
    let end: Ended = shell.args(["-ec", &commands]).output().unwrap().into();
    end.expect_code(0).expect_log("SHA256:").expect_log(r#""server":"web01","sync_status":"SYNCED""#);
}

fn a_container_is_told_where_localhost_leads() {
    let said = |url: &str, options: &str| {
        let mut script = Step::new().beside(root().join("examples/docker-run.sh"));
        script.env("ENGINE", "echo").env("OPTIONS", options).current_dir("/");
        let end: Ended = script.arg(format!("gitops_status_server_url={url}")).output().unwrap().into();
        end.expect_code(0);
        end.stderr
    };
    for url in ["http://localhost:8080", "http://127.0.0.1"] {
        assert!(said(url, "").contains("to reach this machine, set OPTIONS='--network host'"), "{url}");
        assert_eq!(said(url, "--network host"), "");
        assert_eq!(said(url, "--rm --network=host"), "");
    }
    assert_eq!(said("http://status.example", ""), "");
}
