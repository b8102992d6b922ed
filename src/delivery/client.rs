//! One POST to the status server. Only a 2xx is success; redirects are not followed, since a POST that becomes a GET of a
//! login page would look like success.
//!
//! Not here: whether and when another attempt follows (`retry`).

use std::io::{Read, Write};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use time::OffsetDateTime;
use ureq::http::{HeaderValue, Response, StatusCode};
use ureq::{Agent, Body};

use crate::delivery::failure::{Failure, FailureKind};
use crate::delivery::retry::retry_after_in;
use crate::delivery::{proxy, tls};
use crate::process::signals::Signals;
use crate::settings::{BasicAuth, StatusServer};

/// How much of a response's body is read, in bytes.
const BODY_LIMIT: u64 = 16 << 10;

/// A connection to the status server, kept open between payloads.
#[derive(Debug)]
pub struct Client<'a> {
    status_server: &'a StatusServer,
    agent: Agent,
    authorization: Option<HeaderValue>,
    proxy_authorization: Option<HeaderValue>,
}

/// What came of one POST.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The server accepted it, with this status.
    Accepted(u16),
    /// It did not arrive, or was not accepted.
    Failed(Failure),
    /// The step was ended by this signal.
    Cancelled(i32),
}

impl<'a> Client<'a> {
    /// Prepares everything that does not depend on the payload.
    ///
    /// # Errors
    /// A certificate that cannot be read, or a proxy that cannot be used.
    pub fn new(status_server: &'a StatusServer) -> Result<Self> {
        let config = Agent::config_builder()
            .timeout_global(Some(status_server.http_timeout))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(None)
            .tls_config(tls::tls_config(status_server)?)
            .user_agent(concat!("plugin-gitops-status/", env!("CARGO_PKG_VERSION")));
        let mut proxy_authorization = None;
        let agent = match &status_server.proxy {
            None => config.build().new_agent(),
            Some(proxy) => {
                if proxy::takes_absolute_form(status_server, proxy) {
                    proxy_authorization = proxy.basic_auth.as_ref().map(basic).transpose()?;
                }
                proxy::agent(config, status_server, proxy)?
            }
        };
        let authorization = match (&status_server.basic_auth, &status_server.token) {
            (Some(basic_auth), _) => Some(basic(basic_auth)?),
            (None, Some(token)) => Some(sensitive(&format!("Bearer {}", token.expose()))?),
            (None, None) => None,
        };
        Ok(Self { status_server, agent, authorization, proxy_authorization })
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
            request = request.header(&header.name, header.value.expose());
        }
        let request = request.config().timeout_global(Some(limit.max(Duration::from_millis(1)))).build();
        let body = body.to_owned();
        let (sender, answer) = mpsc::channel();
        let mut waker = signals.waker()?;
        std::thread::Builder::new()
            .name("post".to_owned())
            .spawn(move || {
                // Nobody listens any more once the step was cancelled.
                let _ = sender.send(answered(request.send(body)));
                let _ = waker.write(&[0]);
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
fn basic(basic_auth: &BasicAuth) -> Result<HeaderValue> {
    let pair = format!("{}:{}", basic_auth.user, basic_auth.password.expose());
    sensitive(&format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(pair)))
}

/// A header value that no `Debug` shows.
fn sensitive(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).context("cannot make a header of the credentials")?;
    value.set_sensitive(true);
    Ok(value)
}

fn answered(response: Result<Response<Body>, ureq::Error>) -> Answer {
    let response = match response {
        Ok(response) => response,
        Err(error) => return Answer::Failed(Failure::of(&error)),
    };
    let status = response.status();
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (location, retry_after) = (header("location"), header("retry-after"));
    let mut body = Vec::new();
    // The status has been given; what can be read of the body is for the log, and for the connection to be kept.
    let _ = response.into_body().into_reader().take(BODY_LIMIT).read_to_end(&mut body);
    if status.is_success() {
        return Answer::Accepted(status.as_u16());
    }
    let cause = match location {
        Some(target) if status.is_redirection() => format!("it redirects to {target}"),
        _ => first_line(&body, status),
    };
    let retry_after = retry_after.and_then(|value| retry_after_in(&value, OffsetDateTime::now_utc()));
    Answer::Failed(Failure { kind: FailureKind::Status(status.as_u16()), cause, retry_after })
}

fn first_line(body: &[u8], status: StatusCode) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.map_or_else(
        || status.canonical_reason().unwrap_or("no reason given").to_owned(),
        |line| line.chars().take(300).collect(),
    )
}
