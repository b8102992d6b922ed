//! The payload and its delivery.

use super::{Line, Tone, cancelled_while_sending, counted, listed};
use crate::delivery::failure::{Failure, FailureKind, NamedProxy, Peer};
use crate::delivery::payload::Payloads;
use crate::delivery::{Delivery, Progress};
use crate::settings::Destination;
use crate::verdict::explain::hosts;

/// The third heading, and the hosts it leaves out. In a dry run every payload is shown, else a fleet's list is cut.
pub fn payloads(payloads: &Payloads, dry_run: bool) -> Vec<Line> {
    let texts: Vec<String> = payloads.texts.values().cloned().collect();
    let mut lines = match texts.as_slice() {
        [] => vec![Line::new(Tone::Step, "[3/4] No payload: the status is UNKNOWN")],
        [text] => vec![Line::new(Tone::Step, format!("[3/4] Payload: {text}"))],
        texts => vec![Line::new(Tone::Step, format!("[3/4] Payloads for {} hosts:", texts.len()))],
    };
    if texts.len() > 1 && dry_run {
        lines.extend(texts.iter().map(|text| Line::new(Tone::Plain, format!("        {text}"))));
    } else if texts.len() > 1 {
        lines.extend(listed("", &texts));
    }
    if let (false, Some(unknown)) = (texts.is_empty(), hosts(&payloads.unknown)) {
        lines.push(Line::new(Tone::Error, format!("no payload for {unknown}: the status is UNKNOWN, see above")));
    }
    lines
}

/// The fourth heading.
pub fn posting(destination: &Destination, count: usize) -> Line {
    let text = match destination {
        Destination::DryRun { .. } => "[4/4] Dry run, nothing is sent".to_owned(),
        Destination::Server(_) if count == 0 => "[4/4] Nothing is sent".to_owned(),
        Destination::Server(server) => format!("[4/4] POST {}", server.endpoint),
    };
    Line::new(Tone::Step, text)
}

/// What happens during the delivery.
pub fn progress(progress: &Progress<'_>) -> Vec<Line> {
    match progress {
        Progress::Retry { server, attempt, failure, pause } => {
            let whose = server.map(|server| format!("{server}: ")).unwrap_or_default();
            let next = format!("; trying again in {:.1} s", pause.as_secs_f64());
            vec![Line::new(Tone::Warning, format!("        {whose}attempt {attempt}: {}{next}", failed(failure)))]
        }
        Progress::Said { server, line } => {
            let whose = server.map(|server| format!("{server}: ")).unwrap_or_default();
            vec![Line::new(Tone::Plain, format!("        {whose}the status server says: {line}"))]
        }
        Progress::Undelivered { server, failure, attempts } => {
            let whose = server.map(|server| format!(" of {server}")).unwrap_or_default();
            let attempts = counted(*attempts as usize, "attempt");
            vec![
                Line::new(Tone::Error, format!("cannot deliver the status{whose}: {} ({attempts})", failed(failure))),
                Line::new(Tone::Remedy, format!("  hint: check {}", to_check(failure))),
            ]
        }
        Progress::NotTried { servers } => {
            let count = counted(servers.len(), "host");
            let servers = servers.join(", ");
            vec![
                Line::new(
                    Tone::Error,
                    format!(
                        "cannot deliver the status of {count}, because `retry_for` was over before they were tried: {servers}"
                    ),
                ),
                Line::new(Tone::Remedy, "  hint: fix the failure above, or raise `retry_for`"),
            ]
        }
    }
}

/// How the delivery ended.
pub fn delivered(delivery: &Delivery) -> Vec<Line> {
    match delivery {
        Delivery::All { status: Some(status) } => {
            vec![Line::new(Tone::Good, format!("✓ Status update successful (HTTP {status})"))]
        }
        Delivery::Cancelled { signal, arrived, of } => cancelled_while_sending(*signal, *arrived, *of),
        // What did not arrive was told as it happened.
        Delivery::All { status: None } | Delivery::NotAll | Delivery::DryRun => Vec::new(),
    }
}

fn failed(failure: &Failure) -> String {
    match &failure.peer {
        Peer::StatusServer | Peer::Loopback => failed_at_server(failure),
        Peer::Proxy(proxy) => failed_at_proxy(failure, &named(proxy)),
        Peer::ThroughProxy(proxy) => format!("{}; the answer came through {}", failed_at_server(failure), named(proxy)),
    }
}

