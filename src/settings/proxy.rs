//! Which proxy a URL goes through, by the variables that every other program reads: chosen by the URL's scheme, lower case
//! before upper case, an empty one means none, and `NO_PROXY` lists hosts, domain suffixes and networks to reach
//! directly.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ureq::http::Uri;

use crate::settings::secret::Secrets;
use crate::settings::url::{BasicAuth, WithoutUser, without_user};

/// A proxy, and where it was named.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// The variable that names it.
    pub variable: String,
    /// Its URL, without user and password.
    pub uri: Uri,
    /// User and password of its URL.
    pub basic_auth: Option<BasicAuth>,
}

/// The proxy variables of the step, by name.
#[derive(Debug, Default)]
pub(crate) struct ProxyVariables {
    pub texts: BTreeMap<String, String>,
}

/// One of the variables.
#[derive(Debug, Clone, Copy)]
struct Variable<'a> {
    name: &'a str,
    value: &'a str,
}

impl ProxyVariables {
    /// The proxy for `target`, if it goes through one.
    ///
    /// # Errors
    /// A sentence that names the variable.
    pub fn proxy_for(&self, target: &Uri, secrets: &mut Secrets) -> Result<Option<Proxy>, String> {
        let Some(Variable { name, value }) = self.chosen(target) else { return Ok(None) };
        // The URL may hold a password, so no message can show it.
        let unusable = || format!("`{name}` is no proxy URL this plugin can use; write such as http://proxy:3128");
        let WithoutUser { url, basic_auth } = without_user(&with_scheme(value), secrets).map_err(|_| unusable())?;
        let uri = url.parse().map_err(|_| unusable())?;
        Ok(Some(Proxy { variable: name.to_owned(), uri, basic_auth }))
    }

    /// Keeps the passwords of all proxies, which the playbook's environment holds too.
    pub fn keep_passwords(&self, secrets: &mut Secrets) {
        for value in self.texts.values() {
            // A URL that cannot be read has no password to find.
            let _ = without_user(&with_scheme(value.trim()), secrets);
        }
    }

    fn chosen(&self, target: &Uri) -> Option<Variable<'_>> {
        let scheme = target.scheme_str()?;
        let own = self.variable(&format!("{scheme}_proxy"));
        let proxy = own.or_else(|| self.variable("all_proxy")).filter(|proxy| !proxy.value.is_empty())?;
        let exempt = self.variable("no_proxy").map(|list| list.value).unwrap_or_default();
        let host = target.host()?.trim_start_matches('[').trim_end_matches(']');
        let port = target.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        let is_exempt = exempt.split([',', ' ']).any(|entry| matches(entry.trim(), host, port));
        (!is_exempt).then_some(proxy)
    }

    fn variable(&self, name: &str) -> Option<Variable<'_>> {
        let found = self.texts.get_key_value(name).or_else(|| self.texts.get_key_value(&name.to_uppercase()));
        found.map(|(name, value)| Variable { name, value: value.trim() })
    }
}

/// A bare `host:port` is what curl accepts too.
fn with_scheme(proxy: &str) -> String {
    if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") }
}

/// Whether an entry of `NO_PROXY` stands for the host.
fn matches(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let (Ok(address), Some((network, bits))) = (host.parse::<IpAddr>(), entry.split_once('/')) {
        return in_network(address, network, bits);
    }
    let (name, wanted) = match entry.rsplit_once(':') {
        // More than one colon is an IPv6 address, not a port.
        Some((name, digits)) if !name.contains(':') => (name, digits.parse().ok()),
        _ => (entry, None),
    };
    let name = name.trim_start_matches("*.").trim_start_matches('.').to_lowercase();
    let host = host.to_lowercase();
    let matches = host == name || host.strip_suffix(&name).is_some_and(|rest| rest.ends_with('.'));
    !name.is_empty() && matches && wanted.is_none_or(|wanted: u16| wanted == port)
}

fn in_network(address: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            address.to_bits() & mask == network.to_bits() & mask
        }
        (IpAddr::V6(address), IpAddr::V6(network)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            address.to_bits() & mask == network.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(url: &str, variables: &[(&str, &str)]) -> Option<String> {
        let texts = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let variables = ProxyVariables { texts };
        let proxy = variables.proxy_for(&url.parse().unwrap(), &mut Secrets::default()).unwrap();
        proxy.map(|proxy| format!("{} {}", proxy.variable, proxy.uri))
    }

    #[test]
    fn the_scheme_chooses_and_empty_means_none() {
        let both = [("http_proxy", "http://a:1"), ("HTTPS_PROXY", "http://b:2")];
        assert_eq!(through("http://x/", &both).as_deref(), Some("http_proxy http://a:1/"));
        assert_eq!(through("https://x/", &both).as_deref(), Some("HTTPS_PROXY http://b:2/"));
        assert_eq!(through("http://x/", &[("HTTPS_PROXY", "http://b:2")]), None);
        assert_eq!(through("http://x/", &[("http_proxy", ""), ("HTTP_PROXY", "http://b:2")]), None);
        assert_eq!(through("http://x/", &[("ALL_PROXY", "c:3")]).as_deref(), Some("ALL_PROXY http://c:3/"));
        assert_eq!(through("http://x/", &[("http_proxy", ""), ("ALL_PROXY", "c:3")]), None);
    }

    #[test]
    fn no_proxy_takes_hosts_suffixes_networks_and_ports() {
        for (url, list, direct) in [
            ("http://a.svc.cluster.local/", "localhost,.svc.cluster.local", true),
            ("http://a.svc.cluster.local/", "svc.cluster.local", true),
            ("http://asvc.cluster.local/", "svc.cluster.local", false),
            ("http://A.example/", "*.EXAMPLE", true),
            ("http://10.1.2.3/", "10.0.0.0/8", true),
            ("http://11.1.2.3/", "10.0.0.0/8", false),
            ("http://[fd00::1]/", "fd00::/8", true),
            ("http://x:8080/", "x:8080", true),
            ("http://x:8081/", "x:8080", false),
            ("http://x/", "*", true),
            ("http://x/", ",", false),
        ] {
            let proxy = through(url, &[("http_proxy", "http://p:1"), ("no_proxy", list)]);
            assert_eq!(proxy.is_none(), direct, "{url} with {list}");
        }
    }
}
