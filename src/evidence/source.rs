//! Where an unknown value comes from.

use crate::ansible::modules::Kind;
use crate::evidence::task::{KnownTask, TaskRef};
use crate::evidence::task_result::{DecidedBy, Status, TaskResult};

/// What an unknown value comes from in the first place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// An answer of a task that is not what it would be in a real run.
    Task {
        /// The task.
        task: TaskRef,
        /// Why.
        why: WhyUnknown,
        /// Its module is known to read and manage nothing.
        reads: bool,
    },
    /// A host that failed or could not be reached: what its tasks would have set is not known.
    GoneHost {
        /// The host.
        host: String,
    },
    /// A host of an earlier or this play that the limit leaves out.
    LimitedHost {
        /// The host.
        host: String,
    },
    /// A question of `vars_prompt` that nobody answered.
    Prompt {
        /// The variable.
        name: String,
    },
    /// The variable that tells a playbook whether it runs in check mode.
    CheckMode,
    /// A text whose names cannot be told.
    Unreadable {
        /// What, and why.
        what: String,
    },
}

/// Why a task's answer is not what it would be in a real run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WhyUnknown {
    /// Check mode skipped it.
    SkippedInCheckMode,
    /// It was skipped, and said neither that check mode nor that its own condition was the reason.
    SkippedItself,
    /// It answered that it would have run.
    HeldBack,
    /// `no_log` hides why it was skipped, or whether it looked everywhere.
    Hidden,
    /// It could not look everywhere it should.
    DidNotLook,
    /// Its answer would have been the same, whatever it found.
    NoProof,
    /// It asked a question, and nobody answered.
    NotAnswered,
    /// It did not reach its host.
    NotReached,
    /// Something in it hangs on check mode.
    HangsOnCheckMode,
    /// `ignore_tasks` names it, or `ignore_plays` its play.
    Waived,
}

impl Source {
    /// An answer of a task.
    pub fn of(known: &KnownTask, why: WhyUnknown) -> Self {
        Self::Task { task: known.task.reference(), why, reads: known.module.kind == Kind::Reads }
    }

    /// Whether it is a task that answered, and whose answer proves nothing.
    pub(crate) fn is_answer_without_proof(&self) -> bool {
        matches!(self, Self::Task { why: WhyUnknown::NoProof, .. })
    }
}

/// Why a result is not what it would be in a real run, going by the result alone.
pub(crate) fn why_unknown(known: &KnownTask, result: &TaskResult<'_>) -> Option<WhyUnknown> {
    let KnownTask { task, module, .. } = known;
    let always_runs = module.supports_check_mode() || matches!(module.kind, Kind::Controller | Kind::Include);
    match result.status {
        Status::Unreachable => Some(WhyUnknown::NotReached),
        // A task that ran and failed has given a real answer.
        Status::Failed => None,
        // What sums up items has been said by each of them.
        Status::Ok | Status::Skipped if result.sums_up_items() => None,
        Status::Ok if result.held_back => Some(WhyUnknown::HeldBack),
        Status::Ok if result.skipped_paths => Some(WhyUnknown::DidNotLook),
        Status::Ok if module.name == "pause" && result.answer().args.is_empty() => Some(WhyUnknown::NotAnswered),
        Status::Ok if says_the_same(known, result) => Some(WhyUnknown::NoProof),
        Status::Ok => (result.censored && module.name == "find").then_some(WhyUnknown::Hidden),
        Status::Skipped if result.censored => {
            let ordinary = !task.when.is_empty() && always_runs;
            (!ordinary).then_some(WhyUnknown::Hidden)
        }
        Status::Skipped => match result.decided_by() {
            DecidedBy::Condition(_) | DecidedBy::AnyCondition | DecidedBy::Loop => None,
            DecidedBy::Everything if result.answer().says_already_there() => None,
            DecidedBy::Everything if always_runs => Some(WhyUnknown::SkippedItself),
            DecidedBy::Everything => Some(WhyUnknown::SkippedInCheckMode),
        },
    }
}

/// Whether the task gave an answer that it would have given of another target, too.
fn says_the_same(known: &KnownTask, result: &TaskResult<'_>) -> bool {
    let proof = known.proof(result.answer());
    let lost = if result.changed { proof.changed_lost } else { proof.unchanged_lost };
    result.check_mode && !known.task.replaces_changed() && lost.is_some()
}

impl Source {
    /// The names in it that come from the repository, which may hold a secret.
    pub(crate) fn names_mut(&mut self) -> Vec<&mut String> {
        match self {
            Self::Task { task, .. } => vec![&mut task.name],
            Self::GoneHost { host: name } | Self::LimitedHost { host: name } | Self::Prompt { name } => vec![name],
            Self::CheckMode => Vec::new(),
            Self::Unreadable { what } => vec![what],
        }
    }
}
