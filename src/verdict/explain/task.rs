//! Why a task's results are no proof, as the end of a sentence that begins with the task.

use crate::evidence::source::{Source, WhyUnknown};
use crate::evidence::task::EmptyLoop;
use crate::evidence::unverified::WhyUnverified;

/// The end of a sentence that begins with the task.
pub(super) fn unverified(why: &WhyUnverified) -> String {
    let words = match why {
        WhyUnverified::DependsOn(source) => return format!("depends on {}", source_of(source)),
        WhyUnverified::ExitCodeNoAnswer(code) => {
            return format!("ended with exit code {code}, which its `changed_when` and `failed_when` do not speak of");
        }
        WhyUnverified::AnswerNoProof(condition) => condition.because,
        WhyUnverified::ArgumentOnCheckMode => "has a loop or an argument that depends on ansible_check_mode",
        WhyUnverified::Unreachable(_) => "could not reach the host",
        WhyUnverified::Failed(_) => "failed",
        WhyUnverified::FailureHidden => "answered like a failure, and `failed_when` made it a success",
        WhyUnverified::FailureCensored => "has `failed_when` and `no_log`, so a failure of it would not be seen",
        WhyUnverified::SkippedInCheckMode => "was skipped because of check mode",
        WhyUnverified::RescueUndecided => "was skipped because of check mode, and a `rescue` acts where it fails",
        WhyUnverified::SkippedByCheckModeWhen => "was skipped by its `when` on ansible_check_mode",
        WhyUnverified::SkippedItself => "skipped itself",
        WhyUnverified::SkipCensored => "was skipped, and `no_log` hides why",
        WhyUnverified::LoopFoundNothing(EmptyLoop::Files) => "loops over a file glob that matched nothing",
        WhyUnverified::LoopFoundNothing(EmptyLoop::Found) => {
            "loops over what `find` found on the controller, which was nothing"
        }
        WhyUnverified::LoopFoundNothing(EmptyLoop::FirstFound) => {
            "loops over the first of several files, and found none"
        }
        WhyUnverified::LoopFoundNothing(EmptyLoop::ErrorsIgnored) => {
            "loops over a lookup whose errors are ignored, and found nothing"
        }
        WhyUnverified::JobNotAwaited => "started a job that nobody waited for",
        WhyUnverified::TouchedAgain => "touches a file that is there, which says changed each time",
        WhyUnverified::NothingToCopy => "copies a directory that holds no file on the controller",
        WhyUnverified::LoneFile => {
            "copies a directory with one file in it, and Ansible does not tell whether that differs"
        }
        WhyUnverified::Disclaimed => "warns that it could not look",
        WhyUnverified::HandlerAlone => {
            "is a handler that would change something, and no task before it shows a difference"
        }
        WhyUnverified::ChangeHidden => "sets `changed_when`, and no diff shows whether anything differs",
        WhyUnverified::ItemsMissing => "did not report every item of its loop",
    };
    words.to_owned()
}

/// What an unknown value comes from, and why it is unknown.
pub(super) fn source_of(source: &Source) -> String {
    let (task, why) = match source {
        Source::Task { task, why, .. } => (&task.name, why),
        Source::GoneHost { host } => return format!("host `{host}`, which failed or could not be reached"),
        Source::LimitedHost { host } => return format!("host `{host}`, which `limit` leaves out"),
        Source::Prompt { name } => return format!("variable `{name}`, which a prompt asked for and nobody answered"),
        Source::CheckMode => return "`ansible_check_mode`, which is false in a real run".to_owned(),
        Source::Unreadable { what } => return format!("something that cannot be read: {what}"),
    };
    let because = match why {
        WhyUnknown::SkippedInCheckMode => "did not run in check mode",
        WhyUnknown::SkippedItself => "skipped itself",
        WhyUnknown::HeldBack => "would have run if not in check mode",
        WhyUnknown::Hidden => "hides by `no_log` whether it ran",
        WhyUnknown::DidNotLook => "could not look everywhere",
        WhyUnknown::NoProof => "answers the same in check mode, whatever it finds",
        WhyUnknown::NotAnswered => "asks a question that nobody answered",
        WhyUnknown::NotReached => "did not reach its host",
        WhyUnknown::HangsOnCheckMode => "depends on ansible_check_mode",
        WhyUnknown::Waived => "is ignored",
    };
    format!("`{task}`, which {because}")
}
