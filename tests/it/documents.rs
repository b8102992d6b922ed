//! What the documents show is what the program does with a real Ansible.

use std::fs;

use crate::examples::{deployed_rsyslog, edit_by_hand};
use crate::harness::ended::Ended;
use crate::harness::picture::picture;
use crate::harness::server::Scripted;
use crate::harness::step::Step;
use crate::harness::suite::{Need, Suite, suite};
use crate::tidy::blocks;

pub fn suite() -> Suite {
    suite!(
        "documents",
        [Need::Ansible, Need::Python],
        the_logs_of_readme_and_the_payloads_of_plugin_md_are_real,
        the_command_of_verdict_md_compares,
    )
}

/// Runs a step of the example; its log, with the server's address and the time of README.
fn log(step: &Step, url: &str) -> String {
    let Ended { stdout, stderr, .. } = step.run();
    // stderr comes after stdout here: the order within each is what counts.
    let mut log = format!("{stdout}{stderr}").replace(url, "http://gitops-status-server");
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

fn the_logs_of_readme_and_the_payloads_of_plugin_md_are_real() {
    // What a log looks like has no language.
    let mut logs = blocks("README.md", "");
    logs.retain(|block| block.starts_with('['));
    let [synced, drifted, unknown] = logs.as_slice() else { panic!("three logs are expected: {logs:#?}") };
    let payloads = blocks("plugin.md", "json");
    let [payloads] = payloads.as_slice() else { panic!("one block of JSON is expected: {payloads:#?}") };
    let (synced_payload, drifted_payload) = payloads.split_once('\n').unwrap();
    let payload = |text: &str| format!("[3/4] Payload: {text}");

    let server = Scripted::keeping();
    let url = server.url();
    let step = deployed_rsyslog().to(&url);
    let synced_log = log(&step, &url);
    shown(synced, &synced_log);
    shown(&payload(synced_payload), &synced_log);

    edit_by_hand(&step);
    let drifted_log = log(&step, &url);
    shown(drifted, &drifted_log);
    shown(&payload(drifted_payload), &drifted_log);
    let coloured = log(&step.again().env("CI", "woodpecker"), &url);
    let (first, rest) = coloured.split_once('\n').unwrap();
    let (_ansible, ours) = rest.split_once("\x1b[1m[2/4]").unwrap();
    let ours = format!("{first}\n      (here is Ansible's own output, live)\n\x1b[1m[2/4]{ours}");
    picture("log", "python3".as_ref(), &ours);

    let step = deployed_rsyslog().to(&url).setting("playbook", "ansible/playbooks/deploy.yml");
    let playbook = step.repository().join("ansible/playbooks/deploy.yml");
    let text = fs::read_to_string(&playbook).unwrap();
    let task = "  tasks:\n    - name: Read the version\n      ansible.builtin.command: rsyslogd -v\n      changed_when: false\n\n";
    fs::write(playbook, text.replacen("  tasks:\n", task, 1)).unwrap();
    shown(unknown, &log(&step, &url));
}

/// The task that shows how a command can compare, on two files of a scratch directory.
fn the_command_of_verdict_md_compares() {
    let tasks = blocks("docs/verdict.md", "yaml");
    let task = tasks.iter().find(|block| block.contains("ansible.builtin.command")).unwrap();
    let step = Step::ansible("in-sync").target_file("wanted", "a\n").target_file("active", "a\n");
    let target = step.target().display().to_string();
    let task = task.replace("/etc/app.conf", &format!("{target}/wanted"));
    let task = task.replace("/run/app/active.conf", &format!("{target}/active"));
    assert_eq!(task.matches(&target).count(), 2, "{task}");
    let play = "- hosts: all\n  gather_facts: false\n  tasks:\n    ".to_owned() + &task.replace('\n', "\n    ") + "\n";
    let step = step.file("site.yml", &play).dry();
    let end = step.again().run();
    assert!(end.expect_code(0).payload().contains(r#""sync_status":"SYNCED""#), "{end}");
    let end = step.target_file("active", "b\n").run();
    assert!(end.expect_code(0).payload().contains(r#""sync_status":"OUT_OF_SYNC""#), "{end}");
}
