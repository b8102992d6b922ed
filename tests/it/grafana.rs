//! What the examples give to Grafana and Kubernetes is what those understand, and Grafana's queries get their answers from
//! a real status server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::examples::{deployed_rsyslog, edit_by_hand};
use crate::harness::ended::Ended;
use crate::harness::status_server::StatusServer;
use crate::harness::suite::{Need, Suite, suite};
use crate::harness::{recording, root, succeeded};

pub fn suite() -> Suite {
    suite!(
        "grafana",
        [Need::Ansible, Need::Python],
        grafana_and_kubernetes_understand_the_examples,
        the_panels_show_what_the_plugin_posts,
        each_server_is_counted_once_and_the_worst_comes_first,
        hostile_names_are_shown_and_can_be_chosen,
        two_thousand_servers_are_shown_and_can_be_chosen,
        a_status_server_that_is_down_or_empty_looks_like_it,
        the_picture_of_the_dashboard_is_what_grafana_draws,
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

/// The rows of each panel and variable and the firing ones of each alert rule, by its title. `chosen` are the values of
/// the dashboard's variables that are not `All`.
fn asked(url: &str, chosen: &Value) -> Value {
    let mut check = Command::new(python());
    check.arg(root().join("tests/grafana/check.py")).args(["queries", url, &chosen.to_string()]);
    serde_json::from_str(&succeeded(&mut check).stdout).unwrap()
}

/// A status server with a database of its own.
struct Server {
    server: StatusServer,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = StatusServer::start(&["--file", &folder.path().join("status.db").display().to_string()]);
        Self { server, _folder: folder }
    }

    /// Posts a status of a check that began this many minutes ago.
    fn post(&self, repo: &str, server: &str, sync_status: &str, files: &[&str], minutes: i64) {
        let url = format!("https://ci.example.net/repos/7/pipeline/{minutes}");
        let status = json!({
            "repo": repo, "server": server, "sync_status": sync_status, "drift_count": files.len(),
            "files": files.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
            "last_check": minutes_ago(minutes),
            "details": {"schema": 1, "commit": "4f2a9c1d77aa", "pipeline_url": url},
        });
        let request = ureq::post(format!("{}/api/status", self.server.url)).content_type("application/json");
        let answer = request.send(status.to_string()).unwrap().body_mut().read_to_string().unwrap();
        assert_eq!(answer, "kept\n", "{status}");
    }

    fn asked(&self) -> Value {
        asked(&self.server.url, &json!({}))
    }
}

fn minutes_ago(minutes: i64) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    (time::OffsetDateTime::now_utc() - time::Duration::minutes(minutes)).format(&format).unwrap()
}

/// One column of rows.
fn column<'a>(rows: &'a Value, name: &str) -> Vec<&'a str> {
    rows.as_array().unwrap().iter().map(|row| row[name].as_str().unwrap_or_default()).collect()
}

fn grafana_and_kubernetes_understand_the_examples() {
    let mut models = Command::new(python());
    let end: Ended = models.arg(root().join("tests/grafana/check.py")).arg("models").output().unwrap().into();
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{end}");
}

fn the_panels_show_what_the_plugin_posts() {
    let server = Server::start();
    let step = deployed_rsyslog().to(&server.server.url);
    step.run().expect_delivered();
    let rows = server.asked();
    assert_eq!(rows["In sync"], json!([{"In sync": "1 of 1"}]));
    assert_eq!(column(&rows["What differs"], "What differs"), ["No difference is known."]);
    assert_eq!(column(&rows["Not checked"], "Repository"), ["none"]);
    assert_eq!(rows["alert: Out of sync"], json!([]));

    edit_by_hand(&step);
    step.run().expect_delivered();
    let rows = server.asked();
    assert_eq!(rows["In sync"], json!([{"In sync": "0 of 1"}]));
    let row = &rows["Servers"][0];
    assert_eq!((&row["Server"], &row["Status"]), (&json!("rsyslog-lab"), &json!("OUT_OF_SYNC")));
    assert_eq!(row["Files"], "rsyslog.conf, rsyslog.d/30-lab.conf");
    assert_eq!(column(&rows["What differs"], "What differs"), ["rsyslog.conf", "rsyslog.d/30-lab.conf"]);
    let alert = &rows["alert: Out of sync"][0];
    assert_eq!((&alert["server"], &alert["drift_count"]), (&json!("rsyslog-lab"), &json!(2)));
}

