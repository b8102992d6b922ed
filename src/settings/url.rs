//! URLs by the parser of the URL standard, and stricter than browsers are: what had to be guessed is refused.
//!
//! No message shows the user or the password of a URL, nor anything else of one that may hold them.

use ureq::http::Uri;
use url::{Host, ParseError, SyntaxViolation, Url};

use crate::settings::secret::{Secret, Secrets};

/// What the status server's URL looks like.
const EXAMPLE: &str = "write a URL such as http://gitops-status-server";

/// What is posted to, below the base URL.
const PATH: &str = "/api/status";

/// User and password of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicAuth {
    /// The user, decoded.
    pub user: String,
    /// The password, decoded.
    pub password: Secret,
}

/// A URL whose user and password were taken out.
#[derive(Debug)]
pub(crate) struct WithoutUser {
    pub url: Url,
    pub basic_auth: Option<BasicAuth>,
}

/// What is posted to, and as whom.
#[derive(Debug, Default)]
pub(crate) struct Endpoint {
    pub uri: Uri,
    pub basic_auth: Option<BasicAuth>,
}

/// Reads the base URL of the status server.
///
/// # Errors
/// The end of a sentence that begins with the setting's name.
pub(crate) fn endpoint(typed: &str, secrets: &mut Secrets) -> Result<Endpoint, String> {
    let scheme = typed.split_once("://").map(|(scheme, _)| scheme.to_lowercase());
    if !scheme.is_some_and(|scheme| ["http", "https"].contains(&scheme.as_str())) {
        return Err(format!("does not begin with http:// or https://; {EXAMPLE}"));
    }
    let parsed = without_user(typed, secrets).map_err(|problem| format!("{problem}; {EXAMPLE}"))?;
    let WithoutUser { mut url, basic_auth } = parsed;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("contains a query or a fragment; write only the base URL".to_owned());
    }
    let prefix = url.path().trim_end_matches('/').to_owned();
    if prefix.ends_with(PATH) {
        return Err(format!("ends with {PATH}, which the plugin adds; write only the base URL"));
    }
    url.set_path(&format!("{prefix}{PATH}"));
    let uri = uri(&url).map_err(|problem| format!("{problem}; {EXAMPLE}"))?;
    Ok(Endpoint { uri, basic_auth })
}

/// Parses a URL, takes its user out and keeps its password as a secret.
///
/// # Errors
/// The end of a sentence that begins with what the URL is.
pub(crate) fn without_user(typed: &str, secrets: &mut Secrets) -> Result<WithoutUser, String> {
    keep_typed_password(typed, secrets);
    let mut url = parsed(typed)?;
    if url.username().is_empty() && url.password().is_none() {
        return Ok(WithoutUser { url, basic_auth: None });
    }
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().ok().map(String::from);
    let (Some(user), Some(password)) = (decoded(url.username()), decoded(url.password().unwrap_or_default())) else {
        return Err("contains a user or password that is not percent-encoded UTF-8".to_owned());
    };
    if user.contains(':') || format!("{user}{password}").contains(char::is_control) {
        // RFC 7617 has no place for either.
        return Err("contains a colon in its user, or a control character in its user or password".to_owned());
    }
    if url.password().is_none() {
        // A user without a password is a token.
        let _ = secrets.keep(user.as_str());
    }
    let basic_auth = BasicAuth { user, password: secrets.keep(password) };
    // Neither can fail for a URL with a host.
    let _ = (url.set_username(""), url.set_password(None));
    Ok(WithoutUser { url, basic_auth: Some(basic_auth) })
}

/// Keeps the password in the form it was typed in, or a user without one: by hand, so that it also works on what is no URL.
fn keep_typed_password(typed: &str, secrets: &mut Secrets) {
    let rest = typed.split_once("://").map_or(typed, |(_, rest)| rest);
    if let Some((user, _)) = rest.rsplit_once('@') {
        let password = user.split_once(':').map_or(user, |(_, password)| password);
        let _ = secrets.keep(password);
    }
}

