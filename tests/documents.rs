//! What the documents show is what the program does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{Example, Receiver, WithSettings, ended, picture, root};

/// The code blocks of a document in a language, each without its indentation.
fn blocks(document: &str, wanted: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.trim().strip_prefix("```") {
            let depth = line.len() - line.trim_start().len();
            let block = lines.by_ref().take_while(|line| line.trim() != "```");
            let block: Vec<&str> = block.map(|line| line.get(depth..).unwrap_or_default()).collect();
            if language == wanted {
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
fn the_logs_of_readme_and_the_payloads_of_plugin_md_are_real() {
    // What a log looks like has no language.
    let mut logs = blocks("README.md", "");
    logs.retain(|block| block.starts_with('['));
    let [synced, drifted, unknown] = logs.as_slice() else { panic!("three logs are expected: {logs:#?}") };
    let receiver = Receiver::start();
    let example = Example::deployed();
    let payloads = blocks("plugin.md", "json");
    let [payloads] = payloads.as_slice() else { panic!("one block of JSON is expected: {payloads:#?}") };
    let (synced_payload, drifted_payload) = payloads.split_once('\n').unwrap();
    let payload = |text: &str| format!("[3/4] Payload: {text}");

    let synced_log = log(&mut example.step(&receiver.url()), &receiver.url());
    shown(synced, &synced_log);
    shown(&payload(synced_payload), &synced_log);

    for file in ["rsyslog.conf", "rsyslog.d/30-lab.conf"] {
        fs::write(example.etc().join(file), "# by hand\n").unwrap();
    }
    let drifted_log = log(&mut example.step(&receiver.url()), &receiver.url());
    shown(drifted, &drifted_log);
    shown(&payload(drifted_payload), &drifted_log);
    let coloured = log(example.step(&receiver.url()).env("CI", "woodpecker"), &receiver.url());
    let (first, rest) = coloured.split_once('\n').unwrap();
    let (_ansible, ours) = rest.split_once("\x1b[1m[2/4]").unwrap();
    let ours = format!("{first}\n      (here is Ansible's own output, live)\n\x1b[1m[2/4]{ours}");
    picture("log", Path::new("python3"), &ours);

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

/// Every line of the documents' shell blocks is run by something else than this test; here stands by what.
#[test]
fn every_command_of_the_documents_is_known() {
    let known = [
        ("examples/tour.sh", "the first command, which .ci/run runs"),
        ("tests/run.sh", "the second command, which runs this test"),
        ("docker build -t plugin-gitops-status .", ".ci/image builds it, with buildah where there is no docker"),
        (
            "docker compose -f examples/grafana/docker-compose.yml up -d",
            "needs Grafana's image and plugin; its parts are tested",
        ),
        ("cd YOUR_REPOSITORY", "the reader's"),
        (
            ".../examples/docker-run.sh playbook=site.yml inventory=hosts server_name=web01 ssh_private_key=@~/.ssh/KEY dry_run=true",
            "tests/image.rs runs the script on the example",
        ),
    ];
    let found: Vec<String> = ["README.md", "plugin.md"]
        .iter()
        .flat_map(|document| blocks(document, "sh"))
        .flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(found, known.map(|(command, _)| command));
    for script in ["examples/tour.sh", "tests/run.sh", "examples/grafana/docker-compose.yml", "examples/docker-run.sh"]
    {
        assert!(root().join(script).exists(), "{script}");
    }
}

/// The reasons and remedies that README quotes are the log's own words.
#[test]
fn the_reasons_of_readme_are_the_logs_words() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let words = fs::read_to_string(root().join("src/remedy.rs")).unwrap();
    let (_, table) = readme.split_once("| the log says | what helps |\n|---|---|\n").unwrap();
    let quoted: Vec<&str> =
        table.lines().take_while(|line| line.starts_with("| `")).map(|line| line.split('`').nth(1).unwrap()).collect();
    assert!(quoted.len() > 5);
    for sentence in quoted {
        assert!(words.contains(sentence), "no reason says: {sentence}");
    }
}
