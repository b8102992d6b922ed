//! What readers get: history, metrics, badges, the page.

use serde_json::json;

use crate::server::{Server, from_now, status};

#[test]
fn the_history_has_each_change_of_a_status_or_its_files() {
    let server = Server::start();
    for (files, minute) in [(&[][..], 0), (&[], 2), (&["a"], 4), (&["a", "b"], 6), (&["a", "b"], 8), (&[], 10)] {
        let mut status = status("s", files, &format!("2026-04-21T10:{minute:02}:00Z"));
        status["details"] = json!({"commit": format!("c{minute}"), "pipeline_url": format!("https://ci/{minute}")});
        assert_eq!(server.post(&status).code, 200);
    }
    server.post(&status("t", &[], "2026-04-21T10:05:00Z"));
    let periods = |query: &str| {
        let history = server.get(&format!("/history.json{query}")).json();
        let period = |period: &serde_json::Value| {
            let minute = |key: &str| period[key].as_str().map_or("-".to_owned(), |time| time[14..16].to_owned());
            let commit = period["commit"].as_str().unwrap_or("-");
            let server = period["server"].as_str().unwrap();
            format!("{server} {}..{} {} {commit}", minute("from"), minute("to"), period["drift_count"])
        };
        history.as_array().unwrap().iter().map(period).collect::<Vec<_>>()
    };
    let all = ["s 00..04 0 c0", "s 04..06 1 c4", "s 06..10 2 c6", "s 10..- 0 c10", "t 05..- 0 -"];
    assert_eq!(periods(""), all);
    assert_eq!(periods("?server=t&repo=fleet"), all[4..]);
    assert_eq!(periods("?repo=other"), Vec::<String>::new());
    assert_eq!(periods("?from=now"), all[3..]);
    assert_eq!(periods("?from=2026-04-21T10:07:00Z"), all[2..]);
    assert_eq!(periods("?server=s&from=2026-04-21T10:04:30.5Z&to=2026-04-21T12:05:00%2B02:00"), all[1..2]);
    let period = &server.get("/history.json?server=s&from=2026-04-21T10:04:30Z").json()[0];
    assert_eq!(
        *period,
        json!({"repo": "fleet", "server": "s", "sync_status": "OUT_OF_SYNC", "drift_count": 1, "files": [{"name": "a"}],
               "from": "2026-04-21T10:04:00Z", "to": "2026-04-21T10:06:00Z", "commit": "c4", "pipeline_url": "https://ci/4"})
    );
    for wrong in ["?from=yesterday", "?since=2026-04-21T10:04:30Z"] {
        assert_eq!(server.get(&format!("/history.json{wrong}")).code, 400, "{wrong}");
    }
}

