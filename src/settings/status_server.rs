//! Where the status goes, and how.

use std::path::PathBuf;
use std::time::Duration;

use ureq::http::Uri;

use crate::settings::environment::Environment;
use crate::settings::proxy::Proxy;
use crate::settings::read::{Reader, is_header_value};
use crate::settings::secret::Secret;
use crate::settings::table;
use crate::settings::url::{BasicAuth, Endpoint, endpoint};

/// Headers that say how the connection is used.
const OF_CONNECTION: &[&str] = &[
    "Connection",
    "Content-Length",
    "Expect",
    "Host",
    "Keep-Alive",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
];

/// Headers that every POST of this plugin has.
const OURS: &[&str] = &["Content-Type", "Idempotency-Key", "User-Agent"];

/// Where the status goes.
#[derive(Debug)]
pub enum Destination {
    /// Nowhere: the payload is printed.
    DryRun {
        /// Where it would go, if that is set. Nothing is sent there, but a mistake in it is a mistake.
        server: Option<Box<StatusServer>>,
    },
    /// To a status server.
    Server(Box<StatusServer>),
}

/// A status server, and how it is reached.
#[derive(Debug)]
pub struct StatusServer {
    /// `<url>/api/status`, without user and password.
    pub endpoint: Uri,
    /// User and password of the URL.
    pub basic_auth: Option<BasicAuth>,
    /// The bearer token.
    pub token: Option<Secret>,
    /// Further headers.
    pub headers: Vec<Header>,
    /// PEM text or the path of a PEM file.
    pub ca_cert: Option<String>,
    /// The file with the system's root certificates, where `SSL_CERT_FILE` names one.
    pub root_bundle: Option<PathBuf>,
    /// Whether the server's certificate goes unverified.
    pub insecure_skip_verify: bool,
    /// The proxy on the way to it.
    pub proxy: Option<Proxy>,
    /// The limit of one attempt.
    pub http_timeout: Duration,
    /// The limit of all attempts together.
    pub retry_for: Duration,
}

/// A request header.
#[derive(Debug)]
pub struct Header {
    /// Its name, as typed.
    pub name: String,
    /// Its value.
    pub value: Secret,
}

impl Destination {
    /// Reads it from what was typed.
    pub(super) fn read(reader: &mut Reader, environment: &Environment) -> Self {
        let dry_run = reader.flag(&table::DRY_RUN);
        let server = StatusServer::read(reader, environment, dry_run).map(Box::new);
        match server {
            Some(server) if !dry_run => Self::Server(server),
            server => Self::DryRun { server },
        }
    }

    /// The status server that is sent to; `None` in a dry run.
    pub fn server(&self) -> Option<&StatusServer> {
        match self {
            Self::DryRun { .. } => None,
            Self::Server(server) => Some(server),
        }
    }

    /// The status server that is set, in a dry run too.
    pub(crate) fn set_server(&self) -> Option<&StatusServer> {
        match self {
            Self::DryRun { server } => server.as_deref(),
            Self::Server(server) => Some(server),
        }
    }

    /// Whether nothing is sent.
    pub fn is_dry_run(&self) -> bool {
        self.server().is_none()
    }
}

impl StatusServer {
    fn read(reader: &mut Reader, environment: &Environment, dry_run: bool) -> Option<Self> {
        let token = reader.secret(&table::STATUS_SERVER_TOKEN);
        if token.as_ref().is_some_and(|token| !is_header_value(token.expose())) {
            reader.problem(
                &table::STATUS_SERVER_TOKEN,
                "contains a line break or another character that a header cannot contain; store it as one line",
            );
        }
        let http_timeout = reader.duration(&table::HTTP_TIMEOUT);
        let retry_for = reader.duration(&table::RETRY_FOR);
        let insecure_skip_verify = reader.flag(&table::INSECURE_SKIP_VERIFY);
        let endpoint = match reader.text(&table::GITOPS_STATUS_SERVER_URL) {
            None if dry_run => {
                headers(reader, token.is_some());
                return None;
            }
            None => Err("is not set; write the status server's base URL, such as http://gitops-status-server, \
                         or set `dry_run: true`"
                .to_owned()),
            Some(url) => endpoint(&url, &mut reader.secrets),
        };
        // What stands in for a wrong URL is never used: it lets the rest be looked at.
        let endpoint = endpoint.unwrap_or_else(|problem| {
            reader.problem(&table::GITOPS_STATUS_SERVER_URL, problem);
            Endpoint::default()
        });
        let headers = headers(reader, token.is_some() || endpoint.basic_auth.is_some());
        if endpoint.basic_auth.is_some() && token.is_some() {
            reader.problem(
                &table::GITOPS_STATUS_SERVER_URL,
                "contains a user and `status_server_token` is set: both set the Authorization header; remove one of them",
            );
        }
        let proxy = environment.proxies.proxy_for(&endpoint.uri, &mut reader.secrets);
        let proxy = proxy.unwrap_or_else(|problem| {
            reader.problems.push(problem);
            None
        });
        Some(Self {
            proxy,
            root_bundle: environment.root_bundle.clone(),
            endpoint: endpoint.uri,
            basic_auth: endpoint.basic_auth,
            token,
            headers,
            ca_cert: reader.text(&table::CA_CERT),
            insecure_skip_verify,
            http_timeout,
            retry_for,
        })
    }
}

/// The further headers. `authorized` says that the plugin sets `Authorization` itself.
fn headers(reader: &mut Reader, authorized: bool) -> Vec<Header> {
    let setting = &table::HEADERS;
    let mut headers: Vec<Header> = Vec::new();
    for (name, value) in reader.flat_map(setting) {
        let value = reader.secrets.keep(value);
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let is_one_of = |names: &[&str]| names.iter().any(|other| name.eq_ignore_ascii_case(other));
        if name.is_empty() || !name.chars().all(is_token) {
            reader
                .problem(setting, format!("contains {name:?}, which is not a header name; write one such as X-Tenant"));
        } else if is_one_of(OF_CONNECTION) {
            reader.problem(setting, format!("contains `{name}`, which belongs to the connection itself; remove it"));
        } else if is_one_of(OURS) {
            reader.problem(setting, format!("contains `{name}`, which the plugin sets itself; remove it"));
        } else if authorized && is_one_of(&["Authorization"]) {
            reader.problem(
                setting,
                format!("contains `{name}`, and `status_server_token` or the user of the URL sets it too; remove one of them"),
            );
        } else if headers.iter().any(|other| other.name.eq_ignore_ascii_case(&name)) {
            reader.problem(setting, format!("contains `{name}` twice, in upper and lower case; remove one of them"));
        } else if !is_header_value(value.expose()) {
            reader.problem(
                setting,
                format!(
                    "contains a line break or another character that a header cannot contain, in the value of `{name}`; \
                     write it as one line"
                ),
            );
        } else {
            headers.push(Header { name, value });
        }
    }
    headers
}