fn named(NamedProxy { url, variable }: &NamedProxy) -> String {
    format!("the proxy {url} (from `{variable}`)")
}

fn failed_at_server(Failure { kind, cause, .. }: &Failure) -> String {
    match kind {
        FailureKind::Dns => "the host name cannot be resolved".to_owned(),
        FailureKind::Connection => format!("the connection failed: {cause}"),
        FailureKind::Timeout => "the server did not answer in time".to_owned(),
        FailureKind::Certificate => format!("the server is not trusted: {cause}"),
        FailureKind::Handshake => format!("the TLS handshake failed: {cause}"),
        FailureKind::Protocol => format!("the request failed: {cause}"),
        FailureKind::Status(status) => format!("HTTP {status}: {cause}"),
    }
}

fn failed_at_proxy(Failure { kind, cause, .. }: &Failure, proxy: &str) -> String {
    match kind {
        FailureKind::Dns => format!("the host name of {proxy} cannot be resolved"),
        FailureKind::Connection => format!("the connection to {proxy} failed: {cause}"),
        FailureKind::Timeout => format!("{proxy} did not answer in time"),
        FailureKind::Certificate => format!("{proxy} is not trusted: {cause}"),
        FailureKind::Handshake => format!("the TLS handshake with {proxy} failed: {cause}"),
        FailureKind::Protocol => format!("the request to {proxy} failed: {cause}"),
        FailureKind::Status(407) => format!("{proxy} asks for a user and password (HTTP 407)"),
        FailureKind::Status(status) => format!("{proxy} answers HTTP {status}: {cause}"),
    }
}

fn to_check(failure: &Failure) -> String {
    match (&failure.peer, failure.kind) {
        (Peer::Proxy(NamedProxy { variable, .. }), FailureKind::Status(407)) => {
            format!("`{variable}`: write the user and password into its URL, as http://USER:PASSWORD@HOST:PORT")
        }
        (Peer::Proxy(NamedProxy { variable, .. }), _) => {
            format!("`{variable}` of this step or its agent; or list the status server's host in `NO_PROXY`")
        }
        (Peer::ThroughProxy(NamedProxy { variable, .. }), kind) => {
            format!("{}; if the answer is the proxy's own, check `{variable}`", to_check_of_server(kind))
        }
        (Peer::Loopback, FailureKind::Connection) => {
            "that the status server is running, its port, and that `gitops_status_server_url` is right: inside a container, \
             localhost is the container itself"
                .to_owned()
        }
        (Peer::StatusServer | Peer::Loopback, kind) => to_check_of_server(kind).to_owned(),
    }
}

fn to_check_of_server(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Dns => "the host name in `gitops_status_server_url`, and that this step can use the cluster's DNS",
        FailureKind::Connection => {
            "that the status server is running, its port, and that network policies let this step reach it"
        }
        FailureKind::Timeout => {
            "that the status server is not overloaded and no firewall drops packets; or raise `http_timeout`"
        }
        FailureKind::Certificate => {
            "`ca_cert`, the host name in `gitops_status_server_url`, and the server's certificate"
        }
        FailureKind::Handshake => {
            "that the server speaks TLS 1.2 or newer, and that its key is RSA, P-256, P-384 or Ed25519 (not P-521)"
        }
        FailureKind::Protocol => "that `gitops_status_server_url` is the status server, with the right scheme and port",
        FailureKind::Status(300..=399) => {
            "`gitops_status_server_url`: write the address that it redirects to, unless that is a login page"
        }
        FailureKind::Status(401 | 403 | 407) => "`status_server_token`, or the user and password of the URL",
        FailureKind::Status(404 | 405) => "the path of `gitops_status_server_url`; /api/status is added to it",
        FailureKind::Status(408 | 425 | 429 | 500..) => {
            "the status server's own log, and its load; or raise `retry_for`"
        }
        FailureKind::Status(422) => {
            "what the status server says: a clock may be more than five minutes ahead, or it may refuse a name"
        }
        FailureKind::Status(_) => "that the status server accepts the payload of this version of the plugin",
    }
}
