//! POSTs a payload and says what happened. Only a 2xx is success; what may pass is tried again within `retry_for`,
//! with the same body and the same key; redirects are not followed, since a POST that becomes a GET of a login page
//! would look like success.

use std::io::{ErrorKind, Read, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy};

use crate::delivery::absolute_form;
use crate::delivery::proxy::{ROOT_BUNDLE, Variables, proxy_for};
use crate::process::signals::Signals;
use crate::random;
use crate::settings::read::without_user;
use crate::settings::{Secret, StatusServer};

/// How much of a response's body is read, in bytes.
const BODY_LIMIT: u64 = 16 << 10;

/// The first pause between two attempts, before jitter; each further one is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause that is not the server's own wish.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Statuses that may pass: those curl's `--retry` calls transient, and 425.
const TRANSIENT: [u16; 7] = [408, 425, 429, 500, 502, 503, 504];

/// Where Linux distributions keep the one file with all system roots.
const ROOT_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A connection to the status server, kept open between payloads.
#[derive(Debug)]
pub struct Client<'a> {
    status_server: &'a StatusServer,
    agent: Agent,
    authorization: Option<Secret>,
    proxy_authorization: Option<Secret>,
}

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

/// How a delivery ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The server took it, with this status.
    Delivered(u16),
    /// It did not arrive, after so many attempts.
    Failed(Failure, u32),
    /// The step was ended by this signal; nothing more is sent.
    Cancelled(i32),
}

impl<'a> Client<'a> {
    /// Prepares everything that does not depend on the payload.
    ///
    /// # Errors
    /// A certificate that cannot be read, or a proxy that cannot be used.
    pub fn new(status_server: &'a StatusServer, variables: &Variables) -> Result<Self> {
        let root_bundle = variables.get(ROOT_BUNDLE).map(String::as_str).filter(|path| !path.is_empty());
        let mut tls = TlsConfig::builder();
        if status_server.insecure_skip_verify {
            tls = tls.disable_verification(true);
        } else if status_server.endpoint.scheme_str() == Some("https") {
            // Reading the roots takes longer than the whole delivery over plain http.
            tls = tls.root_certs(RootCerts::from(roots(status_server.ca_cert.as_deref(), root_bundle)?.into_iter()));
        }
        let config = Agent::config_builder()
            .timeout_global(Some(status_server.http_timeout))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(None)
            .tls_config(tls.build())
            .user_agent(concat!("plugin-gitops-status/", env!("CARGO_PKG_VERSION")));
        let mut proxy_authorization = None;
        let agent = match proxy_for(&status_server.endpoint, variables) {
            None => config.build().new_agent(),
            Some(url) => {
                // The URL may hold a password, so no message can show it.
                let unusable = || {
                    anyhow!(
                        "the proxy variable for {} is no proxy URL this plugin can use; write such as http://proxy:3128",
                        status_server.endpoint
                    )
                };
                let (proxy, user) = without_user(&url).map_err(|_| unusable())?;
                if status_server.endpoint.scheme_str() == Some("http") && proxy.starts_with("http://") {
                    proxy_authorization = user.as_ref().map(basic);
                    absolute_form::agent(
                        config.build(),
                        proxy.parse().map_err(|_| unusable())?,
                        &status_server.endpoint,
                    )
                } else {
                    config.proxy(Some(Proxy::new(&url).map_err(|_| unusable())?)).build().new_agent()
                }
            }
        };
        let bearer = status_server.token.as_ref().map(|token| Secret::new(format!("Bearer {}", token.expose())));
        let authorization = status_server.basic_auth.as_ref().map(basic).or(bearer);
        Ok(Self { status_server, agent, authorization, proxy_authorization })
    }

