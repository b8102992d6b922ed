//! Which proxy the status server's URL goes through, by the variables that every other program reads: chosen by the URL's
//! scheme, lower case before upper case, an empty one means none, and `NO_PROXY` lists hosts, domain suffixes and networks
//! to reach directly.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;

use ureq::http::Uri;

use crate::settings::secret::Secrets;
use crate::settings::url::{BasicAuth, WithoutUser, uri, without_user};

/// A proxy, and where it was named.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// The variable that names it.
    pub variable: String,
    /// How it is spoken to.
    pub protocol: ProxyProtocol,
    /// Its URL, without user and password.
    pub uri: Uri,
    /// User and password of its URL.
    pub basic_auth: Option<BasicAuth>,
}

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// HTTP, with the whole URL in the request, or CONNECT where TLS is spoken to the server.
    Http,
    /// The same over TLS.
    Https,
    /// SOCKS 4; names are resolved here.
    Socks4,
    /// SOCKS 4a; names are resolved by the proxy.
    Socks4a,
    /// SOCKS 5; names are resolved here.
    Socks5,
    /// SOCKS 5; names are resolved by the proxy.
    Socks5h,
}

/// The proxy variables of the step, by name.
#[derive(Debug, Default)]
pub(crate) struct ProxyVariables {
    values: BTreeMap<String, OsString>,
}

/// One of the variables.
#[derive(Debug, Clone, Copy)]
struct Variable<'a> {
    name: &'a str,
    value: &'a str,
}

impl ProxyVariables {
    /// Takes a variable if it is one of these.
    pub fn add(&mut self, name: &str, value: OsString) {
        if name.to_lowercase().ends_with("_proxy") {
            self.values.insert(name.to_owned(), value);
        }
    }

    /// The proxy for `target`, if it goes through one.
    ///
    /// # Errors
    /// A sentence that names the variable.
    pub fn proxy_for(&self, target: &Uri, secrets: &mut Secrets) -> Result<Option<Proxy>, String> {
        let Some(Variable { name, value }) = self.chosen(target)? else { return Ok(None) };
        let url = with_scheme(value);
        let wrong =
            |problem: String| format!("`{name}` {problem}; write a proxy such as http://proxy:3128, or unset it");
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        let Some(protocol) = ProxyProtocol::named(scheme) else {
            return Err(wrong("has a scheme that is not http, https, socks4, socks4a, socks5 or socks5h".to_owned()));
        };
        let WithoutUser { mut url, basic_auth } = without_user(&url, secrets).map_err(wrong)?;
        url.set_path("");
        url.set_query(None);
        url.set_fragment(None);
        Ok(Some(Proxy { variable: name.to_owned(), protocol, uri: uri(&url).map_err(wrong)?, basic_auth }))
    }

    /// Keeps the passwords of all proxies, which the playbook's environment holds too.
    pub fn keep_passwords(&self, secrets: &mut Secrets) {
        for value in self.values.values() {
            // What cannot be parsed has kept what stands before its `@` by then.
            let _ = without_user(&with_scheme(value.to_string_lossy().trim()), secrets);
        }
    }

    fn chosen(&self, target: &Uri) -> Result<Option<Variable<'_>>, String> {
        let Some(scheme) = target.scheme_str() else { return Ok(None) };
        let proxy = match self.variable(&format!("{scheme}_proxy"))? {
            Some(own) => Some(own),
            None => self.variable("all_proxy")?,
        };
        let Some(proxy) = proxy.filter(|proxy| !proxy.value.is_empty()) else { return Ok(None) };
        let exempt = self.variable("no_proxy")?.map(|list| list.value).unwrap_or_default();
        let host = target.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let port = target.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        let is_exempt = exempt.split(|c: char| c == ',' || c.is_whitespace()).any(|entry| matches(entry, host, port));
        Ok((!is_exempt).then_some(proxy))
    }

    /// A variable in lower case or else in upper case.
    fn variable(&self, name: &str) -> Result<Option<Variable<'_>>, String> {
        let found = self.values.get_key_value(name).or_else(|| self.values.get_key_value(&name.to_uppercase()));
        let Some((name, value)) = found else { return Ok(None) };
        let value = value.to_str().ok_or_else(|| format!("`{name}` is not UTF-8; write its value as UTF-8 text"))?;
        Ok(Some(Variable { name, value: value.trim() }))
    }
}

