//! What is on the disk: after a crash, with a full disk, from older versions.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::server::{Server, from_now, not_tested, rest, status, until};

#[test]
fn what_was_answered_survives_kill_9_under_load() {
    let server = Server::start();
    let (ends, answered) = (AtomicBool::new(false), Mutex::new(HashMap::new()));
    let folder = std::thread::scope(|scope| {
        for worker in 0..4 {
            let (url, ends, answered) = (server.url("/api/status"), &ends, &answered);
            scope.spawn(move || {
                for number in 0.. {
                    let name = format!("w{worker}-{}", number % 50);
                    let file = format!("f{number}");
                    let body = status(&name, &[&file], &from_now(0)).to_string();
                    let answer = ureq::post(url.as_str()).content_type("application/json").send(body);
                    match answer {
                        Ok(_) => _ = answered.lock().unwrap().insert(name, file),
                        Err(_) if ends.load(Ordering::Relaxed) => return,
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        until("many statuses are kept", || (answered.lock().unwrap().len() >= 150).then_some(()));
        ends.store(true, Ordering::Relaxed);
        server.killed()
    });
    let server = Server::in_folder(folder, &[]);
    let number = |file: &str| file[1..].parse::<u64>().unwrap();
    let kept: HashMap<String, u64> = server
        .statuses()
        .iter()
        .map(|status| {
            (status["server"].as_str().unwrap().to_owned(), number(status["files"][0]["name"].as_str().unwrap()))
        })
        .collect();
    for (name, file) in answered.into_inner().unwrap() {
        // One more may have been kept whose answer nobody could hear.
        assert!(kept[&name] >= number(&file), "{name}: {file} was answered, f{} is kept", kept[&name]);
    }
    assert_eq!(server.post(&status("w0-0", &[], &from_now(1))).body, "kept\n");
}

#[test]
fn a_request_under_way_is_finished_after_sigterm() {
    let mut server = Server::start();
    let body = status("s", &[], &from_now(0)).to_string();
    let (first, second) = body.split_at(20);
    let head = format!(
        "POST /api/status HTTP/1.1\r\nHost: s\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = server.say(&format!("{head}{first}"));
    // An answer on a connection that came later shows that the first one is being served.
    assert_eq!(server.get("/livez").code, 200);
    server.signal(Signal::TERM);
    until("no connection is accepted any more", || TcpStream::connect(server.address).is_err().then_some(()));
    stream.write_all(second.as_bytes()).unwrap();
    let said = rest(&mut stream);
    assert!(said.starts_with("HTTP/1.1 200 OK") && said.ends_with("kept\n"), "{said}");
    assert!(server.ended().success());
    assert_eq!(server.stderr(), "");
}

#[test]
fn a_second_server_on_the_same_file_does_not_start() {
    let server = Server::start();
    server.post(&status("s", &[], &from_now(0)));
    let link = server.folder.path().join("link.db");
    std::os::unix::fs::symlink(server.file(), &link).unwrap();
    for file in [&server.file(), &link] {
        let second = second(file);
        let said = String::from_utf8(second.stderr).unwrap();
        assert_eq!(second.status.code(), Some(1), "{said}");
        assert!(said.contains("another process uses it"), "{said}");
    }
    assert_eq!(server.statuses().len(), 1);
    let again = Server::in_folder(server.killed(), &[]);
    assert_eq!(again.statuses().len(), 1);
}

fn second(file: &Path) -> Output {
    let mut second = Command::new(env!("CARGO_BIN_EXE_gitops-status-server"));
    second.args(["--listen", "127.0.0.1:0", "--file"]).arg(file).output().unwrap()
}

#[test]
fn a_file_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [("text.db", "hello"), ("object.db", "{}"), ("broken.db", "[{")] {
        let file = folder.path().join(name);
        fs::write(&file, content).unwrap();
        let end = second(&file);
        let said = String::from_utf8(end.stderr).unwrap();
        assert_eq!(end.status.code(), Some(1), "{name}: {said}");
        assert!(said.contains(name), "{said}");
        assert_eq!(fs::read_to_string(&file).unwrap(), content);
    }
    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE a (b)").unwrap();
    let said = String::from_utf8(second(&foreign).stderr).unwrap();
    assert!(said.contains("it is a database of another program"), "{said}");
}

#[test]
fn the_json_file_of_an_older_version_is_taken_over() {
    let list = json!([
        status("good", &["a", "b"], "2026-04-21T10:30:00Z"),
        status("future", &[], "2999-04-21T10:30:00Z"),
        status("lower-case", &[], "2026-04-21t10:30:00z"),
        status("twice", &["a", "a"], "2026-04-21T10:30:00Z"),
    ]);
    for (old, arguments) in [("status.json", &[][..]), ("status.db", &[])] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(old), list.to_string()).unwrap();
        let server = Server::in_folder(folder, arguments);
        let names: Vec<Value> = server.statuses().iter().map(|status| status["server"].clone()).collect();
        assert_eq!(names, ["good", "lower-case"], "{}", server.stderr());
        assert_eq!(server.statuses()[0]["since"], "2026-04-21T10:30:00Z");
        assert!(server.stderr().contains("took over 2 of 4 statuses"), "{}", server.stderr());
        assert!(server.stderr().contains("a status is left out: `last_check` is 2999-"), "{}", server.stderr());
        let kept = fs::read_to_string(server.folder.path().join(format!("{old}.old"))).unwrap();
        assert_eq!(kept, list.to_string());
        // Once only: what happened since then is not undone.
        server.post(&status("good", &[], "2026-04-21T10:32:00Z"));
        let again = Server::in_folder(server.killed(), arguments);
        assert_eq!(again.statuses()[0]["sync_status"], "SYNCED");
    }
}

#[test]
fn a_database_that_is_removed_under_the_server_keeps_nothing_and_says_so() {
    let server = Server::start();
    assert_eq!(server.post(&status("s", &[], &from_now(0))).code, 200);
    fs::rename(server.file(), server.folder.path().join("moved.db")).unwrap();
    let answer = server.post(&status("s", &["a"], &from_now(1)));
    assert_eq!(answer.code, 503);
    assert!(answer.body.contains("was removed or replaced while this server used it"), "{answer:?}");
    assert_eq!(server.get("/healthz").code, 503);
}

#[test]
fn what_is_known_survives_a_restart() {
    let server = Server::start();
    let key = [("Idempotency-Key", "k")];
    server.post_with(&status("s", &["a"], "2026-04-21T10:30:00Z"), &key);
    server.post(&status("s", &[], "2026-04-21T10:32:00Z"));
    server.post(&status("s", &[], "2026-04-21T10:34:00Z"));
    let everything = |server: &Server| ["/status.json", "/history.json", "/metrics"].map(|path| server.get(path).body);
    let before = everything(&server);
    assert!(before[0].contains(r#""since":"2026-04-21T10:32:00Z""#), "{}", before[0]);

    let server = Server::in_folder(server.killed(), &[]);
    assert_eq!(everything(&server), before);
    assert_eq!(server.post_with(&status("s", &["a"], "2026-04-21T10:30:00Z"), &key).body, "kept\n");
    server.post(&status("s", &[], "2026-04-21T10:36:00Z"));
    assert_eq!(server.statuses()[0]["since"], "2026-04-21T10:32:00Z");
    assert_eq!(server.post(&status("s", &["b"], "2026-04-21T10:35:00Z")).body[..8], *"not kept");
}

/// Runs in a mount namespace of its own, so that nothing but the server's directory is full.
#[test]
fn a_full_disk_is_told_to_everybody_and_loses_nothing() {
    let namespace = ["unshare", "--user", "--map-root-user", "--mount"];
    let possible =
        Command::new(namespace[0]).args(&namespace[1..]).args(["mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !possible.is_ok_and(|end| end.status.success()) {
        not_tested("a full disk; it needs a mount namespace of its own");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let script =
        "mount -t tmpfs -o size=3m none \"$1\" && head -c 1500000 /dev/zero > \"$1/other\" && shift && exec \"$@\"";
    let mut command = Command::new(namespace[0]);
    command.args(&namespace[1..]).args(["sh", "-c", script, "sh"]).arg(&data);
    command.arg(env!("CARGO_BIN_EXE_gitops-status-server")).arg("--file").arg(data.join("status.db"));
    let server = Server::run(command, folder);

    let mut kept = Vec::new();
    let refused = (0..200).find_map(|number| {
        let mut status = status(&format!("web{number:03}"), &[], &from_now(0));
        status["details"] = json!({"padding": "x".repeat(20_000)});
        let answer = server.post(&status);
        if answer.code == 200 {
            kept.push(status["server"].clone());
        }
        (answer.code != 200).then_some(answer)
    });
    let refused = refused.expect("the disk is full at some time");
    assert_eq!(refused.code, 503, "{refused:?}");
    assert!(refused.body.contains("cannot keep the status") && refused.body.contains("full"), "{refused:?}");
    // On a machine that has no time for it, an answer may be that it took too long.
    for (path, words) in [
        ("/healthz", "\"status\":\"failing\""),
        ("/metrics", "gitops_status_server_healthy 0"),
        ("/", "Statuses cannot be kept"),
    ] {
        until(words, || server.get(path).body.contains(words).then_some(()));
    }
    assert_eq!((server.get("/healthz").code, server.get("/livez").code), (503, 200));
    let listed = || server.statuses().iter().map(|status| status["server"].clone()).collect::<Vec<_>>();
    assert_eq!(listed(), kept);

    let inside = format!("/proc/{}/root{}", server.process.id(), data.join("other").display());
    fs::remove_file(inside).unwrap();
    // It finds out by itself, without a status that has to be posted first.
    until("it is well again", || (server.get("/healthz").code == 200).then_some(()));
    assert_eq!(server.post(&status("web999", &[], &from_now(0))).body, "kept\n");
    kept.push(json!("web999"));
    assert_eq!(listed(), kept);
    assert!(server.stderr().contains("statuses can be kept again"), "{}", server.stderr());
}
