//! What can forbid `SYNCED`, as types. How each is said stands in [`crate::verdict::explain`].

use std::rc::Rc;

use crate::ansible::preflight::NotStarted;
use crate::evidence::connection::KeyCheckBypass;
use crate::evidence::event_file::Damage;
use crate::evidence::markers::MarkerProblem;
use crate::evidence::source::Source;
use crate::evidence::task::TaskRef;
use crate::evidence::unverified::WhyUnverified;

/// A reason that forbids `SYNCED`. In the order in which the log lists them: the run first, then hosts, then tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The playbook was not run.
    NotStarted(NotStarted),
    /// The run was cancelled.
    Cancelled {
        /// The signal's number.
        signal: i32,
    },
    /// The run was ended because its time was up.
    TimedOut {
        /// The task that had begun last.
        during: Option<String>,
    },
    /// `ansible-playbook` was killed by somebody else.
    Killed {
        /// The signal's number.
        signal: i32,
        /// The task that had begun last.
        during: Option<String>,
    },
    /// It exited with a code other than 0 that no failed host explains.
    ExitCode(i32),
    /// The callback was never loaded.
    NoEvents,
    /// The events could not be read to their end.
    EventsDamaged(Damage),
    /// The callback reported an error of its own.
    CallbackFailed,
    /// A playbook did not begin; `None` where more of them ran than the settings name.
    PlaybookNotRun {
        /// Its file.
        file: Option<String>,
    },
    /// A playbook has no recap.
    PlaybookUnfinished {
        /// Its file.
        file: String,
    },
    /// A playbook did not run in check mode although it was asked for.
    NotInCheckMode {
        /// Its file.
        file: String,
    },
    /// A limit the settings did not ask for, or none although they do.
    LimitNotAsked {
        /// The limit of the run.
        limit: Option<String>,
    },
    /// Tags the settings did not ask for, or others.
    TagsNotAsked {
        /// The tags of the run.
        tags: Vec<String>,
    },
    /// Skipped tags the settings did not ask for, or others.
    SkipTagsNotAsked {
        /// The skipped tags of the run.
        tags: Vec<String>,
    },
    /// `--start-at-task`.
    StartAtTask {
        /// The task it names.
        task: String,
    },
    /// `--step`.
    Step,
    /// No play ran.
    NoPlay,
    /// No host of an inventory took part.
    NoHost,
    /// A play matched no host.
    PlayMatchedNoHost {
        /// Its name.
        play: String,
    },
    /// A part of a play's host pattern names nothing.
    PatternMatchedNothing {
        /// The play.
        play: String,
        /// The part.
        pattern: String,
    },
    /// A part of the limit names nothing.
    LimitMatchedNothing {
        /// The part.
        pattern: String,
    },
    /// Which hosts a play has hangs on a value that is unknown.
    PlayHostsUnknown {
        /// Its name.
        play: String,
        /// What the value comes from.
        source: Source,
    },
    /// A question of `vars_prompt` was not answered: its default was taken, which nobody has chosen.
    PromptNotAnswered {
        /// The variable.
        variable: String,
    },
    /// A play turned check mode off for itself.
    PlayNotInCheckMode {
        /// Its name.
        play: String,
    },
    /// A `meta` task kept the rest of a play from running.
    EndedEarly {
        /// What it does, such as `end_play`.
        meta: String,
        /// The task.
        task: TaskRef,
    },
    /// A host took no part; in any play, or in this one.
    HostTookNoPart {
        /// The play that names it.
        play: Option<String>,
    },
    /// A host is missing from the recap.
    HostNotInRecap,
    /// The recap counts a failure no event told of.
    FailureInRecap,
    /// A host's key was not held against `ssh_known_hosts`.
    HostKeyNotChecked {
        /// What kept it from being asked.
        by: KeyCheckBypass,
    },
    /// The connection to a host may have been another run's.
    SharedConnection {
        /// The variable that says so.
        by: &'static str,
    },
    /// Another host's failure may have kept tasks from running on this one.
    EndedByOthers {
        /// The play that ended.
        play: String,
    },
    /// Nothing was verified on a host.
    NothingVerified,
    /// A playbook with markers never looked at a host.
    NothingLooked,
    /// Nobody states a status.
    NoStatement,
    /// A statement contradicts itself or cannot be read.
    BrokenStatement {
        /// The task that states it.
        task: String,
        /// What is wrong with it.
        problem: MarkerProblem,
    },
    /// A host says SYNCED, and a task found a difference.
    Contradicted {
        /// The task that found it.
        task: String,
    },
    /// One status was stated for several hosts, and each needs its own.
    StatedForAll {
        /// The task that states it.
        task: String,
    },
    /// Results of a task are no proof.
    Task {
        /// The task.
        task: TaskRef,
        /// Why.
        why: WhyUnverified,
        /// It may only read.
        may_only_read: bool,
    },
}

