//! What the answer of a command proves: nothing by itself, and what its author compares by `changed_when`.

use crate::evidence::difference::differences;
use crate::evidence::task::KnownTask;
use crate::evidence::task_outcome::{TaskOutcome, unverified};
use crate::evidence::task_result::TaskResult;
use crate::evidence::unverified::WhyUnverified;

/// Exit codes of a command that could not be run (126, 127), or that a signal ended.
const COULD_NOT_RUN: i64 = 126;

/// The field of a command's answer that says how long it ran; one that was held back has none.
const DURATION: &str = "delta";

/// What an answer proves. The task has not failed. `nonce` is the name of the run.
pub(super) fn command_answered(known: &KnownTask, result: &TaskResult<'_>, nonce: &str) -> TaskOutcome {
    let KnownTask { task, .. } = known;
    let answer = result.answer();
    let drifted = || TaskOutcome::Drifted { differences: differences(known, result, nonce), repaired: false };
    if answer.says_already_there() {
        return TaskOutcome::NotAsked;
    }
    // These tell how long they ran; the others never run in check mode, and say nothing of it.
    let tells_time = known.module.answers.contains(&DURATION);
    if answer.would_have_run() || (result.check_mode && (result.censored || !tells_time)) {
        // What `creates` names is missing, or what `removes` names is there: a real run would do something about it.
        let decided = result.changed && !task.replaces_changed();
        return if decided { drifted() } else { unverified(WhyUnverified::SkippedInCheckMode, answer.said()) };
    }
    // `no_log` hides how long it ran; then only what was to be created can have held it back.
    let ran = if result.censored { answer.args.is_empty() } else { answer.fields.contains_key(DURATION) };
    if tells_time && !ran {
        return TaskOutcome::NotAsked;
    }
    if !task.can_say_changed() {
        return TaskOutcome::Read;
    }
    match answer.rc {
        Some(rc) if !is_answer(known, rc) => unverified(WhyUnverified::ExitCodeNoAnswer(rc), answer.said()),
        _ if result.changed => drifted(),
        _ => TaskOutcome::Verified,
    }
}

/// Whether the author of a comparing command has meant its exit code as an answer.
fn is_answer(known: &KnownTask, rc: i64) -> bool {
    match rc {
        0 => true,
        1 => known.task.speaks_of_exit_code(),
        2..COULD_NOT_RUN => known.task.names_exit_code(rc),
        _ => false,
    }
}
