//! Why an attempt failed, as a kind that the log has a remedy for, and on whose side.

use std::io::ErrorKind;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError};
use ureq::http::Uri;

use crate::delivery::agent::takes_absolute_form;
use crate::delivery::observe::Observed;
use crate::delivery::tls;
use crate::settings::StatusServer;

/// Statuses that may pass: those curl's `--retry` calls transient, and 425.
pub(crate) const TRANSIENT: [u16; 7] = [408, 425, 429, 500, 502, 503, 504];

/// Why a payload did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// Whose side it was on.
    pub peer: Peer,
    /// The cause, or the first line of the server's answer.
    pub cause: String,
    /// When the server wishes to be asked again.
    pub retry_after: Option<Duration>,
}

/// Kinds of failure, each with a remedy of its own in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The name does not resolve.
    Dns,
    /// Nothing answers at the address, or the connection broke.
    Connection,
    /// The time of one attempt was over.
    Timeout,
    /// The server's certificate was refused.
    Certificate,
    /// There is no version of TLS, no cipher or no kind of key that both sides know.
    Handshake,
    /// The answer is no HTTP, or the request could not be made.
    Protocol,
    /// The answer has this status.
    Status(u16),
}

/// The other side of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// The status server.
    StatusServer,
    /// The status server, at an address of this machine.
    Loopback,
    /// A proxy on the way to it.
    Proxy(NamedProxy),
    /// The status server or a proxy that answers in its place, which cannot be told apart.
    ThroughProxy(NamedProxy),
}

/// A proxy as the log names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedProxy {
    /// Its URL, without user and password.
    pub url: String,
    /// The variable that names it.
    pub variable: String,
}

impl FailureKind {
    /// Whether another attempt may succeed.
    pub fn is_transient(self) -> bool {
        match self {
            Self::Dns | Self::Connection | Self::Timeout => true,
            Self::Status(status) => TRANSIENT.contains(&status),
            Self::Certificate | Self::Handshake | Self::Protocol => false,
        }
    }
}

impl Peer {
    /// The status server itself.
    pub(crate) fn server(server: &StatusServer) -> Self {
        if is_loopback(&server.endpoint) { Self::Loopback } else { Self::StatusServer }
    }

    /// Who has given an answer with this status. A proxy that is sent the whole URL may answer by itself, and one status only
    /// a proxy gives.
    pub(crate) fn who_answered(status: u16, server: &StatusServer) -> Self {
        match NamedProxy::of(server) {
            Some(proxy) if status == 407 => Self::Proxy(proxy),
            Some(proxy) if takes_absolute_form(server) => Self::ThroughProxy(proxy),
            Some(_) | None => Self::server(server),
        }
    }
}

impl NamedProxy {
    /// The proxy on the way to a server, where there is one.
    fn of(server: &StatusServer) -> Option<Self> {
        let proxy = server.proxy.as_ref()?;
        let url = proxy.uri.to_string().trim_end_matches('/').to_owned();
        Some(Self { url, variable: proxy.variable.clone() })
    }
}

impl Failure {
    /// A failure before there was any answer that could be read. `observed` tells how far the attempt came.
    pub(crate) fn of(error: &ureq::Error, server: &StatusServer, observed: &Observed) -> Self {
        // Where the proxy takes the whole URL, nobody else is spoken to.
        let is_proxy = takes_absolute_form(server) || !(observed.connected() || observed.server_unresolved());
        let proxy = NamedProxy::of(server).filter(|_| is_proxy).map(Peer::Proxy);
        let (kind, cause) = match error {
            // What a proxy says to CONNECT is seen as the status of its response.
            ureq::Error::ConnectProxyFailed(why) => match observed.status() {
                Some(status) => (FailureKind::Status(status), "it does not connect to the status server".to_owned()),
                None => (FailureKind::Connection, why.clone()),
            },
            error => kind_and_cause(error),
        };
        let peer = proxy.unwrap_or_else(|| Peer::server(server));
        Self { kind, peer, cause, retry_after: None }
    }
}