impl Reason {
    /// The place in the order in which the log lists reasons.
    pub(crate) fn rank(&self) -> (u8, Option<WhyUnverified>) {
        let rank = match self {
            Self::NotStarted(_) => 0,
            Self::Cancelled { .. } => 1,
            Self::TimedOut { .. } => 2,
            Self::Killed { .. } => 3,
            Self::ExitCode(_) => 4,
            Self::NoEvents => 5,
            Self::EventsDamaged(_) => 6,
            Self::CallbackFailed => 7,
            Self::PlaybookNotRun { .. } => 8,
            Self::PlaybookUnfinished { .. } => 9,
            Self::NotInCheckMode { .. } => 10,
            Self::LimitNotAsked { .. } => 11,
            Self::TagsNotAsked { .. } => 12,
            Self::SkipTagsNotAsked { .. } => 13,
            Self::StartAtTask { .. } => 14,
            Self::Step => 15,
            Self::NoPlay => 16,
            Self::NoHost => 17,
            Self::PlayMatchedNoHost { .. }
            | Self::PatternMatchedNothing { .. }
            | Self::LimitMatchedNothing { .. }
            | Self::PlayHostsUnknown { .. }
            | Self::PromptNotAnswered { .. } => 18,
            Self::PlayNotInCheckMode { .. } => 19,
            Self::EndedEarly { .. } => 20,
            Self::HostTookNoPart { .. } => 21,
            Self::HostNotInRecap => 22,
            Self::FailureInRecap => 23,
            Self::HostKeyNotChecked { .. } => 24,
            Self::SharedConnection { .. } => 25,
            Self::EndedByOthers { .. } => 26,
            Self::NothingVerified => 27,
            Self::NothingLooked => 28,
            Self::NoStatement => 29,
            Self::BrokenStatement { .. } => 30,
            Self::Contradicted { .. } => 31,
            Self::StatedForAll { .. } => 32,
            Self::Task { why, .. } => return (33, Some(why.clone())),
        };
        (rank, None)
    }

    /// The file and line it is about.
    pub fn place(&self) -> Option<&str> {
        if let Self::Task { task, .. } | Self::EndedEarly { task, .. } = self { task.place.as_deref() } else { None }
    }

    /// The task whose results are no proof.
    pub fn task_name(&self) -> Option<&str> {
        if let Self::Task { task, .. } = self { Some(&task.name) } else { None }
    }

    /// The unknown value that a task depends on.
    pub fn source(&self) -> Option<&Source> {
        if let Self::Task { why: WhyUnverified::DependsOn(source), .. } = self { Some(source) } else { None }
    }

    /// Whether it says that the run was cut off or never began, which explains everything that is missing at its end.
    pub fn is_cut_off(&self) -> bool {
        matches!(self, Self::NotStarted(_) | Self::TimedOut { .. } | Self::Killed { .. })
    }

    /// Whether it only says that something is missing at the end of a run.
    pub fn follows_from_cut_off(&self) -> bool {
        matches!(
            self,
            Self::PlaybookUnfinished { .. }
                | Self::PlaybookNotRun { .. }
                | Self::NothingVerified
                | Self::NothingLooked
                | Self::NoStatement
        )
    }

