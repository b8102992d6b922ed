//! What the status server is sent: the JSON of the contract, keys in this order, byte for byte.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::evidence::drift_name::DriftName;
use crate::output::escape::escaped_json;
use crate::settings::{Pipeline, Settings};
use crate::verdict::explain::{matter, sentence};
use crate::verdict::judge::{HostVerdict, SyncStatus, Verdict};

/// One status. The order of the fields is the order of the keys.
#[derive(Debug, Serialize)]
pub struct Payload<'a> {
    /// The repository.
    pub repo: &'a str,
    /// The server, or with `per_host` the host.
    pub server: &'a str,
    /// `SYNCED`, `OUT_OF_SYNC` or `UNKNOWN`.
    pub sync_status: &'a SyncStatus,
    /// How many files there are.
    pub drift_count: usize,
    /// What differs, sorted, without duplicates.
    pub files: Vec<DriftedFile<'a>>,
    /// When the check began: UTC, whole seconds, `Z`.
    pub last_check: String,
    /// Only with the setting `details`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Details<'a>>,
}

/// One thing that differs.
#[derive(Debug, Serialize)]
pub struct DriftedFile<'a> {
    /// Its path, or `module:name` where it is no file.
    pub name: &'a DriftName,
}

/// What `details` adds. Nothing here holds a diff, a module's output or a secret.
#[derive(Debug, Serialize)]
pub struct Details<'a> {
    /// The version of this object's shape.
    pub schema: u32,
    /// Each host's own status.
    pub hosts: BTreeMap<&'a str, HostDetails<'a>>,
    /// Why the check is not complete, a sentence each.
    pub reasons: Vec<String>,
    /// How long the run took, in whole seconds.
    pub duration_seconds: u64,
    /// `CI_COMMIT_SHA`.
    pub commit: Option<&'a str>,
    /// `CI_COMMIT_BRANCH`.
    pub branch: Option<&'a str>,
    /// `CI_PIPELINE_EVENT`.
    pub event: Option<&'a str>,
    /// `CI_PIPELINE_URL`.
    pub pipeline_url: Option<&'a str>,
    /// This program's version.
    pub plugin_version: &'static str,
    /// The version of ansible-core.
    pub ansible_version: Option<&'a str>,
}

/// One host in [`Details`].
#[derive(Debug, Serialize)]
pub struct HostDetails<'a> {
    /// Its own status.
    pub sync_status: &'a SyncStatus,
    /// What differs on it.
    pub files: Vec<&'a DriftName>,
    /// Tasks that were ok, changed ones included.
    pub tasks_ok: u64,
    /// Tasks that changed something, or would.
    pub tasks_changed: u64,
    /// What differs and is ignored; left out when there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<&'a DriftName>,
}

/// What a payload says of the run besides its verdict.
#[derive(Debug, Clone, Copy)]
pub struct RunInfo<'a> {
    /// The pipeline, for details.
    pub pipeline: &'a Pipeline,
    /// When the check began.
    pub started: OffsetDateTime,
    /// How long the run took.
    pub duration: Duration,
    /// The version of ansible-core, where it was told.
    pub ansible_version: Option<&'a str>,
}

/// What is to be sent.
#[derive(Debug, Default)]
pub struct Payloads {
    /// The JSON texts: one by the server's name, or with `per_host` one by each host's.
    pub texts: BTreeMap<String, String>,
    /// Hosts that nothing can be claimed for; not among the texts unless `report_unknown` is set.
    pub unknown: Vec<String>,
}

/// Words a verdict as the settings ask for it.
///
/// # Errors
/// Never for the types here; serde's signature allows for it.
pub fn payloads(settings: &Settings, verdict: &Verdict, run_info: &RunInfo<'_>) -> serde_json::Result<Payloads> {
    let Settings { identity, report, .. } = settings;
    let mut claims: Vec<(&str, &SyncStatus, Option<&str>)> = vec![(&identity.server, &verdict.status, None)];
    if report.per_host {
        claims =
            verdict.hosts.iter().map(|(host, claim)| (host.as_str(), &claim.status, Some(host.as_str()))).collect();
    }
    let mut payloads = Payloads::default();
    for (server, status, only) in claims {
        if *status == SyncStatus::Unknown {
            payloads.unknown.push(server.to_owned());
        }
        if *status != SyncStatus::Unknown || report.report_unknown {
            let details = report.details.then(|| Details::new(verdict, run_info, only));
            let payload = Payload::new(&identity.repo, server, status, run_info.started, details);
            payloads.texts.insert(server.to_owned(), payload.json()?);
        }
    }
    Ok(payloads)
}

