//! Every sentence of the log that needs no Ansible, in files that read like the log: `tests/golden`. Reasons are in a file
//! there too, which the code's own tests write.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use plugin_gitops_status::messages::{self, Line};
use plugin_gitops_status::{Failure, FailureKind, NamedProxy, Peer, Progress};

use crate::harness::ended::Ended;
use crate::harness::golden;
use crate::harness::server::Scripted;
use crate::harness::step::Step;
use crate::harness::suite::{Suite, suite};

pub fn suite() -> Suite {
    suite!(
        "sentences",
        [],
        help_reads_like_a_page,
        every_wrong_setting_reads_like_a_sentence,
        every_failed_delivery_reads_like_a_sentence,
        every_warning_reads_like_a_sentence,
        every_end_of_a_step_reads_like_a_sentence,
    )
}

fn text(lines: impl IntoIterator<Item = Line>) -> String {
    lines.into_iter().map(|line| line.painted(false) + "\n").collect()
}

fn step() -> Step {
    Step::new().to("http://127.0.0.1:1")
}

fn help_reads_like_a_page() {
    let called = |argument: &str| -> Ended {
        Command::new(step().command().get_program()).arg(argument).env_clear().output().unwrap().into()
    };
    let help = called("--help").stdout.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    golden("help", "tests/golden/help.txt", &(help + "\n" + &called("--dry-run").stderr));
}

/// A key whose first and last lines are right.
const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";

