//! What the user asked for: `PLUGIN_*` and `CI_*` as typed (`RawSettings`), then as meant ([`Settings`]).
//!
//! Nothing here touches the outside world; whether a playbook or an inventory exists is asked where it is used.
//! Every mistake is collected, so that one run of the step shows them all.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use glob::Pattern;
use ureq::http::Uri;

pub mod read;
pub mod ssh_key;
pub mod table;

pub use crate::settings::read::Secret;
pub(crate) use crate::settings::read::{HARDENING, split_commas};
use crate::settings::read::{Reader, endpoint, printable, secret, text};
use crate::settings::table::{PREFIX, RawSettings};
pub use crate::settings::table::TABLE;

/// The settings as meant, cut to fit the rooms that use them.
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
    /// Where the status goes; `None` only in a dry run without a URL.
    pub status_server: Option<StatusServer>,
}

/// What `ansible-playbook` is asked to do.
#[derive(Debug)]
pub struct AnsibleSettings {
    /// Playbooks, at least one, as typed.
    pub playbooks: Vec<String>,
    /// Where the hosts are listed; empty means Ansible's own default.
    pub inventory: Vec<String>,
    /// Whether Ansible runs with `--check --diff`.
    pub check_mode: bool,
    /// Ansible's `--limit`, its parts joined by commas.
    pub limit: Option<String>,
    /// Ansible's `--tags`.
    pub tags: Vec<String>,
    /// Ansible's `--skip-tags`.
    pub skip_tags: Vec<String>,
    /// Extra variables as the text of one JSON object.
    pub extra_vars: Option<Secret>,
    /// The remote user.
    pub user: Option<String>,
    /// Whether to pass `--become`.
    pub use_become: bool,
    /// Ansible's `--forks`.
    pub forks: Option<u32>,
    /// How many `-v` to pass.
    pub verbosity: u32,
    /// Path of the `ansible.cfg` to use.
    pub ansible_config: Option<String>,
    /// Further `ANSIBLE_*` variables.
    pub ansible_env: BTreeMap<String, String>,
    /// Further arguments, each as typed.
    pub args: Vec<String>,
    /// How long the whole run may take.
    pub timeout: Duration,
    /// The file that lists the roles and collections to install first.
    pub galaxy_requirements: Option<String>,
    /// How servers are reached.
    pub ssh: Ssh,
    /// The password of vaulted variables.
    pub vault_password: Option<Secret>,
}

/// How servers are reached over ssh.
#[derive(Debug, Default)]
pub struct Ssh {
    /// The private key, repaired, with its last line end.
    pub private_key: Option<Secret>,
    /// The `known_hosts` lines, with their last line end; host keys are then checked strictly.
    pub known_hosts: Option<String>,
    /// Whether Ansible checks host keys; its own default where it is not set.
    pub host_key_checking: Option<bool>,
}

/// What the user took out of the verdict.
#[derive(Debug, Default)]
pub struct Ignore {
    /// Names of drifted things that do not count.
    pub files: Vec<Pattern>,
    /// Tasks that do not count.
    pub tasks: Vec<Pattern>,
    /// Plays that do not count.
    pub plays: Vec<Pattern>,
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
    /// Print the payload and send nothing.
    pub dry_run: bool,
    /// Also write the payload to this file.
    pub payload_file: Option<PathBuf>,
}

/// Where the status goes, and how.
#[derive(Debug)]
pub struct StatusServer {
    /// `<url>/api/status`, without user and password.
    pub endpoint: Uri,
    /// User and password of the URL.
    pub basic_auth: Option<(String, Secret)>,
    /// The bearer token.
    pub token: Option<Secret>,
    /// Further headers.
    pub headers: Vec<(String, Secret)>,
    /// PEM text or the path of a PEM file.
    pub ca_cert: Option<String>,
    /// Whether the server's certificate goes unverified.
    pub insecure_skip_verify: bool,
    /// The limit of one attempt.
    pub http_timeout: Duration,
    /// The limit of all attempts together.
    pub retry_for: Duration,
}

/// Everything that is wrong with the settings, one line each.
#[derive(Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

