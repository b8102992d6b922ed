//! Delivery against a network that misbehaves on purpose: the built binary and a server that does what a test says.

use rustix::process::Signal;

use crate::harness::ended::Ended;
use crate::harness::server::{Act, Request, Scripted, answer, ok, status};
use crate::harness::step::Step;
use crate::harness::suite::{Suite, suite};

pub fn suite() -> Suite {
    suite!(
        "delivery",
        [],
        statuses_that_may_pass_are_tried_again,
        every_other_status_is_final_and_shows_the_servers_first_line,
        every_2xx_is_success,
        redirects_are_not_followed_even_to_a_page_that_says_200,
        broken_connections_are_tried_again,
        a_server_that_never_answers_does_not_hold_the_step,
        a_success_whose_body_never_ends_is_a_success,
        http_of_every_dialect_is_read,
        what_is_no_http_is_final,
        nobody_listening_and_an_unknown_name_are_told_apart,
        what_a_server_says_to_a_success_is_shown,
        a_response_with_more_headers_than_are_read_counts_by_its_status,
        a_location_that_is_not_ascii_is_shown,
        a_url_that_cannot_be_meant_is_refused_before_the_run,
        secrets_of_the_delivery_reach_the_server_and_nothing_else,
        text_of_the_server_cannot_move_the_cursor_or_forge_a_line,
        a_fleet_is_sent_over_one_connection_in_the_order_of_its_names,
        a_connection_that_is_closed_between_two_posts_costs_a_reconnect,
        each_host_has_its_own_outcome,
        after_a_signal_nothing_more_is_sent,
    )
}

/// A step that is in sync, and tries long enough for a loaded machine.
pub fn step() -> Step {
    Step::new().setting("retry_for", "20s")
}

/// Runs the step against a plain server.
pub fn against(server: &Scripted, settings: &[(&str, &str)]) -> Ended {
    step().to(server.url()).settings(settings.iter().copied()).run()
}

/// The status was not delivered, and the log says why and what to look at.
#[track_caller]
pub fn failed(end: &Ended, sentence: &str, check: &str) {
    end.expect_code(1).expect_error(sentence).expect_error(check).expect_no("✓");
}

/// Every attempt carries the same body and the same key.
#[track_caller]
pub fn attempts(server: &Scripted, count: usize) -> Vec<Request> {
    let requests = all_alike(server);
    assert_eq!(requests.len(), count, "{requests:?}");
    requests
}

/// The same, however many attempts there were: one more than meant, where a machine takes longer than `http_timeout`.
#[track_caller]
pub fn all_alike(server: &Scripted) -> Vec<Request> {
    let requests = server.requests();
    assert!(!requests.is_empty());
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

fn statuses_that_may_pass_are_tried_again() {
    for code in ["408 Slow", "425 Early", "429 Many", "500 Oops", "502 Bad", "503 Busy", "504 Late"] {
        let server = Scripted::http([status(code), ok()]);
        let end = against(&server, &[]);
        end.expect_delivered();
        attempts(&server, 2);
        let said = format!("attempt 1: HTTP {}: what the server says; trying again in", &code[..3]);
        end.expect_log(&said);
    }
}

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
        failed(&against(&server, &[]), &said, "  hint: check ");
        attempts(&server, 1);
    }
}

fn every_2xx_is_success() {
    for code in ["200 OK", "201 Made", "202 Later", "204 Nothing", "299 Odd"] {
        let text =
            if code.starts_with("204") { "HTTP/1.1 204 Nothing\r\n\r\n".to_owned() } else { answer(code, &[], "") };
        let server = Scripted::http([Act::Answer(text)]);
        let end = against(&server, &[]);
        end.expect_code(0);
        assert!(end.stdout.ends_with(&format!("✓ Status update successful (HTTP {})\n", &code[..3])), "{end}");
        attempts(&server, 1);
    }
}