fn kind_and_cause(error: &ureq::Error) -> (FailureKind, String) {
    match error {
        ureq::Error::HostNotFound => (FailureKind::Dns, String::new()),
        ureq::Error::Timeout(_) => (FailureKind::Timeout, String::new()),
        ureq::Error::Other(other) => match other.downcast_ref() {
            Some(error) => of_tls(error),
            None => (FailureKind::Protocol, other.to_string()),
        },
        ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(error) => of_tls(error),
            None if error.kind() == ErrorKind::TimedOut => (FailureKind::Timeout, String::new()),
            // The resolver of the C library has no kind of its own.
            None if error.to_string().contains("lookup address information") => (FailureKind::Dns, String::new()),
            None => (FailureKind::Connection, error.to_string()),
        },
        ureq::Error::ConnectionFailed => (FailureKind::Connection, error.to_string()),
        error => (FailureKind::Protocol, error.to_string()),
    }
}

fn of_tls(error: &rustls::Error) -> (FailureKind, String) {
    use AlertDescription as Alert;
    match error {
        rustls::Error::InvalidCertificate(why) => (FailureKind::Certificate, certificate_words(why)),
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(
            Alert::HandshakeFailure | Alert::ProtocolVersion | Alert::InsufficientSecurity,
        ) => (
            FailureKind::Handshake,
            "it supports no TLS version, cipher or kind of key that this plugin supports".to_owned(),
        ),
        error => (FailureKind::Protocol, error.to_string()),
    }
}

fn certificate_words(why: &CertificateError) -> String {
    use CertificateError as E;
    match why {
        E::UnknownIssuer => "its certificate is signed by an authority that is not trusted".to_owned(),
        E::BadSignature => {
            "its certificate names a trusted authority, and is signed with another key than that authority has".to_owned()
        }
        E::Expired | E::ExpiredContext { .. } => "its certificate has expired".to_owned(),
        E::NotValidYet | E::NotValidYetContext { .. } => "its certificate is not valid yet".to_owned(),
        E::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "its certificate has no host name in `subjectAltName`, and a name in its subject is not enough; make one with \
             `-addext subjectAltName=DNS:HOST` (of `openssl req`), or DNS:HOST,IP:ADDRESS"
                .to_owned()
        }
        E::NotValidForName | E::NotValidForNameContext { .. } => "its certificate is for another name".to_owned(),
        E::UnsupportedSignatureAlgorithmContext { .. } | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "its certificate is signed with a kind of key that this plugin does not support, such as P-521".to_owned()
        }
        other if tls::is_authority(other) => {
            "its certificate is self-signed or a CA certificate, and not the one in `ca_cert`".to_owned()
        }
        other => format!("its certificate was refused: {other}"),
    }
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let address = host.parse::<std::net::IpAddr>().map(|address| address.to_canonical());
    host.trim_end_matches('.') == "localhost"
        || address.is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_this_machine_is_known_as_that() {
        for host in ["localhost", "localhost.", "127.0.0.2", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]"] {
            assert!(is_loopback(&format!("http://{host}:80/").parse().unwrap()), "{host}");
        }
        for host in ["local", "localhost.example", "10.0.0.1", "[fd00::1]"] {
            assert!(!is_loopback(&format!("http://{host}:80/").parse().unwrap()), "{host}");
        }
    }

    #[test]
    fn only_transient_failures_are_retried() {
        for status in [400, 401, 403, 404, 405, 407, 409, 413, 415, 422, 501, 301, 302, 307] {
            assert!(!FailureKind::Status(status).is_transient(), "{status}");
        }
        for status in TRANSIENT {
            assert!(FailureKind::Status(status).is_transient(), "{status}");
        }
        assert!(!FailureKind::Certificate.is_transient() && !FailureKind::Handshake.is_transient());
    }
}
