//! What can forbid `SYNCED`: each rule by its name, and what it was met on.

use crate::evidence::task_outcome::Cause;

/// A rule that forbids `SYNCED`. In the order the log lists them: the run first, then hosts, then tasks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// `ansible-playbook` could not be started.
    NotStarted,
    /// It was cancelled.
    Cancelled,
    /// It was ended because its time was up.
    TimedOut,
    /// It was killed by somebody else.
    Killed,
    /// It exited with a code other than 0 that no failed host explains.
    ExitCode,
    /// The callback was never loaded.
    NoEvents,
    /// The events could not be read to their end.
    EventsDamaged,
    /// The callback reported an error of its own.
    CallbackFailed,
    /// A playbook did not begin.
    PlaybookNotRun,
    /// A playbook has no recap.
    PlaybookUnfinished,
    /// Nothing ran in check mode although it was asked for.
    NotInCheckMode,
    /// A limit the settings did not ask for, or another one.
    LimitNotAsked,
    /// Tags the settings did not ask for, or others.
    TagsNotAsked,
    /// Skipped tags the settings did not ask for, or others.
    SkipTagsNotAsked,
    /// `--start-at-task`.
    StartAtTask,
    /// `--step`.
    Step,
    /// No play ran.
    NoPlay,
    /// No host of an inventory took part.
    NoHost,
    /// A play matched no host.
    PlayMatchedNoHost,
    /// A play turned check mode off for itself.
    PlayNotInCheckMode,
    /// A `meta` task kept the rest of a play from running.
    EndedEarly,
    /// A play names the host, and it took no part.
    HostTookNoPart,
    /// The host is missing from the recap.
    HostNotInRecap,
    /// The recap counts a failure no event told of.
    FailureInRecap,
    /// The host's key was not held against `ssh_known_hosts`.
    HostKeyNotChecked,
    /// The connection to the host may have been another run's.
    SharedConnection,
    /// Another host's failure may have kept tasks from running on this one.
    EndedByOthers,
    /// Nothing was verified on the host.
    NothingVerified,
    /// A playbook with markers never looked at the host.
    NothingLooked,
    /// Nobody states a status for the host.
    NoStatement,
    /// A statement contradicts itself or cannot be read.
    BrokenStatement,
    /// The host says SYNCED, and a task found a difference.
    Contradicted,
    /// One status was stated for several hosts, and each needs its own.
    StatedForAll,
    /// A task's result is no proof.
    Task(Cause),
}

/// One thing that forbids `SYNCED`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The rule.
    pub rule: Rule,
    /// The hosts it holds for; empty for the whole run.
    pub hosts: Vec<String>,
    /// The task, play or playbook it is about.
    pub subject: Option<String>,
    /// The file and line of the task.
    pub place: Option<String>,
    /// What Ansible said, or the value that is wrong. May hold module output: for the log alone.
    pub detail: Option<String>,
    /// How many results it stands for, where that is more than its hosts.
    pub count: u64,
    /// The task only probes (`changed_when: false`), which has a better remedy than a waiver.
    pub probe: bool,
}

/// Reasons as they are found.
#[derive(Default)]
pub(crate) struct Reasons {
    pub list: Vec<Reason>,
}

impl Reasons {
    pub fn run(&mut self, rule: Rule, subject: Option<&str>, detail: Option<String>) {
        self.hosts(rule, Vec::new(), subject, detail);
    }

    pub fn hosts(&mut self, rule: Rule, hosts: Vec<String>, subject: Option<&str>, detail: Option<String>) {
        let count = hosts.len() as u64;
        let subject = subject.map(str::to_owned);
        self.list.push(Reason { rule, hosts, subject, place: None, detail, count, probe: false });
    }

    /// The same for hosts that were collected; none is no reason.
    pub fn collected<'a>(&mut self, rule: Rule, hosts: impl Iterator<Item = &'a String>, subject: Option<&str>) {
        let hosts: Vec<String> = hosts.cloned().collect();
        if !hosts.is_empty() {
            self.hosts(rule, hosts, subject, None);
        }
    }
}