impl Settings {
    /// Reads the settings from environment variables.
    ///
    /// # Errors
    /// All problems at once, each naming its setting, the value unless it is secret, and what to write instead.
    pub fn read(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let mut plugin = Vec::new();
        let mut ci = BTreeMap::new();
        for (name, value) in environment {
            let Some(name) = name.to_str().map(str::to_owned) else { continue };
            let ours = name.starts_with(PREFIX);
            if !ours && !name.starts_with("CI_") {
                continue;
            }
            match value.into_string() {
                Ok(value) if ours => plugin.push((name, value)),
                Ok(value) => drop(ci.insert(name, value)),
                Err(_) if ours => problems.push(format!("{name} is not UTF-8; write its value as UTF-8 text")),
                Err(_) => {}
            }
        }
        for (variable, _) in &plugin {
            let name = variable[PREFIX.len()..].to_lowercase();
            if !TABLE.iter().any(|setting| setting.name == name) {
                problems.push(unknown(&name));
            }
        }
        let raw: RawSettings = match envy::prefixed(PREFIX).from_iter(plugin) {
            Ok(raw) => raw,
            Err(error) => {
                problems.push(format!("cannot read the settings: {error}"));
                RawSettings::default()
            }
        };
        let mut values = Reader { problems };
        match settings(&mut values, &raw, &ci) {
            Some(settings) if values.problems.is_empty() => Ok(settings),
            _ => Err(Problems(values.problems)),
        }
    }
}

fn unknown(name: &str) -> String {
    let closest = TABLE.iter().max_by(|a, b| {
        strsim::jaro_winkler(a.name, name).total_cmp(&strsim::jaro_winkler(b.name, name)).then(b.name.cmp(a.name))
    });
    match closest {
        Some(setting) => format!("`{name}` is not a setting; did you mean `{}`?", setting.name),
        None => format!("`{name}` is not a setting"),
    }
}

fn settings(values: &mut Reader, raw: &RawSettings, ci: &BTreeMap<String, String>) -> Option<Settings> {
    let ci = |name: &str| ci.get(name).filter(|value| !value.is_empty()).cloned();
    let report = Report {
        relative_to: text(raw.relative_to.as_deref()).map(|path| match path.trim_end_matches('/') {
            "" => "/".to_owned(),
            trimmed => trimmed.to_owned(),
        }),
        fail_on_drift: values.flag("fail_on_drift", raw.fail_on_drift.as_deref(), false),
        report_unknown: values.flag("report_unknown", raw.report_unknown.as_deref(), false),
        per_host: values.flag("per_host", raw.per_host.as_deref(), false),
        details: values.flag("details", raw.details.as_deref(), false),
        dry_run: values.flag("dry_run", raw.dry_run.as_deref(), false),
        payload_file: text(raw.payload_file.as_deref()).map(PathBuf::from),
    };
    let ignore = Ignore {
        files: values.globs("ignore", raw.ignore.as_deref()),
        tasks: values.globs("ignore_tasks", raw.ignore_tasks.as_deref()),
        plays: values.globs("ignore_plays", raw.ignore_plays.as_deref()),
    };
    let repo = text(raw.repo_name.as_deref()).or_else(|| ci("CI_REPO_NAME"));
    let repo = values.required("repo_name", repo, "the repository's name");
    let server = text(raw.server_name.as_deref());
    let server = if report.per_host {
        Some(server.unwrap_or_default())
    } else {
        values.required("server_name", server, "the name the dashboard shows for this server, or set `per_host: true`")
    };
    let status_server = status_server(values, raw, report.dry_run);
    let check = check(values, raw);
    Some(Settings {
        ansible: check?,
        ignore,
        identity: Identity {
            repo: repo?,
            server: server?,
            pipeline: Pipeline {
                commit: ci("CI_COMMIT_SHA"),
                branch: ci("CI_COMMIT_BRANCH"),
                event: ci("CI_PIPELINE_EVENT"),
                url: ci("CI_PIPELINE_URL"),
            },
        },
        report,
        status_server,
    })
}

