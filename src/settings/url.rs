//! The URL of the status server, taken apart by hand so that no message ever shows its password.

use ureq::http::Uri;

use crate::settings::secret::{Secret, Secrets};

/// User and password of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicAuth {
    /// The user, decoded.
    pub user: String,
    /// The password, decoded.
    pub password: Secret,
}

/// A URL without its user.
#[derive(Debug)]
pub(crate) struct WithoutUser {
    pub url: String,
    pub basic_auth: Option<BasicAuth>,
}

/// What is posted to, and as whom.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub uri: Uri,
    pub basic_auth: Option<BasicAuth>,
}

/// Takes the user out of a URL.
///
/// # Errors
/// The end of a sentence that begins with what the URL is.
pub(crate) fn without_user(url: &str, secrets: &mut Secrets) -> Result<WithoutUser, String> {
    let without = |url: &str, basic_auth| Ok(WithoutUser { url: url.to_owned(), basic_auth });
    let Some((scheme, rest)) = url.split_once("://") else { return without(url, None) };
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let Some((user, host)) = rest[..authority].rsplit_once('@') else { return without(url, None) };
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().ok().map(String::from);
    let (Some(user), Some(password)) = (decoded(user), decoded(password)) else {
        return Err("holds a user or password that is not percent-encoded UTF-8".to_owned());
    };
    let basic_auth = BasicAuth { user, password: secrets.keep(password) };
    without(&format!("{scheme}://{host}{}", &rest[authority..]), Some(basic_auth))
}

/// Splits a base URL into the URL that is posted to and the user it holds.
///
/// # Errors
/// The end of a sentence that begins with the setting's name.
pub(crate) fn endpoint(url: &str, secrets: &mut Secrets) -> Result<Endpoint, String> {
    let WithoutUser { url, basic_auth } = without_user(url, secrets)?;
    let (scheme, rest) = url
        .split_once("://")
        .filter(|(scheme, _)| ["http", "https"].contains(&scheme.to_lowercase().as_str()))
        .ok_or_else(|| {
            "does not begin with http:// or https://; write such as http://gitops-status-server".to_owned()
        })?;
    if rest.contains(['?', '#']) {
        return Err("holds a query or a fragment; write the base URL alone".to_owned());
    }
    let rest = rest.trim_end_matches('/');
    if rest.ends_with("/api/status") {
        return Err("ends with /api/status, which is added by itself; write the base URL alone".to_owned());
    }
    let shown = format!("{}://{rest}", scheme.to_lowercase());
    let uri: Uri = format!("{shown}/api/status")
        .parse()
        .map_err(|error| format!("is no URL: {error} in {shown:?}; write such as http://gitops-status-server"))?;
    if uri.host().is_none_or(str::is_empty) {
        return Err(format!("names no host in {shown:?}; write such as http://gitops-status-server"));
    }
    Ok(Endpoint { uri, basic_auth })
}
