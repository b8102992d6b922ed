//! Clients that are slow, on purpose or not.

use std::io::{Read, Write};

use serde_json::json;

use crate::server::{Server, from_now, rest, status, until};

const HALF_A_HEAD: &str = "GET /status.json HTTP/1.1\r\nHost: s\r\nX-Slow: ";
const HALF_A_BODY: &str =
    "POST /api/status HTTP/1.1\r\nHost: s\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"repo\":";

/// A server with a list that is longer than what the sockets hold: it is not sent unless somebody reads it.
fn with_a_long_list() -> Server {
    let server = Server::start();
    for number in 0..400 {
        let mut status = status(&format!("web{number:03}"), &[], &from_now(0));
        status["details"] = json!({"padding": "x".repeat(30_000)});
        assert_eq!(server.post(&status).code, 200);
    }
    server
}

#[test]
fn many_half_open_requests_keep_nobody_waiting() {
    let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limits.maximum, maximum: limits.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    let server = Server::start();
    let count = usize::try_from(limits.maximum.unwrap_or(4096).min(4096) / 4).unwrap();
    let slow: Vec<_> =
        (0..count).map(|number| server.say(if number % 2 == 0 { HALF_A_HEAD } else { HALF_A_BODY })).collect();
    for number in 0..20 {
        assert_eq!(server.post(&status(&format!("web{number}"), &[], &from_now(0))).code, 200);
        assert_eq!(server.statuses().len(), number + 1);
    }
    drop(slow);
}

#[test]
fn more_connections_than_there_may_be_wait_for_their_turn() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new("sh");
    // 64 of them are for other things than connections.
    command.args(["-c", "ulimit -n 160 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_gitops-status-server"), "--file"]);
    command.arg(folder.path().join("status.db"));
    let server = Server::run(command, folder);
    let slow: Vec<_> = (0..160).map(|_| server.say(HALF_A_HEAD)).collect();
    // Those that wait need no file of the server's, or it would say that it has none left.
    assert_eq!(server.post(&status("s", &[], &from_now(0))).body, "kept\n");
    assert_eq!(server.stderr(), "");
    drop(slow);
}

#[test]
fn a_head_that_never_ends_is_ended() {
    let server = Server::start();
    let mut slow = server.say(HALF_A_HEAD);
    let mut silent = server.connect();
    let said = rest(&mut slow);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    assert_eq!(rest(&mut silent), "");
}

#[test]
fn an_idle_connection_is_ended() {
    let server = Server::start();
    let mut idle = server.say("GET /livez HTTP/1.1\r\nHost: s\r\n\r\n");
    let said = rest(&mut idle);
    assert!(said.starts_with("HTTP/1.1 200 OK") && said.ends_with("{\"status\":\"ok\"}\n"), "{said}");
}

#[test]
fn a_body_that_never_ends_is_answered() {
    let server = Server::start();
    let said = rest(&mut server.say(HALF_A_BODY));
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    // The answer to a request without a token does not wait for the body for longer, either.
    assert_eq!(server.get("/status.json").body, "[]");
}

#[test]
fn a_reader_that_does_not_read_is_cut_off() {
    let server = with_a_long_list();
    let before = until("other connections are closed", || {
        Some(server.open_files()).filter(|_| server.get("/livez").code == 200)
    });
    let mut slow = server.say("GET /status.json HTTP/1.1\r\nHost: s\r\n\r\n");
    // The head of the answer: the list is being sent.
    slow.read_exact(&mut [0; 16]).unwrap();
    until("the server closes the connection", || (server.open_files() <= before).then_some(()));
    // What arrives is not the whole, and does not look like it.
    assert!(!rest(&mut slow).ends_with("0\r\n\r\n"));
}

#[test]
fn many_slow_readers_of_a_long_list_need_little_memory() {
    let server = with_a_long_list();
    let readers: Vec<_> = (0..40)
        .map(|_| {
            let mut reader = server.say("GET /status.json HTTP/1.1\r\nHost: s\r\n\r\n");
            reader.read_exact(&mut [0; 16]).unwrap();
            reader
        })
        .collect();
    assert_eq!(server.post(&status("web001", &["a"], &from_now(1))).code, 200);
    let memory = std::fs::read_to_string(format!("/proc/{}/status", server.process.id())).unwrap();
    let line = memory.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: usize = line.trim().trim_end_matches(" kB").parse().unwrap();
    // A copy of the list for each of them would be 480 MB.
    assert!(kilobytes < 150_000, "{kilobytes} kB");
    drop(readers);
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let server = Server::start();
    let mut long = server.say("GET / HTTP/1.1\r\nHost: s\r\n");
    let line = format!("X-Long: {}\r\n", "x".repeat(1000));
    // The server may close the connection before everything is sent.
    let _ = (0..64).try_for_each(|_| long.write_all(line.as_bytes()));
    let said = rest(&mut long);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
    assert_eq!(server.get("/livez").code, 200);
}
