//! What a playbook has shown, play by play and host by host.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::connection::KeyCheckBypass;
use crate::evidence::difference::Difference;
use crate::evidence::drift_name::DriftName;
use crate::evidence::event::{self, Recap};
use crate::evidence::markers::Markers;
use crate::evidence::source::Source;
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
    /// Parts of the limit that name nothing.
    pub limit_unmatched: BTreeSet<String>,
    /// Its recap, if it ran to its end.
    pub recap: Option<BTreeMap<String, Recap>>,
    /// Every host that was named or that anything ran on.
    pub hosts: BTreeMap<String, HostFacts>,
    /// Results that are no proof, those of one task for one reason together.
    pub unverified: BTreeMap<UnverifiedTask, UnverifiedResults>,
    /// `meta` tasks that ended something early, and how often.
    pub endings: BTreeMap<Ending, u64>,
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
    /// Parts of its host pattern that name nothing.
    pub unmatched: Vec<String>,
    /// A failure on one host may have ended it for all.
    pub ended_for_all: bool,
    /// It ends for all hosts when some have failed (`max_fail_percentage`).
    pub max_fail: bool,
    /// What decided which hosts it has, where that is unknown.
    pub hosts_depend_on: Option<Source>,
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
    /// When something first read or compared anything on it: the number of the event.
    pub first_look: Option<u64>,
    /// Tasks that were ok, changed ones included.
    pub tasks_ok: u64,
    /// Tasks that changed something, or would.
    pub tasks_changed: u64,
    /// What differs, as its tasks say it.
    pub drift: BTreeSet<Difference>,
    /// Names of what differed and was put right in this run.
    pub repaired: BTreeSet<DriftName>,
    /// Failures that the user's waiver and the playbook's `ignore_errors` accept together.
    pub accepted_failures: u64,
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

/// A `meta` task that ends something early.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ending {
    /// What it does, such as `end_play`.
    pub meta: String,
    /// The task.
    pub task: TaskRef,
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
    /// It may only read: its module does, or it is a command whose `changed_when` is plainly false.
    pub may_only_read: bool,
}

impl PlaybookFacts {
    /// The facts about a playbook that begins.
    pub fn new(options: event::Playbook) -> Self {
        Self {
            options,
            plays: Vec::new(),
            limit_unmatched: BTreeSet::new(),
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
    /// Counts what one result shows. `task` is the name of its task, `at` the number of its event.
    pub fn count(&mut self, outcome: TaskOutcome, task: &str, at: u64) {
        match outcome {
            TaskOutcome::NotAsked | TaskOutcome::Waived | TaskOutcome::Unverified { .. } => return,
            TaskOutcome::Read => self.looked += 1,
            TaskOutcome::Verified => self.verified += 1,
            TaskOutcome::Drifted { differences, repaired } => {
                self.looked += 1;
                if repaired {
                    self.repaired.extend(differences.iter().map(|difference| difference.name.clone()));
                } else {
                    self.compared_changed.get_or_insert_with(|| task.to_owned());
                }
                self.drift.extend(differences);
            }
        }
        self.first_look.get_or_insert(at);
    }
}
