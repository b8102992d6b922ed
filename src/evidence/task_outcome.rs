//! What one result proves about its host. The rules about single tasks live here, each named in [`Cause`].
//!
//! Whatever a result does not positively prove is a doubt or nothing; it is never taken for sync.

use crate::evidence::drift_name::{drift_names, short};
use crate::evidence::event::{Status, Task, TaskResult};

/// What a result, or one item of a loop, shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskOutcome {
    /// It says nothing about the target: it ran on the controller, was not asked for, or only reported facts.
    Nothing,
    /// It read something on the target without comparing it.
    Looked,
    /// It compared what it manages and found it as it should be.
    Verified,
    /// What it manages differs.
    Drifted {
        /// What differs; at least one name.
        names: Vec<String>,
        /// False where `changed` is only what a command says by default, or what was really changed.
        compared: bool,
    },
    /// It cannot be taken for verified, and why.
    Unverified(Cause, Option<String>),
}

/// Why a result is no proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The host could not be reached, ignored or not.
    Unreachable,
    /// The task failed, ignored or rescued or neither.
    Failed,
    /// `failed_when` made a success of an answer that looks like a failure.
    FailureHidden,
    /// `no_log` hides whether `failed_when` made a success of a failure.
    FailureCensored,
    /// It was skipped because the run is in check mode.
    SkippedInCheckMode,
    /// It was skipped by a `when` on `ansible_check_mode`.
    SkippedByCheckModeWhen,
    /// It was skipped, and `no_log` hides why.
    SkipCensored,
    /// Its loop is over a file glob that matched nothing.
    GlobMatchedNothing,
    /// It started a job that nobody waited for.
    JobNotAwaited,
    /// `force: false`: content that exists is never compared.
    NeverCompared,
    /// `changed_when` replaces its answer, and no diff shows what the answer was.
    ChangeHidden,
    /// A loop reported fewer or more items than it has.
    ItemsMissing,
}

/// Reasons Ansible gives where a task was not asked for, so that its skip leaves nothing unverified.
const ORDINARY_SKIPS: [&str; 2] = ["Conditional result was False", "No items in the list"];

/// Actions that run on the controller, whatever host they run for.
const CONTROLLER_SIDE: [&str; 17] = [
    "add_host",
    "assert",
    "debug",
    "fail",
    "group_by",
    "import_playbook",
    "import_role",
    "import_tasks",
    "include",
    "include_role",
    "include_tasks",
    "include_vars",
    "meta",
    "pause",
    "set_fact",
    "set_stats",
    "validate_argument_spec",
];

/// Actions that reach the target and say nothing about what it should be.
const SAY_NOTHING: [&str; 6] = ["async_status", "gather_facts", "ping", "setup", "wait_for", "wait_for_connection"];

/// Of [`CONTROLLER_SIDE`], those that bring in tasks: a skip of theirs skips all of them.
const INCLUDES: [&str; 6] =
    ["import_playbook", "import_role", "import_tasks", "include", "include_role", "include_tasks"];

/// Modules that read the target and manage nothing. Names that end in `_facts` or `_info` belong here too.
const READ_ONLY: [&str; 6] = ["fetch", "find", "getent", "slurp", "stat", "uri"];

/// Modules that run whatever they are given: their exit code and `changed` mean what the playbook says they mean.
const COMMANDS: [&str; 5] = ["command", "expect", "raw", "script", "shell"];

/// Modules of ansible-core that support check mode in full, by their documentation. Only asked where `no_log` hides
/// why a task was skipped.
const SUPPORT_CHECK_MODE: [&str; 42] = [
    "apt",
    "apt_key",
    "apt_repository",
    "blockinfile",
    "copy",
    "cron",
    "deb822_repository",
    "debconf",
    "dnf",
    "dnf5",
    "dpkg_selections",
    "fetch",
    "file",
    "find",
    "gather_facts",
    "get_url",
    "getent",
    "git",
    "group",
    "hostname",
    "iptables",
    "known_hosts",
    "lineinfile",
    "mount_facts",
    "package",
    "package_facts",
    "ping",
    "pip",
    "replace",
    "rpm_key",
    "service",
    "service_facts",
    "setup",
    "slurp",
    "stat",
    "subversion",
    "systemd",
    "systemd_service",
    "template",
    "user",
    "yum",
    "yum_repository",
];

/// Messages of commands that only say that the exit code was not 0.
const EXIT_CODE_MESSAGES: [&str; 2] = ["non-zero return code", "The command exited with a non-zero return code."];

