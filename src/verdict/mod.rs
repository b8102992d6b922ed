//! What a run comes to: a claim about all of it, one about each host, and everything that forbids a better one.

pub mod reason;
mod about_run;
mod about_hosts;
mod about_statements;
pub mod judge;
pub mod explain;
pub mod waiver;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use crate::ansible::preflight::NotStarted;
use crate::evidence::drift_name::DriftName;
use crate::evidence::unverified::{WhyUnreachable, WhyUnverified};
use crate::output::redact::Redactor;
use crate::settings::Settings;
use crate::verdict::reason::{Finding, Reason};

/// What is claimed. It is serialized as its word in the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncStatus {
    /// Everything asked for was checked and nothing differs.
    Synced,
    /// At least one thing was proven to differ.
    OutOfSync {
        /// The names of what differs; never empty.
        files: BTreeSet<DriftName>,
    },
    /// Nothing can be claimed.
    Unknown,
}

impl SyncStatus {
    /// What can be claimed where `files` differ and everything else was checked or was not.
    fn of(files: BTreeSet<DriftName>, complete: bool) -> Self {
        match (files.is_empty(), complete) {
            (false, _) => Self::OutOfSync { files },
            (true, true) => Self::Synced,
            (true, false) => Self::Unknown,
        }
    }

    /// Its word in the payload.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Synced => "SYNCED",
            Self::OutOfSync { .. } => "OUT_OF_SYNC",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The names of what differs, sorted.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &DriftName> {
        const NONE: &BTreeSet<DriftName> = &BTreeSet::new();
        match self {
            Self::OutOfSync { files } => files.iter(),
            Self::Synced | Self::Unknown => NONE.iter(),
        }
    }
}

impl Serialize for SyncStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// What is claimed about one host.
#[derive(Debug, PartialEq, Eq)]
pub struct HostVerdict {
    /// The claim.
    pub status: SyncStatus,
    /// Names that differ and were ignored.
    pub ignored: BTreeSet<DriftName>,
    /// Tasks that were ok, changed ones included.
    pub tasks_ok: u64,
    /// Tasks that changed something, or would.
    pub tasks_changed: u64,
}

/// The outcome of a run.
#[derive(Debug)]
pub struct Verdict {
    /// The claim about the whole run.
    pub status: SyncStatus,
    /// Everything that forbids `SYNCED`; empty when the check was complete.
    pub findings: Vec<Finding>,
    /// The claim about each host, by inventory name.
    pub hosts: BTreeMap<String, HostVerdict>,
    /// Hosts that `OUT_OF_SYNC` is stated of, and that no task looked at.
    pub unseen: Vec<String>,
    /// Items of `ignore` that name an attribute of a file that counts all the same, with the hosts: more differs there.
    pub more_differs: BTreeMap<String, BTreeSet<String>>,
}

impl Verdict {
    /// Whether a host key that is not known may be what forbids a better claim: of a server, or of one that
    /// `galaxy_requirements` names. What a jump host refuses, ssh keeps to itself; that may be it where all known host keys
    /// are those of `ssh_known_hosts`.
    pub fn may_lack_host_key(&self, settings: &Settings) -> bool {
        self.findings.iter().any(|finding| match finding.reason {
            Reason::Task { why: WhyUnverified::Unreachable(WhyUnreachable::HostKeyUnknown), .. }
            | Reason::NotStarted(NotStarted::NotInstalled { .. }) => true,
            Reason::Task { why: WhyUnverified::Unreachable(WhyUnreachable::Other), .. } => {
                settings.ansible.ssh.known_hosts.is_some()
            }
            _ => false,
        })
    }

    /// Whether everything asked for was checked.
    pub fn complete(&self) -> bool {
        self.findings.is_empty()
    }

    /// What was found that holds for one host: its own and the run's.
    pub fn findings_for<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Finding> {
        self.findings
            .iter()
            .filter(move |finding| finding.hosts.is_empty() || finding.hosts.iter().any(|name| name == host))
    }

    /// Takes secrets out of the names of files, tasks and plays: they go into the payload, which every viewer of the dashboard
    /// reads.
    pub fn hide(&mut self, redactor: &Redactor) {
        let redact = |names: &mut BTreeSet<DriftName>| {
            *names = names.iter().map(|name| name.with_text(|text| redactor.text(text))).collect();
        };
        for host in self.hosts.values_mut() {
            redact(&mut host.ignored);
        }
        for status in self.hosts.values_mut().map(|host| &mut host.status).chain([&mut self.status]) {
            if let SyncStatus::OutOfSync { files } = status {
                redact(files);
            }
        }
        for name in self.findings.iter_mut().flat_map(|finding| finding.reason.names_mut()) {
            *name = redactor.text(name);
        }
    }
}
