//! What to write into the settings so that what was not verified is ignored.

use std::collections::BTreeSet;

use glob::Pattern;

use crate::evidence::source::{Source, WhyUnknown};
use crate::evidence::unverified::WhyUnverified;
use crate::verdict::reason::{Finding, Reason};

/// The tasks and plays to ignore.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Waivers {
    /// Globs for `ignore_tasks`, each as it stands in YAML.
    pub tasks: BTreeSet<String>,
    /// Globs for `ignore_plays`.
    pub plays: BTreeSet<String>,
    /// How many of them would be better mended in the playbook.
    pub better_mended: usize,
    /// Something was found that cannot be ignored.
    pub incomplete: bool,
}

impl Waivers {
    /// What takes all of the findings out that can be taken out.
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let mut waivers = Self::default();
        let mut mended = BTreeSet::new();
        for finding in findings {
            match &finding.reason {
                Reason::Task { task, why, may_only_read } if can_be_ignored(why) => {
                    waivers.tasks.insert(pasted(&task.name));
                    if can_be_mended(why, *may_only_read) {
                        mended.insert(&task.name);
                    }
                }
                Reason::EndedEarly { task, .. } => _ = waivers.tasks.insert(pasted(&task.name)),
                Reason::PlayMatchedNoHost { play }
                | Reason::PlayHostsUnknown { play, .. }
                | Reason::PatternMatchedNothing { play, .. }
                | Reason::PlayNotInCheckMode { play } => {
                    waivers.plays.insert(pasted(play));
                }
                _cannot_be_ignored => waivers.incomplete = true,
            }
        }
        waivers.better_mended = mended.len();
        waivers
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.tasks.len() + self.plays.len()
    }
}

fn can_be_ignored(why: &WhyUnverified) -> bool {
    let missing = matches!(why, WhyUnverified::ItemsMissing);
    let elsewhere = matches!(why, WhyUnverified::DependsOn(source) if matches!(**source, Source::Prompt { .. }));
    !why.is_failure() && !missing && !elsewhere
}

/// Whether a change of the playbook would let the task be verified.
fn can_be_mended(why: &WhyUnverified, may_only_read: bool) -> bool {
    match why {
        WhyUnverified::SkippedInCheckMode | WhyUnverified::RescueUndecided => may_only_read,
        WhyUnverified::AnswerNoProof(condition) => !condition.hint.is_empty(),
        WhyUnverified::DependsOn(source) => {
            matches!(**source, Source::Task { why: WhyUnknown::SkippedInCheckMode, reads: true, .. })
        }
        WhyUnverified::FailureHidden
        | WhyUnverified::SkippedByCheckModeWhen
        | WhyUnverified::ArgumentOnCheckMode
        | WhyUnverified::LoopFoundNothing(_)
        | WhyUnverified::JobNotAwaited
        | WhyUnverified::TouchedAgain
        | WhyUnverified::NothingToCopy
        | WhyUnverified::LoneFile
        | WhyUnverified::HandlerAlone
        | WhyUnverified::ExitCodeNoAnswer(_) => true,
        WhyUnverified::Unreachable(_)
        | WhyUnverified::Failed(_)
        | WhyUnverified::FailureCensored
        | WhyUnverified::SkippedItself
        | WhyUnverified::SkipCensored
        | WhyUnverified::Disclaimed
        | WhyUnverified::ChangeHidden
        | WhyUnverified::ItemsMissing => false,
    }
}

/// A name as a glob that matches it, ready for a YAML list. Woodpecker joins lists by commas, so a comma in the name
/// is matched by `?`.
fn pasted(name: &str) -> String {
    let glob = Pattern::escape(name).replace(',', "?");
    serde_json::to_string(&glob).unwrap_or(glob)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::task::TaskRef;
    use crate::evidence::unverified::WhyFailed;

    #[test]
    fn a_pasted_waiver_matches_the_task_it_came_from() {
        for name in ["plain", "with, comma", "brackets [x] and *", "a \"quoted\" one"] {
            let glob: String = serde_json::from_str(&pasted(name)).unwrap();
            assert!(!glob.contains(','), "{glob}");
            assert!(Pattern::new(&glob).unwrap().matches(name), "{name} by {glob}");
        }
    }

    #[test]
    fn a_failure_is_never_in_the_block() {
        let finding = |name: &str, why| Finding {
            reason: Reason::Task { task: TaskRef { name: name.to_owned(), place: None }, why, may_only_read: true },
            hosts: Vec::new(),
            count: 1,
            said: None,
        };
        let findings =
            [finding("a", WhyUnverified::SkippedInCheckMode), finding("b", WhyUnverified::Failed(WhyFailed::Other))];
        let waivers = Waivers::of(&findings);
        assert_eq!(waivers.tasks, BTreeSet::from(["\"a\"".to_owned()]));
        assert_eq!((waivers.better_mended, waivers.incomplete), (1, true));
    }
}