impl ProxyProtocol {
    fn named(scheme: &str) -> Option<Self> {
        match scheme.to_ascii_lowercase().as_str() {
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            "socks4" => Some(Self::Socks4),
            "socks4a" => Some(Self::Socks4a),
            "socks" | "socks5" => Some(Self::Socks5),
            "socks5h" => Some(Self::Socks5h),
            _ => None,
        }
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
    let (name, wanted) = match entry.rsplit_once(':') {
        // More than one colon is an IPv6 address, not a port.
        Some((name, digits)) if !name.contains(':') || name.ends_with(']') => (name, Some(digits)),
        _ => (entry, None),
    };
    if wanted.is_some_and(|digits| digits.parse() != Ok(port)) {
        return false;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return match name.split_once('/') {
            Some((network, bits)) => in_network(address, network, bits),
            None => name.trim_matches(['[', ']']).parse() == Ok(address),
        };
    }
    let name = name.trim_start_matches("*.").trim_start_matches('.').trim_end_matches('.').to_lowercase();
    let host = host.trim_end_matches('.').to_lowercase();
    !name.is_empty() && (host == name || host.strip_suffix(&name).is_some_and(|rest| rest.ends_with('.')))
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

    fn asked(url: &str, variables: &[(&str, &str)]) -> Result<Option<Proxy>, String> {
        let mut all = ProxyVariables::default();
        for (name, value) in variables {
            all.add(name, value.into());
        }
        all.proxy_for(&url.parse().unwrap(), &mut Secrets::default())
    }

    fn through(url: &str, variables: &[(&str, &str)]) -> Option<String> {
        asked(url, variables).unwrap().map(|proxy| format!("{} {}", proxy.variable, proxy.uri))
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
    fn each_scheme_is_a_protocol() {
        for (value, protocol, uri) in [
            ("proxy:3128", ProxyProtocol::Http, "http://proxy:3128/"),
            ("HTTP://proxy:3128/", ProxyProtocol::Http, "http://proxy:3128/"),
            ("https://proxy", ProxyProtocol::Https, "https://proxy/"),
            ("socks4://proxy:1080", ProxyProtocol::Socks4, "socks4://proxy:1080/"),
            ("socks4a://proxy", ProxyProtocol::Socks4a, "socks4a://proxy/"),
            ("socks://proxy", ProxyProtocol::Socks5, "socks://proxy/"),
            ("socks5://[::1]:1080", ProxyProtocol::Socks5, "socks5://[::1]:1080/"),
            ("socks5h://me:pass@proxy:1080", ProxyProtocol::Socks5h, "socks5h://proxy:1080/"),
        ] {
            let proxy = asked("http://x/", &[("http_proxy", value)]).unwrap().unwrap();
            assert_eq!((proxy.protocol, proxy.uri.to_string().as_str()), (protocol, uri), "{value}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_named_by_its_variable() {
        for (value, said) in [
            ("ftp://proxy", "a scheme that is not http"),
            ("://proxy", "a scheme that is not http"),
            ("http://proxy:99999", "port"),
            ("proxy:", "port"),
            ("http://me:secret@", "has no host name"),
            ("http://pro xy", "space"),
        ] {
            let problem = asked("http://x/", &[("HTTP_PROXY", value)]).unwrap_err();
            assert!(problem.starts_with("`HTTP_PROXY` ") && problem.contains(said), "{value}: {problem}");
            assert!(!problem.contains("secret"), "{problem}");
            assert!(asked("https://x/", &[("HTTP_PROXY", value)]).unwrap().is_none(), "{value} is of no use here");
        }
    }

    #[test]
    fn a_proxy_variable_that_is_not_utf8_is_an_error() {
        use std::os::unix::ffi::OsStringExt;
        for name in ["http_proxy", "ALL_PROXY", "no_proxy"] {
            let mut all = ProxyVariables::default();
            if name == "no_proxy" {
                all.add("http_proxy", "p:1".into());
            }
            all.add(name, OsString::from_vec(b"p:\xff".to_vec()));
            let problem = all.proxy_for(&"http://x/".parse().unwrap(), &mut Secrets::default()).unwrap_err();
            assert_eq!(problem, format!("`{name}` is not UTF-8; write its value as UTF-8 text"));
        }
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
            ("http://x/", ".", false),
            ("http://x/", "a\tx\nb", true),
            ("http://x./", "x", true),
            ("http://x/", "x.", true),
            ("http://x:8080/", "x:http", false),
            ("http://10.1.2.3/", "1.2.3", false),
            ("http://10.1.2.3/", "*.2.3", false),
            ("http://10.1.2.3:8080/", "10.1.2.3:8080", true),
            ("http://[fd00::1]/", "fd00::1", true),
            ("http://[fd00::1]/", "[fd00::1]", true),
            ("http://[fd00::1]/", "fd00:0:0::1", true),
            ("http://[fd00::1]:81/", "[fd00::1]:81", true),
            ("http://[fd00::1]:81/", "[fd00::1]:82", false),
            ("http://[fd00::1]/", "::1", false),
        ] {
            let proxy = through(url, &[("http_proxy", "http://p:1"), ("no_proxy", list)]);
            assert_eq!(proxy.is_none(), direct, "{url} with {list}");
        }
    }
}