/// Judges one result or item. `on_controller` says that it ran on a localhost that is not among the hosts to check.
pub fn task_outcome(task: &Task, result: &TaskResult<'_>, on_controller: bool) -> TaskOutcome {
    match result.status {
        Status::Unreachable => TaskOutcome::Unverified(Cause::Unreachable, result.answer().msg.clone()),
        Status::Failed => TaskOutcome::Unverified(Cause::Failed, result.answer().msg.clone()),
        // A handler acts on a change that was already seen.
        Status::Skipped | Status::Ok if task.handler => TaskOutcome::Nothing,
        Status::Skipped => skipped(task, result),
        Status::Ok => answered(task, result, on_controller),
    }
}

fn skipped(task: &Task, result: &TaskResult<'_>) -> TaskOutcome {
    let module = short(&task.action);
    let why = result.answer().why.as_deref().unwrap_or_default();
    let doubt =
        |doubt| TaskOutcome::Unverified(doubt, result.answer().msg.clone().or_else(|| result.answer().why.clone()));
    if CONTROLLER_SIDE.contains(&module) && !INCLUDES.contains(&module) {
        return TaskOutcome::Nothing;
    }
    if result.censored {
        let ordinary = task.when
            && !task.when_check_mode
            && (SUPPORT_CHECK_MODE.contains(&module) || CONTROLLER_SIDE.contains(&module));
        return if ordinary { TaskOutcome::Nothing } else { doubt(Cause::SkipCensored) };
    }
    if !ORDINARY_SKIPS.contains(&why) {
        return doubt(Cause::SkippedInCheckMode);
    }
    if why == "No items in the list" {
        return if task.glob { doubt(Cause::GlobMatchedNothing) } else { TaskOutcome::Nothing };
    }
    // From ansible-core 2.16 the condition that was false is named; before, any of them may have been it.
    let by_check_mode = match &result.answer().condition {
        Some(condition) => condition.contains("ansible_check_mode"),
        None => task.when_check_mode,
    };
    if by_check_mode { doubt(Cause::SkippedByCheckModeWhen) } else { TaskOutcome::Nothing }
}

fn answered(task: &Task, result: &TaskResult<'_>, on_controller: bool) -> TaskOutcome {
    let module = short(&task.action);
    let command = COMMANDS.contains(&module);
    let doubt = |doubt| TaskOutcome::Unverified(doubt, result.answer().msg.clone());
    if result.answer().unfinished {
        return doubt(Cause::JobNotAwaited);
    }
    if result.answer().failed_when && !result.changed && looks_failed(result, command) {
        return doubt(Cause::FailureHidden);
    }
    if result.censored && task.failed_when && !result.changed && !command {
        return doubt(Cause::FailureCensored);
    }
    if on_controller || CONTROLLER_SIDE.contains(&module) {
        return TaskOutcome::Nothing;
    }
    let differs = task.changed_when
        && result.answer().diff.iter().any(|diff| diff.differs || diff.keys.iter().any(|key| key != "state"));
    if result.changed || differs {
        let compared = if command { task.changed_when } else { !result.real };
        return TaskOutcome::Drifted { names: drift_names(task, result), compared };
    }
    if SAY_NOTHING.contains(&module) {
        return TaskOutcome::Nothing;
    }
    if read_only(module) {
        return TaskOutcome::Looked;
    }
    if command {
        // Held back by `creates`, it proves nothing. Where it ran, a `changed_when` that can be true makes it a check.
        return match (result.answer().ran, task.changed_when && !task.never_changed) {
            (false, _) => TaskOutcome::Nothing,
            (true, false) => TaskOutcome::Looked,
            (true, true) => TaskOutcome::Verified,
        };
    }
    if result.answer().force_false || (task.default_force_false && ["copy", "template", "get_url"].contains(&module)) {
        return doubt(Cause::NeverCompared);
    }
    if task.changed_when && (task.no_diff || result.censored) {
        return doubt(Cause::ChangeHidden);
    }
    TaskOutcome::Verified
}

/// A module cannot fail without a message, an exception or an exit code; without one it did not fail.
fn looks_failed(result: &TaskResult<'_>, command: bool) -> bool {
    let rc = result.answer().rc.is_some_and(|rc| rc != 0);
    match &result.answer().msg {
        _ if result.answer().exception && !command => true,
        // A command's exit code is its answer; held back by `creates` it says why and exits 0.
        Some(msg) if command => result.answer().rc != Some(0) && !(rc && EXIT_CODE_MESSAGES.contains(&msg.as_str())),
        Some(_) => true,
        None => rc && !command,
    }
}

