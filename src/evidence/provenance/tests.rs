//! Events as the callback writes them, and what is unknown after them.

mod elsewhere;

use super::*;
use crate::evidence::event::Event;
use crate::evidence::task::Task;

/// A play on the hosts `a` and `b`, told event by event.
struct Run {
    provenance: Provenance,
    tasks: Vec<KnownTask>,
}

const SKIPPED: &str = r#""status":"skipped""#;
const OK: &str = r#""status":"ok""#;

impl Run {
    fn new() -> Self {
        let mut provenance = Provenance::default();
        provenance.playbook(true);
        let hosts = ["a".to_owned(), "b".to_owned()];
        provenance.play(&hosts, Some(&hosts.to_vec()), None);
        Self { provenance, tasks: Vec::new() }
    }

    /// A task, with further fields of its event.
    fn task(&mut self, name: &str, action: &str, fields: &str) -> usize {
        let number = self.tasks.len();
        let json = format!(r#"{{"number":{number},"name":"{name}","action":"{action}"{fields}}}"#);
        self.tasks.push(KnownTask::new(serde_json::from_str::<Task>(&json).unwrap(), false));
        number
    }

    /// What a task mentions from here on.
    fn mentions(&mut self, task: usize, mentions: &str) {
        let json = format!(r#"{{"uses":{{"task":{task},"mentions":{mentions}}}}}"#);
        let Event::Uses(uses) = serde_json::from_str(&json).unwrap() else { panic!("no uses") };
        self.provenance.uses(*uses);
    }

    fn result(&mut self, task: usize, host: &str, fields: &str) -> Inputs {
        self.answer(task, host, fields, false)
    }

    fn answer(&mut self, task: usize, host: &str, fields: &str, waived: bool) -> Inputs {
        let json = format!(r#"{{"task":{task},"host":"{host}",{fields}}}"#);
        let result = serde_json::from_str(&json).unwrap();
        let inputs = self.provenance.inputs(&self.tasks[task], &result);
        self.provenance.record(&self.tasks[task], &result, &inputs, waived);
        inputs
    }

    /// The task `ask` does not run on a host, and its register `x` is unknown there.
    fn ask(&mut self, host: &str) {
        let ask = self.task("ask", "command", "");
        self.result(ask, host, &format!(r#"{SKIPPED},"sets":{{"names":["x"]}}"#));
    }

    /// What a task that mentions these names, and ran, hangs on.
    fn after(&mut self, host: &str, mentions: &str) -> Inputs {
        let task = self.task("use", "copy", "");
        self.mentions(task, mentions);
        self.result(task, host, &format!(r#"{OK},"uses":true,"sets":{{}}"#))
    }

    fn hangs(&mut self, host: &str, mentions: &str) -> bool {
        self.after(host, mentions).unknown.is_some()
    }
}

fn args(names: &str) -> String {
    format!(r#"{{"args":{{"names":[{names}]}}}}"#)
}

fn why(inputs: &Inputs) -> (&str, WhyUnknown) {
    match inputs.unknown.as_deref() {
        Some(Source::Task { task, why, .. }) => (&task.name, *why),
        other => panic!("no task: {other:?}"),
    }
}

#[test]
fn the_answer_of_a_command_that_check_mode_skips_is_unknown() {
    let mut run = Run::new();
    run.ask("a");
    assert_eq!(why(&run.after("a", &args(r#""x""#))), ("ask", WhyUnknown::SkippedInCheckMode));
    assert!(!run.hangs("b", &args(r#""x""#)), "it was asked on the other host alone");
    assert!(!run.hangs("a", &args(r#""y""#)));
}

#[test]
fn every_answer_that_was_not_given_is_a_source() {
    let answers = [
        ("command", SKIPPED, WhyUnknown::SkippedInCheckMode),
        ("service_facts", SKIPPED, WhyUnknown::SkippedItself),
        ("command", r#""status":"skipped","censored":true"#, WhyUnknown::Hidden),
        ("command", r#""status":"ok","held_back":true"#, WhyUnknown::HeldBack),
        ("find", r#""status":"ok","skipped_paths":true"#, WhyUnknown::DidNotLook),
        ("find", r#""status":"ok","censored":true"#, WhyUnknown::Hidden),
        ("pause", r#""status":"ok""#, WhyUnknown::NotAnswered),
        ("get_url", r#""status":"ok""#, WhyUnknown::NoProof),
        ("git", r#""status":"ok","answer":{"args":{"update":"no"}}"#, WhyUnknown::NoProof),
        ("stat", r#""status":"unreachable""#, WhyUnknown::NotReached),
    ];
    for (action, answer, expected) in answers {
        let mut run = Run::new();
        let task = run.task("ask", action, "");
        run.result(task, "a", &format!(r#"{answer},"sets":{{"names":["x"]}}"#));
        assert_eq!(why(&run.after("a", &args(r#""x""#))), ("ask", expected), "{action} {answer}");
    }
}

#[test]
fn a_real_answer_is_known_also_when_the_task_failed() {
    let ordinary = [
        ("command", r#""status":"failed""#),
        ("command", OK),
        ("pause", r#""status":"ok","answer":{"args":{"seconds":"1"}}"#),
        ("get_url", r#""status":"ok","check_mode":false"#),
        ("copy", r#""status":"skipped","answer":{"skip_reason":"Conditional result was False"}"#),
        ("copy", r#""status":"skipped","summary":true,"items":0,"answer":{"skipped_reason":"No items in the list"}"#),
        ("unarchive", r#""status":"skipped","answer":{"msg":"skipped, since /opt/app exists"}"#),
    ];
    for (action, answer) in ordinary {
        let mut run = Run::new();
        let task = run.task("ask", action, "");
        run.result(task, "a", &format!(r#"{answer},"sets":{{"names":["x"]}}"#));
        assert!(!run.hangs("a", &args(r#""x""#)), "{action} {answer}");
    }
}

#[test]
fn what_the_user_ignores_is_unknown() {
    let mut run = Run::new();
    let task = run.task("ask", "set_fact", "");
    run.answer(task, "a", &format!(r#"{OK},"sets":{{"names":["x"]}}"#), true);
    assert_eq!(why(&run.after("a", &args(r#""x""#))), ("ask", WhyUnknown::Waived));
}

#[test]
fn what_is_computed_from_an_unknown_value_is_unknown_and_leads_back_to_the_first_source() {
    let mut run = Run::new();
    run.ask("a");
    let task = run.task("keep", "set_fact", "");
    run.mentions(task, &args(r#""x""#));
    run.result(task, "a", &format!(r#"{OK},"uses":true,"sets":{{"names":["y"]}}"#));
    assert_eq!(why(&run.after("a", &args(r#""y""#))), ("ask", WhyUnknown::SkippedInCheckMode));
}

#[test]
fn a_value_that_is_set_again_by_a_task_that_ran_is_known() {
    let mut run = Run::new();
    run.ask("a");
    let task = run.task("ask again", "command", "");
    run.result(task, "a", &format!(r#"{OK},"sets":{{"names":["x"]}}"#));
    assert!(!run.hangs("a", &args(r#""x""#)));
}

#[test]
fn variables_are_followed_and_may_name_each_other() {
    let mut run = Run::new();
    run.ask("a");
    let defined = r#"{"args":{"names":["one"]},"variables":{"one":{"names":["two"]},"two":{"names":["one","x"]}}}"#;
    assert!(run.hangs("a", defined));
    let circular = r#"{"args":{"names":["one"]},"variables":{"one":{"names":["two"]},"two":{"names":["one"]}}}"#;
    assert!(!run.hangs("a", circular));
}

#[test]
fn an_extra_variable_is_what_the_user_said_whatever_a_task_sets() {
    let mut run = Run::new();
    run.ask("a");
    assert!(!run.hangs("a", r#"{"args":{"names":["x"]},"extra_vars":["x"]}"#));
    let by_template = r#"{"args":{"names":["y"]},"extra_vars":["y"],"variables":{"y":{"names":["x"]}}}"#;
    assert!(run.hangs("a", by_template));
}

#[test]
fn each_keyword_counts() {
    for keyword in [r#""args":"#, r#""loop":"#, r#""changed_when":"#, r#""other":"#, r#""when":["#] {
        let mut run = Run::new();
        run.ask("a");
        let end = if keyword.ends_with('[') { "]" } else { "" };
        assert!(run.hangs("a", &format!(r#"{{{keyword}{{"names":["x"]}}{end}}}"#)), "{keyword}");
    }
}

#[test]
fn a_false_condition_that_is_known_decides_alone() {
    let mut run = Run::new();
    run.ask("a");
    let task = run.task("use", "copy", r#","when":["wanted","x.rc == 0"]"#);
    run.mentions(task, r#"{"when":[{"names":["wanted"]},{"names":["x"]}],"args":{"names":["x"]}}"#);
    let skipped = |condition: &str| {
        let answer = format!(r#"{{"skip_reason":"Conditional result was False"{condition}}}"#);
        format!(r#"{SKIPPED},"uses":true,"sets":{{}},"answer":{answer}"#)
    };
    assert_eq!(run.result(task, "a", &skipped(r#","false_condition":"wanted""#)), Inputs::default());
    assert!(run.result(task, "a", &skipped(r#","false_condition":"x.rc == 0""#)).unknown.is_some());
    assert!(run.result(task, "a", &skipped("")).unknown.is_some(), "up to 2.14 nobody says which one it was");
    assert!(run.result(task, "a", &skipped(r#","false_condition":"another text""#)).unknown.is_some());
}

#[test]
fn an_empty_loop_hangs_on_what_it_loops_over_alone() {
    let empty = r#""status":"skipped","summary":true,"items":0,"uses":true,"sets":{},"answer":{"skip_reason":"No items in the list"}"#;
    let mut run = Run::new();
    run.ask("a");
    let task = run.task("use", "copy", "");
    run.mentions(task, r#"{"loop":{"names":["list"]},"args":{"names":["x"]}}"#);
    assert!(run.result(task, "a", empty).unknown.is_none());
    run.mentions(task, r#"{"loop":{"names":["x"]}}"#);
    assert!(run.result(task, "a", empty).unknown.is_some());
}

#[test]
fn the_variable_of_a_loop_stands_for_what_it_loops_over() {
    let mut run = Run::new();
    run.ask("a");
    let task = run.task("use", "copy", r#","when":["item.rc == 0"]"#);
    run.mentions(task, r#"{"when":[{"names":["item"]}],"loop":{"names":["x"]},"loop_vars":["item"]}"#);
    let answer = r#""answer":{"skip_reason":"Conditional result was False","false_condition":"item.rc == 0"}"#;
    assert!(run.result(task, "a", &format!(r#"{SKIPPED},"item":true,"uses":true,{answer}"#)).unknown.is_some());
}

#[test]
fn one_unknown_item_makes_the_answer_of_a_loop_unknown() {
    let mut run = Run::new();
    let task = run.task("each", "command", "");
    run.result(task, "a", &format!(r#"{OK},"item":true"#));
    run.result(task, "a", &format!(r#"{SKIPPED},"item":true"#));
    run.result(task, "b", &format!(r#"{OK},"item":true"#));
    let summary = format!(r#"{OK},"summary":true,"items":2,"sets":{{"names":["x"]}}"#);
    run.result(task, "a", &summary);
    run.result(task, "b", &summary);
    assert!(run.hangs("a", &args(r#""x""#)));
    assert!(!run.hangs("b", &args(r#""x""#)));
}

#[test]
fn a_task_that_runs_once_answers_for_all_hosts_of_the_batch() {
    let mut run = Run::new();
    let task = run.task("ask", "command", r#","run_once":true"#);
    run.result(task, "a", &format!(r#"{SKIPPED},"sets":{{"names":["x"]}}"#));
    assert!(run.hangs("a", &args(r#""x""#)));
    assert!(run.hangs("b", &args(r#""x""#)));
}

#[test]
fn delegated_facts_belong_to_the_other_host() {
    let mut run = Run::new();
    run.ask("a");
    let task = run.task("tell", "set_fact", "");
    run.mentions(task, &args(r#""x""#));
    let fields = r#""delegated_to":"db","uses":true,"sets":{"names":["y"],"delegated":true}"#;
    run.result(task, "a", &format!("{OK},{fields}"));
    assert!(run.hangs("db", &args(r#""y""#)));
}

#[test]
fn facts_are_known_by_both_of_their_names() {
    let mut run = Run::new();
    let task = run.task("facts", "setup", "");
    run.answer(task, "a", &format!(r#"{OK},"sets":{{"facts":["ansible_system","services"]}}"#), true);
    for name in ["ansible_system", "ansible_facts.system", "services", "ansible_facts.services", "ansible_facts"] {
        assert!(run.hangs("a", &args(&format!(r#""{name}""#))), "{name}");
    }
    assert!(!run.hangs("a", &args(r#""ansible_facts.distribution""#)));
    assert!(!run.hangs("a", &args(r#""system""#)));
}

#[test]
fn a_name_without_a_value_may_be_one_that_was_not_set() {
    let mut run = Run::new();
    let task = run.task("ask", "acme.site.facts", "");
    run.result(task, "a", &format!(r#"{SKIPPED},"sets":{{"anything":true}}"#));
    assert!(run.hangs("a", r#"{"args":{"names":["answer"]},"undefined":["answer"]}"#));
    assert!(!run.hangs("a", &args(r#""defined""#)));
    assert!(!run.hangs("b", r#"{"args":{"names":["answer"]},"undefined":["answer"]}"#));
}
