//! What a playbook has shown, play by play and host by host.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::event::{self, Recap};
use crate::evidence::markers::Markers;
use crate::evidence::task_outcome::Cause;

/// One playbook file of the run.
#[derive(Debug)]
pub struct PlaybookFacts {
    /// The options it ran with.
    pub options: event::Playbook,
    /// Its plays, in order.
    pub plays: Vec<PlayFacts>,
    /// Its recap, if it ran to its end.
    pub recap: Option<BTreeMap<String, Recap>>,
    /// Every host that was named or that anything ran on.
    pub hosts: BTreeMap<String, HostFacts>,
    /// Why results are no proof, by task: its name and its place.
    pub doubts: BTreeMap<(Cause, String, Option<String>), UnverifiedTask>,
    /// `meta` tasks that ended something early: what they did, and how often.
    pub endings: BTreeMap<String, u64>,
    /// Statements made for several hosts: the speaker, and whom it spoke for.
    pub summaries: BTreeMap<String, BTreeSet<String>>,
}

/// One play.
#[derive(Debug)]
pub struct PlayFacts {
    /// Its name.
    pub name: String,
    /// Whether it was in check mode.
    pub check: bool,
    /// Whether `ignore_plays` names it.
    pub waived: bool,
    /// The hosts it names and Ansible's inventory holds, with those that took part.
    pub named: BTreeMap<String, bool>,
    /// It matched no host.
    pub no_hosts: bool,
    /// A failure on one host may have ended it for all.
    pub ended_for_all: bool,
    pub(crate) max_fail: bool,
}

/// What one host has shown in one playbook.
#[derive(Debug, Default)]
pub struct HostFacts {
    /// A play names it and it stands in an inventory.
    pub to_check: bool,
    /// At least one task answered on it.
    pub answered: bool,
    /// Results that compared what they manage and found it as it should be.
    pub verified: u64,
    /// Results that read something on it.
    pub looked: u64,
    /// Tasks that were ok, changed ones included.
    pub tasks_ok: u64,
    /// Tasks that changed something, or would.
    pub tasks_changed: u64,
    /// Names of what differs, as its tasks say it.
    pub drift: BTreeSet<String>,
    /// A task that compared something and found a difference.
    pub compared_changed: Option<String>,
    /// What it states itself by markers.
    pub statement: Markers,
    /// The variable or connection plugin because of which its key may not have been checked.
    pub unchecked_by: Option<String>,
    /// The variable by which its connection may be another run's.
    pub shared_by: Option<String>,
}

impl HostFacts {
    /// Whether anything was read or compared on it.
    pub fn was_looked_at(&self) -> bool {
        self.verified + self.looked > 0
    }
}

/// Results of one task that are no proof for the same reason.
#[derive(Debug, Default)]
pub struct UnverifiedTask {
    /// The hosts it happened on.
    pub hosts: BTreeSet<String>,
    /// How many results.
    pub count: u64,
    /// What the first of them said.
    pub detail: Option<String>,
    /// The task only probes: it says `changed_when: false`.
    pub probe: bool,
}
