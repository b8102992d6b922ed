//! What a skip proves: nothing, or that nobody has looked.

use crate::ansible::modules::Kind;
use crate::evidence::task::{KnownTask, names_check_mode};
use crate::evidence::task_outcome::{TaskOutcome, unverified};
use crate::evidence::task_result::{CONDITION_WAS_FALSE, NO_ITEMS, TaskResult};
use crate::evidence::unverified::WhyUnverified;

/// Controller modules whose items become values, which other tasks use.
const SETS: [&str; 4] = ["add_host", "group_by", "include_vars", "set_fact"];

/// What a skipped result proves.
pub(super) fn skipped(known: &KnownTask, result: &TaskResult<'_>) -> TaskOutcome {
    let KnownTask { task, module, .. } = known;
    let answer = result.answer();
    let because = |why| unverified(why, answer.said().or_else(|| answer.why_skipped().map(str::to_owned)));
    let found_nothing = || task.may_find_nothing().or_else(|| result.found_by.first().copied());
    let nothing_to_set = answer.why_skipped() == Some(NO_ITEMS) && SETS.contains(&module.name);
    if let (true, Some(what)) = (nothing_to_set, found_nothing()) {
        return because(WhyUnverified::LoopFoundNothing(what));
    }
    if module.kind == Kind::Controller || known.proof(answer).is_action || answer.says_already_there() {
        return TaskOutcome::NotAsked;
    }
    if result.censored {
        let known_to_run = module.supports_check_mode() || module.kind == Kind::Include;
        let ordinary = !task.when.is_empty() && !task.when_names_check_mode() && known_to_run;
        return if ordinary { TaskOutcome::NotAsked } else { because(WhyUnverified::SkipCensored) };
    }
    match answer.why_skipped() {
        Some(NO_ITEMS) => match found_nothing() {
            Some(what) => because(WhyUnverified::LoopFoundNothing(what)),
            None => TaskOutcome::NotAsked,
        },
        Some(CONDITION_WAS_FALSE) => {
            // From ansible-core 2.16 the condition that was false is named; before, any of them may have been it.
            let by_check_mode = match &answer.false_condition {
                Some(condition) => names_check_mode(condition),
                None => task.when_names_check_mode(),
            };
            if by_check_mode { because(WhyUnverified::SkippedByCheckModeWhen) } else { TaskOutcome::NotAsked }
        }
        Some(_) | None if skipped_itself(result) => because(WhyUnverified::SkippedItself),
        Some(_) | None => because(WhyUnverified::SkippedInCheckMode),
    }
}

/// Whether the module says that it could not look; `raw` says nothing where check mode skips it.
fn skipped_itself(result: &TaskResult<'_>) -> bool {
    let answer = result.answer();
    let said = [answer.msg.as_deref(), answer.why_skipped()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let said = said.to_lowercase().replace('_', " ");
    !result.check_mode || (!said.is_empty() && !said.contains("check mode"))
}
