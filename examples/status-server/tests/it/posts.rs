//! Statuses that are posted and removed.

use serde_json::{Value, json};

use crate::server::{Server, from_now, status, token_file};

const EARLY: &str = "2026-04-21T10:30:00Z";
const LATE: &str = "2026-04-21T10:32:00Z";
const LATER: &str = "2026-04-21T10:34:00Z";

#[test]
fn the_newest_status_of_each_server_is_listed_by_repository_and_server() {
    let server = Server::start();
    assert_eq!(server.get("/status.json").body, "[]");
    for status in [status("web02", &[], EARLY), status("web01", &["a"], EARLY), status("web01", &["b", "a"], LATE)] {
        let answer = server.post(&status);
        assert_eq!((answer.code, answer.body.as_str()), (200, "kept\n"));
    }
    let expected = r#"[{"repo":"fleet","server":"web01","sync_status":"OUT_OF_SYNC","drift_count":2,"files":[{"name":"a"},{"name":"b"}],"last_check":"2026-04-21T10:32:00Z","since":"2026-04-21T10:30:00Z"},{"repo":"fleet","server":"web02","sync_status":"SYNCED","drift_count":0,"files":[],"last_check":"2026-04-21T10:30:00Z","since":"2026-04-21T10:30:00Z"}]"#;
    assert_eq!(server.get("/status.json").body, expected);
}

#[test]
fn since_is_when_the_present_status_began() {
    let server = Server::start();
    let since = |status: &Value| {
        assert_eq!(server.post(status).code, 200);
        server.statuses()[0]["since"].as_str().unwrap().to_owned()
    };
    assert_eq!(since(&status("s", &["a"], EARLY)), EARLY);
    assert_eq!(since(&status("s", &["b"], LATE)), EARLY);
    assert_eq!(since(&status("s", &[], LATER)), LATER);
}

#[test]
fn an_older_check_is_answered_and_not_kept() {
    let server = Server::start();
    server.post(&status("s", &["a"], LATE));
    let answer = server.post(&status("s", &[], EARLY));
    assert_eq!(answer.code, 200);
    assert_eq!(answer.body, "not kept: a newer check is known, which began at 2026-04-21T10:32:00Z\n");
    assert_eq!(server.statuses()[0]["sync_status"], "OUT_OF_SYNC");
}

#[test]
fn a_check_from_the_future_is_refused_and_hides_nothing() {
    let server = Server::start();
    let answer = server.post(&status("s", &[], &from_now(3600)));
    assert_eq!(answer.code, 422);
    assert!(answer.body.starts_with("`last_check` is ") && answer.body.contains("ahead of this server's clock"));
    assert_eq!(server.post(&status("s", &["a"], &from_now(0))).body, "kept\n");
    assert_eq!(server.post(&status("s", &[], &from_now(240))).body, "kept\n");
}

#[test]
fn times_and_names_are_normalised() {
    let server = Server::start();
    server.post(&status("s", &["z", "a\nb"], "2026-04-21t12:29:59.75+02:00"));
    server.post(&status("t", &[], "2016-12-31T23:59:60Z"));
    let listed = server.statuses();
    assert_eq!(listed[0]["last_check"], "2026-04-21T10:29:59Z");
    assert_eq!(listed[0]["files"], json!([{"name": "a\\nb"}, {"name": "z"}]));
    assert_eq!(listed[1]["last_check"], "2016-12-31T23:59:59Z");
}

