//! An agent that goes through a proxy: with the whole URL in the request for plain http, with CONNECT for the rest.

use anyhow::{Result, anyhow};
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;
use ureq::{Agent, Proxy, ProxyProtocol};

use crate::delivery::absolute_form;
use crate::settings::{self, StatusServer};

/// The agent for `server`, which is reached through `proxy`.
///
/// # Errors
/// A proxy that cannot be used.
pub(crate) fn agent(
    config: ConfigBuilder<AgentScope>,
    server: &StatusServer,
    proxy: &settings::Proxy,
) -> Result<Agent> {
    if takes_absolute_form(server, proxy) {
        return Ok(absolute_form::agent(config.build(), proxy.uri.clone(), &server.endpoint));
    }
    // The cause may show the password of the URL.
    let proxy = connect(proxy).map_err(|_| {
        anyhow!("`{}` is no proxy URL this plugin can use; write such as http://proxy:3128", proxy.variable)
    })?;
    Ok(config.proxy(Some(proxy)).build().new_agent())
}

/// Whether the proxy is sent the whole URL instead of being asked for a tunnel.
pub(crate) fn takes_absolute_form(server: &StatusServer, proxy: &settings::Proxy) -> bool {
    server.endpoint.scheme_str() == Some("http") && proxy.uri.scheme_str() == Some("http")
}

fn connect(proxy: &settings::Proxy) -> Result<Proxy, ureq::Error> {
    let protocol = ProxyProtocol::try_from(proxy.uri.scheme_str().unwrap_or("http"))?;
    let mut builder = Proxy::builder(protocol).host(proxy.uri.host().unwrap_or_default());
    if let Some(port) = proxy.uri.port_u16() {
        builder = builder.port(port);
    }
    if let Some(basic_auth) = &proxy.basic_auth {
        builder = builder.username(&basic_auth.user).password(basic_auth.password.expose());
    }
    builder.build()
}
