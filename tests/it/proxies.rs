//! Proxies come from the usual variables.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use crate::delivery::{attempts, failed, step};
use crate::harness::ended::Ended;
use crate::harness::server::{Act, Authority, Scripted, ok, status};
use crate::harness::socks::Socks;
use crate::harness::suite::{Suite, suite};

/// The address of a proxy that nobody runs.
const NOBODY: &str = "http://127.0.0.1:1";

pub fn suite() -> Suite {
    suite!(
        "proxies",
        [],
        proxies_are_chosen_by_the_urls_scheme,
        no_proxy_and_empty_proxies_mean_a_direct_way,
        a_fault_of_a_proxy_names_the_proxy_and_its_variable,
        a_fault_of_the_server_behind_a_proxy_is_the_servers,
        an_answer_that_came_through_a_proxy_may_be_the_proxys,
        socks_is_spoken_in_every_version,
        a_proxy_that_cannot_be_used_is_an_error_before_the_run,
    )
}

fn proxies_are_chosen_by_the_urls_scheme() {
    let proxy = Scripted::http([ok()]);
    let at = format!("http://me:p%40ss@{}", proxy.address);
    let end = step().to("http://status.example:8080/base").env("http_proxy", at).env("HTTPS_PROXY", NOBODY).run();
    end.expect_delivered().expect_no("p%40ss").expect_no("p@ss");
    let requests = proxy.requests();
    assert_eq!(requests[0].line, "POST http://status.example:8080/base/api/status HTTP/1.1");
    assert_eq!(requests[0].header("host"), Some("status.example:8080"));
    assert_eq!(requests[0].header("proxy-authorization"), Some("Basic bWU6cEBzcw=="));

    let ours = Authority::new("ours");
    let server = Scripted::https([ok()], ours.server("status.example", 2999));
    let proxy = Scripted::http([]);
    let target = format!("https://status.example:{}", server.address.port());
    let at = format!("http://me:pass@{}", proxy.address);
    let step = step().to(target).setting("ca_cert", ours.pem()).env("HTTPS_PROXY", at).env("HTTP_PROXY", NOBODY);
    step.run().expect_delivered();
    let asked = proxy.requests();
    assert_eq!(asked[0].line, format!("CONNECT status.example:{} HTTP/1.1", server.address.port()));
    assert_eq!(asked[0].header("proxy-authorization"), Some("Basic bWU6cGFzcw=="));
    let request = &attempts(&server, 1)[0];
    assert_eq!(request.header("proxy-authorization"), None);
}

fn no_proxy_and_empty_proxies_mean_a_direct_way() {
    for environment in [
        &[("http_proxy", ""), ("HTTP_PROXY", NOBODY)][..],
        &[("http_proxy", NOBODY), ("NO_PROXY", "other,127.0.0.0/8")],
        &[("HTTPS_PROXY", NOBODY)],
    ] {
        let server = Scripted::http([ok()]);
        let step = environment.iter().fold(step().to(server.url()), |step, (name, value)| step.env(name, *value));
        step.run().expect_delivered();
        attempts(&server, 1);
    }
    let server = Scripted::http([ok()]);
    let step = step().to(server.url()).setting("retry_for", "2s").env("http_proxy", "http://me:c4n4ry@127.0.0.1:1");
    let end = step.run();
    end.expect_log("the connection to the proxy http://127.0.0.1:1 (from `http_proxy`) failed: ");
    failed(&end, "the proxy http://127.0.0.1:1 (from `http_proxy`)", "check `http_proxy`");
    end.expect_no("c4n4ry");
    assert!(server.requests().is_empty());
}

/// The step against a server that only a proxy knows.
#[track_caller]
fn through(scheme: &str, proxy: &str) -> Ended {
    run_through(scheme, proxy, &[])
}

#[track_caller]
fn run_through(scheme: &str, proxy: &str, settings: &[(&str, &str)]) -> Ended {
    let variable = format!("{scheme}_proxy");
    let step = step().to(format!("{scheme}://status.example:8443")).env(&variable, proxy);
    step.settings(settings.iter().copied()).setting("ca_cert", Authority::new("ours").pem()).run()
}

/// The step went through a proxy that never serves it, which the first attempt found out. What the last one finds depends
/// on how much time is left for it.
#[track_caller]
fn in_vain(scheme: &str, proxy: &str, http_timeout: &str, said: &str) {
    let end = run_through(scheme, proxy, &[("http_timeout", http_timeout), ("retry_for", "2s")]);
    end.expect_log(&format!("attempt 1: {said}"));
    failed(&end, &format!("(from `{scheme}_proxy`)"), &format!("check `{scheme}_proxy` of this step or its agent"));
}

