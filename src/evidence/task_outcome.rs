//! What one result proves about its host: one of six outcomes, by rules about single tasks.
//!
//! Whatever a result does not positively prove is unverified or says nothing; it is never taken for sync.

use crate::ansible::modules::Kind;
use crate::evidence::drift_name::{DriftName, drift_names};
use crate::evidence::task::{KnownTask, is_false, is_true, names_check_mode};
use crate::evidence::task_result::{ModuleResult, Status, TaskResult};
use crate::evidence::unverified::{WhyFailed, WhyUnreachable, WhyUnverified};

/// What a result, or one item of a loop, shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskOutcome {
    /// What it manages differs.
    Drifted {
        /// What differs; at least one name.
        names: Vec<DriftName>,
        /// False where `changed` is only what a command says by default, or what was really changed.
        compared: bool,
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

/// Reasons Ansible gives where a task was not asked for, so that its skip leaves nothing unverified.
const CONDITION_WAS_FALSE: &str = "Conditional result was False";
const NO_ITEMS: &str = "No items in the list";

/// Messages of commands that only say that the exit code was not 0.
const EXIT_CODE_MESSAGES: [&str; 2] = ["non-zero return code", "The command exited with a non-zero return code."];

/// What a result stands in beside its task.
#[derive(Debug, Clone, Copy, Default)]
pub struct Circumstances {
    /// It ran on a localhost that is not among the hosts to check.
    pub on_controller: bool,
    /// The user took its task or its play out of the verdict.
    pub waived: bool,
}

/// Judges one result or item.
pub fn task_outcome(known: &KnownTask, result: &TaskResult<'_>, circumstances: Circumstances) -> TaskOutcome {
    let Circumstances { on_controller, waived } = circumstances;
    let answer = result.answer();
    let outcome = match result.status {
        // A failure is never waived.
        Status::Unreachable => {
            return unverified(WhyUnverified::Unreachable(WhyUnreachable::of(answer.msg.as_deref())), answer.said());
        }
        Status::Failed => {
            let messages = [&answer.msg, &answer.module_stderr].into_iter().flatten().map(String::as_str);
            return unverified(WhyUnverified::Failed(WhyFailed::of(messages)), answer.said());
        }
        // A handler acts on a change that was already seen.
        Status::Skipped | Status::Ok if known.task.handler => TaskOutcome::NotAsked,
        Status::Skipped => skipped(known, result),
        Status::Ok => answered(known, result, on_controller),
    };
    match outcome {
        _ if waived => TaskOutcome::Waived,
        TaskOutcome::Unverified { .. } if on_controller => TaskOutcome::NotAsked,
        outcome => outcome,
    }
}

fn unverified(why: WhyUnverified, said: Option<String>) -> TaskOutcome {
    TaskOutcome::Unverified { why, said }
}

fn skipped(known: &KnownTask, result: &TaskResult<'_>) -> TaskOutcome {
    let KnownTask { task, module, .. } = known;
    let answer = result.answer();
    let because = |why| unverified(why, answer.said().or_else(|| answer.why_skipped().map(str::to_owned)));
    if module.kind == Kind::Controller {
        return TaskOutcome::NotAsked;
    }
    if result.censored {
        let known_to_run = module.supports_check_mode || module.kind == Kind::Include;
        let ordinary = !task.when.is_empty() && !task.when_names_check_mode() && known_to_run;
        return if ordinary { TaskOutcome::NotAsked } else { because(WhyUnverified::SkipCensored) };
    }
    match answer.why_skipped() {
        Some(NO_ITEMS) if task.loops_over_files() => because(WhyUnverified::GlobMatchedNothing),
        Some(NO_ITEMS) => TaskOutcome::NotAsked,
        Some(CONDITION_WAS_FALSE) => {
            // From ansible-core 2.16 the condition that was false is named; before, any of them may have been it.
            let by_check_mode = match &answer.false_condition {
                Some(condition) => names_check_mode(condition),
                None => task.when_names_check_mode(),
            };
            if by_check_mode { because(WhyUnverified::SkippedByCheckModeWhen) } else { TaskOutcome::NotAsked }
        }
        Some(_) | None => because(WhyUnverified::SkippedInCheckMode),
    }
}

fn answered(known: &KnownTask, result: &TaskResult<'_>, on_controller: bool) -> TaskOutcome {
    let KnownTask { task, module, .. } = known;
    let answer = result.answer();
    let because = |why| unverified(why, answer.said());
    let command = module.kind == Kind::Command;
    if answer.is_unfinished_job() {
        return because(WhyUnverified::JobNotAwaited);
    }
    if answer.failed_when_result.is_some() && !result.changed && looks_failed(answer, command) {
        return because(WhyUnverified::FailureHidden);
    }
    if result.censored && !task.failed_when.is_empty() && !result.changed && !command {
        return because(WhyUnverified::FailureCensored);
    }
    if on_controller || matches!(module.kind, Kind::Controller | Kind::Include) {
        return TaskOutcome::NotAsked;
    }
    let differs = task.replaces_changed()
        && answer.diff.iter().any(|diff| diff.differs || diff.keys.iter().any(|key| key != "state"));
    if result.changed || differs {
        let compared = if command { task.replaces_changed() } else { result.check_mode };
        return TaskOutcome::Drifted { names: drift_names(known, result), compared };
    }
    match module.kind {
        Kind::Action | Kind::Controller | Kind::Include => TaskOutcome::NotAsked,
        // Held back by `creates`, it proves nothing.
        Kind::Command if !answer.delta => TaskOutcome::NotAsked,
        // Where it ran, a `changed_when` that can be true makes it a check.
        Kind::Command if task.replaces_changed() && !task.never_changed() => TaskOutcome::Verified,
        Kind::Reads | Kind::Command => TaskOutcome::Read,
        Kind::Compares if never_compared(known, answer) => because(WhyUnverified::NeverCompared),
        Kind::Compares if task.replaces_changed() && (task.hides_diff() || result.censored) => {
            because(WhyUnverified::ChangeHidden)
        }
        Kind::Compares => TaskOutcome::Verified,
    }
}

/// Whether content that is there already was left out of the comparison.
fn never_compared(known: &KnownTask, answer: &ModuleResult) -> bool {
    let KnownTask { task, module, .. } = known;
    let force = answer.arg("force");
    force.is_some_and(is_false)
        || (module.needs_checksum && !force.is_some_and(is_true) && answer.arg("checksum").is_none())
        || (module.force_replaces_content && task.default_may_be_false("force"))
}

/// A module cannot fail without a message, an exception or an exit code; without one it did not fail.
fn looks_failed(answer: &ModuleResult, command: bool) -> bool {
    let rc = answer.rc.is_some_and(|rc| rc != 0);
    match &answer.msg {
        _ if answer.exception && !command => true,
        // A command's exit code is its answer; held back by `creates` it says why and exits 0.
        Some(msg) if command => answer.rc != Some(0) && !(rc && EXIT_CODE_MESSAGES.contains(&msg.as_str())),
        Some(_) => true,
        None => answer.module_stderr.is_some() || (rc && !command),
    }
}

#[cfg(test)]
mod tests {
    use super::TaskOutcome::{NotAsked, Read, Verified};
    use super::WhyUnverified::*;
    use super::*;
    use crate::evidence::task::Task;

    /// Weighs an answer to a task, both as the callback writes them: what is left out is `false` or not there.
    fn outcome_of(action: &str, task: &str, result: &str) -> TaskOutcome {
        let task = format!(r#"{{"number":0,"name":"t","action":"{action}","place":null{task}}}"#);
        let result = format!(r#"{{"task":0,"host":"h","items":null{result}}}"#);
        let known = KnownTask::new(serde_json::from_str::<Task>(&task).unwrap(), false);
        task_outcome(&known, &serde_json::from_str(&result).unwrap(), Circumstances::default())
    }

    fn why(outcome: &TaskOutcome) -> Option<WhyUnverified> {
        if let TaskOutcome::Unverified { why, .. } = outcome { Some(*why) } else { None }
    }

    const SKIPPED: &str = r#","status":"skipped""#;
    const HIDDEN_SKIP: &str = r#","status":"skipped","censored":true"#;
    const OK: &str = r#","status":"ok""#;

    fn skipped_because(why: &str) -> String {
        format!(r#"{SKIPPED},"answer":{{"skip_reason":"{why}"}}"#)
    }

    #[test]
    fn a_skip_is_ordinary_only_where_ansible_says_so() {
        let by_when = skipped_because("Conditional result was False");
        assert_eq!(outcome_of("copy", r#","when":["other"]"#, &by_when), NotAsked);
        let in_check_mode = skipped_because("Command would have run if not in check mode");
        assert_eq!(why(&outcome_of("command", "", &in_check_mode)), Some(SkippedInCheckMode));
        assert_eq!(why(&outcome_of("copy", r#","when":["other"]"#, SKIPPED)), Some(SkippedInCheckMode));
        let on_check_mode = r#","when":["other","not ansible_check_mode"]"#;
        assert_eq!(why(&outcome_of("copy", on_check_mode, &by_when)), Some(SkippedByCheckModeWhen));
        let named = |condition: &str| {
            format!(
                r#"{SKIPPED},"answer":{{"skip_reason":"Conditional result was False","false_condition":"{condition}"}}"#
            )
        };
        assert_eq!(outcome_of("copy", on_check_mode, &named("other")), NotAsked);
        assert_eq!(why(&outcome_of("copy", "", &named("not ansible_check_mode"))), Some(SkippedByCheckModeWhen));
        let nothing_to_do = skipped_because("No items in the list");
        assert_eq!(outcome_of("copy", "", &nothing_to_do), NotAsked);
        assert_eq!(why(&outcome_of("copy", r#","loop_with":"fileglob""#, &nothing_to_do)), Some(GlobMatchedNothing));
    }

    #[test]
    fn a_hidden_skip_is_ordinary_only_for_what_check_mode_never_skips() {
        let when = r#","when":["other"]"#;
        for action in ["ansible.builtin.copy", "setup", "ansible.builtin.include_tasks", "stat"] {
            assert_eq!(outcome_of(action, when, HIDDEN_SKIP), NotAsked, "{action}");
            assert_eq!(why(&outcome_of(action, "", HIDDEN_SKIP)), Some(SkipCensored), "{action}");
            let on_check_mode = r#","when":["other","not ansible_check_mode"]"#;
            assert_eq!(why(&outcome_of(action, on_check_mode, HIDDEN_SKIP)), Some(SkipCensored), "{action}");
        }
        for action in ["command", "ansible.builtin.uri", "assemble", "acme.site.push", "acme.site.push_info"] {
            assert_eq!(why(&outcome_of(action, when, HIDDEN_SKIP)), Some(SkipCensored), "{action}");
        }
    }

    #[test]
    fn a_failure_that_was_hidden_is_told_from_an_answer() {
        let judged = |answer: &str| format!(r#"{OK},"answer":{{"failed_when_result":false{answer}}}"#);
        let set = r#","failed_when":["false"]"#;
        assert_eq!(why(&outcome_of("copy", set, &judged(r#","msg":"no such user""#))), Some(FailureHidden));
        assert_eq!(why(&outcome_of("copy", set, &judged(r#","exception":true"#))), Some(FailureHidden));
        assert_eq!(why(&outcome_of("mount", set, &judged(r#","rc":1"#))), Some(FailureHidden));
        assert_eq!(outcome_of("copy", set, &judged("")), Verified);
        let ran = r#","rc":1,"delta":true,"msg":"non-zero return code""#;
        assert_eq!(outcome_of("command", set, &judged(ran)), Read);
        let hidden = format!(r#"{OK},"censored":true"#);
        assert_eq!(why(&outcome_of("copy", set, &hidden)), Some(FailureCensored));
        assert_eq!(outcome_of("copy", "", &hidden), Verified);
    }

    #[test]
    fn a_command_proves_what_its_changed_when_compares() {
        let ran = format!(r#"{OK},"answer":{{"delta":true,"rc":0}}"#);
        assert_eq!(outcome_of("command", r#","changed_when":["x.rc == 1"]"#, &ran), Verified);
        assert_eq!(outcome_of("command", r#","changed_when":["False"]"#, &ran), Read);
        assert_eq!(outcome_of("command", "", &ran), Read);
        assert_eq!(outcome_of("command", r#","changed_when":["x.rc == 1"]"#, OK), NotAsked);
        let changed = format!(r#"{OK},"changed":true,"answer":{{"delta":true,"rc":0}}"#);
        let TaskOutcome::Drifted { compared, .. } = outcome_of("command", "", &changed) else { panic!("no drift") };
        assert!(!compared, "a command says changed by default");
        let TaskOutcome::Drifted { compared, .. } = outcome_of("command", r#","changed_when":["x.rc == 1"]"#, &changed)
        else {
            panic!("no drift")
        };
        assert!(compared);
    }

    #[test]
    fn what_was_never_compared_is_no_sync() {
        let old = format!(r#"{OK},"answer":{{"args":{{"force":"False"}}}}"#);
        assert_eq!(why(&outcome_of("copy", "", &old)), Some(NeverCompared));
        assert_eq!(
            why(&outcome_of("template", r#","module_defaults":{"copy":{"force":"no"}}"#, OK)),
            Some(NeverCompared)
        );
        assert_eq!(outcome_of("lineinfile", r#","module_defaults":{"copy":{"force":"no"}}"#, OK), Verified);
        let set = r#","changed_when":["x.rc == 1"]"#;
        assert_eq!(why(&outcome_of("copy", &format!(r#"{set},"diff":"False""#), OK)), Some(ChangeHidden));
        assert_eq!(why(&outcome_of("copy", set, &format!(r#"{OK},"censored":true"#))), Some(ChangeHidden));
        assert_eq!(
            why(&outcome_of("copy", "", &format!(r#"{OK},"answer":{{"job":"j1","finished":false}}"#))),
            Some(JobNotAwaited)
        );
    }

    #[test]
    fn reading_and_the_controller_prove_nothing() {
        for action in ["stat", "ansible.builtin.slurp", "mysql_info", "service_facts"] {
            assert_eq!(outcome_of(action, "", OK), Read, "{action}");
        }
        for action in ["setup", "debug", "set_fact", "ansible.builtin.assert", "wait_for"] {
            assert_eq!(outcome_of(action, "", OK), NotAsked, "{action}");
        }
        let changed = format!(r#"{OK},"changed":true"#);
        assert_eq!(outcome_of("add_host", "", &changed), NotAsked);
    }

    #[test]
    fn a_handler_proves_nothing_unless_it_fails() {
        let handler = r#","handler":true"#;
        assert_eq!(outcome_of("service", handler, &format!(r#"{OK},"changed":true"#)), NotAsked);
        assert_eq!(outcome_of("command", handler, SKIPPED), NotAsked);
        assert_eq!(why(&outcome_of("service", handler, r#","status":"failed""#)), Some(Failed(WhyFailed::Other)));
        assert_eq!(
            why(&outcome_of("service", "", r#","status":"unreachable""#)),
            Some(Unreachable(WhyUnreachable::Other))
        );
    }

    #[test]
    fn a_diff_tells_what_changed_when_hides() {
        let with =
            |keys: &str| format!(r#"{OK},"answer":{{"path":"/etc/a","diff":[{{"header":null,"path":null{keys}}}]}}"#);
        let set = r#","changed_when":["x.rc == 1"]"#;
        let drifted = |outcome| matches!(outcome, TaskOutcome::Drifted { compared: true, .. });
        assert!(drifted(outcome_of("file", set, &with(r#","keys":["mode"]"#))));
        assert!(drifted(outcome_of("copy", set, &with(r#","differs":true"#))));
        assert_eq!(outcome_of("file", set, &with(r#","keys":["state"]"#)), Verified);
        assert_eq!(outcome_of("file", "", &with(r#","keys":["mode"]"#)), Verified);
    }

    #[test]
    fn a_waiver_takes_everything_out_but_a_failure() {
        let known = KnownTask::new(Task { action: "copy".to_owned(), ..Task::default() }, true);
        let waived = Circumstances { waived: true, ..Circumstances::default() };
        let outcome = |status: &str| {
            let result = format!(r#"{{"task":0,"host":"h","changed":true,"status":"{status}"}}"#);
            task_outcome(&known, &serde_json::from_str(&result).unwrap(), waived)
        };
        assert_eq!(outcome("ok"), TaskOutcome::Waived);
        assert_eq!(outcome("skipped"), TaskOutcome::Waived);
        assert_eq!(why(&outcome("failed")), Some(Failed(WhyFailed::Other)));
    }
}
