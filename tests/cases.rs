//! Every case under `tests/cases`: a real `ansible-playbook` run through the built binary, and the verdict it must get.
//!
//! `CASES=drift,no-log` runs those alone, `ANSIBLE_CORE=2.14` another ansible-core. A case is a directory with the
//! playbook and a `case.json`: `why`; `setup` and `teardown` for bash, run in a copy of the directory with `$CASE_TMP`
//! (an empty directory, the target's files), `$CASE_DIR` (the copy) and `$TESTS`; `environment` and `settings` of the step; `expect` with
//! `verdict` (and `or` others), `files` (`or_files` as further lists), `others` (how many entries are no files),
//! `complete` (false: exit 1 with drift, null: either), and `on` a version whatever differs there.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking and tells its figures")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use serde::Deserialize;
use support::{Receiver, WithSettings, ansible_version, copy, ended, root, step, surroundings, variable};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(rename = "why")]
    _why: String,
    settings: BTreeMap<String, String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    setup: String,
    #[serde(default)]
    teardown: String,
    expect: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    verdict: String,
    #[serde(default)]
    or: Vec<String>,
    #[serde(default)]
    files: BTreeSet<String>,
    #[serde(default)]
    or_files: Vec<BTreeSet<String>>,
    #[serde(default)]
    others: usize,
    #[serde(default = "yes")]
    complete: Option<bool>,
}

#[expect(clippy::unnecessary_wraps, reason = "serde asks for the field's own type")]
fn yes() -> Option<bool> {
    Some(true)
}

#[derive(Deserialize)]
struct Payload {
    sync_status: String,
    drift_count: usize,
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    name: String,
}

#[test]
fn every_case_gets_its_verdict() {
    let wanted = variable("CASES");
    let mut names: Vec<String> = std::fs::read_dir(root().join("tests/cases"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| wanted.as_ref().is_none_or(|wanted| wanted.split(',').any(|part| part == name)))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "CASES={wanted:?} names no case");
    let count = names.len();
    let (queue, failures) = (Mutex::new(names), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some(name) = queue.lock().unwrap().pop() else { break };
                    if let Err(problem) = run(&name) {
                        failures.lock().unwrap().insert(name, problem);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    let mut report = String::new();
    for (name, problem) in &failures {
        writeln!(report, "{name}: {problem}").unwrap();
    }
    let falsely = failures.values().filter(|problem| problem.contains("FALSE SYNCED")).count();
    println!("ansible-core {}: {count} cases, {} failed, {falsely} false SYNCED", ansible_version(), failures.len());
    assert!(failures.is_empty(), "{report}");
}

fn run(name: &str) -> Result<(), String> {
    let source = root().join("tests/cases").join(name);
    let text = std::fs::read_to_string(source.join("case.json")).map_err(|error| format!("{name}: {error}"))?;
    let mut case: Case = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    if let Some(serde_json::Value::Object(by_version)) = case.expect.remove("on") {
        let here = by_version.into_iter().find(|(version, _)| *version == ansible_version());
        if let Some((_, serde_json::Value::Object(differs))) = here {
            case.expect.extend(differs);
        }
    }
    let expected: Expected = serde_json::from_value(case.expect.into()).map_err(|error| error.to_string())?;

    let run_dir = tempfile::tempdir().unwrap();
    let (work, target) = (run_dir.path().join("work"), run_dir.path().join("target"));
    copy(&source, &work);
    std::fs::create_dir(&target).unwrap();
    let expand = |text: &str| {
        let text = text.replace("$CASE_DIR", &work.display().to_string());
        text.replace("$CASE_TMP", &target.display().to_string())
    };
    let shell = |script: &str| {
        let mut bash = Command::new("bash");
        surroundings(&mut bash).args(["-ec", script]).current_dir(&work);
        bash.env("CASE_TMP", &target).env("TESTS", root().join("tests")).output().unwrap()
    };
    let made = shell(&case.setup);
    if !made.status.success() {
        return Err(format!("setup: {}", String::from_utf8_lossy(&made.stderr)));
    }
    let receiver = Receiver::start();
    let settings: Vec<(String, String)> =
        case.settings.into_iter().map(|(name, value)| (name, expand(&value))).collect();
    let mut step = step(&work);
    step.env("CASE_TMP", &target)
        .envs(case.environment.iter().map(|(name, value)| (name, expand(value))))
        .settings([("gitops_status_server_url", &*receiver.url()), ("repo_name", "r"), ("server_name", "s")])
        .settings(settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let end = ended(&mut step);
    shell(&case.teardown);
    let posts = receiver.posts();
    let outcome =
        compare(&expected, &posts.iter().map(|post| post.body.as_str()).collect::<Vec<_>>(), end.code, &expand);
    outcome.map_err(|problem| format!("{problem}\n{}{}", end.stdout, end.stderr))
}

fn compare(
    expected: &Expected,
    bodies: &[&str],
    code: Option<i32>,
    expand: &dyn Fn(&str) -> String,
) -> Result<(), String> {
    let payload: Option<Payload> = match bodies {
        [] => None,
        [body] => Some(serde_json::from_str(body).map_err(|error| error.to_string())?),
        more => return Err(format!("delivered {} times", more.len())),
    };
    let verdict = payload.as_ref().map_or("UNKNOWN", |payload| &payload.sync_status);
    if verdict != expected.verdict && !expected.or.iter().any(|other| other == verdict) {
        let danger = if verdict == "SYNCED" { "FALSE SYNCED: " } else { "" };
        return Err(format!("{danger}{verdict} instead of {}", expected.verdict));
    }
    let files: Vec<&str> = payload.iter().flat_map(|payload| &payload.files).map(|file| file.name.as_str()).collect();
    if payload.as_ref().is_some_and(|payload| payload.drift_count != files.len()) {
        return Err("drift_count is not the number of files".to_owned());
    }
    if verdict == "OUT_OF_SYNC" && expected.verdict == "OUT_OF_SYNC" {
        let lists: Vec<BTreeSet<String>> = std::iter::once(&expected.files)
            .chain(&expected.or_files)
            .map(|list| list.iter().map(|name| expand(name)).collect())
            .collect();
        let right = lists.iter().any(|list| {
            let others = files.iter().filter(|file| !list.contains(**file)).count();
            others == expected.others && files.len() - others == list.len()
        });
        if !right {
            return Err(format!("the files are {files:?} instead of {:?} and {} others", lists[0], expected.others));
        }
    }
    let right_code = match (verdict, expected.complete) {
        ("SYNCED", _) => code == Some(0),
        ("OUT_OF_SYNC", Some(complete)) => code == Some(i32::from(!complete)),
        ("OUT_OF_SYNC", None) => matches!(code, Some(0 | 1)),
        _ => code == Some(1),
    };
    if right_code { Ok(()) } else { Err(format!("{verdict} as expected, but exit code {code:?}")) }
}

#[test]
fn a_case_is_named_by_its_directory_alone() {
    for entry in std::fs::read_dir(root().join("tests/cases")).unwrap() {
        let path = entry.unwrap().path();
        assert!(Path::new(&path).join("case.json").exists(), "{} has no case.json", path.display());
    }
}
