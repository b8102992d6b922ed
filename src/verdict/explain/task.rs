//! Why a task's results are no proof, as the end of a sentence that begins with the task.

use crate::evidence::source::{Source, WhyUnknown};
use crate::evidence::task::EmptyLoop;
use crate::evidence::unverified::WhyUnverified;

/// The end of a sentence that begins with the task.
pub(super) fn unverified(why: &WhyUnverified) -> String {
    let words = match why {
        WhyUnverified::DependsOn(source) => return format!("depends on {}", source_of(source)),
        WhyUnverified::ExitCodeNoAnswer(code) => {
            return format!("ended with exit code {code}, which its `changed_when` and `failed_when` do not mention");
        }
        WhyUnverified::AnswerNoProof(condition) => condition.because,
        WhyUnverified::ArgumentOnCheckMode => "has a loop or an argument that depends on ansible_check_mode",
        WhyUnverified::Unreachable(_) => "could not reach the host",
        WhyUnverified::Failed(_) => "failed",
        WhyUnverified::FailureHidden => "reported an error that its `failed_when` hides",
        WhyUnverified::FailureCensored => "has `failed_when` and `no_log`, which would hide an error",
        WhyUnverified::SkippedInCheckMode => "was skipped because of check mode",
        WhyUnverified::RescueUndecided => {
            "was skipped because of check mode, and a `rescue` depends on whether it fails"
        }
        WhyUnverified::SkippedByCheckModeWhen => "was skipped because its `when` depends on ansible_check_mode",
        WhyUnverified::SkippedItself => "skipped itself",
        WhyUnverified::SkipCensored => "was skipped, and `no_log` hides why",
        WhyUnverified::LoopFoundNothing(EmptyLoop::Files) => "loops over a file glob that matched nothing",
        WhyUnverified::LoopFoundNothing(EmptyLoop::Found) => {
            "loops over what `find` finds on the controller, and it found nothing"
        }
        WhyUnverified::LoopFoundNothing(EmptyLoop::FirstFound) => {
            "loops over the first file of a list that exists, and none exists"
        }
        WhyUnverified::LoopFoundNothing(EmptyLoop::ErrorsIgnored) => {
            "loops over a lookup whose errors are ignored, and it returned nothing"
        }
        WhyUnverified::JobNotAwaited => "started a background job that no task waits for",
        WhyUnverified::TouchedAgain => "touches an existing file, which is reported as changed every time",
        WhyUnverified::NothingToCopy => "copies a directory that contains no file on the controller",
        WhyUnverified::LoneFile => {
            "copies a directory with a single file, and Ansible does not report whether that file differs"
        }
        WhyUnverified::Disclaimed => "warns that it could not check",
        WhyUnverified::HandlerAlone => {
            "is a handler that would change something, and no task before it shows a difference"
        }
        WhyUnverified::ChangeHidden => "sets `changed_when`, and there is no diff that shows whether anything differs",
        WhyUnverified::ItemsMissing => "did not report every item of its loop",
    };
    words.to_owned()
}

/// What an unknown value comes from, and why it is unknown.
pub(super) fn source_of(source: &Source) -> String {
    let (task, why) = match source {
        Source::Task { task, why, .. } => (&task.name, why),
        Source::GoneHost { host } => return format!("host `{host}`, which failed or could not be reached"),
        Source::LimitedHost { host } => return format!("host `{host}`, which `limit` excludes"),
        Source::Prompt { name } => return format!("variable `{name}`, a prompt that nobody could answer"),
        Source::CheckMode => return "`ansible_check_mode`, which is false in a real run".to_owned(),
        Source::Unreadable { what } => return format!("a value that cannot be determined: {what}"),
    };
    let because = match why {
        WhyUnknown::SkippedInCheckMode => "did not run in check mode",
        WhyUnknown::SkippedItself => "skipped itself",
        WhyUnknown::HeldBack => "check mode held back",
        WhyUnknown::Hidden => "does not show whether it ran (`no_log`)",
        WhyUnknown::DidNotLook => "could not search everywhere",
        WhyUnknown::NoProof => "answers the same in check mode, whatever it finds",
        WhyUnknown::NotAnswered => "asks a question that nobody answered",
        WhyUnknown::NotReached => "did not reach its host",
        WhyUnknown::HangsOnCheckMode => "depends on ansible_check_mode",
        WhyUnknown::Waived => "is ignored",
    };
    format!("`{task}`, which {because}")
}