#[test]
fn a_request_that_is_sent_again_is_answered_again_and_changes_nothing() {
    let server = Server::start();
    let first = [("Idempotency-Key", "first")];
    assert_eq!(server.post_with(&status("s", &[], EARLY), &first).body, "kept\n");
    assert_eq!(server.post_with(&status("s", &["a"], LATE), &[("Idempotency-Key", "second")]).body, "kept\n");
    assert_eq!(server.post_with(&status("s", &[], EARLY), &first).body, "kept\n");
    assert_eq!(server.statuses()[0]["sync_status"], "OUT_OF_SYNC");

    let old = server.post_with(&status("s", &[], EARLY), &[("Idempotency-Key", "third")]);
    assert!(old.body.starts_with("not kept: "), "{old:?}");
    assert_eq!(server.post_with(&status("s", &[], EARLY), &[("Idempotency-Key", "third")]), old);

    let other = server.post_with(&status("s", &["b"], LATER), &first);
    assert_eq!((other.code, other.body.contains("`Idempotency-Key`")), (422, true), "{other:?}");
    assert_eq!(server.statuses()[0]["files"], json!([{"name": "a"}]));

    let long = "k".repeat(256);
    for key in ["", &long] {
        assert_eq!(server.post_with(&status("s", &[], LATER), &[("Idempotency-Key", key)]).code, 400);
    }
}

#[test]
fn what_is_no_status_is_refused_by_name() {
    let server = Server::start();
    for (key, value, named) in [
        ("repo", json!(""), "`repo` is empty"),
        ("server", json!("a\u{1b}[2J"), "`server` has a control character in it"),
        ("drift_count", json!(3), "`drift_count` is 3, but `files` has 1"),
        ("files", json!([{"name": "f"}, {"name": "f"}]), "`files`"),
        ("last_check", json!("soon"), "`last_check`"),
        ("colour", json!("red"), "unknown field `colour`"),
    ] {
        let mut status = status("s", &["f"], EARLY);
        status[key] = value;
        if key == "files" {
            status["drift_count"] = json!(2);
        }
        let answer = server.post(&status);
        assert_eq!(answer.code, 422, "{answer:?}");
        assert!(answer.body.contains(named), "{answer:?}");
    }
    assert_eq!(server.post(&json!(["not", "an", "object"])).code, 422);
    assert_eq!(server.get("/status.json").body, "[]");
}

#[test]
fn a_body_is_json_and_not_too_long() {
    let server = Server::start();
    let typed = |content_type: &str, length: usize| {
        let mut status = status("s", &[], EARLY);
        status["details"] = json!({"padding": "x".repeat(length)});
        let request = ureq::post(server.url("/api/status")).config().http_status_as_error(false).build();
        request.content_type(content_type).send(status.to_string()).unwrap().status().as_u16()
    };
    assert_eq!(typed("application/json; charset=utf-8", 900_000), 200);
    assert_eq!(typed("text/plain", 10), 415);
    assert_eq!(typed("application/json", 1 << 20), 413);
}

#[test]
fn posting_and_removing_need_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let token = token_file(folder.path());
    let server = Server::in_folder(folder, &["--token-file", &token]);
    let post =
        |authorization: &str| server.post_with(&status("s", &[], EARLY), &[("Authorization", authorization)]).code;
    assert_eq!(server.post(&status("s", &[], EARLY)).code, 401);
    assert_eq!([post("Bearer other"), post("Bearer the-token-"), post("Basic the-token"), post("Bearer")], [401; 4]);
    assert_eq!([post("Bearer the-token"), post("bearer the-token")], [200; 2]);

    assert_eq!(server.delete("?repo=fleet&server=s", "other").code, 401);
    assert_eq!(server.delete("?repo=fleet", "the-token").code, 400);
    assert_eq!(server.delete("?repo=fleet&server=t", "the-token").code, 404);
    assert_eq!(server.statuses().len(), 1);
    assert_eq!(server.delete("?repo=fleet&server=s", "the-token").code, 200);
    assert_eq!(server.statuses().len(), 0);
    let history = server.get("/history.json").json();
    assert!(history[0]["to"].is_string(), "{history}");
}

#[test]
fn nothing_is_removed_where_there_is_no_token() {
    let server = Server::start();
    server.post(&status("s", &[], EARLY));
    assert_eq!(server.delete("?repo=fleet&server=s", "any").code, 403);
    assert_eq!(server.statuses().len(), 1);
}
