//! Proxies come from the usual variables.

use crate::delivery::{attempts, failed, step};
use crate::harness::server::{Authority, Scripted, ok};
use crate::harness::suite::{Suite, suite};

/// The address of a proxy that nobody runs.
const NOBODY: &str = "http://127.0.0.1:1";

pub fn suite() -> Suite {
    suite!("proxies", [], proxies_are_chosen_by_the_urls_scheme, no_proxy_and_empty_proxies_mean_a_direct_way,)
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
    let step = step().to(server.url()).setting("retry_for", "1s").env("http_proxy", "http://me:c4n4ry@127.0.0.1:1");
    let end = step.run();
    failed(&end, "the connection failed: ", "check ");
    end.expect_no("c4n4ry");
    assert!(server.requests().is_empty());
}
