//! The HTTP client with everything that does not depend on a payload: proxy, TLS, time-outs, and no redirects.

use anyhow::{Result, anyhow};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, SocksConnector, TcpConnector};
use ureq::{Agent, Proxy};

use crate::delivery::absolute_form::AbsoluteFormConnector;
use crate::delivery::observe::{ObserveConnection, ObserveResponses, Observed, ObservedResolver};
use crate::delivery::tls;
use crate::delivery::tls_connector::TlsConnector;
use crate::settings::{self, ProxyProtocol, StatusServer};

/// An agent for `server`, whose attempts are noted in `observed`.
///
/// # Errors
/// A certificate that cannot be read, or a proxy that cannot be used.
pub(crate) fn agent(server: &StatusServer, observed: &Observed) -> Result<Agent> {
    let absolute_form = takes_absolute_form(server);
    let tunnel = server.proxy.as_ref().filter(|_| !absolute_form).map(tunnel).transpose()?;
    let config = Agent::config_builder()
        .timeout_global(Some(server.http_timeout))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .proxy(tunnel)
        .user_agent(concat!("plugin-gitops-status/", env!("CARGO_PKG_VERSION")))
        .build();
    let target = server.endpoint.clone();
    // In this order: each passes on what an earlier one has connected.
    let connector =
        ().chain(SocksConnector::default())
            .chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(ObserveConnection { target: target.clone(), observed: observed.clone() })
            .chain(TlsConnector::new(tls::client_config(server)?))
            .chain(AbsoluteFormConnector::new(absolute_form.then_some(&target)))
            .chain(ObserveResponses { target: target.clone(), observed: observed.clone() });
    let instead = server.proxy.as_ref().filter(|_| absolute_form).map(|proxy| proxy.uri.clone());
    Ok(Agent::with_parts(config, connector, ObservedResolver { target, instead, observed: observed.clone() }))
}

/// Whether a proxy is sent the whole URL. Proxies refuse CONNECT for port 80, which is how they are asked for the rest.
pub(crate) fn takes_absolute_form(server: &StatusServer) -> bool {
    let by_http = server.proxy.as_ref().is_some_and(|proxy| proxy.protocol == ProxyProtocol::Http);
    by_http && server.endpoint.scheme_str() == Some("http")
}

/// A proxy that connects to the server and passes bytes on.
fn tunnel(proxy: &settings::Proxy) -> Result<Proxy> {
    let protocol = match proxy.protocol {
        ProxyProtocol::Http => ureq::ProxyProtocol::Http,
        ProxyProtocol::Https => ureq::ProxyProtocol::Https,
        ProxyProtocol::Socks4 => ureq::ProxyProtocol::Socks4,
        ProxyProtocol::Socks4a => ureq::ProxyProtocol::Socks4A,
        ProxyProtocol::Socks5 => ureq::ProxyProtocol::Socks5,
        ProxyProtocol::Socks5h => ureq::ProxyProtocol::Socks5h,
    };
    let mut builder = Proxy::builder(protocol).host(proxy.uri.host().unwrap_or_default());
    if let Some(port) = proxy.uri.port_u16() {
        builder = builder.port(port);
    }
    if let Some(basic_auth) = &proxy.basic_auth {
        builder = builder.username(&basic_auth.user).password(basic_auth.password.expose());
    }
    // The cause may show the password.
    builder.build().map_err(|_| anyhow!("cannot use the proxy `{}`, which `{}` names", proxy.uri, proxy.variable))
}
