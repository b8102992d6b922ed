//! What a run comes to: a claim about all of it, one about each host, and everything that forbids a better one.

pub mod reason;
pub mod judge;
pub mod explain;

use std::collections::{BTreeMap, BTreeSet};

use crate::output::redact::Redactor;
use crate::verdict::reason::Reason;

/// What is claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncStatus {
    /// Everything asked for was checked and nothing differs.
    Synced,
    /// At least one thing was proven to differ.
    OutOfSync {
        /// The names of what differs; never empty.
        files: BTreeSet<String>,
    },
    /// Nothing can be claimed.
    Unknown,
}

/// What is claimed about one host.
#[derive(Debug, PartialEq, Eq)]
pub struct HostVerdict {
    /// The claim.
    pub status: SyncStatus,
    /// Names that differ and were ignored.
    pub ignored: BTreeSet<String>,
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
    pub reasons: Vec<Reason>,
    /// The claim about each host, by inventory name.
    pub hosts: BTreeMap<String, HostVerdict>,
}

impl Verdict {
    /// Whether everything asked for was checked.
    pub fn complete(&self) -> bool {
        self.reasons.is_empty()
    }

    /// The reasons that hold for one host: its own and the run's.
    pub fn reasons_for<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Reason> {
        self.reasons
            .iter()
            .filter(move |reason| reason.hosts.is_empty() || reason.hosts.iter().any(|name| name == host))
    }

    /// Takes secrets out of the names of files and tasks: they go into the payload, which every viewer of the dashboard reads.
    pub fn hide(&mut self, redactor: &Redactor) {
        let hide_all = |names: &mut BTreeSet<String>| {
            *names = std::mem::take(names).iter().map(|name| redactor.text(name)).collect();
        };
        let claims = self.hosts.values_mut().map(|host| (&mut host.status, Some(&mut host.ignored)));
        for (status, ignored) in claims.chain([(&mut self.status, None)]) {
            if let SyncStatus::OutOfSync { files } = status {
                hide_all(files);
            }
            ignored.map(hide_all);
        }
        for subject in self.reasons.iter_mut().filter_map(|reason| reason.subject.as_mut()) {
            *subject = redactor.text(subject);
        }
    }
}