fn every_wrong_setting_reads_like_a_sentence() {
    let wrong: &[&[(&str, &str)]] = &[
        &[("playbook", "")],
        &[("playbook", "none.yml")],
        &[("playbook", "/")],
        &[("playbook", "[\"a\",")],
        &[("playbook", ",")],
        &[("playbook", "[[\"a\"]]")],
        &[("inventory", "none.ini")],
        &[("check", "maybe")],
        &[("extra_vars", "novalue")],
        &[("extra_vars", "{\"a\":")],
        &[("galaxy_requirements", "none.yml")],
        &[("ssh_private_key", "ssh-ed25519 AAAA me")],
        &[("ssh_private_key", "key")],
        &[("ssh_private_key", "PuTTY-User-Key-File-3: ssh-ed25519")],
        &[("ssh_private_key", KEY)],
        &[("ssh_private_key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n")],
        &[("ssh_known_hosts", "web01 ssh-ed25519 AAAA"), ("host_key_checking", "false")],
        &[("ssh_certificate", "ssh-ed25519-cert-v01@openssh.com AAAA me")],
        &[("vault_passwords", r#"{"a b":"x"}"#)],
        &[("vault_passwords", r#"{"default":"x"}"#), ("vault_password", "y")],
        &[("vault_passwords", r#"{"prod":""}"#)],
        &[("vault_passwords", "x")],
        &[("gitops_status_server_url", "")],
        &[("gitops_status_server_url", "status:80")],
        &[("gitops_status_server_url", "http://")],
        &[("gitops_status_server_url", "http://status:99999")],
        &[("gitops_status_server_url", "http://sta tus")],
        &[("gitops_status_server_url", "http://bücher.example")],
        &[("gitops_status_server_url", "http://[fe80::1%eth0]")],
        &[("gitops_status_server_url", "http://1.2.3.256")],
        &[("gitops_status_server_url", "http://status\\x")],
        &[("gitops_status_server_url", "http://status/?a=b")],
        &[("gitops_status_server_url", "http://status/api/status")],
        &[("gitops_status_server_url", "http://me:%ff@status")],
        &[("gitops_status_server_url", "http://me:word@status"), ("status_server_token", "t0ken")],
        &[("server_name", "")],
        &[("repo_name", " ")],
        &[("status_server_token", "a\nb")],
        &[("headers", r#"{"X Y":"1"}"#)],
        &[("headers", r#"{"X":"a\r\nB: c"}"#)],
        &[("headers", r#"{"Host":"x"}"#)],
        &[("headers", r#"{"User-Agent":"x"}"#)],
        &[("headers", r#"{"Authorization":"x"}"#), ("status_server_token", "t0ken")],
        &[("headers", r#"{"X-A":"1","x-a":"2"}"#)],
        &[("headers", r#"{"X-A":["1"]}"#)],
        &[("ca_cert", "/nonexistent.pem")],
        &[("ca_cert", "/dev/null")],
        &[("ca_cert", CERTIFICATE)],
        &[("http_timeout", "90")],
        &[("ignore", "[x")],
        &[("ignore", r#"[["x"]]"#)],
        &[("ignore", r#"[{"until":"2026-12-31"}]"#)],
        &[("ignore", r#"[{"match":"x","untill":"2026-12-31"}]"#)],
        &[("ignore", r#"[{"match":"x","until":"31.12.2026"}]"#)],
        &[("ignore", r#"[{"match":["x"]}]"#)],
        &[("payload_file", "/nonexistent/payload.json")],
        &[("payload_file", "/dev/null")],
        &[("payload_file", "/")],
        &[("forks", "0")],
        &[("verbosity", "7")],
        &[("ansible_config", "none.cfg")],
        &[("ansible_env", r#"{"PATH":"/x"}"#)],
        &[("ansible_env", r#"{"ANSIBLE_HOST_PATTERN_MISMATCH":"ignore"}"#)],
        &[("environment", r#"{"PLUGIN_X":"1"}"#)],
        &[("environment", r#"{"HOME":"1"}"#)],
        &[("environment", r#"{"ANSIBLE_CONFIG":"1"}"#)],
        &[("environment", r#"{"ANSIBLE_X":"1"}"#), ("ansible_env", r#"{"ANSIBLE_X":"1"}"#)],
        &[("environment", r#"{"A=B":"1"}"#)],
        &[("environment", r#"{"A":"\u0000"}"#)],
        &[("args", "-e 'a b'")],
        &[("playbok", "x")],
        &[("ssh_key", "x")],
        &[("start_at_task", "x")],
        &[("password", "x")],
        &[("something_else", "x")],
    ];
    let told = |step: &Step| step.without_paths(&step.run().stderr);
    let mut said: String =
        wrong.iter().map(|settings| told(&step().settings(settings.iter().copied())) + "\n").collect();
    said += &told(&step().env("http_proxy", "gopher://proxy"));
    said += "\n";
    let not_utf8 = step();
    let end = not_utf8.command().env("PLUGIN_LIMIT", OsString::from_vec(vec![b'a', 0xff])).output().unwrap();
    said += &Ended::from(end).stderr;
    // What is said around each of them is the same.
    let around = ["invalid settings:\n", "nothing was run, and nothing was sent\n"];
    let first = &said[..said.find("\n\n").unwrap()];
    let said = format!(
        "{first}\n\n{}",
        around.iter().fold(said[first.len() + 2..].to_owned(), |said, part| said.replace(part, ""))
    );
    golden("settings", "tests/golden/settings.txt", &said.replace("\n\n", "\n"));
}

fn every_failed_delivery_reads_like_a_sentence() {
    use FailureKind::{Certificate, Connection, Dns, Handshake, Protocol, Status, Timeout};
    let proxy = || NamedProxy { url: "http://proxy:3128".to_owned(), variable: "https_proxy".to_owned() };
    let failure = |peer: &Peer, kind, cause: &str| Failure {
        kind,
        peer: peer.clone(),
        cause: cause.to_owned(),
        retry_after: None,
    };
    let undelivered =
        |failure: &Failure| text(messages::progress(&Progress::Undelivered { server: None, failure, attempts: 3 }));
    let mut said = String::new();
    for peer in [Peer::StatusServer, Peer::Proxy(proxy())] {
        for (kind, cause) in [
            (Dns, ""),
            (Connection, "Connection refused (os error 111)"),
            (Timeout, ""),
            (Certificate, "its certificate has expired"),
            (Handshake, "it supports no TLS version, cipher or kind of key that this plugin supports"),
            (Protocol, "http: invalid header name"),
            (Status(302), "it redirects to https://login.example.net/"),
            (Status(400), "Bad Request"),
            (Status(401), "Unauthorized"),
            (Status(404), "Not Found"),
            (Status(422), "last_check is in the future"),
            (Status(407), "Proxy Authentication Required"),
            (Status(503), "Service Unavailable"),
        ] {
            said += &undelivered(&failure(&peer, kind, cause));
        }
        said += "\n";
    }
    said += &undelivered(&failure(&Peer::Loopback, Connection, "Connection refused (os error 111)"));
    said += &undelivered(&failure(&Peer::ThroughProxy(proxy()), Status(403), "Forbidden"));
    said += "\n";
    let failure = failure(&Peer::StatusServer, Status(503), "Service Unavailable");
    let retry = |server| Progress::Retry { server, attempt: 1, failure: &failure, pause: Duration::from_millis(700) };
    for progress in [
        retry(None),
        retry(Some("web01")),
        Progress::Said { server: None, line: "not kept: a newer check is known" },
        Progress::Said { server: Some("web01"), line: "not kept: a newer check is known" },
        Progress::Undelivered { server: Some("web01"), failure: &failure, attempts: 1 },
        Progress::NotTried { servers: vec!["web02", "web03"] },
    ] {
        said += &text(messages::progress(&progress));
    }
    golden("delivery", "tests/golden/delivery.txt", &said);
}

fn every_warning_reads_like_a_sentence() {
    let server = Scripted::keeping();
    let step = Step::new().to(server.url()).file("ansible.cfg", "[defaults]\n").settings([
        ("host_key_checking", "false"),
        ("insecure_skip_verify", "true"),
        ("ansible_env", r#"{"ANSIBLE_GALAXY_SERVER_HUB_TOKEN":"seen"}"#),
        ("ignore", r#"[{"match":"*.bak","until":"2020-01-31","reason":"moves in spring"}]"#),
        ("ignore_tasks", "No such task"),
    ]);
    // Ansible reads no ansible.cfg from such a directory.
    fs::set_permissions(step.repository(), Permissions::from_mode(0o777)).unwrap();
    let (_, log) = step.run_in_order();
    let drifted = Step::new().to(server.url()).replay("files_differed").setting("ignore", "*.conf:mode").run();
    let warnings = log.lines().chain(drifted.stdout.lines()).filter(|line| line.starts_with("warning: "));
    let said: String = warnings.map(|line| line.to_owned() + "\n").collect();
    golden("warnings", "tests/golden/warnings.txt", &step.without_paths(&said));
}

fn every_end_of_a_step_reads_like_a_sentence() {
    let mut said = String::new();
    for signal in [1, 2, 3, 15, 24, 10] {
        said += &text(messages::cancelled(signal));
    }
    for (delivered, of) in [(0, 1), (1, 2), (7, 40)] {
        said += &text(messages::cancelled_while_sending(15, delivered, of));
    }
    said += &text(messages::error(&anyhow::anyhow!("Permission denied (os error 13)").context("cannot write `/x`")));
    said += &text(messages::internal_error(Some("src/main.rs:1:1".to_owned())));
    said += &text(messages::internal_error(None));
    golden("ends", "tests/golden/ends.txt", &said);
}