fn parsed(typed: &str) -> Result<Url, String> {
    if typed.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("contains a space or a control character".to_owned());
    }
    let guessed = std::cell::Cell::new(None);
    let note = |violation| match violation {
        // It is clear what both mean: the last `@` ends the user.
        SyntaxViolation::EmbeddedCredentials | SyntaxViolation::UnencodedAtSign => {}
        other => guessed.set(guessed.get().or(Some(other))),
    };
    let url =
        Url::options().syntax_violation_callback(Some(&note)).parse(typed).map_err(|error| in_words(error, typed))?;
    if let Some(violation) = guessed.get() {
        return Err(format!("is not a URL: {}", violation.description()));
    }
    let authority = typed.split_once("://").map_or(typed, |(_, rest)| rest).split(['/', '?', '#']).next();
    let authority = authority.unwrap_or_default();
    match url.host() {
        None | Some(Host::Domain("")) => return Err("has no host name".to_owned()),
        Some(Host::Domain(name)) => host_name(name)?,
        // The standard also reads `1.2`, `0x7f.1` and, as octal numbers, `010.0.0.1`.
        Some(Host::Ipv4(address)) => {
            let host = authority.rsplit('@').next().unwrap_or_default();
            if host.split(':').next() != Some(&address.to_string()) {
                return Err(format!("has an address that is not four decimal numbers, and would mean {address}"));
            }
        }
        Some(Host::Ipv6(_)) => {}
    }
    // The standard reads `http://host:` as a URL without a port, and a socket cannot be opened to port 0.
    if authority.ends_with(':') || url.port() == Some(0) {
        return Err(in_words(ParseError::InvalidPort, typed));
    }
    Ok(url)
}

/// Whether a name can be that of a host (RFC 1123), or of a service that has an underscore in its name.
fn host_name(name: &str) -> Result<(), String> {
    if let Some(wrong) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || "-_.".contains(*c))) {
        return Err(format!("has a host name that contains {wrong:?}"));
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > 253 || name.split('.').any(|label| label.is_empty() || label.len() > 63) {
        return Err("has a host name that is too long, or a part of it that is empty or too long".to_owned());
    }
    Ok(())
}

fn in_words(error: ParseError, typed: &str) -> String {
    match error {
        ParseError::InvalidPort => "has a port that is not a number from 1 to 65535".to_owned(),
        ParseError::EmptyHost => "has no host name".to_owned(),
        ParseError::IdnaError if !typed.is_ascii() => {
            "has a host name that is not ASCII, and whose ASCII form begins with xn--".to_owned()
        }
        ParseError::InvalidIpv6Address if typed.contains('%') => {
            "has an IPv6 address with a zone, which is not allowed in a URL".to_owned()
        }
        other => format!("is not a URL: {other}"),
    }
}