fn check(values: &mut Reader, raw: &RawSettings) -> Option<AnsibleSettings> {
    let playbooks = values.list("playbook", raw.playbook.as_deref());
    if playbooks.is_empty() && raw.playbook.as_deref().is_none_or(|value| value.trim().is_empty()) {
        values.problems.push("`playbook` is not set; name the playbook to run, such as ansible/site.yml".to_owned());
    }
    let limit = values.list("limit", raw.limit.as_deref());
    let check = AnsibleSettings {
        playbooks,
        inventory: values.inventory(raw.inventory.as_deref()),
        check_mode: values.flag("check", raw.check.as_deref(), true),
        limit: (!limit.is_empty()).then(|| limit.join(",")),
        tags: values.list("tags", raw.tags.as_deref()),
        skip_tags: values.list("skip_tags", raw.skip_tags.as_deref()),
        extra_vars: values.extra_vars(raw.extra_vars.as_deref()),
        user: text(raw.user.as_deref()),
        use_become: values.flag("become", raw.use_become.as_deref(), false),
        forks: values.number("forks", raw.forks.as_deref(), 1, 10_000),
        verbosity: values.number("verbosity", raw.verbosity.as_deref(), 0, 6).unwrap_or(0),
        ansible_config: text(raw.ansible_config.as_deref()),
        ansible_env: values.ansible_env(raw.ansible_env.as_deref()),
        args: values.arguments(raw.args.as_deref()),
        timeout: values.duration("timeout", raw.timeout.as_deref(), Duration::from_secs(600)),
        galaxy_requirements: text(raw.galaxy_requirements.as_deref()),
        ssh: ssh(values, raw),
        vault_password: secret(raw.vault_password.as_deref()),
    };
    (!check.playbooks.is_empty()).then_some(check)
}

fn ssh(values: &mut Reader, raw: &RawSettings) -> Ssh {
    let private_key = secret(raw.ssh_private_key.as_deref()).and_then(|key| {
        let repaired = ssh_key::repaired(key.expose());
        repaired.map_err(|problem| values.problems.push(format!("`ssh_private_key` {problem}"))).ok()
    });
    let known_hosts = text(raw.ssh_known_hosts.as_deref()).map(|lines| lines.replace("\r\n", "\n") + "\n");
    let given = text(raw.host_key_checking.as_deref());
    let host_key_checking = given.map(|_| values.flag("host_key_checking", raw.host_key_checking.as_deref(), true));
    if known_hosts.is_some() && host_key_checking == Some(false) {
        values.problems.push(
            "`ssh_known_hosts` is set and `host_key_checking` is false: one asks for strict checking, the other for \
             none; remove one"
                .to_owned(),
        );
    }
    Ssh { private_key, known_hosts, host_key_checking }
}

fn status_server(values: &mut Reader, raw: &RawSettings, dry_run: bool) -> Option<StatusServer> {
    let token = secret(raw.status_server_token.as_deref());
    if token.as_ref().is_some_and(|token| !printable(token.expose())) {
        values.problems.push(
            "`status_server_token` holds a line break or another character no header can carry; \
             store it as one line"
                .to_owned(),
        );
    }
    let headers = values.headers(raw.headers.as_deref());
    let http_timeout = values.duration("http_timeout", raw.http_timeout.as_deref(), Duration::from_secs(10));
    let retry_for = values.duration("retry_for", raw.retry_for.as_deref(), Duration::from_secs(60));
    let insecure_skip_verify = values.flag("insecure_skip_verify", raw.insecure_skip_verify.as_deref(), false);
    let url = text(raw.gitops_status_server_url.as_deref());
    let Some(url) = url else {
        if !dry_run {
            values.problems.push(
                "`gitops_status_server_url` is not set; write the status server's base URL, such as \
                 http://gitops-status-server, or set `dry_run: true`"
                    .to_owned(),
            );
        }
        return None;
    };
    let (endpoint, basic_auth) = match endpoint(&url) {
        Ok(parsed) => parsed,
        Err(problem) => {
            values.problems.push(format!("`gitops_status_server_url` {problem}"));
            return None;
        }
    };
    if basic_auth.is_some() && token.is_some() {
        values.problems.push(
            "`gitops_status_server_url` holds a user and `status_server_token` is set: both would be the \
             Authorization header; remove one"
                .to_owned(),
        );
    }
    Some(StatusServer {
        endpoint,
        basic_auth,
        token,
        headers,
        ca_cert: text(raw.ca_cert.as_deref()),
        insecure_skip_verify,
        http_timeout,
        retry_for,
    })
}
