//! Delivery against a hostile network: the built binary, a real playbook run, and a server that misbehaves on purpose.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scripted;
mod support;

use std::fs;
use std::process::Stdio;

use scripted::{Act, Authority, Request, Scripted, answer, ok, status};
use support::{Ended, WithSettings, ended, step};
use tempfile::TempDir;

/// A directory whose playbook is in sync.
fn in_sync() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("managed"), "x").unwrap();
    fs::write(
        folder.path().join("site.yml"),
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - copy: {content: x, dest: \"{{ playbook_dir }}/managed\"}\n",
    )
    .unwrap();
    fs::write(folder.path().join("hosts"), "web1 ansible_connection=local\n").unwrap();
    folder
}

/// Runs the step and tells how it ended. `environment` is what the pipeline's machine sets.
fn run(url: &str, settings: &[(&str, &str)], environment: &[(&str, &str)]) -> Ended {
    let folder = in_sync();
    let mut step = step(folder.path());
    step.settings([
        ("gitops_status_server_url", url),
        ("playbook", "site.yml"),
        ("inventory", "hosts"),
        ("repo_name", "r"),
        ("server_name", "s"),
        ("retry_for", "2s"),
    ]);
    step.settings(settings.iter().copied()).envs(environment.iter().copied());
    ended(&mut step)
}

fn url(server: &Scripted) -> String {
    format!("http://{}", server.address)
}

/// The step against a plain server.
fn against(server: &Scripted, settings: &[(&str, &str)]) -> Ended {
    run(&url(server), settings, &[])
}

#[track_caller]
fn delivered(end: &Ended) {
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stdout.ends_with("✓ Status update successful (HTTP 200)\n"), "{end:?}");
}

#[track_caller]
fn failed(end: &Ended, sentence: &str, check: &str) {
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.stderr.contains(sentence), "{sentence:?} is missing in {end:?}");
    assert!(end.stderr.contains(check), "{check:?} is missing in {end:?}");
    assert!(!end.stdout.contains('✓'), "{end:?}");
}