/// The same URL as the HTTP client takes it.
pub(crate) fn uri(url: &Url) -> Result<Uri, String> {
    url.as_str().parse().map_err(|error| format!("is not a URL: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(typed: &str) -> Result<String, String> {
        endpoint(typed, &mut Secrets::default()).map(|endpoint| endpoint.uri.to_string())
    }

    #[test]
    fn a_url_means_what_it_says() {
        for (typed, meant) in [
            ("http://status", "http://status/api/status"),
            ("http://status/", "http://status/api/status"),
            ("HTTPS://Status.Example:443", "https://status.example/api/status"),
            ("http://status:80", "http://status/api/status"),
            ("http://status:1", "http://status:1/api/status"),
            ("http://status:65535/", "http://status:65535/api/status"),
            ("https://status:8443/prefix//", "https://status:8443/prefix/api/status"),
            ("http://status/a/../b", "http://status/b/api/status"),
            ("http://status/%C3%A9", "http://status/%C3%A9/api/status"),
            ("http://status/é", "http://status/%C3%A9/api/status"),
            ("http://10.1.2.3:8080", "http://10.1.2.3:8080/api/status"),
            ("http://[fd00::1]:8080/x", "http://[fd00::1]:8080/x/api/status"),
            ("http://[FD00:0:0::1]", "http://[fd00::1]/api/status"),
            ("http://my_host.svc", "http://my_host.svc/api/status"),
            ("http://xn--bcher-kva.example", "http://xn--bcher-kva.example/api/status"),
            ("http://status.", "http://status./api/status"),
            ("http://me:secret@status", "http://status/api/status"),
            ("http://me:p@ss@status", "http://status/api/status"),
            ("http://me:p@ss:8@10.1.2.3:80", "http://10.1.2.3/api/status"),
            ("http://a-b.c_d.example.", "http://a-b.c_d.example./api/status"),
        ] {
            assert_eq!(read(typed).as_deref(), Ok(meant), "{typed}");
        }
    }

    #[test]
    fn what_a_url_cannot_mean_is_refused() {
        for (typed, said) in [
            ("status:80", "http:// or https://"),
            ("ftp://status", "http:// or https://"),
            ("http:status", "http:// or https://"),
            ("http:/status", "http:// or https://"),
            ("http://", "has no host name"),
            ("http:///status", "is not a URL"),
            ("http://:80", "has no host name"),
            ("http://me:secret@", "has no host name"),
            ("http://status:", "port"),
            ("http://status:/x", "port"),
            ("http://me:secret@status:", "port"),
            ("http://status:0", "port"),
            ("http://status:65536", "port"),
            ("http://status:99999", "port"),
            ("http://status:-1", "port"),
            ("http://status:80a", "port"),
            ("http://status:abc", "port"),
            ("http://status:8 0", "space"),
            ("http://sta tus", "space"),
            ("http://status/a b", "space"),
            ("http://status/\u{7}", "control"),
            ("http://status\\x", "backslash"),
            ("http://bücher.example", "xn--"),
            ("http://[fe80::1%25eth0]", "zone"),
            ("http://[fe80::1%eth0]", "zone"),
            ("http://[::1", "is not a URL"),
            ("http://::1", "has no host name"),
            ("http://1.2.3.256", "is not a URL"),
            ("http://sta<tus", "is not a URL"),
            ("http://status/%zz", "is not a URL"),
            ("http://status/?a=b", "query"),
            ("http://status/#a", "fragment"),
            ("http://status/api/status", "only the base URL"),
            ("http://me:%ff@status", "percent-encoded UTF-8"),
            ("http://m%3Ae:secret@status", "a colon in its user"),
            ("http://me:secret%0A@status", "a control character"),
            ("http://m%0De:secret@status", "a control character"),
            ("http://127.1", "would mean 127.0.0.1"),
            ("http://256", "would mean 0.0.1.0"),
            ("http://0x7f.0.0.1:80", "would mean 127.0.0.1"),
            ("http://me:secret@010.0.0.1/x", "would mean 8.0.0.1"),
            ("http://status..example", "empty"),
            ("http://.status", "empty"),
            ("http://.", "empty"),
            ("http://$STATUS", "contains '$'"),
            ("http://status*", "contains '*'"),
            (&format!("http://{}", "a".repeat(64)), "too long"),
            (&format!("http://{}", "a.".repeat(128)), "too long"),
        ] {
            let problem = read(typed).unwrap_err();
            assert!(problem.contains(said), "{typed}: {problem}");
            assert!(!problem.contains("secret"), "{typed}: {problem}");
        }
    }

    #[test]
    fn the_password_is_secret_as_typed_and_as_meant() {
        for (typed, kept) in [
            ("http://me:p%40ss@status", &["p%40ss", "p@ss"][..]),
            ("http://me:a/b@status", &["a/b"]),
            ("http://t0ken@status", &["t0ken", "t0ken", ""]),
            ("http://status", &[]),
        ] {
            let mut secrets = Secrets::default();
            let _ = endpoint(typed, &mut secrets);
            assert_eq!(secrets.texts().collect::<Vec<_>>(), kept, "{typed}");
        }
    }
}