fn redirects_are_not_followed_even_to_a_page_that_says_200() {
    for code in ["301", "302", "303", "307", "308"] {
        let page = Scripted::http([ok()]);
        let location = format!("Location: {}/login", page.url());
        let server = Scripted::http([Act::Answer(answer(&format!("{code} Moved"), &[&location], ""))]);
        let said = format!("HTTP {code}: it redirects to {}/login (1 attempt)", page.url());
        failed(
            &against(&server, &[]),
            &said,
            "check `gitops_status_server_url`: write the address that it redirects to",
        );
        attempts(&server, 1);
        assert!(page.requests().is_empty());
    }
}

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
        end.expect_delivered();
        assert!(end.stdout.contains("attempt 1: the connection failed: "), "{fault:?}: {end}");
        attempts(&server, if matches!(fault, Act::ResetAtOnce) { 1 } else { 2 });
    }
}

fn a_server_that_never_answers_does_not_hold_the_step() {
    let head = "HTTP/1.1 503 Busy\r\nContent-Length: 100000\r\n\r\n".to_owned();
    for (fault, heard) in [
        (Act::HangAtOnce, 1),
        (Act::Hang, 2),
        (Act::Drip("HTTP/1.1 200 OK\r\nX-Slow: ".to_owned()), 2),
        (Act::Drip(head.clone()), 2),
        (Act::Drip("HTTP/1.1 200 O".to_owned()), 2),
    ] {
        let server = Scripted::http(std::iter::once(fault.clone()).chain((0..20).map(|_| ok())));
        let end = against(&server, &[("http_timeout", "1s"), ("retry_for", "20s")]);
        end.expect_delivered();
        assert!(all_alike(&server).len() >= heard, "{end}");
        if !matches!(&fault, Act::Drip(text) if *text == head) {
            assert!(
                end.stdout.contains("attempt 1: the server did not answer in time; trying again in"),
                "{fault:?}: {end}"
            );
        }
    }
    let server = Scripted::http([Act::Hang, Act::Hang, Act::Hang]);
    failed(
        &against(&server, &[("http_timeout", "1s"), ("retry_for", "2s")]),
        "cannot deliver the status: the server did not answer in time",
        "check that the status server is not overloaded",
    );
}

fn a_success_whose_body_never_ends_is_a_success() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
    for act in
        [Act::Endless(head.to_owned()), Act::Drip(head.to_owned()), Act::Endless("HTTP/1.1 200 OK\r\n\r\n".to_owned())]
    {
        let server = Scripted::http((0..20).map(|_| act.clone()));
        against(&server, &[("http_timeout", "1s")]).expect_delivered();
        all_alike(&server);
    }
}

fn http_of_every_dialect_is_read() {
    for act in [
        Act::Continue(answer("200 OK", &[], "kept")),
        Act::AnswerAndClose("HTTP/1.0 200 OK\r\n\r\nkept".to_owned()),
        Act::Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nkept\r\n0\r\n\r\n".to_owned()),
        Act::AnswerAndClose("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_owned()),
    ] {
        let server = Scripted::http([act]);
        against(&server, &[]).expect_delivered();
        attempts(&server, 1);
    }
}

fn what_is_no_http_is_final() {
    for text in ["SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "\0\0\0\0\r\n\r\n"] {
        let server = Scripted::http([Act::AnswerAndClose(text.to_owned()), ok()]);
        failed(
            &against(&server, &[]),
            "the request failed: ",
            "check that `gitops_status_server_url` is the status server",
        );
        attempts(&server, 1);
    }
}

fn nobody_listening_and_an_unknown_name_are_told_apart() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let end = step().to(format!("http://{closed}")).setting("retry_for", "6s").run();
    failed(&end, "the connection failed: Connection refused", "check that the status server is running, its port");
    assert!(
        end.stdout.contains("attempt 1: the connection failed: Connection refused (os error 111); trying again in"),
        "{end}"
    );
    let end = step().to("http://status.invalid").setting("retry_for", "6s").run();
    failed(&end, "the host name cannot be resolved", "check the host name in `gitops_status_server_url`");
    end.expect_log("attempt 1: the host name cannot be resolved; trying again in");
}