    /// Sends one payload until it is taken, cannot be, or the time is up. `say` is told of each failed attempt that
    /// another one follows, and of the pause between them.
    ///
    /// # Errors
    /// When no attempt can be made at all for a reason on this side.
    pub fn deliver(
        &self,
        body: &str,
        signals: &mut Signals,
        mut say: impl FnMut(u32, &Failure, Duration),
    ) -> Result<Delivery> {
        let key = random::hex_128()?;
        let deadline = Instant::now() + self.status_server.retry_for;
        // The last attempt needs some of the time, or waiting for it would be in vain.
        let reserve = self.status_server.http_timeout.min(self.status_server.retry_for / 10);
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            if let Some(signal) = signals.cancelled() {
                return Ok(Delivery::Cancelled(signal));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let failure = match self.attempt(body, &key, left.min(self.status_server.http_timeout), signals)? {
                Answer::Taken(status) => return Ok(Delivery::Delivered(status)),
                Answer::Cancelled(signal) => return Ok(Delivery::Cancelled(signal)),
                Answer::Refused(failure) => failure,
            };
            let spare = deadline.saturating_duration_since(Instant::now()).saturating_sub(reserve);
            if !failure.kind.is_transient() || spare.is_zero() {
                return Ok(Delivery::Failed(failure, attempt));
            }
            let wish = failure.retry_after.unwrap_or_else(|| jittered(pause));
            let wait = wish.min(spare);
            say(attempt, &failure, wait);
            pause = (pause * 2).min(LONGEST_PAUSE);
            let until = Instant::now() + wait;
            while signals.cancelled().is_none() && Instant::now() < until {
                signals.sleep(until.saturating_duration_since(Instant::now()));
            }
        }
        bail!("there were more attempts than can be counted")
    }

    /// One POST, in a thread of its own: a signal must end the step at once, not when a slow server answers.
    fn attempt(&self, body: &str, key: &str, limit: Duration, signals: &mut Signals) -> Result<Answer> {
        let mut request = self.agent.post(&self.status_server.endpoint).content_type("application/json");
        request = request.header("Idempotency-Key", key);
        let known = [("Authorization", &self.authorization), ("Proxy-Authorization", &self.proxy_authorization)];
        for (name, value) in known {
            if let Some(value) = value {
                request = request.header(name, value.expose());
            }
        }
        for (name, value) in &self.status_server.headers {
            request = request.header(name, value.expose());
        }
        let request = request.config().timeout_global(Some(limit.max(Duration::from_millis(1)))).build();
        let body = body.to_owned();
        let (sender, answer) = mpsc::channel();
        let mut ringer = signals.waker()?;
        std::thread::Builder::new()
            .name("post".to_owned())
            .spawn(move || {
                // Nobody listens any more once the step was cancelled.
                let _ = sender.send(answered(request.send(body)));
                let _ = ringer.write(&[0]);
            })
            .context("cannot start a thread to send the status")?;
        loop {
            match answer.try_recv() {
                Ok(answer) => return Ok(answer),
                Err(mpsc::TryRecvError::Disconnected) => bail!("the thread that sends the status ended early"),
                Err(mpsc::TryRecvError::Empty) => {}
            }
            if let Some(signal) = signals.cancelled() {
                return Ok(Answer::Cancelled(signal));
            }
            signals.sleep(Duration::from_secs(3600));
        }
    }
}

/// The header value of Basic auth (RFC 7617).
fn basic((user, password): &(String, Secret)) -> Secret {
    let pair = format!("{user}:{}", password.expose());
    Secret::new(format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(pair)))
}

enum Answer {
    Taken(u16),
    Refused(Failure),
    Cancelled(i32),
}

fn answered(response: Result<Response<Body>, ureq::Error>) -> Answer {
    let response = match response {
        Ok(response) => response,
        Err(error) => return Answer::Refused(failure(&error)),
    };
    let status = response.status();
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (location, retry_after) = (header("location"), header("retry-after"));
    let mut body = Vec::new();
    // The status has been given; what can be read of the body is for the log, and for the connection to be kept.
    let _ = response.into_body().into_reader().take(BODY_LIMIT).read_to_end(&mut body);
    if status.is_success() {
        return Answer::Taken(status.as_u16());
    }
    let cause = match location {
        Some(target) if status.is_redirection() => format!("it redirects to {target}"),
        _ => first_line(&body, status),
    };
    let retry_after = retry_after.and_then(|value| retry_after_in(&value, OffsetDateTime::now_utc()));
    Answer::Refused(Failure { kind: FailureKind::Status(status.as_u16()), cause, retry_after })
}

