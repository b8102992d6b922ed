//! Values as Woodpecker passes them, read one by one: text, flags, numbers, durations, both list forms, maps, globs and
//! the URL. What cannot be read is kept as a problem, so that all of them can be shown at once.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use glob::Pattern;
use serde_json::Value;
use ureq::http::Uri;

/// Settings whose value is never shown, not even in an error.
const SECRET: &[&str] = &["ssh_private_key", "vault_password", "status_server_token", "headers", "extra_vars"];

/// `ANSIBLE_*` variables that the verdict depends on.
pub(crate) const HARDENING: &[(&str, &str)] = &[
    // A pattern or limit that names nothing is only a warning to Ansible, and exit 0.
    ("ANSIBLE_HOST_PATTERN_MISMATCH", "error"),
    ("ANSIBLE_INVENTORY_UNPARSED_FAILED", "1"),
    ("ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED", "1"),
];

/// Text that must not be seen. `Debug` prints `***`; there is no `Display` and no `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The only way out: search for this name to see who reads secrets.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Turns text into meaning and collects what it cannot: one line for each problem, in the order they were met.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub problems: Vec<String>,
}

impl Reader {
    pub fn required(&mut self, name: &str, value: Option<String>, what: &str) -> Option<String> {
        if value.is_none() {
            self.problems.push(format!("`{name}` is not set; write {what}"));
        }
        value
    }

    pub fn wrong(&mut self, name: &str, value: &str, remedy: &str) {
        let shown = if SECRET.contains(&name) { "***".to_owned() } else { format!("{value:?}") };
        self.problems.push(format!("`{name}` is {shown}; {remedy}"));
    }

    pub fn flag(&mut self, name: &str, value: Option<&str>, default: bool) -> bool {
        let Some(value) = text(value) else { return default };
        match value.to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => true,
            "false" | "no" | "off" | "0" => false,
            _ => {
                self.wrong(name, &value, "write true or false");
                default
            }
        }
    }

    pub fn number(&mut self, name: &str, value: Option<&str>, least: u32, most: u32) -> Option<u32> {
        let value = text(value)?;
        match value.parse() {
            Ok(number) if (least..=most).contains(&number) => Some(number),
            _ => {
                self.wrong(name, &value, &format!("write a whole number from {least} to {most}"));
                None
            }
        }
    }

    pub fn duration(&mut self, name: &str, value: Option<&str>, default: Duration) -> Duration {
        let Some(value) = text(value) else { return default };
        duration(&value).unwrap_or_else(|| {
            self.wrong(name, &value, "write a duration with its unit, such as 90s, 2m or 1h30m");
            default
        })
    }

    /// A comma-separated list or a JSON array, as Woodpecker writes either; empty items are dropped.
    pub fn list(&mut self, name: &str, value: Option<&str>) -> Vec<String> {
        let Some(value) = text(value) else { return Vec::new() };
        match serde_json::from_str::<Vec<Value>>(&value) {
            Ok(items) => {
                items.iter().filter_map(|item| self.item(name, item)).filter(|item| !item.is_empty()).collect()
            }
            Err(_) if value.starts_with("[\"") || value.starts_with("[{") => {
                self.wrong(name, &value, "write a list, or JSON such as [\"a\", \"b\"]");
                Vec::new()
            }
            Err(_) => split_commas(&value),
        }
    }

    pub fn item(&mut self, name: &str, item: &Value) -> Option<String> {
        let item = scalar(item);
        if item.is_none() {
            self.problems.push(format!("`{name}` holds a list or a map as an item; write plain items"));
        }
        item.map(|item| item.trim().to_owned())
    }

    /// Kept in both readings: where the parts are no paths, the whole value is Ansible's to read.
    pub fn inventory(&mut self, value: Option<&str>) -> Vec<String> {
        let Some(value) = text(value) else { return Vec::new() };
        if value.starts_with('[') { self.list("inventory", Some(&value)) } else { vec![value] }
    }

    /// One item is one argument. A value without a comma is words, as on a command line.
    pub fn arguments(&mut self, value: Option<&str>) -> Vec<String> {
        let Some(value) = text(value) else { return Vec::new() };
        if value.starts_with('[') || value.contains(',') {
            return self.list("args", Some(&value));
        }
        if value.contains(['"', '\'', '\\']) && value.contains(char::is_whitespace) {
            self.wrong("args", &value, "quotes are not read here; write a list with one argument per item");
            return Vec::new();
        }
        value.split_whitespace().map(str::to_owned).collect()
    }

    pub fn globs(&mut self, name: &str, value: Option<&str>) -> Vec<Pattern> {
        let list = self.list(name, value);
        list.iter()
            .filter_map(|item| {
                // `**` means nothing more than `*` here, where `*` crosses `/` already.
                let mut plain = item.clone();
                while plain.contains("**") {
                    plain = plain.replace("**", "*");
                }
                Pattern::new(&plain)
                    .map_err(|error| self.wrong(name, item, &format!("it is no shell glob: {error}")))
                    .ok()
            })
            .collect()
    }

    pub fn map(&mut self, name: &str, value: &str) -> Option<serde_json::Map<String, Value>> {
        if let Ok(Value::Object(map)) = serde_json::from_str(value) {
            return Some(map);
        }
        self.wrong(name, value, "write a map");
        None
    }

    /// Each value of a map of scalars as text; what is no scalar is a problem.
    pub fn flat_map(&mut self, name: &str, value: Option<&str>) -> Vec<(String, String)> {
        let Some(value) = text(value) else { return Vec::new() };
        let map = self.map(name, &value).unwrap_or_default();
        map.into_iter()
            .filter_map(|(key, value)| {
                let value = scalar(&value);
                if value.is_none() {
                    self.problems.push(format!("`{name}`: the value of `{key}` is a list or a map; write plain text"));
                }
                Some((key, value?))
            })
            .collect()
    }

    pub fn ansible_env(&mut self, value: Option<&str>) -> BTreeMap<String, String> {
        let map = self.flat_map("ansible_env", value);
        map.into_iter()
            .filter(|(key, value)| {
                let problem = if !key.starts_with("ANSIBLE_") || key.contains(['=', '\0']) {
                    "takes only names that begin with ANSIBLE_"
                } else if HARDENING.iter().any(|(name, _)| name == key) {
                    "would switch off what the verdict depends on"
                } else if value.contains('\0') {
                    "holds a NUL byte, which no variable can carry"
                } else {
                    return true;
                };
                self.problems.push(format!("`ansible_env` {problem}: `{key}`; remove it"));
                false
            })
            .collect()
    }

    pub fn extra_vars(&mut self, value: Option<&str>) -> Option<Secret> {
        let value = text(value)?;
        if value.starts_with('{') {
            return self.map("extra_vars", &value).map(|map| Secret::new(Value::Object(map).to_string()));
        }
        let mut map = serde_json::Map::new();
        for item in self.list("extra_vars", Some(&value)) {
            match item.split_once('=') {
                Some((key, value)) if !key.trim().is_empty() => {
                    map.insert(key.trim().to_owned(), Value::String(value.to_owned()));
                }
                _ => self.wrong("extra_vars", &item, "write a map, or items such as key=value"),
            }
        }
        Some(Secret::new(Value::Object(map).to_string()))
    }

    pub fn headers(&mut self, value: Option<&str>) -> Vec<(String, Secret)> {
        let map = self.flat_map("headers", value);
        let mut headers = Vec::new();
        for (name, value) in map {
            let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            if name.is_empty() || !name.chars().all(token) {
                self.problems.push(format!("`headers`: {name:?} is no header name; write one such as X-Tenant"));
            } else if ["host", "content-length", "transfer-encoding", "connection"]
                .contains(&name.to_lowercase().as_str())
            {
                self.problems.push(format!("`headers`: `{name}` belongs to the connection itself; remove it"));
            } else if !printable(&value) {
                self.problems.push(format!(
                    "`headers`: the value of `{name}` holds a line break or another character no header can carry; \
                     write it as one line"
                ));
            } else {
                headers.push((name, Secret::new(value)));
            }
        }
        headers
    }
}

