//! Each repository under `examples/` does what it says: deployed, checked, changed by hand, checked again.

use std::fs;

use serde_json::Value;

use crate::harness::ended::timeless;
use crate::harness::server::Scripted;
use crate::harness::status_server::StatusServer;
use crate::harness::step::{Step, text};
use crate::harness::succeeded;
use crate::harness::suite::{Need, Suite, suite};

pub fn suite() -> Suite {
    suite!(
        "examples",
        [Need::Ansible],
        rsyslog_is_reported_byte_for_byte_and_shown_by_the_status_server,
        the_deploy_playbook_itself_can_be_the_check,
        any_playbook_is_checked_without_a_word_in_it,
        a_fleet_reports_each_host_and_an_unreachable_one_does_not_affect_the_others,
    )
}

/// The variables that make a directory of a step the server's /etc, and reach it without ssh.
pub fn extra_vars(name: &str, etc: &std::path::Path) -> String {
    format!(r#"{{"{name}":"{}","ansible_connection":"local","ansible_become":false}}"#, etc.display())
}

/// Runs the real `ansible-playbook` in the repository of a step, as the pipeline's deploy does.
pub fn deploy(step: &Step, arguments: &[&str]) {
    succeeded(step.beside("ansible-playbook").args(arguments));
}

/// The step of the rsyslog example's pipeline. Nothing is deployed yet.
pub fn rsyslog() -> Step {
    let step = Step::in_copy_of("examples/rsyslog");
    let extra_vars = extra_vars("etc", &step.target());
    step.env("CI_REPO_NAME", "rsyslog").settings([
        ("server_name", "rsyslog-lab"),
        ("playbook", "ansible/playbooks/drift-check.yml"),
        ("inventory", "ansible/inventory.ini"),
        ("ansible_config", "ansible.cfg"),
        ("extra_vars", &extra_vars),
    ])
}

/// The same, in sync.
pub fn deployed_rsyslog() -> Step {
    let step = rsyslog();
    let here = extra_vars("etc", &step.target());
    deploy(&step, &["-e", &here, "-i", "ansible/inventory.ini", "ansible/playbooks/deploy.yml"]);
    step
}

/// Changes both files of the rsyslog example's server by hand.
pub fn edit_by_hand(step: &Step) {
    for file in ["rsyslog.conf", "rsyslog.d/30-lab.conf"] {
        fs::write(step.target().join(file), "# by hand\n").unwrap();
    }
}

/// What a payload says: its server, its status and its files.
fn said(body: &str) -> (String, String, Vec<String>) {
    let payload: Value = serde_json::from_str(body).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let files = payload["files"].as_array().unwrap().iter().map(|file| text(&file["name"])).collect();
    (text(&payload["server"]), text(&payload["sync_status"]), files)
}

const SYNCED: &str = r#"{"repo":"rsyslog","server":"rsyslog-lab","sync_status":"SYNCED","drift_count":0,"files":[],"last_check":"TIME"}"#;
const DRIFTED: &str = r#"{"repo":"rsyslog","server":"rsyslog-lab","sync_status":"OUT_OF_SYNC","drift_count":2,"files":[{"name":"rsyslog.conf"},{"name":"rsyslog.d/30-lab.conf"}],"last_check":"TIME"}"#;

/// What the status server lists of a payload.
fn listed(payload: &str) -> String {
    format!(r#"[{},"since":"TIME"}}]"#, payload.strip_suffix('}').unwrap())
}

fn rsyslog_is_reported_byte_for_byte_and_shown_by_the_status_server() {
    for check in ["true", "false"] {
        let step = deployed_rsyslog().setting("check", check);
        let store = step.path("statuses.db");
        let status_server = StatusServer::start(&["--file", text(&store)]);
        let step = step.to(&status_server.url);
        step.run().expect_delivered();
        assert_eq!(timeless(&status_server.statuses()), listed(SYNCED));

        edit_by_hand(&step);
        step.run().expect_delivered();
        assert_eq!(timeless(&status_server.statuses()), listed(DRIFTED));
        assert_eq!(fs::read_to_string(step.target().join("rsyslog.conf")).unwrap(), "# by hand\n");

        let server = Scripted::keeping();
        step.to(server.url()).setting("fail_on_drift", "yes").run().expect_code(2);
        assert_eq!(server.bodies().iter().map(|body| timeless(body)).collect::<Vec<_>>(), [DRIFTED]);
    }
}

fn the_deploy_playbook_itself_can_be_the_check() {
    let step = deployed_rsyslog();
    fs::write(step.target().join("rsyslog.conf"), "# by hand\n").unwrap();
    let server = Scripted::keeping();
    let etc = step.target();
    let step = step.to(server.url()).setting("playbook", "ansible/playbooks/deploy.yml");
    let step = step.setting("relative_to", text(&etc));
    step.run().expect_code(0);
    assert!(server.bodies()[0].contains(r#""files":[{"name":"rsyslog.conf"}]"#), "{:?}", server.bodies());
    assert_eq!(fs::read_to_string(etc.join("rsyslog.conf")).unwrap(), "# by hand\n");
}

fn any_playbook_is_checked_without_a_word_in_it() {
    let server = Scripted::keeping();
    let step = Step::in_copy_of("examples/any-playbook").to(server.url());
    let etc = step.target();
    let here = extra_vars("banner_etc", &etc);
    deploy(&step, &["-i", "inventory.ini", "-e", &here, "site.yml"]);
    let step = step.settings([
        ("repo_name", "example"),
        ("server_name", "gateway"),
        ("playbook", "site.yml"),
        ("inventory", "inventory.ini"),
        ("relative_to", text(&etc)),
        ("extra_vars", &here),
    ]);
    let check = || {
        step.run().expect_code(0);
        said(&server.bodies().pop().unwrap())
    };
    assert_eq!(check(), ("gateway".into(), "SYNCED".into(), vec![]));

    fs::write(etc.join("motd"), "welcome\n").unwrap();
    fs::create_dir(etc.join("update-motd.d")).unwrap();
    fs::write(etc.join("update-motd.d/50-news"), "#!/bin/sh\n").unwrap();
    let drifted = vec!["motd".into(), "update-motd.d/50-news".into()];
    assert_eq!(check(), ("gateway".into(), "OUT_OF_SYNC".into(), drifted));
}

fn a_fleet_reports_each_host_and_an_unreachable_one_does_not_affect_the_others() {
    let server = Scripted::keeping();
    let step = Step::in_copy_of("examples/fleet").to(server.url());
    let etc = format!("{}/{{{{ inventory_hostname }}}}", step.target().display());
    let here = format!(r#"{{"ansible_connection": "local", "ansible_become": false, "base_etc": "{etc}"}}"#);
    let step = step.file("group_vars/all.yml", &here);
    deploy(&step, &["-i", "inventory.yml", "site.yml"]);
    let unreachable = r#"{"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}"#;
    let step = step.file("host_vars/web03.example.net.yml", unreachable);
    let limits = step.target().join("web02.example.net/security/limits.d/50-fleet.conf");
    fs::write(&limits, "* soft nofile 1\n").unwrap();

    let step = step.settings([
        ("repo_name", "example"),
        ("per_host", "true"),
        ("playbook", "site.yml"),
        ("inventory", "inventory.yml"),
    ]);
    let check = |group: &str| {
        server.forget();
        let end = step.again().setting("limit", group).run();
        (end, server.bodies().iter().map(|body| said(body)).collect::<Vec<_>>())
    };
    let (end, web) = check("web");
    let drifted = vec![limits.display().to_string()];
    assert_eq!(
        web,
        [
            ("web01.example.net".into(), "SYNCED".into(), vec![]),
            ("web02.example.net".into(), "OUT_OF_SYNC".into(), drifted),
        ],
        "{end}"
    );
    end.expect_code(1).expect_error("web03.example.net");

    let (end, database) = check("database");
    assert_eq!(database, [("db01.example.net".into(), "SYNCED".into(), vec![])], "{end}");
    end.expect_code(0);
}