    /// The names in it that come from the repository, which may hold a secret.
    pub(crate) fn names_mut(&mut self) -> Vec<&mut String> {
        match self {
            Self::TimedOut { during: name } | Self::Killed { during: name, .. } => name.iter_mut().collect(),
            Self::PlaybookNotRun { file } => file.iter_mut().collect(),
            Self::HostTookNoPart { play } => play.iter_mut().collect(),
            Self::LimitNotAsked { limit } => limit.iter_mut().collect(),
            Self::TagsNotAsked { tags } | Self::SkipTagsNotAsked { tags } => tags.iter_mut().collect(),
            Self::PlaybookUnfinished { file } | Self::NotInCheckMode { file } => vec![file],
            Self::PlayMatchedNoHost { play } | Self::PlayNotInCheckMode { play } | Self::EndedByOthers { play } => {
                vec![play]
            }
            Self::PatternMatchedNothing { play, pattern } => vec![play, pattern],
            Self::LimitMatchedNothing { pattern } => vec![pattern],
            Self::PlayHostsUnknown { play, source } => {
                let mut names = source.names_mut();
                names.push(play);
                names
            }
            Self::PromptNotAnswered { variable } => vec![variable],
            Self::StartAtTask { task } | Self::Contradicted { task } | Self::StatedForAll { task } => vec![task],
            Self::BrokenStatement { task, problem } => match problem {
                MarkerProblem::UnknownStatus(status) => vec![task, status],
                MarkerProblem::EmptyStatus
                | MarkerProblem::BothStatuses
                | MarkerProblem::TwoLists
                | MarkerProblem::SyncedWithFiles
                | MarkerProblem::FilesWithoutStatus
                | MarkerProblem::UnreadableFiles => vec![task],
                MarkerProblem::DependsOn(source) => {
                    let mut names = source.names_mut();
                    names.push(task);
                    names
                }
            },
            Self::Task { task, why: WhyUnverified::DependsOn(source), .. } => {
                let mut names = Rc::make_mut(source).names_mut();
                names.push(&mut task.name);
                names
            }
            Self::Task { task, .. } | Self::EndedEarly { task, .. } => vec![&mut task.name],
            Self::NotStarted(_)
            | Self::Cancelled { .. }
            | Self::ExitCode(_)
            | Self::NoEvents
            | Self::EventsDamaged(_)
            | Self::CallbackFailed
            | Self::Step
            | Self::NoPlay
            | Self::NoHost
            | Self::HostNotInRecap
            | Self::FailureInRecap
            | Self::HostKeyNotChecked { .. }
            | Self::SharedConnection { .. }
            | Self::NothingVerified
            | Self::NothingLooked
            | Self::NoStatement => Vec::new(),
        }
    }
}

/// A reason, and where it was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The reason.
    pub reason: Reason,
    /// The hosts it holds for; empty for the whole run.
    pub hosts: Vec<String>,
    /// How many results it stands for, where that is more than its hosts.
    pub count: u64,
    /// What Ansible or a module said. May hold module output: for the log alone.
    pub said: Option<String>,
}

/// What was found, as it is found.
#[derive(Default)]
pub(crate) struct Findings {
    pub list: Vec<Finding>,
}

impl Findings {
    /// Something that holds for the whole run.
    pub fn about_run(&mut self, reason: Reason) {
        self.list.push(Finding { reason, hosts: Vec::new(), count: 0, said: None });
    }

    /// Something that holds for some hosts; for none of them it is not found.
    pub fn about_hosts<'a>(&mut self, reason: Reason, hosts: impl IntoIterator<Item = &'a String>) {
        let hosts: Vec<String> = hosts.into_iter().cloned().collect();
        if !hosts.is_empty() {
            self.list.push(Finding { reason, count: hosts.len() as u64, hosts, said: None });
        }
    }
}
