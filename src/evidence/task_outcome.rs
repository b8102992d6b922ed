//! What one result proves about its host: one of six outcomes.
//!
//! An answer is proof only if it would have been different on a target that differs. Whatever a result does not
//! positively prove is unverified or says nothing; it is never taken for sync.

use std::rc::Rc;

use crate::ansible::modules::Kind;
use crate::evidence::command_answer::command_answered;
use crate::evidence::difference::{Difference, differences};
use crate::evidence::own_answer::own_answer;
use crate::evidence::provenance::Inputs;
use crate::evidence::skipped::skipped;
use crate::evidence::source::why_unknown;
use crate::evidence::task::KnownTask;
use crate::evidence::task_result::{ModuleResult, Status, TaskResult};
use crate::evidence::unverified::{WhyFailed, WhyUnreachable, WhyUnverified};

/// What a result, or one item of a loop, shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskOutcome {
    /// What it manages differs.
    Drifted {
        /// What differs; at least one.
        differences: Vec<Difference>,
        /// It was put right in this run.
        repaired: bool,
    },
    /// It compared what it manages and found it as it should be.
    Verified,
    /// It read something on the target without comparing it.
    Read,
    /// It says nothing about a target: it was not asked for, ran on the controller, or describes no state.
    NotAsked,
    /// The user took it out of the verdict.
    Waived,
    /// It is no proof.
    Unverified {
        /// Why.
        why: WhyUnverified,
        /// What the module or Ansible said about it.
        said: Option<String>,
    },
}

/// Messages of commands that only say that the exit code was not 0.
const EXIT_CODE_MESSAGES: [&str; 2] = ["non-zero return code", "The command exited with a non-zero return code."];

/// Messages of tasks that `failed_when` alone made fail.
const FAILED_WHEN_MESSAGES: [&str; 2] =
    ["Action failed: Unknown error.", "A 'failed_when' expression evaluated to 'True'."];

/// Controller modules that say changed whenever they add something to Ansible's own memory.
const CHANGES_MEMORY: [&str; 2] = ["add_host", "group_by"];

/// What a result stands in beside its task.
#[derive(Debug, Clone, Copy, Default)]
pub struct Circumstances<'a> {
    /// It ran on a localhost that is not among the hosts to check.
    pub on_controller: bool,
    /// The user took its task or its play out of the verdict.
    pub waived: bool,
    /// The name of the run, which stands in the path of each of its private files; empty where there is none.
    pub nonce: &'a str,
}

/// Judges one result or item.
pub fn task_outcome(known: &KnownTask, result: &TaskResult<'_>, circumstances: Circumstances<'_>) -> TaskOutcome {
    let Circumstances { on_controller, waived, .. } = circumstances;
    let answer = result.answer();
    let outcome = match result.status {
        // A failure is never waived, and that a host cannot be reached neither.
        Status::Unreachable => {
            return unverified(WhyUnverified::Unreachable(WhyUnreachable::of(answer.msg.as_deref())), answer.said());
        }
        // But the exit code of somebody else's probe, which its author has accepted.
        Status::Failed if waived && (result.ignored || result.item) && is_exit_code(known, answer) => {
            TaskOutcome::Waived
        }
        Status::Failed => {
            let messages = [&answer.msg, &answer.module_stderr].into_iter().flatten().map(String::as_str);
            return unverified(WhyUnverified::Failed(WhyFailed::of(messages)), answer.said());
        }
        // A handler acts on a change that was already seen.
        Status::Skipped | Status::Ok if known.task.handler => TaskOutcome::NotAsked,
        Status::Skipped => skipped(known, result),
        Status::Ok => answered(known, result, circumstances),
    };
    match outcome {
        _ if waived => TaskOutcome::Waived,
        TaskOutcome::NotAsked if decides_on_rescue(known, result) => because_of_rescue(answer),
        TaskOutcome::Unverified { .. } if on_controller && decides_on_rescue(known, result) => {
            because_of_rescue(answer)
        }
        TaskOutcome::Unverified { .. } if on_controller => TaskOutcome::NotAsked,
        outcome => outcome,
    }
}

/// Whether it did not run because of check mode, and what is to be done where it fails was not tried either.
fn decides_on_rescue(known: &KnownTask, result: &TaskResult<'_>) -> bool {
    let task = &known.task;
    task.rescued && !task.handler && result.status == Status::Skipped && why_unknown(known, result).is_some()
}

fn because_of_rescue(answer: &ModuleResult) -> TaskOutcome {
    unverified(WhyUnverified::RescueUndecided, answer.said())
}

/// The drift that a failed task has proven: `failed_when` alone made the failure, and the task says that something
/// differs. That it failed is told beside it.
pub fn drift_of_failure(
    known: &KnownTask,
    result: &TaskResult<'_>,
    circumstances: Circumstances<'_>,
) -> Option<TaskOutcome> {
    let answer = result.answer();
    let alone = answer.failed_when_result == Some(true) && !looks_failed(answer, known.module.kind == Kind::Command);
    if result.status != Status::Failed || !alone || !result.changed || circumstances.waived || known.task.handler {
        return None;
    }
    let outcome = answered(known, result, circumstances);
    matches!(outcome, TaskOutcome::Drifted { .. }).then_some(outcome)
}