pub(crate) fn text(value: Option<&str>) -> Option<String> {
    value.map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned)
}

/// Spaces inside a secret are part of it; one made of spaces alone is a secret that was not set.
pub(crate) fn secret(value: Option<&str>) -> Option<Secret> {
    value.filter(|value| !value.trim().is_empty()).map(Secret::new)
}

pub(crate) fn printable(value: &str) -> bool {
    value.chars().all(|c| c == '\t' || (' '..='~').contains(&c))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// The items of a comma-separated value, without spaces around them and without empty ones.
pub(crate) fn split_commas(value: &str) -> Vec<String> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// `90s`, `2m`, `1h30m`: whole numbers with a unit, the larger unit first, more than zero in all.
fn duration(value: &str) -> Option<Duration> {
    let mut seconds: u64 = 0;
    let mut rest = value;
    let mut units = [('h', 3600), ('m', 60), ('s', 1)].iter();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].chars().next()?;
        let (_, scale) = units.find(|(name, _)| *name == unit)?;
        seconds = seconds.checked_add(number.checked_mul(*scale)?)?;
        rest = &rest[digits + 1..];
    }
    // A hundred years is more than any clock arithmetic here has to bear.
    (1..=3_153_600_000).contains(&seconds).then(|| Duration::from_secs(seconds))
}

/// A URL without its user, and that user with its password.
type WithoutUser = (String, Option<(String, Secret)>);

/// Takes the user out of a URL, by hand: no message may ever show it.
///
/// # Errors
/// The end of a sentence that begins with what the URL is.
pub(crate) fn without_user(url: &str) -> Result<WithoutUser, String> {
    let Some((scheme, rest)) = url.split_once("://") else { return Ok((url.to_owned(), None)) };
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let Some((user, host)) = rest[..authority].rsplit_once('@') else { return Ok((url.to_owned(), None)) };
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().ok().map(String::from);
    match (decoded(user), decoded(password)) {
        (Some(user), Some(password)) => {
            Ok((format!("{scheme}://{host}{}", &rest[authority..]), Some((user, Secret::new(password)))))
        }
        _ => Err("holds a user or password that is not percent-encoded UTF-8".to_owned()),
    }
}

/// Splits a base URL into the URL that is posted to and the user it holds.
pub(crate) fn endpoint(url: &str) -> Result<(Uri, Option<(String, Secret)>), String> {
    let (url, basic_auth) = without_user(url)?;
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
    let endpoint: Uri = format!("{shown}/api/status")
        .parse()
        .map_err(|error| format!("is no URL: {error} in {shown:?}; write such as http://gitops-status-server"))?;
    if endpoint.host().is_none_or(str::is_empty) {
        return Err(format!("names no host in {shown:?}; write such as http://gitops-status-server"));
    }
    Ok((endpoint, basic_auth))
}
