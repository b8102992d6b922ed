//! Why an attempt failed, as a kind that the log has a remedy for.

use std::io::ErrorKind;
use std::time::Duration;

/// Statuses that may pass: those curl's `--retry` calls transient, and 425.
pub(crate) const TRANSIENT: [u16; 7] = [408, 425, 429, 500, 502, 503, 504];

/// Why a payload did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
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
    /// The answer is no HTTP, or the request could not be made.
    Protocol,
    /// The server answered with this status.
    Status(u16),
}

impl FailureKind {
    /// Whether another attempt may succeed.
    pub fn is_transient(self) -> bool {
        match self {
            Self::Dns | Self::Connection | Self::Timeout => true,
            Self::Status(status) => TRANSIENT.contains(&status),
            Self::Certificate | Self::Protocol => false,
        }
    }
}

impl Failure {
    fn new(kind: FailureKind, cause: impl Into<String>) -> Self {
        Self { kind, cause: cause.into(), retry_after: None }
    }

    /// A failure before there was any answer.
    pub(crate) fn of(error: &ureq::Error) -> Self {
        match error {
            ureq::Error::HostNotFound => Self::new(FailureKind::Dns, ""),
            ureq::Error::Timeout(_) => Self::new(FailureKind::Timeout, ""),
            ureq::Error::Rustls(error) => Self::of_tls(error),
            ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(error) => Self::of_tls(error),
                None if error.kind() == ErrorKind::TimedOut => Self::new(FailureKind::Timeout, ""),
                // The resolver of the C library has no kind of its own.
                None if error.to_string().contains("lookup address information") => Self::new(FailureKind::Dns, ""),
                None => Self::new(FailureKind::Connection, error.to_string()),
            },
            ureq::Error::ConnectionFailed => Self::new(FailureKind::Connection, error.to_string()),
            error => Self::new(FailureKind::Protocol, error.to_string()),
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(why) => Self::new(FailureKind::Certificate, certificate_words(why)),
            error => Self::new(FailureKind::Protocol, error.to_string()),
        }
    }
}

fn certificate_words(why: &rustls::CertificateError) -> String {
    use rustls::CertificateError as E;
    match why {
        E::UnknownIssuer => "its certificate is signed by an authority that is not trusted here".to_owned(),
        E::Expired | E::ExpiredContext { .. } => "its certificate has expired".to_owned(),
        E::NotValidYet | E::NotValidYetContext { .. } => "its certificate is not valid yet".to_owned(),
        E::NotValidForName | E::NotValidForNameContext { .. } => "its certificate is for another name".to_owned(),
        other => format!("its certificate was refused: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_transient_failures_are_retried() {
        for status in [400, 401, 403, 404, 405, 409, 413, 415, 422, 501, 301, 302, 307] {
            assert!(!FailureKind::Status(status).is_transient(), "{status}");
        }
        for status in TRANSIENT {
            assert!(FailureKind::Status(status).is_transient(), "{status}");
        }
        assert!(!FailureKind::Certificate.is_transient());
    }
}
