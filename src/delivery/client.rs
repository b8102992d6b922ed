//! One POST to the status server. Only a 2xx is success; redirects are not followed, since a POST that becomes a GET of a
//! login page would look like success.
//!
//! Not here: whether and when another attempt follows (`retry`).

use std::io::{Read, Write};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use base64::Engine;
use ureq::http::{HeaderValue, Response, StatusCode};
use ureq::{Agent, Body};

use crate::delivery::agent::{agent, takes_absolute_form};
use crate::delivery::failure::{Failure, FailureKind, Peer};
use crate::delivery::observe::Observed;
use crate::delivery::retry::retry_after_in;
use crate::process::signals::Signals;
use crate::settings::{BasicAuth, StatusServer};

/// How much of a response's body is read, in bytes.
const BODY_LIMIT: u64 = 16 << 10;

/// How much of the server's text is shown, in characters.
const SHOWN: usize = 300;

/// A connection to the status server, kept open between payloads.
#[derive(Debug)]
pub struct Client<'a> {
    status_server: &'a StatusServer,
    agent: Agent,
    observed: Observed,
    authorization: Option<HeaderValue>,
    proxy_authorization: Option<HeaderValue>,
}

/// What came of one POST.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The server accepted it.
    Accepted(Accepted),
    /// It did not arrive, or was not accepted.
    Failed(Failure),
    /// The step was ended by this signal.
    Cancelled(i32),
}

/// A success, and what the server says to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The HTTP status.
    pub status: u16,
    /// The first line of the response's body, if it has one.
    pub said: Option<String>,
}

impl<'a> Client<'a> {
    /// Prepares everything that does not depend on the payload.
    ///
    /// # Errors
    /// A certificate that cannot be read, or a proxy that cannot be used.
    pub fn new(status_server: &'a StatusServer) -> Result<Self> {
        let observed = Observed::default();
        let agent = agent(status_server, &observed)?;
        let authorization = match (&status_server.basic_auth, &status_server.token) {
            (Some(basic_auth), _) => Some(basic(basic_auth)?),
            (None, Some(token)) => Some(sensitive(&format!("Bearer {}", token.expose()))?),
            (None, None) => None,
        };
        let asks_proxy = status_server.proxy.as_ref().filter(|_| takes_absolute_form(status_server));
        let proxy_authorization = asks_proxy.and_then(|proxy| proxy.basic_auth.as_ref()).map(basic).transpose()?;
        Ok(Self { status_server, agent, observed, authorization, proxy_authorization })
    }

    /// Whom it speaks to.
    pub(crate) fn status_server(&self) -> &StatusServer {
        self.status_server
    }

    /// One POST, in a thread of its own: a signal must end the step at once, not when a slow server answers.
    ///
    /// # Errors
    /// When it cannot be made for a reason on this side.
    pub(crate) fn post(&self, body: &str, key: &str, limit: Duration, signals: &mut Signals) -> Result<Answer> {
        let mut request = self.agent.post(&self.status_server.endpoint).content_type("application/json");
        request = request.header("Idempotency-Key", key);
        let known = [("Authorization", &self.authorization), ("Proxy-Authorization", &self.proxy_authorization)];
        for (name, value) in known {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        for header in &self.status_server.headers {
            request = request.header(&header.name, sensitive(header.value.expose())?);
        }
        let request = request.config().timeout_global(Some(limit.max(Duration::from_millis(1)))).build();
        let body = body.to_owned();
        let (sender, response) = mpsc::channel();
        let mut waker = signals.waker()?;
        self.observed.reset();
        std::thread::Builder::new()
            .name("post".to_owned())
            .spawn(move || {
                // Nobody listens any more once the step was cancelled.
                let _ = sender.send(request.send(body).map(read));
                let _ = waker.write(&[0]);
            })
            .context("cannot start a thread to send the status")?;
        loop {
            match response.try_recv() {
                Ok(response) => return Ok(self.answer(response)),
                Err(mpsc::TryRecvError::Disconnected) => bail!("the thread that sends the status ended early"),
                Err(mpsc::TryRecvError::Empty) => {}
            }
            if let Some(signal) = signals.cancelled() {
                return Ok(Answer::Cancelled(signal));
            }
            signals.sleep(Duration::from_secs(3600));
        }
    }

    fn answer(&self, response: Result<Seen, ureq::Error>) -> Answer {
        let seen = match response {
            Ok(seen) => seen,
            Err(error) => match self.status_of_unreadable(&error) {
                Some(status) => Seen { status, ..Seen::default() },
                None => return Answer::Failed(Failure::of(&error, self.status_server, &self.observed)),
            },
        };
        let status = seen.status;
        if status.is_success() {
            return Answer::Accepted(Accepted { status: status.as_u16(), said: seen.first_line });
        }
        let cause = match (seen.location, seen.first_line) {
            (Some(target), _) if status.is_redirection() => format!("it redirects to {target}"),
            (_, Some(line)) => line,
            (_, None) => status.canonical_reason().unwrap_or("no reason given").to_owned(),
        };
        Answer::Failed(Failure {
            kind: FailureKind::Status(status.as_u16()),
            peer: Peer::who_answered(status.as_u16(), self.status_server),
            cause,
            retry_after: seen.retry_after.and_then(|value| retry_after_in(&value, SystemTime::now())),
        })
    }

    /// The HTTP client refuses a response with more than a hundred headers, or with very long or damaged ones; its status is
    /// known all the same. A success with damaged headers is none: they say where the next response begins.
    fn status_of_unreadable(&self, error: &ureq::Error) -> Option<StatusCode> {
        let status = StatusCode::from_u16(self.observed.status().filter(|_| self.observed.connected())?).ok()?;
        let counts = match error {
            ureq::Error::LargeResponseHeader(..)
            | ureq::Error::Protocol(ureq_proto::Error::HttpParseTooManyHeaders) => true,
            ureq::Error::Protocol(_) => !status.is_success(),
            _ => false,
        };
        counts.then_some(status)
    }
}

/// What is seen of a response.
#[derive(Debug, Default)]
struct Seen {
    status: StatusCode,
    location: Option<String>,
    retry_after: Option<String>,
    /// The first line of the body with anything in it, cut to what is shown.
    first_line: Option<String>,
}

fn read(response: Response<Body>) -> Seen {
    // Text that is not ASCII is not allowed there, and servers send it.
    let header = |name: &str| {
        response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
    };
    let (status, location, retry_after) = (response.status(), header("location"), header("retry-after"));
    let mut body = Vec::new();
    // The status has been given; what can be read of the body is for the log, and for the connection to be kept.
    let _ = response.into_body().into_reader().take(BODY_LIMIT).read_to_end(&mut body);
    let text = String::from_utf8_lossy(&body);
    let first_line = text.lines().map(str::trim).find(|line| !line.is_empty());
    let first_line = first_line.map(|line| line.chars().take(SHOWN).collect());
    Seen { status, location, retry_after, first_line }
}

/// The header value of Basic auth (RFC 7617).
fn basic(basic_auth: &BasicAuth) -> Result<HeaderValue> {
    let pair = format!("{}:{}", basic_auth.user, basic_auth.password.expose());
    sensitive(&format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(pair)))
}

/// A header value that no `Debug` shows.
fn sensitive(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).context("cannot make a header of a secret")?;
    value.set_sensitive(true);
    Ok(value)
}