fn a_fault_of_a_proxy_names_the_proxy_and_its_variable() {
    for scheme in ["http", "https"] {
        let said = format!("the connection to the proxy {NOBODY} (from `{scheme}_proxy`) failed: Connection refused");
        in_vain(scheme, NOBODY, "10s", &said);
        let said = format!("the host name of the proxy http://proxy.invalid:3128 (from `{scheme}_proxy`)");
        in_vain(scheme, "proxy.invalid:3128", "10s", &said);
        for hang in [Act::HangAtOnce, Act::Hang] {
            let proxy = Scripted::http((0..20).map(|_| hang.clone()));
            let said = format!("the proxy {} (from `{scheme}_proxy`) did not answer in time", proxy.url());
            in_vain(scheme, &proxy.url(), "1s", &said);
        }
        let proxy = Scripted::http([status("407 Who")]);
        let end = through(scheme, &proxy.url());
        let said = format!("the proxy {} (from `{scheme}_proxy`) asks for a user and password (HTTP 407)", proxy.url());
        failed(&end, &said, &format!("check `{scheme}_proxy`: write the user and password into its URL"));
    }
    let proxy = Scripted::http([status("502 Bad"), status("403 No")]);
    let end = through("https", &proxy.url());
    let said = format!("the proxy {} (from `https_proxy`) answers HTTP 403: it does not connect", proxy.url());
    failed(&end, &said, "check `https_proxy` of this step");
    end.expect_log("answers HTTP 502: it does not connect to the status server; trying again in");
}

fn a_fault_of_the_server_behind_a_proxy_is_the_servers() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let proxy = Scripted::http([]);
    let server = Scripted::https([ok()], theirs.server("status.example", 2999));
    let target = format!("https://status.example:{}", server.address.port());
    let end = step().to(&target).setting("ca_cert", ours.pem()).env("https_proxy", proxy.url()).run();
    failed(&end, "the server is not trusted: its certificate is signed by an authority", "check `ca_cert`");
    let server = Scripted::https([status("403 No")], ours.server("status.example", 2999));
    let target = format!("https://status.example:{}", server.address.port());
    let end = step().to(&target).setting("ca_cert", ours.pem()).env("https_proxy", proxy.url()).run();
    failed(&end, "cannot deliver the status: HTTP 403: what the server says", "status_server_token");
}

fn socks_is_spoken_in_every_version() {
    let ours = Authority::new("ours");
    for (scheme, asked) in [
        ("socks4", "4 127.0.0.1"),
        ("socks4a", "4 localhost"),
        ("socks5", "5 127.0.0.1"),
        ("socks5h", "5 localhost"),
        ("socks", "5 127.0.0.1"),
    ] {
        let (plain, secure) = (Scripted::http([ok()]), Scripted::https([ok()], ours.server("localhost", 2999)));
        let plain_url = format!("http://localhost:{}", plain.address.port());
        for url in [plain_url, secure.https_url()] {
            let proxy = Socks::start();
            let at = format!("{scheme}://{}", proxy.address);
            let end = step().to(&url).setting("ca_cert", ours.pem()).env("ALL_PROXY", at).run();
            end.expect_delivered();
            assert_eq!(proxy.asked(), [asked], "{scheme} {url}");
        }
    }
    let (server, proxy) = (Scripted::http([ok()]), Socks::start());
    let at = format!("socks5h://me:p%40ss@{}", proxy.address);
    let end = step().to(format!("http://status.example:{}", server.address.port())).env("http_proxy", at).run();
    end.expect_delivered().expect_no("p%40ss").expect_no("p@ss");
    assert_eq!(proxy.asked(), ["5 me:p@ss status.example"]);
    let said = "the connection to the proxy socks5h://127.0.0.1:1 (from `http_proxy`) failed";
    in_vain("http", "socks5h://127.0.0.1:1", "10s", said);
}

fn a_proxy_that_cannot_be_used_is_an_error_before_the_run() {
    for (value, said) in [
        ("ftp://127.0.0.1:1", "`http_proxy` has a scheme that is not http"),
        ("http://me:c4n4ry@127.0.0.1:99999", "`http_proxy` has a port that is not a number from 1 to 65535"),
        ("http://", "`http_proxy` has no host name"),
    ] {
        let end = step().to("http://status.example").env("http_proxy", value).run();
        end.expect_code(1).expect_error(said).expect_no("[1/4]").expect_no("c4n4ry");
    }
    let not_utf8 = OsString::from_vec(b"http://\xff:1".to_vec());
    let end = step().to("http://status.example").env("HTTP_PROXY", not_utf8).run();
    end.expect_code(1).expect_error("`HTTP_PROXY` is not UTF-8").expect_no("[1/4]");
    // One that is not asked is nobody's fault.
    let server = Scripted::http([ok()]);
    step().to(server.url()).env("https_proxy", "ftp://x").run().expect_delivered();
}

fn an_answer_that_came_through_a_proxy_may_be_the_proxys() {
    let proxy = Scripted::http([status("403 No")]);
    let end = through("http", &proxy.url());
    let said = format!(
        "HTTP 403: what the server says; the answer came through the proxy {} (from `http_proxy`)",
        proxy.url()
    );
    failed(&end, &said, "if the answer is the proxy's own, check `http_proxy`");
}