fn read_only(module: &str) -> bool {
    READ_ONLY.contains(&module) || module.ends_with("_facts") || module.ends_with("_info")
}

#[cfg(test)]
mod tests {
    use super::Cause::*;
    use super::TaskOutcome::{Looked, Nothing, Verified};
    use super::*;

    /// Weighs an answer to a task, both as the callback writes them: what is left out is `false` or not there.
    fn outcome_of(action: &str, task: &str, result: &str) -> TaskOutcome {
        let task = format!(r#"{{"task":0,"name":"t","action":"{action}","place":null{task}}}"#);
        let result = format!(r#"{{"task":0,"host":"h","items":null,"on":null{result}}}"#);
        task_outcome(&serde_json::from_str(&task).unwrap(), &serde_json::from_str(&result).unwrap(), false)
    }

    fn doubted(evidence: &TaskOutcome) -> Option<Cause> {
        if let TaskOutcome::Unverified(doubt, _) = evidence { Some(*doubt) } else { None }
    }

    const SKIPPED: &str = r#","status":"skipped""#;
    const HIDDEN_SKIP: &str = r#","status":"skipped","censored":true"#;
    const OK: &str = r#","status":"ok""#;

    fn skipped_because(why: &str) -> String {
        format!(r#"{SKIPPED},"answer":{{"why":"{why}"}}"#)
    }

    #[test]
    fn a_skip_is_ordinary_only_where_ansible_says_so() {
        let by_when = skipped_because("Conditional result was False");
        assert_eq!(outcome_of("copy", r#","when":true"#, &by_when), Nothing);
        let in_check_mode = skipped_because("Command would have run if not in check mode");
        assert_eq!(doubted(&outcome_of("command", "", &in_check_mode)), Some(SkippedInCheckMode));
        assert_eq!(doubted(&outcome_of("copy", r#","when":true"#, SKIPPED)), Some(SkippedInCheckMode));
        let on_check_mode = r#","when":true,"when_check_mode":true"#;
        assert_eq!(doubted(&outcome_of("copy", on_check_mode, &by_when)), Some(SkippedByCheckModeWhen));
        let named = |condition: &str| {
            format!(r#"{SKIPPED},"answer":{{"why":"Conditional result was False","condition":"{condition}"}}"#)
        };
        assert_eq!(outcome_of("copy", on_check_mode, &named("other")), Nothing);
        assert_eq!(doubted(&outcome_of("copy", "", &named("not ansible_check_mode"))), Some(SkippedByCheckModeWhen));
        let nothing_to_do = skipped_because("No items in the list");
        assert_eq!(outcome_of("copy", "", &nothing_to_do), Nothing);
        assert_eq!(doubted(&outcome_of("copy", r#","glob":true"#, &nothing_to_do)), Some(GlobMatchedNothing));
    }

    #[test]
    fn a_hidden_skip_is_ordinary_only_for_what_check_mode_never_skips() {
        let when = r#","when":true"#;
        for action in ["ansible.builtin.copy", "setup", "ansible.builtin.include_tasks", "stat"] {
            assert_eq!(outcome_of(action, when, HIDDEN_SKIP), Nothing, "{action}");
            assert_eq!(doubted(&outcome_of(action, "", HIDDEN_SKIP)), Some(SkipCensored), "{action}");
            let on_check_mode = r#","when":true,"when_check_mode":true"#;
            assert_eq!(doubted(&outcome_of(action, on_check_mode, HIDDEN_SKIP)), Some(SkipCensored), "{action}");
        }
        for action in ["command", "ansible.builtin.uri", "assemble", "acme.site.push", "acme.site.push_info"] {
            assert_eq!(doubted(&outcome_of(action, when, HIDDEN_SKIP)), Some(SkipCensored), "{action}");
        }
    }

    #[test]
    fn a_failure_that_was_hidden_is_told_from_an_answer() {
        let judged = |answer: &str| format!(r#"{OK},"answer":{{"failed_when":true{answer}}}"#);
        let set = r#","failed_when":true"#;
        assert_eq!(doubted(&outcome_of("copy", set, &judged(r#","msg":"no such user""#))), Some(FailureHidden));
        assert_eq!(doubted(&outcome_of("copy", set, &judged(r#","exception":true"#))), Some(FailureHidden));
        assert_eq!(doubted(&outcome_of("mount", set, &judged(r#","rc":1"#))), Some(FailureHidden));
        assert_eq!(outcome_of("copy", set, &judged("")), Verified);
        let ran = r#","rc":1,"ran":true,"msg":"non-zero return code""#;
        assert_eq!(outcome_of("command", set, &judged(ran)), Looked);
        let hidden = format!(r#"{OK},"censored":true"#);
        assert_eq!(doubted(&outcome_of("copy", set, &hidden)), Some(FailureCensored));
        assert_eq!(outcome_of("copy", "", &hidden), Verified);
    }

    #[test]
    fn a_command_proves_what_its_changed_when_compares() {
        let ran = format!(r#"{OK},"answer":{{"ran":true,"rc":0}}"#);
        assert_eq!(outcome_of("command", r#","changed_when":true"#, &ran), Verified);
        assert_eq!(outcome_of("command", r#","changed_when":true,"never_changed":true"#, &ran), Looked);
        assert_eq!(outcome_of("command", "", &ran), Looked);
        assert_eq!(outcome_of("command", r#","changed_when":true"#, OK), Nothing);
        let changed = format!(r#"{OK},"changed":true,"answer":{{"ran":true,"rc":0}}"#);
        let TaskOutcome::Drifted { compared, .. } = outcome_of("command", "", &changed) else { panic!("no drift") };
        assert!(!compared, "a command says changed by default");
        let TaskOutcome::Drifted { compared, .. } = outcome_of("command", r#","changed_when":true"#, &changed) else {
            panic!("no drift")
        };
        assert!(compared);
    }

    #[test]
    fn what_was_never_compared_is_no_sync() {
        let old = format!(r#"{OK},"answer":{{"force_false":true}}"#);
        assert_eq!(doubted(&outcome_of("copy", "", &old)), Some(NeverCompared));
        assert_eq!(doubted(&outcome_of("template", r#","default_force_false":true"#, OK)), Some(NeverCompared));
        assert_eq!(outcome_of("lineinfile", r#","default_force_false":true"#, OK), Verified);
        let set = r#","changed_when":true"#;
        assert_eq!(doubted(&outcome_of("copy", &format!(r#"{set},"no_diff":true"#), OK)), Some(ChangeHidden));
        assert_eq!(doubted(&outcome_of("copy", set, &format!(r#"{OK},"censored":true"#))), Some(ChangeHidden));
        assert_eq!(
            doubted(&outcome_of("copy", "", &format!(r#"{OK},"answer":{{"unfinished":true}}"#))),
            Some(JobNotAwaited)
        );
    }

    #[test]
    fn reading_and_the_controller_prove_nothing() {
        for action in ["stat", "ansible.builtin.slurp", "mysql_info", "service_facts"] {
            assert_eq!(outcome_of(action, "", OK), Looked, "{action}");
        }
        for action in ["setup", "debug", "set_fact", "ansible.builtin.assert", "wait_for"] {
            assert_eq!(outcome_of(action, "", OK), Nothing, "{action}");
        }
        let changed = format!(r#"{OK},"changed":true"#);
        assert_eq!(outcome_of("add_host", "", &changed), Nothing);
    }

    #[test]
    fn a_handler_proves_nothing_unless_it_fails() {
        let handler = r#","handler":true"#;
        assert_eq!(outcome_of("service", handler, &format!(r#"{OK},"changed":true"#)), Nothing);
        assert_eq!(outcome_of("command", handler, SKIPPED), Nothing);
        assert_eq!(doubted(&outcome_of("service", handler, r#","status":"failed""#)), Some(Failed));
        assert_eq!(doubted(&outcome_of("service", "", r#","status":"unreachable""#)), Some(Unreachable));
    }

    #[test]
    fn a_diff_tells_what_changed_when_hides() {
        let with =
            |keys: &str| format!(r#"{OK},"answer":{{"path":"/etc/a","diff":[{{"header":null,"path":null{keys}}}]}}"#);
        let set = r#","changed_when":true"#;
        let drifted = |evidence| matches!(evidence, TaskOutcome::Drifted { compared: true, .. });
        assert!(drifted(outcome_of("file", set, &with(r#","keys":["mode"]"#))));
        assert!(drifted(outcome_of("copy", set, &with(r#","differs":true"#))));
        assert_eq!(outcome_of("file", set, &with(r#","keys":["state"]"#)), Verified);
        assert_eq!(outcome_of("file", "", &with(r#","keys":["mode"]"#)), Verified);
    }
}
