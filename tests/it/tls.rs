//! Certificates are verified, and what is wrong with TLS ends in time.

use std::fs;

use crate::delivery::{all_alike, attempts, failed, step};
use crate::harness::server::{Act, Authority, Scripted, ok, self_signed};
use crate::harness::step::text;
use crate::harness::suite::{Suite, suite};

pub fn suite() -> Suite {
    suite!(
        "tls",
        [],
        certificates_are_verified_and_a_refusal_is_final,
        tls_faults_end_in_time,
        a_self_signed_certificate_is_accepted_as_exactly_that,
        a_ca_cert_is_read_even_where_nothing_is_verified,
        a_handshake_that_fails_is_told_in_words,
    )
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
        (Scripted::https([ok()], theirs.server("localhost", 2999)), "signed by an authority that is not trusted"),
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
        let script = std::iter::once(fault).chain((0..20).map(|_| ok()));
        let server = Scripted::https(script, ours.server("localhost", 2999));
        step().to(server.https_url()).setting("http_timeout", "1s").run().expect_delivered();
        all_alike(&server);
    }
    // Plain HTTP where TLS is spoken.
    let server = Scripted::http([ok()]);
    step().to(server.https_url()).setting("retry_for", "2s").run().expect_code(1);
}

fn a_self_signed_certificate_is_accepted_as_exactly_that() {
    let (pem, config) = self_signed("localhost", 2999);
    let (other_pem, other) = self_signed("localhost", 2999);
    let server = Scripted::https([ok()], config);
    step().to(server.https_url()).setting("ca_cert", &pem).run().expect_delivered();
    // As one of several, too.
    let server = Scripted::https([ok()], other);
    step().to(server.https_url()).setting("ca_cert", format!("{pem}{other_pem}")).run().expect_delivered();

    let (_, unknown) = self_signed("localhost", 2999);
    let (expired_pem, expired) = self_signed("localhost", 2001);
    let (elsewhere_pem, elsewhere) = self_signed("other.example", 2999);
    let (nameless_pem, nameless) = self_signed("", 2999);
    for (pem, config, cause) in [
        (pem, unknown, "its certificate is self-signed or a CA certificate, and not the one in `ca_cert`"),
        (expired_pem, expired, "its certificate has expired"),
        (elsewhere_pem, elsewhere, "its certificate is for another name"),
        (nameless_pem, nameless, "its certificate has no host name in `subjectAltName`"),
    ] {
        let server = Scripted::https([ok()], config);
        let end = step().to(server.https_url()).setting("ca_cert", pem).run();
        failed(&end, &format!("the server is not trusted: {cause}"), "check `ca_cert`");
        assert!(server.requests().is_empty());
    }
    // A certificate that an unknown authority has signed is accepted as exactly that as well.
    let name_of_all = "rcgen self signed cert";
    for name in ["nobody", name_of_all] {
        let (pem, config) = Authority::new(name).signed("localhost", 2999);
        let server = Scripted::https([ok()], config);
        step().to(server.https_url()).setting("ca_cert", pem).run().expect_delivered();
    }
    // One of a new authority that has the old one's name is not.
    let server = Scripted::https([ok()], Authority::new("ours").server("localhost", 2999));
    let end = step().to(server.https_url()).setting("ca_cert", Authority::new("ours").pem()).run();
    let cause = "its certificate names a trusted authority, and is signed with another key than that authority has";
    failed(&end, &format!("the server is not trusted: {cause} (1 attempt)"), "check `ca_cert`");
    assert!(server.requests().is_empty());
}

fn a_ca_cert_is_read_even_where_nothing_is_verified() {
    let good = Authority::new("ours").pem();
    let cut: String = good.lines().take(4).collect::<Vec<_>>().join("\n");
    let garbage = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n".to_owned();
    let no_certificate = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n".to_owned();
    for (pem, said) in
        [(cut, "cut off or damaged"), (garbage, "cut off or damaged"), (no_certificate, "not a certificate between")]
    {
        for further in [&[][..], &[("insecure_skip_verify", "true")], &[("dry_run", "true")]] {
            for url in ["http://127.0.0.1:1", "https://127.0.0.1:1"] {
                let end = step().to(url).setting("ca_cert", &pem).settings(further.iter().copied()).run();
                end.expect_code(1).expect_error(said).expect_error("`ca_cert`").expect_no("[1/4]");
            }
        }
    }
}

fn a_handshake_that_fails_is_told_in_words() {
    // The alert handshake_failure, which a server sends that has a key of a kind nobody offered.
    let alert = || Act::AnswerAtOnce("\x15\x03\x03\x00\x02\x02\x28".to_owned());
    let server = Scripted::http([alert(), alert()]);
    let end = step().to(server.https_url()).setting("ca_cert", Authority::new("ours").pem()).run();
    let said = "the TLS handshake failed: it supports no TLS version, cipher or kind of key that this plugin supports (1 attempt)";
    failed(&end, said, "its key is RSA, P-256, P-384 or Ed25519 (not P-521)");
}