fn what_a_server_says_to_a_success_is_shown() {
    let said = "not kept, a newer status is there";
    let server = Scripted::http([Act::Answer(answer("200 OK", &[], &format!("\n {said}\nand more\n")))]);
    against(&server, &[]).expect_delivered().expect_log(&format!("\n        the status server says: {said}\n"));
    let server = Scripted::http([Act::Answer(answer("200 OK", &[], " \n"))]);
    against(&server, &[]).expect_delivered().expect_no("the status server says");
    let server = Scripted::http([Act::Answer(answer("200 OK", &[], "\x1b[2J✓ c4n4ry"))]);
    let end = against(&server, &[("status_server_token", "c4n4ry")]);
    end.expect_delivered().expect_log(r"the status server says: \u{1b}[2J✓ ********");
    // A fleet hears the same for each host.
    let newer = Act::Answer(answer("200 OK", &[], said));
    let server = Scripted::http([ok(), newer, ok()]);
    let end = fleet(&server);
    end.expect_delivered()
        .expect_log("web1: the status server says: kept")
        .expect_log(&format!("web2: the status server says: {said}"));
    assert_eq!(end.stdout.matches("the status server says").count(), 2, "{end}");
}

fn a_response_with_more_headers_than_are_read_counts_by_its_status() {
    let many: Vec<String> = (0..150).map(|number| format!("X-Number-{number}: {number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let with = |status: &str| Act::Answer(answer(status, &many, "kept"));
    let server = Scripted::http([with("200 OK")]);
    against(&server, &[]).expect_delivered();
    attempts(&server, 1);
    let server = Scripted::http([with("503 Busy"), with("204 Nothing")]);
    let end = against(&server, &[]);
    end.expect_code(0).expect_log("attempt 1: HTTP 503: ").expect_log("✓ Status update successful (HTTP 204)");
    let server = Scripted::http([with("403 No")]);
    failed(&against(&server, &[]), "HTTP 403: Forbidden (1 attempt)", "status_server_token");
    let long = format!("X-Long: {}", "x".repeat(100_000));
    let server = Scripted::http([Act::Answer(answer("200 OK", &[&long], "kept"))]);
    against(&server, &[]).expect_delivered();
    attempts(&server, 1);
}

fn a_location_that_is_not_ascii_is_shown() {
    let server = Scripted::http([Act::Answer(answer("302 Moved", &["Location: /anmelden/für-alle"], ""))]);
    failed(
        &against(&server, &[]),
        "HTTP 302: it redirects to /anmelden/für-alle",
        "write the address that it redirects to",
    );
}

fn a_url_that_cannot_be_meant_is_refused_before_the_run() {
    let server = Scripted::keeping();
    let host = server.address.ip();
    for wrong in [":99999", ":65536", ":80a", ":-1", ":0", ":", ":abc", ":+80", ":8 0"] {
        let end = step().to(format!("http://{host}{wrong}")).setting("status_server_token", "t0ken").run();
        let said = if wrong.contains(' ') { "contains a space" } else { "has a port" };
        end.expect_code(1).expect_error(&format!("`gitops_status_server_url` {said}")).expect_no("[1/4]");
    }
    assert!(server.requests().is_empty());
}

fn secrets_of_the_delivery_reach_the_server_and_nothing_else() {
    let server = Scripted::http([ok()]);
    let end = against(
        &server,
        &[("status_server_token", "c4n4ry-1"), ("headers", r#"{"X-Tenant":"c4n4ry-2","X-Number":3}"#)],
    );
    end.expect_delivered();
    let request = &attempts(&server, 1)[0];
    assert_eq!(request.header("authorization"), Some("Bearer c4n4ry-1"));
    assert_eq!((request.header("x-tenant"), request.header("x-number")), (Some("c4n4ry-2"), Some("3")));
    end.expect_no("c4n4ry");

    // A server that says what it was sent.
    let server = Scripted::http([Act::Answer(answer("403 No", &[], "c4n4ry-1 opens nothing here"))]);
    let end = against(&server, &[("status_server_token", "c4n4ry-1")]);
    failed(&end, "HTTP 403: ******** opens nothing here", "status_server_token");

    let server = Scripted::http([status("401 Who")]);
    let end = step().to(format!("http://me:c4n4ry%403@{}", server.address)).run();
    failed(&end, "HTTP 401: ", "check `status_server_token`, or the user and password of the URL");
    assert_eq!(attempts(&server, 1)[0].header("authorization"), Some("Basic bWU6YzRuNHJ5QDM="));
    end.expect_no("c4n4ry");
}

fn text_of_the_server_cannot_move_the_cursor_or_forge_a_line() {
    let server = Scripted::http([Act::Answer(answer(
        "400 Bad",
        &[],
        "\x1b[2J\x1b[32m✓ Status update successful (HTTP 200)\r\n",
    ))]);
    let end = against(&server, &[]);
    end.expect_code(1);
    assert!(end.stderr.contains(r"HTTP 400: \u{1b}[2J\u{1b}[32m✓ Status"), "{end}");
    assert!(!end.stderr.contains('\x1b') && !end.stdout.lines().any(|line| line.starts_with('✓')), "{end}");
}

/// Runs the step on a fleet of three hosts in sync.
fn fleet(server: &Scripted) -> Ended {
    step().replay("a_fleet_was_in_sync").without("server_name").setting("per_host", "true").to(server.url()).run()
}

pub fn servers(requests: &[Request]) -> Vec<String> {
    let server = |request: &Request| {
        serde_json::from_str::<serde_json::Value>(&request.body).unwrap()["server"].as_str().unwrap().to_owned()
    };
    requests.iter().map(server).collect()
}

fn a_fleet_is_sent_over_one_connection_in_the_order_of_its_names() {
    let server = Scripted::http([ok(), ok(), ok()]);
    fleet(&server).expect_delivered();
    let requests = server.requests();
    assert_eq!(servers(&requests), ["web1", "web2", "web3"]);
    assert!(requests.iter().all(|request| request.connection == 0), "{requests:?}");
    let mut keys: Vec<_> = requests.iter().filter_map(|request| request.header("idempotency-key")).collect();
    keys.dedup();
    assert_eq!(keys.len(), 3);
}

fn a_connection_that_is_closed_between_two_posts_costs_a_reconnect() {
    let close = || Act::AnswerAndClose(answer("200 OK", &[], "kept"));
    let server = Scripted::http([close(), close(), close()]);
    fleet(&server).expect_delivered();
    assert_eq!(servers(&server.requests()), ["web1", "web2", "web3"]);
}

fn each_host_has_its_own_outcome() {
    let server = Scripted::http([ok(), status("422 What"), ok()]);
    let end = fleet(&server);
    failed(
        &end,
        "cannot deliver the status of web2: HTTP 422: what the server says (1 attempt)",
        "a clock may be more than five minutes ahead",
    );
    assert_eq!(servers(&server.requests()), ["web1", "web2", "web3"]);
}

fn after_a_signal_nothing_more_is_sent() {
    let server = Scripted::http([Act::Hang, ok(), ok()]);
    let step = Step::new().to(server.url());
    let running = step.start();
    while server.requests().is_empty() {
        std::thread::yield_now();
    }
    running.signal(Signal::TERM);
    let said = "0 of 1 payloads were delivered, one more may have been in transit; nothing else is sent";
    step.expect_nothing_left(running.end().expect_code(143).expect_error(said));
    attempts(&server, 1);
}
