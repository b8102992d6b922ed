//! Certificates are verified, and what is wrong with TLS ends in time.

use std::fs;

use crate::delivery::{attempts, failed, step};
use crate::harness::server::{Act, Authority, Scripted, ok};
use crate::harness::step::text;
use crate::harness::suite::{Suite, suite};

pub fn suite() -> Suite {
    suite!("tls", [], certificates_are_verified_and_a_refusal_is_final, tls_faults_end_in_time,)
}

fn certificates_are_verified_and_a_refusal_is_final() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let pem = ours.pem();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    fs::write(&path, &pem).unwrap();
    let path = text(&path);
    let good = || Scripted::https([ok()], ours.server("localhost", 2999));

    for trusted in [&[("ca_cert", pem.as_str())][..], &[("ca_cert", &pem.replace('\n', "\\n"))], &[("ca_cert", path)]] {
        let server = good();
        step().to(server.https_url()).settings(trusted.iter().copied()).run().expect_delivered();
        attempts(&server, 1);
    }
    // The system's own bundle, where a machine's administrator put the authority.
    let server = good();
    step().to(server.https_url()).env("SSL_CERT_FILE", path).run().expect_delivered();

    let server = good();
    let end = step().to(server.https_url()).setting("insecure_skip_verify", "true").run();
    end.expect_delivered().expect_log("warning: `insecure_skip_verify` is on");

    for (server, cause) in [
        (Scripted::https([ok()], theirs.server("localhost", 2999)), "signed by an authority that is not trusted here"),
        (Scripted::https([ok()], ours.server("localhost", 2001)), "its certificate has expired"),
        (Scripted::https([ok()], ours.server("other.example", 2999)), "its certificate is for another name"),
    ] {
        let end = step().to(server.https_url()).setting("ca_cert", path).run();
        failed(&end, &format!("{cause} (1 attempt)"), "check `ca_cert`, the host name");
        assert!(server.requests().is_empty());
    }
    let end = step().to("https://localhost:1").setting("ca_cert", "/nonexistent.pem").run();
    failed(&end, "cannot read `/nonexistent.pem`, which `ca_cert` names", "write the path of a PEM file");
    end.expect_no("[1/4]");
}

fn tls_faults_end_in_time() {
    let ours = Authority::new("ours");
    let pem = ours.pem();
    let step = || step().setting("ca_cert", &pem);
    for fault in [Act::HangAtOnce, Act::ResetAtOnce] {
        let server = Scripted::https([fault, ok()], ours.server("localhost", 2999));
        step().to(server.https_url()).setting("http_timeout", "1s").run().expect_delivered();
        attempts(&server, 1);
    }
    // Plain HTTP where TLS is spoken.
    let server = Scripted::http([ok()]);
    step().to(server.https_url()).setting("retry_for", "2s").run().expect_code(1);
}