fn first_line(body: &[u8], status: StatusCode) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.map_or_else(
        || status.canonical_reason().unwrap_or("no reason given").to_owned(),
        |line| line.chars().take(300).collect(),
    )
}

/// `Retry-After` as seconds or as a date.
pub fn retry_after_in(value: &str, now: OffsetDateTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = OffsetDateTime::parse(value, &Rfc2822).ok()?;
    Some(Duration::try_from(date - now).unwrap_or_default())
}

fn failure(error: &ureq::Error) -> Failure {
    let (kind, cause) = match error {
        ureq::Error::HostNotFound => (FailureKind::Dns, String::new()),
        ureq::Error::Timeout(_) => (FailureKind::Timeout, String::new()),
        ureq::Error::Rustls(error) => tls_failure(error),
        ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => tls_failure(error),
            None if error.kind() == ErrorKind::TimedOut => (FailureKind::Timeout, String::new()),
            // The resolver of the C library has no kind of its own.
            None if error.to_string().contains("lookup address information") => (FailureKind::Dns, String::new()),
            None => (FailureKind::Connection, error.to_string()),
        },
        ureq::Error::ConnectionFailed => (FailureKind::Connection, error.to_string()),
        error => (FailureKind::Protocol, error.to_string()),
    };
    Failure { kind, cause, retry_after: None }
}

fn tls_failure(error: &rustls::Error) -> (FailureKind, String) {
    match error {
        rustls::Error::InvalidCertificate(why) => (FailureKind::Certificate, certificate_words(why)),
        error => (FailureKind::Protocol, error.to_string()),
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

/// Half to all of a pause, so that a fleet's steps do not come back at the same moment.
fn jittered(pause: Duration) -> Duration {
    // Without randomness every step waits the whole pause, which is only less kind.
    let share = random::fraction().unwrap_or(1.0);
    pause.mul_f64(0.5 + share / 2.0)
}

/// The system's roots and the user's own authority. A bundle that is named must be there.
fn roots(ca_cert: Option<&str>, root_bundle: Option<&str>) -> Result<Vec<Certificate<'static>>> {
    let mut roots = Vec::new();
    let bundle = root_bundle.or_else(|| ROOT_BUNDLES.into_iter().find(|path| std::path::Path::new(path).exists()));
    if let Some(path) = bundle {
        let pem =
            std::fs::read(path).with_context(|| format!("cannot read the system's root certificates in `{path}`"))?;
        roots.extend(certificates(&pem));
    }
    if let Some(ca_cert) = ca_cert {
        let (pem, name) = if ca_cert.contains("-----BEGIN") {
            // A pipeline setting on one line has its line ends written out.
            (ca_cert.replace("\\n", "\n").into_bytes(), "the PEM text of `ca_cert`".to_owned())
        } else {
            let pem = std::fs::read(ca_cert).with_context(|| {
                format!("cannot read `{ca_cert}`, which `ca_cert` names; write the path of a PEM file, or the PEM text itself")
            })?;
            (pem, format!("`{ca_cert}`, which `ca_cert` names,"))
        };
        let own = certificates(&pem);
        if own.is_empty() {
            bail!("{name} holds no certificate; it begins with -----BEGIN CERTIFICATE-----");
        }
        roots.extend(own);
    }
    if roots.is_empty() {
        bail!("no root certificates were found on this system; install ca-certificates or set `ca_cert`");
    }
    Ok(roots)
}

fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now = datetime!(2026-04-21 10:30:00 UTC);
        assert_eq!(retry_after_in("7", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after_in("Tue, 21 Apr 2026 10:31:00 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(retry_after_in("Tue, 21 Apr 2026 10:29:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after_in("soon", now), None);
        assert_eq!(retry_after_in("-1", now), None);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for status in [400, 401, 403, 404, 405, 409, 413, 415, 422, 501, 301, 302, 307] {
            assert!(!FailureKind::Status(status).is_transient(), "{status}");
        }
        for status in TRANSIENT {
            assert!(FailureKind::Status(status).is_transient(), "{status}");
        }
        assert!(!FailureKind::Certificate.is_transient());
    }
}