/// Whether a handler has found a difference itself. It acts on a change that was seen before; here nobody asks whether one was.
pub fn handler_differs(known: &KnownTask, result: &TaskResult<'_>, circumstances: Circumstances<'_>) -> bool {
    let asked = !circumstances.waived && !circumstances.on_controller;
    if !known.task.handler || !asked || !result.changed || result.status != Status::Ok {
        return false;
    }
    let proof = known.proof(result.answer());
    known.module.kind == Kind::Compares && !proof.is_action && proof.changed_lost.is_none()
}

/// Whether a command failed by nothing but its exit code.
fn is_exit_code(known: &KnownTask, answer: &ModuleResult) -> bool {
    known.module.kind == Kind::Command && answer.rc.is_some_and(|rc| rc != 0) && !looks_failed(answer, true)
}

pub(super) fn unverified(why: WhyUnverified, said: Option<String>) -> TaskOutcome {
    TaskOutcome::Unverified { why, said }
}

fn answered(known: &KnownTask, result: &TaskResult<'_>, circumstances: Circumstances<'_>) -> TaskOutcome {
    let KnownTask { task, module, .. } = known;
    let answer = result.answer();
    let because = |why| unverified(why, answer.said());
    let command = module.kind == Kind::Command;
    if answer.is_unfinished_job() {
        return because(WhyUnverified::JobNotAwaited);
    }
    if answer.failed_when_result == Some(false) && !result.changed && looks_failed(answer, command) {
        return because(WhyUnverified::FailureHidden);
    }
    if result.censored && !task.failed_when.is_empty() && !result.changed && !command {
        return because(WhyUnverified::FailureCensored);
    }
    if circumstances.on_controller || known.proof(answer).is_action {
        return TaskOutcome::NotAsked;
    }
    let said_changed = result.changed && task.replaces_changed();
    let drifted =
        || TaskOutcome::Drifted { differences: differences(known, result, circumstances.nonce), repaired: false };
    if let (Kind::Reads, true, false, Some(condition)) =
        (module.kind, result.changed, task.replaces_changed(), known.proof(answer).changed_lost)
    {
        return because(WhyUnverified::AnswerNoProof(condition));
    }
    match module.kind {
        // Only its author's word says something about the target.
        Kind::Controller if said_changed && !CHANGES_MEMORY.contains(&module.name) => drifted(),
        Kind::Controller | Kind::Include | Kind::Action => TaskOutcome::NotAsked,
        Kind::Reads if said_changed => drifted(),
        Kind::Reads if task.can_say_changed() => TaskOutcome::Verified,
        Kind::Reads => TaskOutcome::Read,
        Kind::Command => command_answered(known, result, circumstances.nonce),
        Kind::Compares => own_answer(known, result, circumstances.nonce),
    }
}

/// What inputs that are unknown, or that hang on check mode, make of an outcome.
pub fn with_inputs(
    known: &KnownTask,
    result: &TaskResult<'_>,
    circumstances: Circumstances<'_>,
    inputs: &Inputs,
    outcome: TaskOutcome,
) -> TaskOutcome {
    let why = match &inputs.unknown {
        Some(source) => WhyUnverified::DependsOn(Rc::clone(source)),
        None if inputs.skipped_by_check_mode => WhyUnverified::SkippedByCheckModeWhen,
        None if inputs.argument_on_check_mode => WhyUnverified::ArgumentOnCheckMode,
        None => return outcome,
    };
    let about_target = match known.module.kind {
        Kind::Include => true,
        _ if known.proof(result.answer()).is_action => false,
        Kind::Action => false,
        Kind::Controller => bears_on_target(known, result, inputs),
        Kind::Reads | Kind::Command | Kind::Compares => !circumstances.on_controller || inputs.elsewhere,
    };
    match outcome {
        TaskOutcome::Waived => TaskOutcome::Waived,
        TaskOutcome::Unverified { why, said } if why.is_failure() => TaskOutcome::Unverified { why, said },
        outcome if known.task.handler || !about_target => outcome,
        _ => unverified(why, None),
    }
}

/// Whether a task that runs on the controller speaks about a target all the same.
fn bears_on_target(known: &KnownTask, result: &TaskResult<'_>, inputs: &Inputs) -> bool {
    match known.module.name {
        "assert" | "fail" | "add_host" | "group_by" => true,
        // A statement that was not made may be the one that would have been.
        "debug" if inputs.marker && result.status == Status::Skipped => true,
        _ => known.task.can_say_changed(),
    }
}

/// A module cannot fail without a message, an exception or an exit code; without one it did not fail.
fn looks_failed(answer: &ModuleResult, command: bool) -> bool {
    let rc = answer.rc.is_some_and(|rc| rc != 0);
    // From ansible-core 2.19 on a failure has a message in any case, and an exception with it.
    let only_failed_when =
        answer.msg.as_deref().is_some_and(|msg| FAILED_WHEN_MESSAGES.iter().any(|end| msg.ends_with(end)));
    match &answer.msg {
        _ if answer.exception && !command && !only_failed_when => true,
        // A command's exit code is its answer; held back by `creates` it says why and exits 0.
        Some(msg) if command => {
            let only_code = rc && EXIT_CODE_MESSAGES.iter().any(|end| msg.ends_with(end));
            answer.rc != Some(0) && !only_code && !only_failed_when
        }
        Some(_) if !only_failed_when => true,
        Some(_) | None => answer.module_stderr.is_some() || (rc && !command),
    }
}

#[cfg(test)]
mod tests;