impl<'a> Payload<'a> {
    /// A verdict as it is sent. `started` is when the check began.
    pub fn new(
        repo: &'a str,
        server: &'a str,
        status: &'a SyncStatus,
        started: OffsetDateTime,
        details: Option<Details<'a>>,
    ) -> Self {
        Self {
            repo,
            server,
            sync_status: status,
            drift_count: status.files().len(),
            files: status.files().map(|name| DriftedFile { name }).collect(),
            last_check: timestamp(started),
            details,
        }
    }

    /// The JSON text.
    ///
    /// # Errors
    /// Never for the types above; serde's signature allows for it.
    pub fn json(&self) -> serde_json::Result<String> {
        Ok(escaped_json(&serde_json::to_string(self)?))
    }
}

impl<'a> Details<'a> {
    fn new(verdict: &'a Verdict, run_info: &RunInfo<'a>, only: Option<&'a str>) -> Self {
        let hosts = verdict.hosts.iter().filter(|(host, _)| only.is_none_or(|only| only == *host));
        let pipeline = run_info.pipeline;
        Self {
            schema: 1,
            hosts: hosts.map(|(host, verdict)| (host.as_str(), HostDetails::new(verdict))).collect(),
            reasons: match only {
                None => verdict.findings.iter().map(sentence).collect(),
                Some(host) => verdict.findings_for(host).map(|finding| matter(&finding.reason)).collect(),
            },
            duration_seconds: run_info.duration.as_secs(),
            commit: pipeline.commit.as_deref(),
            branch: pipeline.branch.as_deref(),
            event: pipeline.event.as_deref(),
            pipeline_url: pipeline.url.as_deref(),
            plugin_version: env!("CARGO_PKG_VERSION"),
            ansible_version: run_info.ansible_version,
        }
    }
}

impl<'a> HostDetails<'a> {
    fn new(verdict: &'a HostVerdict) -> Self {
        Self {
            sync_status: &verdict.status,
            files: verdict.status.files().collect(),
            tasks_ok: verdict.tasks_ok,
            tasks_changed: verdict.tasks_changed,
            ignored: verdict.ignored.iter().collect(),
        }
    }
}

fn timestamp(moment: OffsetDateTime) -> String {
    // Infinity's queries fail on fractions of a second and on any offset but `Z`.
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    moment.to_offset(time::UtcOffset::UTC).format(&format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use time::macros::datetime;

    const MOMENT: OffsetDateTime = datetime!(2026-04-21 12:30:00.987 +2);

    #[test]
    fn both_templates_are_kept_byte_for_byte() {
        let synced = Payload::new("rsyslog", "rsyslog-lab", &SyncStatus::Synced, MOMENT, None);
        assert_eq!(
            synced.json().unwrap(),
            r#"{"repo":"rsyslog","server":"rsyslog-lab","sync_status":"SYNCED","drift_count":0,"files":[],"last_check":"2026-04-21T10:30:00Z"}"#
        );
        let files = ["rsyslog.d/30-lab.conf", "rsyslog.conf"].map(|name| DriftName::Path(name.to_owned()));
        let files = BTreeSet::from(files);
        let drift = SyncStatus::OutOfSync { files };
        assert_eq!(
            Payload::new("rsyslog", "rsyslog-lab", &drift, MOMENT, None).json().unwrap(),
            r#"{"repo":"rsyslog","server":"rsyslog-lab","sync_status":"OUT_OF_SYNC","drift_count":2,"files":[{"name":"rsyslog.conf"},{"name":"rsyslog.d/30-lab.conf"}],"last_check":"2026-04-21T10:30:00Z"}"#
        );
    }
}
