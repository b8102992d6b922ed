//! Plain `http://` through a proxy: the connection goes to the proxy, and the request line names the whole URL (the
//! absolute-form of RFC 9112, section 3.2.2). The HTTP client itself knows only CONNECT, which proxies refuse for port 80.

use ureq::Error;
use ureq::http::Uri;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, Either, NextTimeout, Transport};

/// Method and blank of every request that is made here.
const METHOD: &[u8] = b"POST ";

/// Puts `http://host` before the path of each request, where it is made for a target.
#[derive(Debug)]
pub(crate) struct AbsoluteFormConnector {
    origin: Option<Vec<u8>>,
}

impl AbsoluteFormConnector {
    /// For requests to `target`; without one it changes nothing.
    pub fn new(target: Option<&Uri>) -> Self {
        let authority = |uri: &Uri| uri.authority().map_or_else(String::new, ToString::to_string);
        Self { origin: target.map(|uri| format!("http://{}", authority(uri)).into_bytes()) }
    }
}

impl<In: Transport> Connector<In> for AbsoluteFormConnector {
    type Out = Either<In, AbsoluteFormTransport<In>>;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let made = |inner| match &self.origin {
            None => Either::A(inner),
            Some(origin) => Either::B(AbsoluteFormTransport { inner, origin: origin.clone() }),
        };
        Ok(chained.map(made))
    }
}

/// A connection to a proxy.
#[derive(Debug)]
pub(crate) struct AbsoluteFormTransport<In> {
    inner: In,
    origin: Vec<u8>,
}

impl<In: Transport> Transport for AbsoluteFormTransport<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let output = self.inner.buffers().output();
        // A body is JSON and never begins like this.
        if !output[..amount].starts_with(&[METHOD, b"/"].concat()) {
            return self.inner.transmit_output(amount, timeout);
        }
        let (from, to) = (METHOD.len(), METHOD.len() + self.origin.len());
        if amount + self.origin.len() > output.len() {
            return Err(Error::BodyExceedsLimit(output.len() as u64));
        }
        output.copy_within(from..amount, to);
        output[from..to].copy_from_slice(&self.origin);
        self.inner.transmit_output(amount + self.origin.len(), timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }
}
