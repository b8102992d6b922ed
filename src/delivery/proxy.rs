//! Which proxy a URL goes through, by the variables every other program reads: chosen by the URL's scheme, lower case
//! before upper case, an empty one means none, and `NO_PROXY` lists hosts, domain suffixes and networks to reach
//! directly.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;

use ureq::http::Uri;

use crate::settings::read::{Secret, without_user};

/// The proxy variables of the step, by name.
pub type Variables = BTreeMap<String, String>;

/// The variables of an environment that say how to get out of here: proxies, and `SSL_CERT_FILE`.
pub fn variables(environment: &[(OsString, OsString)]) -> Variables {
    let wanted = |name: &str| name.to_lowercase().ends_with("_proxy") || name == ROOT_BUNDLE;
    let text = |(name, value): &(OsString, OsString)| Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()));
    environment.iter().filter_map(text).filter(|(name, _)| wanted(name)).collect()
}

/// Names the file with the system's root certificates, as for OpenSSL.
pub const ROOT_BUNDLE: &str = "SSL_CERT_FILE";

/// The URL of the proxy for `target`, if it goes through one.
pub fn proxy_for(target: &Uri, variables: &Variables) -> Option<String> {
    let scheme = target.scheme_str()?;
    let own = value(variables, &format!("{scheme}_proxy"));
    let proxy = own.or_else(|| value(variables, "all_proxy")).filter(|proxy| !proxy.is_empty())?;
    let exempt = value(variables, "no_proxy").unwrap_or_default();
    let host = target.host()?.trim_start_matches('[').trim_end_matches(']');
    let port = target.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    if exempt.split([',', ' ']).any(|entry| is_exempt(entry.trim(), host, port)) {
        return None;
    }
    Some(with_scheme(proxy))
}

/// A bare `host:port` is what curl accepts too.
fn with_scheme(proxy: &str) -> String {
    if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") }
}

/// The passwords of all proxies, which the playbook's environment holds too.
pub fn passwords(variables: &Variables) -> Vec<Secret> {
    let users = variables.values().filter_map(|url| without_user(&with_scheme(url)).ok()?.1);
    users.map(|(_, password)| password).collect()
}

fn value<'a>(variables: &'a Variables, name: &str) -> Option<&'a str> {
    let found = variables.get(name).or_else(|| variables.get(&name.to_uppercase()));
    found.map(|value| value.trim())
}

fn is_exempt(entry: &str, host: &str, port: u16) -> bool {
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
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        proxy_for(&url.parse().unwrap(), &variables)
    }

    #[test]
    fn the_scheme_chooses_and_empty_means_none() {
        let both = [("http_proxy", "http://a:1"), ("HTTPS_PROXY", "http://b:2")];
        assert_eq!(through("http://x/", &both).as_deref(), Some("http://a:1"));
        assert_eq!(through("https://x/", &both).as_deref(), Some("http://b:2"));
        assert_eq!(through("http://x/", &[("HTTPS_PROXY", "http://b:2")]), None);
        assert_eq!(through("http://x/", &[("http_proxy", ""), ("HTTP_PROXY", "http://b:2")]), None);
        assert_eq!(through("http://x/", &[("ALL_PROXY", "c:3")]).as_deref(), Some("http://c:3"));
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
