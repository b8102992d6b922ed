//! Plain `http://` through a proxy: the connection goes to the proxy, and the request line names the whole URL (the
//! absolute-form of RFC 9112, section 3.2.2). The HTTP client itself knows only CONNECT, which proxies refuse for port 80.

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, TcpConnector, Transport};
use ureq::{Agent, Error};

/// Method and blank of every request that is made here.
const METHOD: &[u8] = b"POST ";

/// An agent that sends everything meant for `target` to `proxy`.
pub fn agent(config: Config, proxy: Uri, target: &Uri) -> Agent {
    let authority = target.authority().map_or("", |authority| authority.as_str());
    let connector = TcpConnector::default().chain(AbsoluteForm { origin: format!("http://{authority}").into_bytes() });
    Agent::with_parts(config, connector, ProxyResolver { proxy })
}

/// Finds the proxy's address, whatever the request is for: only the proxy may know the target's name.
#[derive(Debug)]
struct ProxyResolver {
    proxy: Uri,
}

impl Resolver for ProxyResolver {
    fn resolve(&self, _: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        DefaultResolver::default().resolve(&self.proxy, config, timeout)
    }
}

#[derive(Debug)]
struct AbsoluteForm {
    origin: Vec<u8>,
}

impl<In: Transport> Connector<In> for AbsoluteForm {
    type Out = AbsoluteFormTransport<In>;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| AbsoluteFormTransport { inner, origin: self.origin.clone() }))
    }
}

#[derive(Debug)]
struct AbsoluteFormTransport<In> {
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