fn each_server_is_counted_once_and_the_worst_comes_first() {
    let server = Server::start();
    server.post("fleet", "web01", "SYNCED", &[], 1);
    server.post("fleet", "web02", "SYNCED", &[], 300);
    server.post("fleet", "web02", "OUT_OF_SYNC", &["nginx/nginx.conf", "service:nginx"], 190);
    server.post("fleet", "web02", "OUT_OF_SYNC", &["nginx/nginx.conf", "service:nginx"], 1);
    server.post("fleet", "web03", "OUT_OF_SYNC", &["nginx/nginx.conf"], 180);
    server.post("fleet", "web04", "UNKNOWN", &[], 1);
    server.post("fleet", "web05", "UNKNOWN", &[], 60);
    server.post("gateway", "gateway", "SYNCED", &[], 95);
    let rows = server.asked();

    assert_eq!(rows["In sync"], json!([{"In sync": "1 of 6"}]));
    for (panel, count) in [("Out of sync", 2), ("Unknown", 1), ("Stale", 2)] {
        assert_eq!(rows[panel], json!([{panel: count}]), "{panel}");
    }
    let servers = &rows["Servers"];
    assert_eq!(column(servers, "Server"), ["web02", "web03", "web04", "web05", "gateway", "web01"]);
    assert_eq!(column(servers, "Status"), ["OUT_OF_SYNC", "OUT_OF_SYNC", "UNKNOWN", "STALE", "STALE", "SYNCED"]);
    let row = &servers[0];
    assert_eq!((&row["Files"], &row["Other things"]), (&json!("nginx/nginx.conf"), &json!("service:nginx")));
    assert_eq!(
        (&row["Pipeline"], &row["url"]),
        (&json!("4f2a9c1d"), &json!("https://ci.example.net/repos/7/pipeline/1"))
    );
    let hours = |row: &Value| row["For"].as_f64().unwrap() / 3600.0;
    assert!((3.1..3.3).contains(&hours(row)), "{row}");
    // Stale since ten minutes after the last check.
    assert!((1.4..1.5).contains(&hours(&servers[4])), "{}", servers[4]);
    assert_eq!(
        rows["What differs"],
        json!([{"Repository": "fleet", "What differs": "nginx/nginx.conf", "Kind": "file", "Servers": 2, "On": "web02, web03"},
               {"Repository": "fleet", "What differs": "service:nginx", "Kind": "other", "Servers": 1, "On": "web02"}])
    );
    assert_eq!(column(&rows["Not checked"], "Server"), ["web03", "gateway", "web05"]);
    let history = &rows["History"];
    assert_eq!(column(history, "Server")[..2], ["fleet web02", "fleet web02"]);
    assert_eq!(column(history, "Status"), ["SYNCED", "OUT_OF_SYNC", "OUT_OF_SYNC", "UNKNOWN", "UNKNOWN"]);

    let firing = |rule: &str| column(&rows[format!("alert: {rule}")], "server");
    assert_eq!(firing("Out of sync"), ["web02", "web03"]);
    assert_eq!(firing("Unknown"), ["web04", "web05"]);
    assert_eq!(firing("Stale"), ["web03", "web05", "gateway"]);
    assert_eq!((firing("Status server"), firing("No status")), (vec![], vec![]));
    // These do not change with each check, or each check would be an alert of its own.
    let alert = &rows["alert: Out of sync"][0];
    assert_eq!(alert["files"], "nginx/nginx.conf, service:nginx");
    assert_eq!(alert["pipeline"], "https://ci.example.net/repos/7/pipeline/190");
    let since = alert["since"].as_str().unwrap();
    let texts = |rule: &str| rows[format!("text: {rule}")].as_array().unwrap().iter();
    assert_eq!(
        *texts("Out of sync").next().unwrap(),
        json!({
            "summary": "web02 does not match the repository fleet",
            "description": format!("Different since {since}: nginx/nginx.conf, service:nginx. Deploy again, or put into the \
                repository what was changed by hand. Found by https://ci.example.net/repos/7/pipeline/190"),
        })
    );
    let stale: Vec<&str> = texts("Stale").map(|text| text["description"].as_str().unwrap()).collect();
    assert!(stale[1].contains(" and said UNKNOWN. ") && stale[2].ends_with("/pipeline/95"), "{stale:?}");
}

