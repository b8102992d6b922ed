//! What a playbook has shown, play by play and host by host.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::connection::KeyCheckBypass;
use crate::evidence::drift_name::DriftName;
use crate::evidence::event::{self, Recap};
use crate::evidence::markers::Markers;
use crate::evidence::task::TaskRef;
use crate::evidence::task_outcome::TaskOutcome;
use crate::evidence::unverified::WhyUnverified;

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
    /// Results that are no proof, those of one task for one reason together.
    pub unverified: BTreeMap<UnverifiedTask, UnverifiedResults>,
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
    /// It ends for all hosts when some have failed (`max_fail_percentage`).
    pub max_fail: bool,
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
    pub drift: BTreeSet<DriftName>,
    /// A task that compared something and found a difference.
    pub compared_changed: Option<String>,
    /// What it states itself by markers.
    pub statement: Markers,
    /// What kept its key from being checked.
    pub key_check_bypass: Option<KeyCheckBypass>,
    /// The variable by which its connection may be another run's.
    pub shared_by: Option<&'static str>,
}

impl HostFacts {
    /// Whether anything was read or compared on it.
    pub fn was_looked_at(&self) -> bool {
        self.verified + self.looked > 0
    }
}

/// A task and why results of it are no proof.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnverifiedTask {
    /// Why.
    pub why: WhyUnverified,
    /// The task.
    pub task: TaskRef,
}

/// Results of one task that are no proof for one reason.
#[derive(Debug, Default)]
pub struct UnverifiedResults {
    /// The hosts it happened on.
    pub hosts: BTreeSet<String>,
    /// How many results.
    pub count: u64,
    /// What the first of them that said anything said.
    pub said: Option<String>,
    /// Its `changed_when` is plainly false.
    pub never_changed: bool,
}

impl PlaybookFacts {
    /// The facts about a playbook that begins.
    pub fn new(options: event::Playbook) -> Self {
        Self {
            options,
            plays: Vec::new(),
            recap: None,
            hosts: BTreeMap::new(),
            unverified: BTreeMap::new(),
            endings: BTreeMap::new(),
            summaries: BTreeMap::new(),
        }
    }

    /// Whether an event told that a task failed on a host, or that it could not be reached.
    pub fn tells_of_failure_on(&self, host: &str) -> bool {
        self.unverified.iter().any(|(task, results)| task.why.is_failure() && results.hosts.contains(host))
    }
}

impl HostFacts {
    /// Counts what one result shows. `task` is the name of its task.
    pub fn count(&mut self, outcome: TaskOutcome, task: &str) {
        match outcome {
            TaskOutcome::NotAsked | TaskOutcome::Waived | TaskOutcome::Unverified { .. } => {}
            TaskOutcome::Read => self.looked += 1,
            TaskOutcome::Verified => self.verified += 1,
            TaskOutcome::Drifted { names, compared } => {
                self.looked += 1;
                self.drift.extend(names);
                if compared {
                    self.compared_changed.get_or_insert_with(|| task.to_owned());
                }
            }
        }
    }
}
