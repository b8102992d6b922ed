//! How often and how long a payload is tried.

use rustix::process::Signal;

use crate::delivery::{against, attempts, failed, servers, step};
use crate::harness::server::{Act, Scripted, answer, ok};
use crate::harness::suite::{Suite, suite};

pub fn suite() -> Suite {
    suite!(
        "retries",
        [],
        retry_after_is_honoured_and_clipped_to_what_is_left,
        no_server_makes_a_step_ask_all_the_time,
        retry_for_is_the_time_of_all_payloads_together,
        a_failure_with_damaged_headers_counts_by_its_status,
    )
}

fn retry_after_is_honoured_and_clipped_to_what_is_left() {
    let later = |header: &str| Act::Answer(answer("503 Busy", &[header], "later"));
    for (header, pause) in [
        ("Retry-After: 0", None),
        ("Retry-After: Tue, 21 Apr 2020 10:30:00 GMT", None),
        ("Retry-After: 1", Some("trying again in 1.0 s")),
    ] {
        let server = Scripted::http([later(header), ok()]);
        let end = against(&server, &[("retry_for", "20s")]);
        end.expect_delivered();
        // It can only lengthen a pause, which is a quarter of a second at least.
        end.expect_log(pause.unwrap_or("trying again in 0.")).expect_no("trying again in 0.0 s");
        attempts(&server, 2);
    }
    // An hour is cut to what `retry_for` leaves, with some of it kept for the attempt itself.
    let server = Scripted::http([later("Retry-After: 3600")]);
    let step = step().to(server.url()).setting("retry_for", "5m");
    let mut running = step.start();
    running.wait_for("attempt 1: HTTP 503: later; trying again in ").signal(Signal::TERM);
    let end = running.end();
    let pause = end.stdout.split("trying again in ").nth(1).unwrap().split(' ').next().unwrap();
    assert!((0.1..=290.0).contains(&pause.parse::<f64>().unwrap()), "{end}");
    end.expect_code(143);
    let server = Scripted::http((0..50).map(|_| later("Retry-After: 3600")));
    failed(&against(&server, &[("retry_for", "4s")]), "cannot deliver the status: ", "raise `");
    let count = server.requests().len();
    assert!((1..=2).contains(&count), "{count} requests");
}

fn no_server_makes_a_step_ask_all_the_time() {
    for header in ["Retry-After: 0", "Retry-After: Tue, 21 Apr 2020 10:30:00 GMT", "X-Nothing: 1"] {
        let server = Scripted::http((0..10_000).map(|_| Act::Answer(answer("503 Busy", &[header], "later"))));
        failed(&against(&server, &[("retry_for", "3s")]), "cannot deliver the status: ", "raise `");
        // Pauses of a quarter, a half and a whole second at least, and one that is cut to the time that is left.
        let count = server.requests().len();
        assert!((1..=5).contains(&count), "{count} requests with {header}");
    }
}

fn retry_for_is_the_time_of_all_payloads_together() {
    // One attempt takes all the time there is, however slow the machine.
    let server = Scripted::http((0..100).map(|_| Act::Hang));
    let fleet = step().replay("a_fleet_was_in_sync").without("server_name").setting("per_host", "true");
    let end = fleet.to(server.url()).settings([("http_timeout", "60s"), ("retry_for", "2s")]).run();
    failed(&end, "cannot deliver the status of web1: the server did not answer in time", "raise `http_timeout`");
    let rest = "cannot deliver the status of 2 hosts, because `retry_for` was over before they were tried: web2, web3";
    failed(&end, rest, "raise `retry_for`");
    assert!(servers(&server.requests()).iter().all(|server| server == "web1"), "{end}");
}

fn a_failure_with_damaged_headers_counts_by_its_status() {
    let damaged = |status: &str, header: &str| Act::AnswerAndClose(answer(status, &[header], "what it says"));
    for header in ["X: a\x01b", " X: y", "X", "Content-Length: many"] {
        let server = Scripted::http([damaged("503 Busy", header), ok()]);
        against(&server, &[]).expect_delivered().expect_log("attempt 1: HTTP 503: ");
        let server = Scripted::http([damaged("403 No", header), ok()]);
        failed(&against(&server, &[]), "HTTP 403: Forbidden (1 attempt)", "status_server_token");
        let server = Scripted::http([damaged("200 OK", header), ok()]);
        failed(&against(&server, &[]), "the request failed: ", "with the right scheme and port");
        attempts(&server, 1);
    }
}