fn hostile_names_are_shown_and_can_be_chosen() {
    let long = "x".repeat(255);
    let names = [
        "null",
        "true",
        "*",
        "$__all",
        "${repo:json}",
        "All",
        "a\"b",
        "a\\b",
        "a'b",
        "a,b",
        "{a,b}",
        "a|b",
        "(a)",
        "[0]",
        "<b>a</b>",
        "a&b",
        "a%20b",
        "a b",
        "ä ö ü",
        "日本",
        "🦀",
        ".",
        "0",
        &long,
    ];
    let server = Server::start();
    for name in names {
        server.post(name, name, "OUT_OF_SYNC", &[name], 1);
    }
    let rows = server.asked();
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    assert_eq!(column(&rows["Servers"], "Server"), sorted);
    assert_eq!(column(&rows["What differs"], "What differs"), sorted);
    assert_eq!((column(&rows["$repo"], "repo"), column(&rows["$server"], "server")), (sorted.clone(), sorted.clone()));
    assert_eq!(column(&rows["alert: Out of sync"], "server"), sorted);
    for name in names {
        let rows = asked(&server.server.url, &json!({"repo": [name], "server": [name]}));
        assert_eq!(column(&rows["Servers"], "Server"), [name]);
        assert_eq!(rows["Out of sync"], json!([{"Out of sync": 1}]), "{name}");
        assert_eq!(column(&rows["$server"], "server"), [name]);
    }
}

fn two_thousand_servers_are_shown_and_can_be_chosen() {
    let server = Server::start();
    let names: Vec<String> = (0..2000).map(|number| format!("web{number:04}.example.net")).collect();
    for name in &names {
        server.post("fleet", name, "OUT_OF_SYNC", &["rsyslog.conf"], 1);
    }
    let rows = server.asked();
    assert_eq!(rows["In sync"], json!([{"In sync": "0 of 2000"}]));
    assert_eq!(column(&rows["Servers"], "Server"), names);
    assert_eq!(
        (&rows["What differs"][0]["Servers"], rows["What differs"].as_array().unwrap().len()),
        (&json!(2000), 1)
    );
    assert_eq!(column(&rows["alert: Out of sync"], "server"), names);
    let rows = asked(&server.server.url, &json!({"repo": ["fleet"], "server": names}));
    assert_eq!(column(&rows["Servers"], "Server"), names);
}

fn a_status_server_that_is_down_or_empty_looks_like_it() {
    let server = Server::start();
    let rows = server.asked();
    assert_eq!(rows["In sync"], json!([{"In sync": "0 of 0"}]));
    // Short, because it has to be seen on a phone.
    assert_eq!(
        (column(&rows["Servers"], "Status"), column(&rows["Not checked"], "Repository")),
        (vec!["no server"], vec!["no server"])
    );
    assert_eq!(column(&rows["Servers"], "Files"), ["No status has been reported."]);
    assert_eq!(column(&rows["What differs"], "What differs"), ["No status has been reported."]);
    assert_eq!(rows["alert: No status"], json!([{"servers": 0}]));
    assert_eq!(rows["alert: Status server"], json!([]));
    // Nothing to speak of ends no alert.
    for rule in ["Out of sync", "Unknown", "Stale"] {
        assert_eq!(rows[format!("alert: {rule}")], json!([{"state": "KeepLast"}]), "{rule}");
    }

    let url = server.server.url.clone();
    drop(server);
    let rows = asked(&url, &json!({}));
    let text = fs::read_to_string(root().join("examples/grafana/dashboards/gitops-status.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert_eq!(rows[title], Value::Null, "{title}");
        // Grafana shows this where a query failed and where it gave no row.
        assert_eq!(panel["fieldConfig"]["defaults"]["noValue"], "No answer from the status server", "{title}");
    }
    for (rule, state) in [
        ("Out of sync", "KeepLast"),
        ("Unknown", "KeepLast"),
        ("Stale", "KeepLast"),
        ("No status", "KeepLast"),
        ("Status server", "Alerting"),
    ] {
        assert_eq!(rows[format!("alert: {rule}")], json!([{"state": state}]), "{rule}");
    }
}

/// It holds the checksum of the dashboard, of the status server's answers and of Grafana's components that it was drawn from.
/// `RECORD=pictures` draws it anew, which needs node, npm and chromium.
fn the_picture_of_the_dashboard_is_what_grafana_draws() {
    let server = Server::start();
    let command = if recording("pictures") { "draw" } else { "check" };
    let mut draw = Command::new(python());
    draw.arg(root().join("tests/grafana/render/draw.py")).args([command, &server.server.url]);
    let end: Ended = draw.arg(root().join("docs/pictures/dashboard.png")).output().unwrap().into();
    assert_eq!(end.code, Some(0), "{end}; if the change is right, set RECORD=pictures");
}
