//! What the examples give to Grafana and Kubernetes is what those understand, and Grafana's questions get their answers
//! from what the plugin really posts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::examples::{deployed_rsyslog, edit_by_hand};
use crate::harness::ended::Ended;
use crate::harness::picture::picture;
use crate::harness::status_server::StatusServer;
use crate::harness::suite::{Need, Suite, suite};
use crate::harness::{root, succeeded};

pub fn suite() -> Suite {
    suite!(
        "grafana",
        [Need::Ansible, Need::Python],
        grafana_and_kubernetes_understand_the_examples_and_get_their_answers,
        the_picture_of_the_dashboard_is_what_grafana_is_told,
    )
}

/// A Python with what `tests/grafana/requirements.txt` names, made once.
fn python() -> &'static Path {
    // Tests run side by side, and one of them is enough to install it.
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(installed)
}

fn installed() -> PathBuf {
    let wanted = fs::read(root().join("tests/grafana/requirements.txt")).unwrap();
    let folder = root().join("target/grafana");
    let installed = folder.join("requirements.txt");
    let python = folder.join("bin/python3");
    if fs::read(&installed).ok().as_ref() != Some(&wanted) {
        succeeded(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        succeeded(Command::new(&python).args(install).arg(root().join("tests/grafana/requirements.txt")));
        fs::write(installed, wanted).unwrap();
    }
    python
}

/// The rows of each panel and variable and the firing ones of each alert rule, by its title.
fn asked(python: &Path, statuses: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("status.json");
    fs::write(&file, statuses).unwrap();
    let mut check = Command::new(python);
    let end = succeeded(check.arg(root().join("tests/grafana/check.py")).arg("queries").arg(file));
    serde_json::from_str(&end.stdout).unwrap()
}

fn grafana_and_kubernetes_understand_the_examples_and_get_their_answers() {
    let python = python();
    let mut models = Command::new(python);
    let end: Ended = models.arg(root().join("tests/grafana/check.py")).arg("models").output().unwrap().into();
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{end}");

    let folder = tempfile::tempdir().unwrap();
    let server = StatusServer::start(&["--file", &folder.path().join("status.db").display().to_string()]);
    let rows = asked(python, &server.statuses());
    assert_eq!(rows["Servers"], json!([]));
    assert_eq!(rows["In sync"], json!([{"In sync": 0}]));

    let step = deployed_rsyslog().to(&server.url);
    step.run().expect_delivered();
    let rows = asked(python, &server.statuses());
    assert_eq!(rows["In sync"], json!([{"In sync": 1}]));
    assert_eq!(rows["Drifted files"], json!([]));
    assert_eq!(rows["Stale servers"], json!([]));

    edit_by_hand(&step);
    step.run().expect_delivered();
    let other = |server: &str, status: &str, last_check: &str| json!({"repo": "other", "server": server, "sync_status": status, "drift_count": 0, "files": [], "last_check": last_check});
    let mut statuses: Vec<Value> = serde_json::from_str(&server.statuses()).unwrap();
    let now = statuses[0]["last_check"].as_str().unwrap().to_owned();
    statuses.push(other("gone", "SYNCED", "2026-04-21T10:30:00Z"));
    statuses.push(other("dim", "UNKNOWN", &now));
    // No server of ours writes this; one that does must not blind the dashboard to the others.
    statuses.push(other("odd", "SYNCED", "yesterday"));
    let rows = asked(python, &Value::from(statuses).to_string());

    for (panel, count) in [("In sync", 0), ("Out of sync", 1), ("Unknown", 1), ("Stale", 2)] {
        assert_eq!(rows[panel], json!([{panel: count}]), "{panel}");
    }
    let shown: Vec<_> =
        rows["Servers"].as_array().unwrap().iter().map(|row| (&row["Server"], &row["Status"])).collect();
    let expected = [("rsyslog-lab", "OUT_OF_SYNC"), ("gone", "STALE"), ("dim", "UNKNOWN"), ("odd", "STALE")];
    assert_eq!(format!("{shown:?}"), format!("{:?}", expected.map(|(server, status)| (json!(server), json!(status)))));
    assert_eq!(
        rows["Servers"][0],
        json!({"Repository": "rsyslog", "Server": "rsyslog-lab", "Status": "OUT_OF_SYNC", "Drifted": 2,
               "Files": "rsyslog.conf, rsyslog.d/30-lab.conf", "Last check": now})
    );
    assert_eq!(rows["Drifted files"].as_array().unwrap().len(), 2);
    assert_eq!(rows["$repo"], json!([{"repo": "other"}, {"repo": "rsyslog"}]));

    let firing = |rule: &str| -> Vec<&str> {
        let rows = rows[format!("alert: {rule}")].as_array().unwrap();
        rows.iter().map(|row| row["server"].as_str().unwrap()).collect()
    };
    assert_eq!(firing("Out of sync"), ["rsyslog-lab"]);
    assert_eq!(firing("Unknown"), ["dim"]);
    assert_eq!(firing("Stale"), ["gone", "odd"]);
}

fn the_picture_of_the_dashboard_is_what_grafana_is_told() {
    let python = python();
    let status = |repo: &str, server: &str, status: &str, files: &[&str], minutes: i64| {
        let checked = time::OffsetDateTime::now_utc() - time::Duration::minutes(minutes);
        let checked =
            checked.format(time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"));
        let files: Vec<Value> = files.iter().map(|name| json!({"name": name})).collect();
        json!({"repo": repo, "server": server, "sync_status": status, "drift_count": files.len(), "files": files,
               "last_check": checked.unwrap()})
    };
    let statuses = json!([
        status("fleet", "db01", "SYNCED", &[], 2),
        status("fleet", "web01", "SYNCED", &[], 1),
        status("fleet", "web02", "OUT_OF_SYNC", &["nginx/nginx.conf", "service:nginx"], 1),
        status("gateway", "gateway", "SYNCED", &[], 95),
        status("rsyslog", "rsyslog-lab", "OUT_OF_SYNC", &["rsyslog.conf", "rsyslog.d/30-lab.conf"], 2),
    ]);
    let mut rows = asked(python, &statuses.to_string());
    for (row, age) in rows["Servers"].as_array_mut().unwrap().iter_mut().zip([
        "2 minutes",
        "a minute",
        "a minute",
        "2 hours",
        "2 minutes",
    ]) {
        row["Last check"] = json!(format!("{age} ago"));
    }
    picture("dashboard", python, &rows.to_string());
}