#[test]
fn lists_of_many_parts_are_whole_and_sorted() {
    let server = Server::start();
    let mut names: Vec<String> = (0..150).map(|number| format!("web{number}")).collect();
    for name in &names {
        let files: Vec<String> = (0..20).map(|number| format!("{name}/a/rather/long/path/{number}")).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        assert_eq!(server.post(&status(name, &files, "2026-04-21T10:30:00Z")).code, 200);
    }
    names.sort();
    let listed = |list: &[serde_json::Value]| -> Vec<String> {
        list.iter().map(|status| status["server"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(&server.statuses()), names);
    assert_eq!(listed(server.get("/history.json").json().as_array().unwrap()), names);
    let metrics = server.get("/metrics").body;
    assert_eq!(metrics.lines().filter(|line| line.starts_with("gitops_drift_count{")).count(), 150);
    assert_eq!(server.get("/").body.matches("<tr class=").count(), 150);
}

#[test]
fn metrics_are_prometheus_text() {
    let server = Server::start();
    let mut status = status("we\"ird\\s", &["a"], "2026-04-21T10:30:00Z");
    server.post(&status);
    status["last_check"] = json!("2026-04-21T10:32:00Z");
    server.post(&status);
    let metrics = server.get("/metrics").body;
    for line in [
        "# TYPE gitops_sync_status gauge",
        r#"gitops_sync_status{repo="fleet",server="we\"ird\\s",sync_status="OUT_OF_SYNC"} 1"#,
        r#"gitops_sync_status{repo="fleet",server="we\"ird\\s",sync_status="SYNCED"} 0"#,
        r#"gitops_drift_count{repo="fleet",server="we\"ird\\s"} 1"#,
        r#"gitops_last_check_timestamp_seconds{repo="fleet",server="we\"ird\\s"} 1776767520"#,
        r#"gitops_since_timestamp_seconds{repo="fleet",server="we\"ird\\s"} 1776767400"#,
        "gitops_status_server_healthy 1",
    ] {
        assert!(metrics.lines().any(|given| given == line), "{line}\n{metrics}");
    }
}

#[test]
fn a_badge_says_what_is_known_now() {
    let server = Server::with(&["--stale-after", "1h"]);
    server.post(&status("fresh", &[], &from_now(-60)));
    server.post(&status("old", &[], &from_now(-7200)));
    server.post(&status("old-drift", &["a"], &from_now(-7200)));
    let mut slash = status("a/<b>", &["a"], &from_now(-60));
    slash["repo"] = json!("owner/name");
    server.post(&slash);
    for (path, code, words) in [
        ("fleet/fresh.svg", 200, "fresh: in sync"),
        ("fleet/old.svg", 200, "old: stale"),
        ("fleet/old-drift.svg", 200, "old-drift: out of sync"),
        ("owner%2Fname/a%2F%3Cb%3E.svg", 200, "a/&lt;b&gt;: out of sync"),
        ("fleet/gone.svg", 404, "gone: no status"),
        ("fleet/fresh", 404, "/badge/REPO/SERVER.svg"),
    ] {
        let answer = server.get(&format!("/badge/{path}"));
        assert_eq!(answer.code, code, "{path}: {answer:?}");
        assert!(answer.body.contains(words), "{path}: {answer:?}");
    }
}

#[test]
fn the_page_shows_the_worst_first_and_nothing_of_a_name_is_markup() {
    let server = Server::start();
    assert!(server.get("/").body.contains("No status has been reported yet."));
    server.post(&status("fresh", &[], &from_now(-30)));
    server.post(&status("old", &[], &from_now(-7200)));
    server.post(&status("hostile", &["<script>alert(1)</script>"], &from_now(-30)));
    let page = server.get("/").body;
    let places = ["hostile", "old", "fresh"].map(|name| page.find(&format!(">{name}</td>")).unwrap());
    assert!(places.is_sorted(), "{page}");
    assert!(page.contains("<b>1 of 3</b> in sync"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script"), "{page}");
}

#[test]
fn other_paths_and_methods_are_told_so() {
    let server = Server::start();
    assert_eq!(server.get("/status").code, 404);
    assert_eq!(server.get("/api/status").code, 405);
    assert_eq!(
        ureq::post(server.url("/status.json")).config().http_status_as_error(false).build().send("").unwrap().status(),
        405
    );
    assert_eq!((server.get("/healthz").code, server.get("/livez").code), (200, 200));
}

#[test]
fn the_examples_use_options_that_there_are() {
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_gitops-status-server")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let options = |text: &str| -> std::collections::BTreeSet<String> {
        let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
        words.filter(|word| word.len() > 3 && word.starts_with("--")).map(str::to_owned).collect()
    };
    let read = |path: &str| std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let readme = read("README.md");
    let rows: String = readme.lines().filter(|line| line.starts_with("| `--")).collect();
    let known = options(&help);
    assert_eq!(
        options(&rows),
        known.iter().filter(|name| !["--help", "--version"].contains(&name.as_str())).cloned().collect()
    );
    for (path, mark) in [
        ("../grafana/docker-compose.yml", "command:"),
        ("../kubernetes/status-server.yaml", "args:"),
        ("../../Dockerfile", "CMD [\"--listen"),
    ] {
        let text = read(path);
        let line = text.lines().find(|line| line.trim_start().starts_with(mark)).unwrap();
        let used = options(line);
        assert!(used.len() > 1 && used.is_subset(&known), "{path}: {line}");
    }
}
