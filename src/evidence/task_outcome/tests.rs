//! Answers as the callback writes them, and what each proves.

use super::TaskOutcome::{NotAsked, Read, Verified, Waived};
use super::WhyUnverified::*;
use super::*;
use crate::evidence::task::{EmptyLoop, Task};

/// What is left out is `false` or not there, as in an event.
fn known(action: &str, task: &str) -> KnownTask {
    let task = format!(r#"{{"number":0,"name":"t","action":"{action}"{task}}}"#);
    KnownTask::new(serde_json::from_str::<Task>(&task).unwrap(), false)
}

fn outcome_of(action: &str, task: &str, result: &str) -> TaskOutcome {
    let result = format!(r#"{{"task":0,"host":"h"{result}}}"#);
    task_outcome(&known(action, task), &serde_json::from_str(&result).unwrap(), Circumstances::default())
}

fn why(outcome: &TaskOutcome) -> Option<WhyUnverified> {
    if let TaskOutcome::Unverified { why, .. } = outcome { Some(why.clone()) } else { None }
}

fn drifted(outcome: &TaskOutcome) -> bool {
    matches!(outcome, TaskOutcome::Drifted { .. })
}

fn no_proof(outcome: &TaskOutcome) -> bool {
    matches!(why(outcome), Some(AnswerNoProof(_)))
}

const SKIPPED: &str = r#","status":"skipped""#;
const HIDDEN_SKIP: &str = r#","status":"skipped","censored":true"#;
const OK: &str = r#","status":"ok""#;
const CHANGED: &str = r#","status":"ok","changed":true"#;
const NEVER: &str = r#","changed_when":["False"]"#;
const BY_RC: &str = r#","changed_when":["x.rc == 1"]"#;
const HANDLER: &str = r#","handler":true"#;

fn skipped_because(why: &str) -> String {
    format!(r#"{SKIPPED},"answer":{{"skip_reason":"{why}"}}"#)
}

fn ok(answer: &str) -> String {
    format!(r#"{OK},"answer":{{{answer}}}"#)
}

fn changed(answer: &str) -> String {
    format!(r#"{CHANGED},"answer":{{{answer}}}"#)
}

#[test]
fn a_skip_is_ordinary_only_where_ansible_says_so() {
    let by_when = skipped_because("Conditional result was False");
    let when = r#","when":["other"]"#;
    assert_eq!(outcome_of("copy", when, &by_when), NotAsked);
    let in_check_mode = skipped_because("Command would have run if not in check mode");
    assert_eq!(why(&outcome_of("command", "", &in_check_mode)), Some(SkippedInCheckMode));
    assert_eq!(why(&outcome_of("copy", when, SKIPPED)), Some(SkippedInCheckMode));
    let itself = format!(r#"{SKIPPED},"answer":{{"msg":"no service manager found"}}"#);
    assert_eq!(why(&outcome_of("service_facts", "", &itself)), Some(SkippedItself));
    for said in [
        "remote module (uri) does not support check mode",
        "This action (uri) does not support check mode.",
        "Task `raw` did not execute due to check_mode",
        "check mode not (yet) supported for this module",
    ] {
        let skip = format!(r#"{SKIPPED},"answer":{{"msg":"{said}"}}"#);
        assert_eq!(why(&outcome_of("uri", when, &skip)), Some(SkippedInCheckMode), "{said}");
        assert_eq!(why(&outcome_of("uri", when, &skipped_because(said))), Some(SkippedInCheckMode), "{said}");
    }
    let on_check_mode = r#","when":["other","not ansible_check_mode"]"#;
    assert_eq!(why(&outcome_of("copy", on_check_mode, &by_when)), Some(SkippedByCheckModeWhen));
    let named = |condition: &str| {
        format!(
            r#"{SKIPPED},"answer":{{"skip_reason":"Conditional result was False","false_condition":"{condition}"}}"#
        )
    };
    assert_eq!(outcome_of("copy", on_check_mode, &named("other")), NotAsked);
    assert_eq!(why(&outcome_of("copy", "", &named("not ansible_check_mode"))), Some(SkippedByCheckModeWhen));
    let there = r#","status":"skipped","answer":{"msg":"/x exists, matching creates option"}"#;
    assert_eq!(outcome_of("script", "", there), NotAsked);
}

#[test]
fn a_loop_that_may_have_found_nothing_leaves_its_task_unverified() {
    let nothing_to_do = skipped_because("No items in the list");
    let found = |task: &str| why(&outcome_of("copy", task, &nothing_to_do));
    assert_eq!(found(r#","loop":"{{ users }}""#), None);
    assert_eq!(found(r#","loop":"x/*","loop_with":"fileglob""#), Some(LoopFoundNothing(EmptyLoop::Files)));
    assert_eq!(found(r#","loop":"{{ query('first_found', x) }}""#), Some(LoopFoundNothing(EmptyLoop::FirstFound)));
    assert_eq!(found(r#","loop_with":"first_found""#), Some(LoopFoundNothing(EmptyLoop::FirstFound)));
    assert_eq!(found(r#","loop_with":"first_found","loop_skip":"True""#), None);
    let of = |action: &str| why(&outcome_of(action, r#","loop":"x/*","loop_with":"fileglob""#, &nothing_to_do));
    assert_eq!(of("set_fact"), Some(LoopFoundNothing(EmptyLoop::Files)), "the list that others loop over");
    assert_eq!(of("debug"), None);
    let ignored = r#","loop":"{{ lookup('csvfile', x, errors = 'ignore') }}""#;
    assert_eq!(found(ignored), Some(LoopFoundNothing(EmptyLoop::ErrorsIgnored)));
}

#[test]
fn a_hidden_skip_is_ordinary_only_for_what_check_mode_never_skips() {
    let when = r#","when":["other"]"#;
    let on_check_mode = r#","when":["other","not ansible_check_mode"]"#;
    for action in ["ansible.builtin.copy", "ansible.builtin.include_tasks", "stat"] {
        assert_eq!(outcome_of(action, when, HIDDEN_SKIP), NotAsked, "{action}");
        assert_eq!(why(&outcome_of(action, "", HIDDEN_SKIP)), Some(SkipCensored), "{action}");
        assert_eq!(why(&outcome_of(action, on_check_mode, HIDDEN_SKIP)), Some(SkipCensored), "{action}");
    }
    for action in ["command", "ansible.builtin.uri", "assemble", "acme.site.push", "acme.site.push_info"] {
        assert_eq!(why(&outcome_of(action, when, HIDDEN_SKIP)), Some(SkipCensored), "{action}");
    }
}

#[test]
fn a_failure_that_was_hidden_is_told_from_an_answer() {
    let judged = |answer: &str| ok(&format!(r#""failed_when_result":false{answer}"#));
    let set = r#","failed_when":["false"]"#;
    assert_eq!(why(&outcome_of("copy", set, &judged(r#","msg":"no such user""#))), Some(FailureHidden));
    assert_eq!(why(&outcome_of("copy", set, &judged(r#","exception":true"#))), Some(FailureHidden));
    assert_eq!(why(&outcome_of("mount", set, &judged(r#","rc":1"#))), Some(FailureHidden));
    assert_eq!(outcome_of("copy", set, &judged("")), Verified);
    let ran = r#","rc":1,"fields":{"delta":"1"},"msg":"non-zero return code""#;
    assert_eq!(outcome_of("command", set, &judged(ran)), Read);
    let hidden = format!(r#"{OK},"censored":true"#);
    assert_eq!(why(&outcome_of("copy", set, &hidden)), Some(FailureCensored));
    assert_eq!(outcome_of("copy", "", &hidden), Verified);
}

#[test]
fn a_command_proves_what_its_changed_when_compares() {
    let ran = r#""rc":0,"fields":{"delta":"1"}"#;
    assert_eq!(outcome_of("command", BY_RC, &ok(ran)), Verified);
    assert!(drifted(&outcome_of("command", BY_RC, &changed(ran))));
    for (task, result) in [(NEVER, ok(ran)), ("", ok(ran)), ("", changed(ran))] {
        assert_eq!(outcome_of("command", task, &result), Read, "changed by default is no drift");
    }
    let real = format!(r#"{OK},"check_mode":false"#);
    assert_eq!(outcome_of("script", NEVER, &real), Read, "a script does not tell how long it ran");
    assert!(drifted(&outcome_of("script", "", CHANGED)), "it ran in no check mode: what `creates` names is missing");
    assert_eq!(why(&outcome_of("script", NEVER, OK)), Some(SkippedInCheckMode));
    assert_eq!(outcome_of("command", BY_RC, &ok(r#""msg":"Would not run command since '/x' exists""#)), NotAsked);
    let held_back = r#""msg":"Command would have run if not in check mode""#;
    assert!(drifted(&outcome_of("command", "", &changed(held_back))), "what `creates` names is missing");
    assert_eq!(why(&outcome_of("command", NEVER, &ok(held_back))), Some(SkippedInCheckMode));
}

#[test]
fn an_exit_code_is_an_answer_only_where_the_playbook_speaks_of_it() {
    let exits = |code: i64, conditions: &str| {
        let answer =
            format!(r#""failed_when_result":false,"rc":{code},"msg":"non-zero return code","fields":{{"delta":"1"}}"#);
        outcome_of("command", &format!(r#","failed_when":["false"],"changed_when":["{conditions}"]"#), &ok(&answer))
    };
    assert_eq!(exits(0, "'x' in c.stdout"), Verified);
    assert_eq!(exits(1, "c.rc == 1"), Verified);
    assert_eq!(exits(3, "c.rc in [0, 3]"), Verified);
    for (code, conditions) in
        [(1, "'x' in c.stdout"), (2, "c.rc == 1"), (2, "c.rc != 0"), (126, "c.rc == 126"), (137, "c.rc > 137")]
    {
        assert_eq!(why(&exits(code, conditions)), Some(ExitCodeNoAnswer(code)), "{code} {conditions}");
    }
}

#[test]
fn an_answer_that_would_be_the_same_anyway_is_no_proof() {
    let forced = ok(r#""args":{"force":"False"}"#);
    assert!(no_proof(&outcome_of("copy", "", &forced)));
    assert!(no_proof(&outcome_of("template", r#","module_defaults":{"ansible.builtin.template":{"force":"no"}}"#, OK)));
    assert_eq!(outcome_of("lineinfile", r#","module_defaults":{"copy":{"force":"no"}}"#, OK), Verified);
    assert_eq!(outcome_of("community.crypto.openssh_keypair", "", &forced), Verified);
    assert_eq!(why(&outcome_of("copy", "", &ok(r#""empty_source":true"#))), Some(NothingToCopy));
    assert_eq!(why(&outcome_of("copy", "", &ok(r#""lone_file":true"#))), Some(LoneFile));
    assert!(drifted(&outcome_of("copy", "", &changed(r#""lone_file":true"#))));
    assert_eq!(
        why(&outcome_of("systemd", "", &ok(r#""args":{"state":"started"},"disclaimed":true"#))),
        Some(Disclaimed)
    );
    let pip = r#""args":{"requirements":"/r.txt"}"#;
    assert!(no_proof(&outcome_of("pip", "", &changed(pip))), "changed of a clean target is no drift");
    assert_eq!(why(&outcome_of("copy", "", &ok(r#""job":"j1","finished":false"#))), Some(JobNotAwaited));
    let short = r#""fields":{"before":"abcdef0123456789","after":"abcdef0"}"#;
    assert_eq!(outcome_of("git", "", &changed(short)), Verified);
    assert!(drifted(&outcome_of("git", "", &changed(r#""fields":{"before":"abcdef0123456789","after":"1234567"}"#))));
}

#[test]
fn a_touch_is_drift_where_the_file_is_missing_or_differs() {
    let touched = |fields: &str, diff: &str, args: &str| {
        outcome_of("file", "", &changed(&format!(r#""args":{{"state":"touch"{args}}},"fields":{{{fields}}}{diff}"#)))
    };
    let states = r#""states":["file","touch"],"sides":"differ""#;
    let diff = |keys: &str| format!(r#","diff":[{{"keys":[{keys}],{states}}}]"#);
    assert!(drifted(&touched("", "", "")));
    assert!(drifted(&touched(r#""state":"absent""#, "", "")));
    let hidden = format!(r#"{CHANGED},"censored":true,"answer":{{"args":{{"state":"touch"}}}}"#);
    assert_eq!(why(&outcome_of("file", "", &hidden)), Some(TouchedAgain));
    assert_eq!(why(&touched(r#""state":"file""#, &diff(r#""mtime","state""#), "")), Some(TouchedAgain));
    assert!(drifted(&touched(r#""state":"file""#, &diff(r#""mode","mtime","state""#), "")));
    let mtime = r#","modification_time":"202001010000.00","access_time":"preserve""#;
    assert!(drifted(&touched(r#""state":"file""#, &diff(r#""mtime","state""#), mtime)));
}

#[test]
fn a_diff_tells_what_changed_when_hides() {
    let shown =
        |action: &str, diff: &str| outcome_of(action, NEVER, &ok(&format!(r#""path":"/etc/a","diff":[{{{diff}}}]"#)));
    assert!(drifted(&shown("file", r#""keys":["mode"],"sides":"differ""#)));
    assert!(drifted(&shown("copy", r#""sides":"differ""#)));
    assert!(drifted(&shown("file", r#""keys":["state"],"states":["absent","file"],"sides":"differ""#)));
    assert_eq!(shown("file", r#""sides":"equal""#), Verified);
    assert_eq!(shown("lineinfile", r#""sides":"equal","before_header":"/x","empty":true"#), Verified);
    assert_eq!(shown("copy", r#""path":"/x","sides":"equal""#), Verified, "the attributes of a file that is there");
    assert_eq!(
        why(&shown("copy", r#""sides":"equal","before_header":"/x""#)),
        Some(ChangeHidden),
        "a link to such a file"
    );
    assert!(drifted(&shown("copy", r#""sides":"equal","empty":true"#)), "the file is not there");
    assert_eq!(why(&shown("lineinfile", r#""before_header":"x""#)), Some(ChangeHidden), "a text without two sides");
    assert_eq!(why(&outcome_of("user", NEVER, OK)), Some(ChangeHidden));
    assert_eq!(why(&shown("community.general.alternatives", r#""sides":"differ""#)), Some(ChangeHidden));
    let real = format!(r#"{OK},"check_mode":false,"answer":{{"diff":[{{"sides":"differ"}}]}}"#);
    assert_eq!(outcome_of("copy", NEVER, &real), Verified, "it has made it so");
    let TaskOutcome::Drifted { repaired, .. } = outcome_of("copy", "", &format!(r#"{CHANGED},"check_mode":false"#))
    else {
        panic!("no drift")
    };
    assert!(repaired);
}

#[test]
fn reading_and_the_controller_prove_what_their_author_compares() {
    for action in ["stat", "ansible.builtin.slurp", "mysql_info", "service_facts"] {
        assert_eq!(outcome_of(action, "", OK), Read, "{action}");
        assert_eq!(outcome_of(action, NEVER, OK), Read, "{action}");
        assert_eq!(outcome_of(action, BY_RC, OK), Verified, "{action}");
        assert!(drifted(&outcome_of(action, BY_RC, CHANGED)), "{action}");
    }
    assert_eq!(outcome_of("community.postgresql.postgresql_query", "", OK), Read);
    assert!(no_proof(&outcome_of("community.postgresql.postgresql_query", "", CHANGED)));
    for action in ["setup", "debug", "set_fact", "ansible.builtin.assert", "wait_for", "fetch"] {
        assert_eq!(outcome_of(action, "", CHANGED), NotAsked, "{action}");
    }
    assert!(drifted(&outcome_of("debug", BY_RC, CHANGED)));
    assert_eq!(outcome_of("add_host", BY_RC, CHANGED), NotAsked);
    assert_eq!(outcome_of("fetch", BY_RC, CHANGED), NotAsked);
    assert_eq!(outcome_of("wait_for_connection", "", SKIPPED), NotAsked);
    assert_eq!(outcome_of("apt", "", &changed(r#""args":{}"#)), NotAsked, "nothing but its cache");
}

#[test]
fn what_a_rescue_hangs_on_has_to_be_tried() {
    let outcome = |action: &str, task: &str, result: &str| {
        let result = format!(r#"{{"task":0,"host":"h"{result}}}"#);
        let here = Circumstances { on_controller: true, ..Circumstances::default() };
        task_outcome(&known(action, task), &serde_json::from_str(&result).unwrap(), here)
    };
    let rescued = r#","rescued":true"#;
    assert_eq!(outcome("command", "", SKIPPED), NotAsked);
    assert_eq!(why(&outcome("command", rescued, SKIPPED)), Some(RescueUndecided));
    assert_eq!(why(&outcome("wait_for", rescued, SKIPPED)), Some(RescueUndecided));
    assert_eq!(outcome("command", rescued, &skipped_because("Conditional result was False")), NotAsked);
    assert_eq!(outcome("command", r#","rescued":true,"handler":true"#, SKIPPED), NotAsked);
    assert_eq!(why(&outcome_of("command", rescued, SKIPPED)), Some(SkippedInCheckMode));
}

#[test]
fn a_handler_proves_nothing_unless_it_fails() {
    assert_eq!(outcome_of("service", HANDLER, CHANGED), NotAsked);
    assert_eq!(outcome_of("command", HANDLER, SKIPPED), NotAsked);
    assert_eq!(why(&outcome_of("service", HANDLER, r#","status":"failed""#)), Some(Failed(WhyFailed::Other)));
    let unreachable = Some(Unreachable(WhyUnreachable::Other));
    assert_eq!(why(&outcome_of("service", "", r#","status":"unreachable""#)), unreachable);
}

#[test]
fn a_failure_proves_drift_only_where_failed_when_alone_made_it() {
    let failed = |task: &str, answer: &str| {
        let result = format!(r#"{{"task":0,"host":"h","status":"failed","changed":true,"answer":{{{answer}}}}}"#);
        drift_of_failure(&known("copy", task), &serde_json::from_str(&result).unwrap(), Circumstances::default())
    };
    assert!(failed("", r#""failed_when_result":true"#).is_some());
    for msg in ["Task failed: Action failed: Unknown error.", "A 'failed_when' expression evaluated to 'True'."] {
        let answer = format!(r#""failed_when_result":true,"exception":true,"msg":"{msg}""#);
        assert!(failed("", &answer).is_some(), "{msg}");
    }
    assert_eq!(failed("", r#""failed_when_result":true,"msg":"no space""#), None);
    assert_eq!(failed("", r#""msg":"no space""#), None);
    assert_eq!(failed(HANDLER, r#""failed_when_result":true"#), None);
}

#[test]
fn a_waiver_takes_everything_out_but_a_failure_that_nobody_accepts() {
    let waived = Circumstances { waived: true, ..Circumstances::default() };
    let outcome = |action: &str, result: &str| {
        let result = format!(r#"{{"task":0,"host":"h","changed":true,{result}}}"#);
        task_outcome(&known(action, ""), &serde_json::from_str(&result).unwrap(), waived)
    };
    assert_eq!(outcome("copy", r#""status":"ok""#), Waived);
    assert_eq!(outcome("copy", r#""status":"skipped""#), Waived);
    let failed = Some(Failed(WhyFailed::Other));
    assert_eq!(why(&outcome("copy", r#""status":"failed","ignored":true,"answer":{"rc":1}"#)), failed);
    let probe = r#""status":"failed","answer":{"rc":1,"msg":"non-zero return code"}"#;
    assert_eq!(why(&outcome("command", probe)), failed);
    assert_eq!(outcome("command", &format!(r#"{probe},"ignored":true"#)), Waived);
}
