//! Notes how far an attempt came, which the errors of the HTTP client do not tell: whether there was a connection to the
//! status server yet, whose name could not be resolved, and which status a response had that could not be read on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::Duration;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// How far an attempt came. All of its parts note it, and whoever asks has a clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed(Arc<Notes>);

#[derive(Debug, Default)]
struct Notes {
    /// There was a connection to the status server, through the proxy where there is one.
    connected: AtomicBool,
    /// The name of the status server did not resolve.
    server_unresolved: AtomicBool,
    /// The status of the last response that was seen to begin; 0 for none.
    status: AtomicU16,
}

impl Observed {
    /// Forgets what was noted, before an attempt.
    pub fn reset(&self) {
        self.0.connected.store(false, Ordering::SeqCst);
        self.0.server_unresolved.store(false, Ordering::SeqCst);
        self.0.status.store(0, Ordering::SeqCst);
    }

    /// Whether there was a connection to the status server.
    pub fn connected(&self) -> bool {
        self.0.connected.load(Ordering::SeqCst)
    }

    /// Whether it was the status server's name that did not resolve.
    pub fn server_unresolved(&self) -> bool {
        self.0.server_unresolved.load(Ordering::SeqCst)
    }

    /// The status of the last response that was seen to begin.
    pub fn status(&self) -> Option<u16> {
        Some(self.0.status.load(Ordering::SeqCst)).filter(|status| *status != 0)
    }
}

/// Resolves names as usual. With a proxy that takes the whole URL, only the proxy's: only the proxy may know the target's.
#[derive(Debug)]
pub(crate) struct ObservedResolver {
    /// What is posted to.
    pub target: Uri,
    /// The proxy whose address stands for every other.
    pub instead: Option<Uri>,
    /// Where a failure is noted.
    pub observed: Observed,
}

impl Resolver for ObservedResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let wanted = self.instead.as_ref().unwrap_or(uri);
        let resolved = resolve_in_time(wanted, config, timeout);
        let of_server = wanted.authority() == self.target.authority();
        self.observed.0.server_unresolved.store(resolved.is_err() && of_server, Ordering::SeqCst);
        resolved
    }
}

/// Resolves a name in a thread of its own, which may go on after the time is over.
///
/// The client's own resolver does the same, and panics where no thread can be made.
fn resolve_in_time(uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
    let (uri, config) = (uri.clone(), config.clone());
    let unlimited = NextTimeout { after: Duration::NotHappening, ..timeout };
    let (sender, resolved) = mpsc::channel();
    std::thread::Builder::new().name("resolve".to_owned()).spawn(move || {
        // Nobody listens any more once the time is over.
        let _ = sender.send(DefaultResolver::default().resolve(&uri, &config, unlimited));
    })?;
    match resolved.recv_timeout(*timeout.after) {
        Ok(resolved) => resolved,
        Err(RecvTimeoutError::Timeout) => Err(Error::Timeout(timeout.reason)),
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the resolver ended early").into()),
    }
}

/// Stands behind what makes a connection and before what speaks TLS on it.
#[derive(Debug)]
pub(crate) struct ObserveConnection {
    /// What is posted to.
    pub target: Uri,
    /// Where it is noted.
    pub observed: Observed,
}

/// Stands behind everything else.
#[derive(Debug)]
pub(crate) struct ObserveResponses {
    /// What is posted to.
    pub target: Uri,
    /// Where it is noted.
    pub observed: Observed,
}

/// A connection whose responses are looked at as they come.
#[derive(Debug)]
pub(crate) struct ObservedTransport<In> {
    inner: In,
    to_target: bool,
    observed: Observed,
}

impl<In: Transport> Connector<In> for ObserveConnection {
    type Out = In;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<In>, Error> {
        // The connection to a proxy is made by the same connectors.
        if chained.is_some() && details.uri == &self.target {
            self.observed.0.connected.store(true, Ordering::SeqCst);
        }
        Ok(chained)
    }
}

impl<In: Transport> Connector<In> for ObserveResponses {
    type Out = ObservedTransport<In>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let to_target = details.uri == &self.target;
        Ok(chained.map(|inner| ObservedTransport { inner, to_target, observed: self.observed.clone() }))
    }
}

impl<In: Transport> Transport for ObservedTransport<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        // A connection that was kept open is not made again.
        if self.to_target {
            self.observed.0.connected.store(true, Ordering::SeqCst);
        }
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let progress = self.inner.await_input(timeout)?;
        if let Some(status) = status_at_start(self.inner.buffers().input()) {
            self.observed.0.status.store(status, Ordering::SeqCst);
        }
        Ok(progress)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// The status where a response begins, unless it only announces another one.
fn status_at_start(input: &[u8]) -> Option<u16> {
    let rest = input.strip_prefix(b"HTTP/1.1 ").or_else(|| input.strip_prefix(b"HTTP/1.0 "))?;
    let digits = std::str::from_utf8(rest.get(..3)?).ok()?;
    digits.parse().ok().filter(|status| (200..600).contains(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_seen_where_a_response_begins() {
        for (input, status) in [
            ("HTTP/1.1 200 OK\r\n", Some(200)),
            ("HTTP/1.0 503", Some(503)),
            ("HTTP/1.1 100 Continue\r\n", None),
            ("HTTP/1.1 20", None),
            ("HTTP/1.1 abc", None),
            ("x HTTP/1.1 200", None),
            ("", None),
        ] {
            assert_eq!(status_at_start(input.as_bytes()), status, "{input}");
        }
    }
}
