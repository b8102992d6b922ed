//! What other hosts, includes, and whatever decides on hosts bring in.

use super::*;

/// An answer that sets nothing, as the callback tells it where something may be unknown.
const ANSWERED: &str = r#""status":"ok","sets":{}"#;

#[test]
fn values_of_other_hosts_are_followed() {
    let hostvars = |pair: &str| format!(r#"{{"args":{{"hostvars":[{pair}]}}}}"#);
    let mut run = Run::new();
    run.ask("a");
    assert!(run.hangs("b", &hostvars(r#"["a","x"]"#)));
    assert!(run.hangs("b", &hostvars(r#"[null,"x"]"#)));
    assert!(run.hangs("b", &hostvars(r#"["a",null]"#)));
    assert!(!run.hangs("b", &hostvars(r#"["a","y"]"#)));
    assert!(!run.hangs("b", &hostvars(r#"["c","x"]"#)));
    let defined_there = r#"{"args":{"hostvars":[["a","y"]]},"elsewhere":{"a":{"variables":{"y":{"names":["x"]}}}}}"#;
    assert!(run.hangs("b", defined_there));
}

#[test]
fn what_a_lost_host_would_have_set_is_unknown_and_what_the_inventory_says_is_not() {
    let mut run = Run::new();
    run.provenance.gone(Gone { hosts: vec!["b".to_owned(), "other".to_owned()], ..Gone::default() });
    let port = r#"{"args":{"hostvars":[[null,"port"]]}}"#;
    assert!(run.hangs("a", port));
    assert!(run.hangs("a", r#"{"args":{"names":["ansible_play_hosts"]}}"#));
    let stated =
        r#"{"args":{"hostvars":[[null,"port"]]},"elsewhere":{"b":{"stated":["port"]},"other":{"stated":["port"]}}}"#;
    assert!(!run.hangs("a", stated));
    run.provenance.gone(Gone { back: vec!["b".to_owned()], ..Gone::default() });
    assert!(run.hangs("a", port), "the other one is still lost");
    assert!(!run.hangs("a", r#"{"args":{"names":["play_hosts"]}}"#), "the play does not name that one");
    run.provenance.gone(Gone { back: vec!["other".to_owned()], ..Gone::default() });
    assert!(!run.hangs("a", port));
    run.provenance.gone(Gone { limited: vec!["c".to_owned()], ..Gone::default() });
    assert!(run.hangs("a", port));
}

#[test]
fn what_an_include_hangs_on_holds_for_everything_in_it() {
    let mut run = Run::new();
    run.ask("a");
    let include = run.task("include", "include_tasks", "");
    run.mentions(include, r#"{"when":[{"names":["x"]}]}"#);
    for host in ["a", "b"] {
        run.result(include, host, &format!(r#"{OK},"uses":true,"sets":{{}}"#));
    }
    let inside = format!(r#"{{"within":[{include}]}}"#);
    assert!(run.hangs("a", &inside));
    assert!(!run.hangs("b", &inside));
    let nested = run.task("include", "include_role", "");
    run.mentions(nested, &inside);
    run.result(nested, "a", &format!(r#"{OK},"uses":true,"sets":{{}}"#));
    assert!(run.hangs("a", &format!(r#"{{"within":[{nested}]}}"#)));
}

#[test]
fn hosts_and_groups_that_may_not_have_been_added_are_unknown() {
    let mut run = Run::new();
    run.ask("a");
    let add = run.task("add", "add_host", "");
    run.mentions(add, &args(r#""x""#));
    let sets = r#""sets":{"hosts":["new"],"groups":["found"],"names":["port"]}"#;
    run.result(add, "a", &format!(r#"{OK},"uses":true,{sets}"#));
    assert!(run.hangs("a", &args(r#""groups.found""#)));
    assert!(!run.hangs("a", &args(r#""groups.web""#)));
    assert!(run.hangs("a", &args(r#""group_names""#)));
    assert!(run.hangs("b", r#"{"args":{"hostvars":[["new","port"]]}}"#));
    let mentions = serde_json::from_str::<Mentions>(&args(r#""groups.found""#)).unwrap();
    assert!(run.provenance.play(&["new".to_owned()], None, Some(&mentions)).is_some());
    let task = run.task("use", "copy", "");
    assert!(run.result(task, "new", ANSWERED).unknown.is_some(), "no keyword of it mentions anything");
    assert!(run.provenance.play(&["a".to_owned()], None, None).is_none());
    assert!(run.result(task, "new", ANSWERED).unknown.is_some(), "the host itself may not be one");
    assert!(run.result(task, "a", ANSWERED).unknown.is_none());
}

#[test]
fn a_condition_on_check_mode_makes_what_it_guards_unknown() {
    let mut run = Run::new();
    let hidden = r#""variables":{"deploy":{"names":["ansible_check_mode"]}}"#;
    let task = run.task("decide", "set_fact", r#","when":["deploy"]"#);
    run.mentions(task, &format!(r#"{{"when":[{{"names":["deploy"]}}],{hidden}}}"#));
    let answer = r#""answer":{"skip_reason":"Conditional result was False","false_condition":"deploy"}"#;
    let inputs = run.result(task, "a", &format!(r#"{SKIPPED},"uses":true,"sets":{{"names":["y"]}},{answer}"#));
    assert!(inputs.unknown.is_none() && inputs.skipped_by_check_mode);
    assert_eq!(why(&run.after("a", &args(r#""y""#))), ("decide", WhyUnknown::HangsOnCheckMode));

    let inputs = run.result(task, "b", &format!(r#"{OK},"uses":true,"sets":{{"names":["y"]}}"#));
    assert!(inputs.unknown.is_none() && !inputs.argument_on_check_mode, "the task itself ran");
    assert!(run.hangs("b", &args(r#""y""#)));
}

#[test]
fn an_argument_on_check_mode_is_told_from_what_is_unknown() {
    let mut run = Run::new();
    let inputs = run.after("a", &args(r#""ansible_check_mode""#));
    assert!(inputs.unknown.is_none() && inputs.argument_on_check_mode);
    let harmless = run.after("a", r#"{"other":{"names":["ansible_check_mode"]}}"#);
    assert!(!harmless.argument_on_check_mode);
    run.provenance.playbook(false);
    let really = run.after("a", &args(r#""ansible_check_mode""#));
    assert_eq!(really, Inputs::default(), "a run that is not in check mode is what it says");
}

#[test]
fn a_question_that_nobody_answered_is_unknown() {
    let mut run = Run::new();
    run.provenance.prompt(Prompt { name: "version".to_owned() });
    let inputs = run.after("a", &args(r#""version""#));
    assert_eq!(inputs.unknown.as_deref(), Some(&Source::Prompt { name: "version".to_owned() }));
}

#[test]
fn a_rescue_hangs_on_what_made_the_task_before_it_fail() {
    let mut run = Run::new();
    run.ask("a");
    let task = run.task("risky", "copy", "");
    run.mentions(task, &args(r#""x""#));
    for host in ["a", "b"] {
        run.result(task, host, r#""status":"failed","uses":true,"sets":{}"#);
    }
    assert!(run.hangs("a", r#"{"rescue":true}"#));
    assert!(!run.hangs("b", r#"{"rescue":true}"#));
}

#[test]
fn what_follows_an_end_that_may_have_been_due_is_unknown() {
    let mut run = Run::new();
    run.ask("a");
    let source = run.after("a", &args(r#""x""#)).unknown.unwrap();
    run.provenance.went_on("a", false, &source);
    let task = run.task("use", "copy", "");
    assert!(run.result(task, "a", ANSWERED).unknown.is_some());
    assert!(run.result(task, "b", ANSWERED).unknown.is_none());
    run.provenance.went_on("a", true, &source);
    assert!(run.result(task, "b", ANSWERED).unknown.is_some());
    run.provenance.play(&["b".to_owned()], None, None);
    assert!(run.result(task, "b", ANSWERED).unknown.is_none(), "the next play is another");
}

#[test]
fn what_cannot_be_read_or_was_not_told_counts_as_unknown() {
    let mut run = Run::new();
    assert!(run.hangs("a", r#"{"unreadable":"`when`: unexpected end"}"#));
    let task = run.task("use", "copy", "");
    assert!(
        run.result(task, "a", &format!(r#"{ANSWERED},"uses":true"#)).unknown.is_some(),
        "no event said what it mentions"
    );
    let ask = run.task("ask", "command", "");
    assert!(run.result(task, "b", ANSWERED).unknown.is_none());
    run.result(ask, "a", SKIPPED);
    assert!(run.result(task, "b", ANSWERED).unknown.is_some(), "what the source sets was not told");
}
