//! Why a result is no proof. What a module's message means is decided here, once, where the message arrives.

use std::rc::Rc;

use crate::ansible::modules::Condition;
use crate::evidence::source::Source;
use crate::evidence::task::EmptyLoop;

/// Why a result is no proof. In the order in which the log lists them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhyUnverified {
    /// The host could not be reached, ignored or not.
    Unreachable(WhyUnreachable),
    /// The task failed, ignored or rescued or neither.
    Failed(WhyFailed),
    /// `failed_when` made a success of an answer that looks like a failure.
    FailureHidden,
    /// `no_log` hides whether `failed_when` made a success of a failure.
    FailureCensored,
    /// It hangs on a value that is unknown.
    DependsOn(Rc<Source>),
    /// A loop or an argument of it hangs on check mode.
    ArgumentOnCheckMode,
    /// It was skipped because the run is in check mode.
    SkippedInCheckMode,
    /// It was skipped because the run is in check mode, and a `rescue` would act if it failed.
    RescueUndecided,
    /// It was skipped by a `when` on `ansible_check_mode`.
    SkippedByCheckModeWhen,
    /// It skipped itself: it could not look.
    SkippedItself,
    /// It was skipped, and `no_log` hides why.
    SkipCensored,
    /// What it loops over came out empty, and that may be because something is missing.
    LoopFoundNothing(EmptyLoop),
    /// It started a background job that no task waits for.
    JobNotAwaited,
    /// Its module's answer would have been the same on a target that differs, or on one that does not.
    AnswerNoProof(&'static Condition),
    /// The file is there, and every touch of it says changed.
    TouchedAgain,
    /// What it copies is a directory without a file.
    NothingToCopy,
    /// What it copies is a directory with one file in it, and Ansible only tells how its last directory compares.
    LoneFile,
    /// Its module warns that it did not look.
    Disclaimed,
    /// A command's exit code answers nothing.
    ExitCodeNoAnswer(i64),
    /// It is a handler that would change something, and no task before it has shown a difference.
    HandlerAlone,
    /// `changed_when` replaces its answer, and no diff shows what the answer was.
    ChangeHidden,
    /// A loop reported fewer or more items than it has.
    ItemsMissing,
}

impl WhyUnverified {
    /// Whether the task failed or its host could not be reached.
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Failed(_) => true,
            Self::FailureHidden
            | Self::FailureCensored
            | Self::DependsOn(_)
            | Self::ArgumentOnCheckMode
            | Self::SkippedInCheckMode
            | Self::RescueUndecided
            | Self::SkippedByCheckModeWhen
            | Self::SkippedItself
            | Self::SkipCensored
            | Self::LoopFoundNothing(_)
            | Self::JobNotAwaited
            | Self::AnswerNoProof(_)
            | Self::TouchedAgain
            | Self::NothingToCopy
            | Self::LoneFile
            | Self::Disclaimed
            | Self::ExitCodeNoAnswer(_)
            | Self::HandlerAlone
            | Self::ChangeHidden
            | Self::ItemsMissing => false,
        }
    }
}

/// Why a host could not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WhyUnreachable {
    /// It shows another key than the known one.
    HostKeyChanged,
    /// Its key is not known.
    HostKeyUnknown,
    /// It refused the user or the key.
    AuthRefused,
    /// Anything else.
    Other,
}

impl WhyUnreachable {
    /// What ssh's message means.
    pub fn of(msg: Option<&str>) -> Self {
        match msg.unwrap_or_default() {
            msg if msg.contains("IDENTIFICATION HAS CHANGED") => Self::HostKeyChanged,
            msg if msg.contains("Host key verification") => Self::HostKeyUnknown,
            msg if msg.contains("Permission denied") => Self::AuthRefused,
            _ => Self::Other,
        }
    }
}

/// Why a task failed, where there is something to say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WhyFailed {
    /// sudo wants a terminal (`requiretty`), which a pipelined task has not.
    SudoWantsTerminal,
    /// It is `async`, which Ansible does not run in check mode.
    AsyncInCheckMode,
    /// Anything else.
    Other,
}

impl WhyFailed {
    /// What the messages of a failed task mean.
    pub fn of<'a>(messages: impl IntoIterator<Item = &'a str>) -> Self {
        let means = |message: &str| {
            if message.contains("must have a tty") {
                return Some(Self::SudoWantsTerminal);
            }
            // The first up to 2.16; later ones start the job, which does nothing and is not found then.
            let of_async = ["check mode and async cannot be used", "could not find job"];
            of_async.iter().any(|words| message.contains(words)).then_some(Self::AsyncInCheckMode)
        };
        messages.into_iter().find_map(means).unwrap_or(Self::Other)
    }
}
