//! What the documents show is what the program does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::process::Command;

use support::{Example, Receiver, WithSettings, ended, root};

/// The code blocks of a document without a language: what a log looks like.
fn logs(document: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.trim().strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
            if language.is_empty() && block[0].starts_with('[') {
                blocks.push(block.join("\n"));
            }
        }
    }
    blocks
}

/// Runs a step of the example; its log, with the server's address and the time of README.
fn log(step: &mut Command, url: &str) -> String {
    let end = ended(step);
    // stderr comes after stdout here: the order within each is what counts.
    let mut log = format!("{}{}", end.stdout, end.stderr).replace(url, "http://gitops-status-server");
    if let Some((before, rest)) = log.split_once(r#""last_check":""#) {
        let (_, after) = rest.split_once('"').unwrap();
        log = format!(r#"{before}"last_check":"2026-04-21T10:30:00Z"{after}"#);
    }
    log
}

#[track_caller]
fn shown(block: &str, log: &str) {
    for line in block.lines() {
        assert!(log.lines().any(|real| real == line), "no such line in the log:\n{line}\n\n{log}");
    }
}

#[test]
fn the_logs_of_readme_are_real() {
    let logs = logs("README.md");
    let [synced, drifted, unknown] = logs.as_slice() else { panic!("three logs are expected: {logs:#?}") };
    let receiver = Receiver::start();
    let example = Example::deployed();
    shown(synced, &log(&mut example.step(&receiver.url()), &receiver.url()));

    for file in ["rsyslog.conf", "rsyslog.d/30-lab.conf"] {
        fs::write(example.etc().join(file), "# by hand\n").unwrap();
    }
    shown(drifted, &log(&mut example.step(&receiver.url()), &receiver.url()));

    let playbook = example.repository().join("ansible/playbooks/deploy.yml");
    let text = fs::read_to_string(&playbook).unwrap();
    let task = "  tasks:\n    - name: Read the version\n      ansible.builtin.command: rsyslogd -v\n      changed_when: false\n\n";
    fs::write(playbook, text.replacen("  tasks:\n", task, 1)).unwrap();
    let example_in_sync = Example::deployed();
    fs::copy(
        example.repository().join("ansible/playbooks/deploy.yml"),
        example_in_sync.repository().join("ansible/playbooks/deploy.yml"),
    )
    .unwrap();
    let mut step = example_in_sync.step(&receiver.url());
    step.settings([("playbook", "ansible/playbooks/deploy.yml")]);
    shown(unknown, &log(&mut step, &receiver.url()));
}

/// Every shell block of the documents; those that build or need a real server are listed here, with why they are not run.
#[test]
fn every_command_of_the_documents_is_known() {
    let elsewhere = [
        ("examples/tour.sh", "the first command, which .ci/run runs"),
        ("tests/run.sh", "the second command, which runs this test"),
    ];
    let mut found = Vec::new();
    for document in ["README.md", "plugin.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for block in text.split("```sh\n").skip(1) {
            found.extend(block.split("```").next().unwrap().lines().map(str::to_owned));
        }
    }
    let known: Vec<&str> = elsewhere.iter().map(|(command, _)| *command).collect();
    assert_eq!(found, known);
    for command in known {
        assert!(root().join(command).exists(), "{command}");
    }
}