/// Every attempt carries the same body and the same key.
#[track_caller]
fn attempts(server: &Scripted, count: usize) -> Vec<Request> {
    let requests = server.requests();
    assert_eq!(requests.len(), count, "{requests:?}");
    for request in &requests {
        assert_eq!(request.line, "POST /api/status HTTP/1.1");
        assert!(request.body.starts_with(r#"{"repo":"r","server":"s","sync_status":"SYNCED""#), "{request:?}");
        assert_eq!(request.body, requests[0].body);
        assert_eq!(request.header("idempotency-key"), requests[0].header("idempotency-key"));
        assert_eq!(request.header("idempotency-key").unwrap().len(), 32);
        assert_eq!(request.header("content-type"), Some("application/json"));
    }
    requests
}

#[test]
fn statuses_that_may_pass_are_tried_again() {
    for code in ["408 Slow", "425 Early", "429 Many", "500 Oops", "502 Bad", "503 Busy", "504 Late"] {
        let server = Scripted::http([status(code), ok()]);
        let end = against(&server, &[]);
        delivered(&end);
        attempts(&server, 2);
        let said = format!("attempt 1: HTTP {}: what the server says; next attempt in", &code[..3]);
        assert!(end.stdout.contains(&said), "{end:?}");
    }
}

#[test]
fn every_other_status_is_final_and_shows_the_servers_first_line() {
    for code in [
        "300 Choose",
        "304 Same",
        "400 Bad",
        "401 Who",
        "403 No",
        "404 Where",
        "405 How",
        "407 Proxy",
        "409 Conflict",
        "410 Gone",
        "413 Big",
        "415 Type",
        "418 Teapot",
        "422 What",
        "451 Law",
        "501 Never",
        "505 Version",
        "599 Odd",
    ] {
        let server = Scripted::http([status(code), ok()]);
        let said = if code.starts_with("304") {
            "HTTP 304: Not Modified".to_owned()
        } else {
            format!("HTTP {}: what the server says (1 attempt)", &code[..3])
        };
        failed(&against(&server, &[]), &said, "  check ");
        attempts(&server, 1);
    }
}

#[test]
fn every_2xx_is_success() {
    for code in ["200 OK", "201 Made", "202 Later", "204 Nothing", "299 Odd"] {
        let text =
            if code.starts_with("204") { "HTTP/1.1 204 Nothing\r\n\r\n".to_owned() } else { answer(code, &[], "") };
        let server = Scripted::http([Act::Answer(text)]);
        let end = against(&server, &[]);
        assert_eq!(end.code, Some(0), "{end:?}");
        assert!(end.stdout.ends_with(&format!("✓ Status update successful (HTTP {})\n", &code[..3])), "{end:?}");
        attempts(&server, 1);
    }
}

#[test]
fn redirects_are_not_followed_even_to_a_page_that_says_200() {
    for code in ["301", "302", "303", "307", "308"] {
        let page = Scripted::http([ok()]);
        let location = format!("Location: {}/login", url(&page));
        let server = Scripted::http([Act::Answer(answer(&format!("{code} Moved"), &[&location], ""))]);
        let said = format!("HTTP {code}: it redirects to {}/login (1 attempt)", url(&page));
        failed(&against(&server, &[]), &said, "check `gitops_status_server_url`: write the address it redirects to");
        attempts(&server, 1);
        assert!(page.requests().is_empty());
    }
}

#[test]
fn broken_connections_are_tried_again() {
    let cut = answer("200 OK", &[], "kept")[..9].to_owned();
    for fault in [
        Act::ResetAtOnce,
        Act::ResetAfterRequest,
        Act::ResetAfter(cut.clone()),
        Act::AnswerAndClose(cut),
        Act::AnswerAndClose(String::new()),
    ] {
        let server = Scripted::http([fault.clone(), ok()]);
        let end = against(&server, &[]);
        delivered(&end);
        assert!(end.stdout.contains("attempt 1: the connection failed: "), "{fault:?}: {end:?}");
        attempts(&server, if matches!(fault, Act::ResetAtOnce) { 1 } else { 2 });
    }
}

#[test]
fn a_server_that_never_answers_does_not_hold_the_step() {
    let head = "HTTP/1.1 503 Busy\r\nContent-Length: 100000\r\n\r\n".to_owned();
    for (fault, heard) in [
        (Act::HangAtOnce, 1),
        (Act::Hang, 2),
        (Act::Drip("HTTP/1.1 200 OK\r\nX-Slow: ".to_owned()), 2),
        (Act::Drip(head.clone()), 2),
        (Act::Drip("HTTP/1.1 200 O".to_owned()), 2),
    ] {
        let server = Scripted::http([fault.clone(), ok()]);
        let end = against(&server, &[("http_timeout", "1s"), ("retry_for", "20s")]);
        delivered(&end);
        attempts(&server, heard);
        if !matches!(&fault, Act::Drip(text) if *text == head) {
            assert!(end.stdout.contains("attempt 1: no answer in time; next attempt in"), "{fault:?}: {end:?}");
        }
    }
    let server = Scripted::http([Act::Hang, Act::Hang, Act::Hang]);
    failed(
        &against(&server, &[("http_timeout", "1s"), ("retry_for", "2s")]),
        "cannot deliver the status: no answer in time",
        "check that the status server is not overloaded",
    );
}

#[test]
fn a_success_whose_body_never_ends_is_a_success() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
    for act in
        [Act::Endless(head.to_owned()), Act::Drip(head.to_owned()), Act::Endless("HTTP/1.1 200 OK\r\n\r\n".to_owned())]
    {
        let server = Scripted::http([act]);
        delivered(&against(&server, &[("http_timeout", "1s")]));
        attempts(&server, 1);
    }
}

#[test]
fn http_of_every_dialect_is_read() {
    for act in [
        Act::Continue(answer("200 OK", &[], "kept")),
        Act::AnswerAndClose("HTTP/1.0 200 OK\r\n\r\nkept".to_owned()),
        Act::Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nkept\r\n0\r\n\r\n".to_owned()),
        Act::AnswerAndClose("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_owned()),
    ] {
        let server = Scripted::http([act]);
        delivered(&against(&server, &[]));
        attempts(&server, 1);
    }
}

#[test]
fn what_is_no_http_is_final() {
    for text in ["SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "\0\0\0\0\r\n\r\n"] {
        let server = Scripted::http([Act::AnswerAndClose(text.to_owned()), ok()]);
        failed(
            &against(&server, &[]),
            "the exchange failed: ",
            "check that `gitops_status_server_url` is the status server",
        );
        attempts(&server, 1);
    }
}

#[test]
fn nobody_listening_and_an_unknown_name_are_told_apart() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let end = run(&format!("http://{closed}"), &[], &[]);
    failed(&end, "the connection failed: Connection refused", "check that the status server runs, its port");
    assert!(
        end.stdout.contains("attempt 1: the connection failed: Connection refused (os error 111); next attempt in"),
        "{end:?}"
    );
    let end = run("http://status.invalid", &[], &[]);
    failed(&end, "the server's name does not resolve", "check the host name in `gitops_status_server_url`");
    assert!(end.stdout.contains("attempt 1: the server's name does not resolve; next attempt in"), "{end:?}");
}

#[test]
fn retry_after_is_honoured_and_clipped_to_what_is_left() {
    let later = |header: &str| Act::Answer(answer("503 Busy", &[header], "later"));
    for (header, pause) in [
        ("Retry-After: 0", "next attempt in 0.0 s"),
        ("Retry-After: Tue, 21 Apr 2020 10:30:00 GMT", "next attempt in 0.0 s"),
        ("Retry-After: 1", "next attempt in 1.0 s"),
    ] {
        let server = Scripted::http([later(header), ok()]);
        let end = against(&server, &[("retry_for", "20s")]);
        delivered(&end);
        assert!(end.stdout.contains(pause), "{end:?}");
        attempts(&server, 2);
    }
    // An hour is cut to what `retry_for` leaves, with some of it kept for the attempt itself.
    let server = Scripted::http([later("Retry-After: 3600"), ok()]);
    delivered(&against(&server, &[]));
    attempts(&server, 2);
    let server = Scripted::http((0..50).map(|_| later("Retry-After: 3600")));
    failed(&against(&server, &[]), "HTTP 503: later (2 attempts)", "raise `retry_for`");
    attempts(&server, 2);
}

#[test]
fn secrets_of_the_delivery_reach_the_server_and_nothing_else() {
    let server = Scripted::http([ok()]);
    let end = against(
        &server,
        &[("status_server_token", "c4n4ry-1"), ("headers", r#"{"X-Tenant":"c4n4ry-2","X-Number":3}"#)],
    );
    delivered(&end);
    let request = &attempts(&server, 1)[0];
    assert_eq!(request.header("authorization"), Some("Bearer c4n4ry-1"));
    assert_eq!((request.header("x-tenant"), request.header("x-number")), (Some("c4n4ry-2"), Some("3")));
    assert!(!format!("{end:?}").contains("c4n4ry"), "{end:?}");

    // A server that says what it was sent.
    let server = Scripted::http([Act::Answer(answer("403 No", &[], "c4n4ry-1 opens nothing here"))]);
    let end = against(&server, &[("status_server_token", "c4n4ry-1")]);
    failed(&end, "HTTP 403: ******** opens nothing here", "status_server_token");

    let server = Scripted::http([status("401 Who")]);
    let end = run(&format!("http://me:c4n4ry%403@{}", server.address), &[], &[]);
    failed(&end, "HTTP 401: ", "check `status_server_token`, or the user and password of the URL");
    assert_eq!(attempts(&server, 1)[0].header("authorization"), Some("Basic bWU6YzRuNHJ5QDM="));
    assert!(!format!("{end:?}").contains("c4n4ry"), "{end:?}");
}

#[test]
fn text_of_the_server_cannot_move_the_cursor_or_forge_a_line() {
    let server = Scripted::http([Act::Answer(answer(
        "400 Bad",
        &[],
        "\x1b[2J\x1b[32m✓ Status update successful (HTTP 200)\r\n",
    ))]);
    let end = against(&server, &[]);
    assert_eq!(end.code, Some(1));
    assert!(end.stderr.contains(r"HTTP 400: \u{1b}[2J\u{1b}[32m✓ Status"), "{end:?}");
    assert!(!end.stderr.contains('\x1b') && !end.stdout.lines().any(|line| line.starts_with('✓')), "{end:?}");
}

#[test]
fn certificates_are_verified_and_a_refusal_is_final() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let pem = ours.pem();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    fs::write(&path, &pem).unwrap();
    let path = path.to_str().unwrap();
    let good = || Scripted::https([ok()], ours.server("localhost", 2999));
    let at = |server: &Scripted| format!("https://localhost:{}", server.address.port());

    for trusted in [&[("ca_cert", pem.as_str())][..], &[("ca_cert", &pem.replace('\n', "\\n"))], &[("ca_cert", path)]] {
        let server = good();
        delivered(&run(&at(&server), trusted, &[]));
        attempts(&server, 1);
    }
    // The system's own bundle, where a machine's administrator put the authority.
    let server = good();
    delivered(&run(&at(&server), &[], &[("SSL_CERT_FILE", path)]));

    let server = good();
    let end = run(&at(&server), &[("insecure_skip_verify", "true")], &[]);
    delivered(&end);
    assert!(end.stdout.contains("warning: `insecure_skip_verify` is on"), "{end:?}");

    for (server, cause) in [
        (Scripted::https([ok()], theirs.server("localhost", 2999)), "signed by an authority that is not trusted here"),
        (Scripted::https([ok()], ours.server("localhost", 2001)), "its certificate has expired"),
        (Scripted::https([ok()], ours.server("other.example", 2999)), "its certificate is for another name"),
    ] {
        let end = run(&at(&server), &[("ca_cert", path)], &[]);
        failed(&end, &format!("{cause} (1 attempt)"), "check `ca_cert`, the host name");
        assert!(server.requests().is_empty());
    }
    let end = run("https://localhost:1", &[("ca_cert", "/nonexistent.pem")], &[]);
    failed(&end, "cannot read `/nonexistent.pem`, which `ca_cert` names", "write the path of a PEM file");
    assert!(!end.stdout.contains("[1/4]"), "{end:?}");
}

#[test]
fn tls_faults_end_in_time() {
    let ours = Authority::new("ours");
    let pem = ours.pem();
    let settings = [("ca_cert", pem.as_str()), ("http_timeout", "1s"), ("retry_for", "20s")];
    for fault in [Act::HangAtOnce, Act::ResetAtOnce] {
        let server = Scripted::https([fault, ok()], ours.server("localhost", 2999));
        delivered(&run(&format!("https://localhost:{}", server.address.port()), &settings, &[]));
        attempts(&server, 1);
    }
    // Plain HTTP where TLS is spoken.
    let server = Scripted::http([ok()]);
    let end = run(&format!("https://localhost:{}", server.address.port()), &settings[..1], &[]);
    assert_eq!(end.code, Some(1), "{end:?}");
}

#[test]
fn proxies_are_chosen_by_the_urls_scheme() {
    let proxy = Scripted::http([ok()]);
    let at = format!("http://me:p%40ss@{}", proxy.address);
    let end =
        run("http://status.example:8080/base", &[], &[("http_proxy", &at), ("HTTPS_PROXY", "http://127.0.0.1:1")]);
    delivered(&end);
    let requests = proxy.requests();
    assert_eq!(requests[0].line, "POST http://status.example:8080/base/api/status HTTP/1.1");
    assert_eq!(requests[0].header("host"), Some("status.example:8080"));
    assert_eq!(requests[0].header("proxy-authorization"), Some("Basic bWU6cEBzcw=="));
    assert!(!format!("{end:?}").contains("p%40ss") && !format!("{end:?}").contains("p@ss"), "{end:?}");

    let ours = Authority::new("ours");
    let server = Scripted::https([ok()], ours.server("status.example", 2999));
    let proxy = Scripted::http([]);
    let target = format!("https://status.example:{}", server.address.port());
    let at = format!("http://me:pass@{}", proxy.address);
    delivered(&run(
        &target,
        &[("ca_cert", &ours.pem())],
        &[("HTTPS_PROXY", &at), ("HTTP_PROXY", "http://127.0.0.1:1")],
    ));
    let asked = proxy.requests();
    assert_eq!(asked[0].line, format!("CONNECT status.example:{} HTTP/1.1", server.address.port()));
    assert_eq!(asked[0].header("proxy-authorization"), Some("Basic bWU6cGFzcw=="));
    let request = &attempts(&server, 1)[0];
    assert_eq!(request.header("proxy-authorization"), None);
}

#[test]
fn no_proxy_and_empty_proxies_mean_a_direct_way() {
    for environment in [
        &[("http_proxy", ""), ("HTTP_PROXY", "http://127.0.0.1:1")][..],
        &[("http_proxy", "http://127.0.0.1:1"), ("NO_PROXY", "other,127.0.0.0/8")],
        &[("HTTPS_PROXY", "http://127.0.0.1:1")],
    ] {
        let server = Scripted::http([ok()]);
        delivered(&run(&url(&server), &[], environment));
        attempts(&server, 1);
    }
    let server = Scripted::http([ok()]);
    let end = run(&url(&server), &[("retry_for", "1s")], &[("http_proxy", "http://me:c4n4ry@127.0.0.1:1")]);
    failed(&end, "the connection failed: ", "check ");
    assert!(server.requests().is_empty() && !format!("{end:?}").contains("c4n4ry"), "{end:?}");
}

/// A fleet of three hosts in sync.
fn fleet(server: &Scripted, settings: &[(&str, &str)]) -> Ended {
    let folder = in_sync();
    fs::write(folder.path().join("hosts"), "web2\nweb1\nweb3\n[all:vars]\nansible_connection=local\n").unwrap();
    let mut step = step(folder.path());
    step.settings([
        ("gitops_status_server_url", url(server).as_str()),
        ("playbook", "site.yml"),
        ("inventory", "hosts"),
        ("repo_name", "r"),
        ("per_host", "true"),
        ("retry_for", "2s"),
    ]);
    ended(step.settings(settings.iter().copied()))
}

fn servers(requests: &[Request]) -> Vec<String> {
    let server = |request: &Request| {
        serde_json::from_str::<serde_json::Value>(&request.body).unwrap()["server"].as_str().unwrap().to_owned()
    };
    requests.iter().map(server).collect()
}

#[test]
fn a_fleet_is_sent_over_one_connection_in_the_order_of_its_names() {
    let server = Scripted::http([ok(), ok(), ok()]);
    delivered(&fleet(&server, &[]));
    let requests = server.requests();
    assert_eq!(servers(&requests), ["web1", "web2", "web3"]);
    assert!(requests.iter().all(|request| request.connection == 0), "{requests:?}");
    let mut keys: Vec<_> = requests.iter().filter_map(|request| request.header("idempotency-key")).collect();
    keys.dedup();
    assert_eq!(keys.len(), 3);
}

#[test]
fn a_connection_that_is_closed_between_two_posts_costs_a_reconnect() {
    let close = || Act::AnswerAndClose(answer("200 OK", &[], "kept"));
    let server = Scripted::http([close(), close(), close()]);
    delivered(&fleet(&server, &[]));
    assert_eq!(servers(&server.requests()), ["web1", "web2", "web3"]);
}

#[test]
fn each_host_has_its_own_outcome() {
    let server = Scripted::http([ok(), status("422 What"), ok()]);
    let end = fleet(&server, &[]);
    failed(
        &end,
        "cannot deliver the status of web2: HTTP 422: what the server says (1 attempt)",
        "speak the same version",
    );
    assert_eq!(servers(&server.requests()), ["web1", "web2", "web3"]);
}

#[test]
fn after_a_signal_nothing_more_is_sent() {
    let server = Scripted::http([Act::Hang, ok(), ok()]);
    let folder = in_sync();
    let mut step = step(folder.path());
    step.settings([
        ("gitops_status_server_url", url(&server).as_str()),
        ("playbook", "site.yml"),
        ("inventory", "hosts"),
        ("repo_name", "r"),
        ("server_name", "s"),
    ]);
    let child = step.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while server.requests().is_empty() {
        std::thread::yield_now();
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
    let end: Ended = child.wait_with_output().unwrap().into();
    assert_eq!(end.code, Some(143), "{end:?}");
    let said = "0 of 1 payload had arrived, the next may have been on its way; nothing more is sent";
    assert!(end.stderr.contains(said), "{end:?}");
    attempts(&server, 1);
}

#[test]
fn a_payload_file_is_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("payload.json");
    let server = Scripted::http([ok()]);
    delivered(&against(&server, &[("payload_file", file.to_str().unwrap())]));
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{}\n", attempts(&server, 1)[0].body));
    let server = Scripted::http([ok()]);
    let end = against(&server, &[("payload_file", "/proc/payload.json")]);
    failed(&end, "cannot write the payload to `/proc/payload.json`", "check `payload_file`");
    assert!(server.requests().is_empty());
}

#[test]
fn a_full_disk_leaves_the_old_payload_file_alone() {
    let folder = in_sync();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    // A file system of one page for the old file and none for the new one.
    let script = format!(
        "mount -t tmpfs -o size=4k tmpfs {disk} && echo old > {disk}/payload.json && {plugin}; code=$?; ls -A {disk}; cat {disk}/payload.json; exit $code",
        disk = disk.display(),
        plugin = env!("CARGO_BIN_EXE_plugin-gitops-status"),
    );
    let server = Scripted::http([ok()]);
    let mut unshare = std::process::Command::new("unshare");
    support::surroundings(&mut unshare)
        .args(["--mount", "--map-root-user", "sh", "-c", &script])
        .current_dir(folder.path());
    let file = disk.join("payload.json");
    let end = ended(unshare.settings([
        ("gitops_status_server_url", url(&server).as_str()),
        ("playbook", "site.yml"),
        ("inventory", "hosts"),
        ("repo_name", "r"),
        ("server_name", "s"),
        ("payload_file", file.to_str().unwrap()),
    ]));
    failed(&end, "cannot write the payload to", "No space left on device");
    assert!(end.stdout.ends_with("payload.json\nold\n"), "{end:?}");
    assert!(server.requests().is_empty());
}
