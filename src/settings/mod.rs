//! What the user asked for: environment variables as typed, then settings as meant.
//!
//! Nothing here touches the outside world: whether a file exists is asked where it is used. Every mistake is collected,
//! so that one run of the step shows them all.

use std::ffi::OsString;
use std::path::PathBuf;

use time::Date;

pub mod secret;
pub mod table;
mod read;
mod url;
pub mod ssh_key;
mod proxy;
mod unknown;
mod environment;
mod variables;
mod access;
mod ansible;
mod ignore;
mod status_server;

pub use self::ansible::AnsibleSettings;
use self::environment::Environment;
pub use self::ignore::{Attribute, AttributeWaiver, Ignore, Waiver};
pub use self::proxy::{Proxy, ProxyProtocol};
use self::read::Reader;
pub(crate) use self::read::split_commas;
pub use self::secret::{Secret, Secrets};
pub(crate) use self::ssh_key::ssh_string;
pub use self::status_server::{Destination, StatusServer};
pub use self::table::{Setting, TABLE};
pub use self::url::BasicAuth;
pub use self::variables::ExtraVars;
pub(crate) use self::variables::HARDENING;

/// The settings as meant, one part for each stage that uses them.
#[derive(Debug)]
pub struct Settings {
    /// What to run.
    pub ansible: AnsibleSettings,
    /// Which results count.
    pub ignore: Ignore,
    /// Whose status it is.
    pub identity: Identity,
    /// What to make of the verdict.
    pub report: Report,
    /// Where the status goes.
    pub destination: Destination,
    /// What the user should know about them, one sentence each.
    pub warnings: Vec<String>,
    /// Everything in them that must not be seen.
    pub secrets: Secrets,
}

/// Whose status is reported.
#[derive(Debug)]
pub struct Identity {
    /// `repo` in the payload.
    pub repo: String,
    /// `server` in the payload; unused with `per_host`, where it may be empty.
    pub server: String,
    /// What `CI_*` says about the pipeline, for `details`.
    pub pipeline: Pipeline,
}

/// The pipeline this step belongs to, as far as `CI_*` names it.
#[derive(Debug, Default)]
pub struct Pipeline {
    /// `CI_COMMIT_SHA`.
    pub commit: Option<String>,
    /// `CI_COMMIT_BRANCH`.
    pub branch: Option<String>,
    /// `CI_PIPELINE_EVENT`.
    pub event: Option<String>,
    /// `CI_PIPELINE_URL`.
    pub url: Option<String>,
}

/// What is made of the verdict.
#[derive(Debug)]
pub struct Report {
    /// Directory that names of drifted files are shown relative to, without a slash at its end.
    pub relative_to: Option<String>,
    /// Exit 2 after delivering `OUT_OF_SYNC`.
    pub fail_on_drift: bool,
    /// Deliver `UNKNOWN` too.
    pub report_unknown: bool,
    /// One payload per inventory host.
    pub per_host: bool,
    /// Add `details` to the payload.
    pub details: bool,
    /// Also write the payload to this file.
    pub payload_file: Option<PathBuf>,
}

/// Everything that is wrong with the settings.
#[derive(Debug, PartialEq, Eq)]
pub struct Problems {
    /// One line each; none shows a secret.
    pub lines: Vec<String>,
    /// The setting `payload_file`: a step that does not begin leaves no earlier status there either.
    pub payload_file: Option<PathBuf>,
}

impl Settings {
    /// Reads the settings from environment variables. `today` is the day in UTC, which ends waivers.
    ///
    /// # Errors
    /// All problems at once, each naming its setting, the value unless it is secret, and what to write instead.
    pub fn read(variables: impl IntoIterator<Item = (OsString, OsString)>, today: Date) -> Result<Self, Problems> {
        Self::read_with(variables, today, |_| Vec::new())
    }

    /// The same with further problems, which `look` finds in the outside world. It is given the settings as far as they can
    /// be read.
    ///
    /// # Errors
    /// All problems at once, those of `look` at the end.
    pub fn read_with(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        today: Date,
        look: impl FnOnce(&Self) -> Vec<String>,
    ) -> Result<Self, Problems> {
        let mut reader = Reader::default();
        let environment = Environment::sort(variables, &mut reader);
        environment.proxies.keep_passwords(&mut reader.secrets);

        let report = Report::read(&mut reader);
        let ignore = Ignore::read(&mut reader, today);
        let identity = Identity::read(&mut reader, &environment, report.per_host);
        let destination = Destination::read(&mut reader, &environment);
        let ansible = AnsibleSettings::read(&mut reader);

        let Reader { problems: mut lines, warnings, secrets, .. } = reader;
        let settings = Self { ansible, ignore, identity, report, destination, warnings, secrets };
        lines.extend(look(&settings));
        if lines.is_empty() {
            Ok(settings)
        } else {
            Err(Problems { lines, payload_file: settings.report.payload_file })
        }
    }
}

impl Report {
    fn read(reader: &mut Reader) -> Self {
        let relative_to = reader.text(&table::RELATIVE_TO).map(|path| match path.trim_end_matches('/') {
            "" => "/".to_owned(),
            trimmed => trimmed.to_owned(),
        });
        Self {
            relative_to,
            fail_on_drift: reader.flag(&table::FAIL_ON_DRIFT),
            report_unknown: reader.flag(&table::REPORT_UNKNOWN),
            per_host: reader.flag(&table::PER_HOST),
            details: reader.flag(&table::DETAILS),
            payload_file: reader.text(&table::PAYLOAD_FILE).map(PathBuf::from),
        }
    }
}

impl Identity {
    fn read(reader: &mut Reader, environment: &Environment, per_host: bool) -> Self {
        let repo = reader.text(&table::REPO_NAME).or_else(|| environment.ci("CI_REPO_NAME"));
        let repo = reader.required(&table::REPO_NAME, repo, "write the repository's name");
        let mut server = reader.text(&table::SERVER_NAME);
        if per_host {
            server.get_or_insert_default();
        }
        let remedy = "write the name that the dashboard shows for this server, or set `per_host: true`";
        let server = reader.required(&table::SERVER_NAME, server, remedy);
        let pipeline = Pipeline {
            commit: environment.ci("CI_COMMIT_SHA"),
            branch: environment.ci("CI_COMMIT_BRANCH"),
            event: environment.ci("CI_PIPELINE_EVENT"),
            url: environment.ci("CI_PIPELINE_URL"),
        };
        Self { repo, server, pipeline }
    }
}
