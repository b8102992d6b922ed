//! Every case under `tests/cases`: a real `ansible-playbook` run through the built binary, and the verdict it must get.
//!
//! A case is a directory, and a test by its name: `cases::no_log` is `tests/cases/no-log`. It holds a playbook and a
//! `case.json` with
//! - `why`: what it is about;
//! - `setup` and `teardown` for bash, run in a copy of the directory with `$CASE_TMP` (an empty directory, the target's
//!   files), `$CASE_DIR` (the copy) and `$TESTS`; a setup that ends with 77 lacks something that it names on stderr, and
//!   the case does not run;
//! - `environment` and `settings` of the step;
//! - `reaches`: a file that the playbook makes when it gets to what the case is about. A run that its `timeout` ended
//!   before is repeated with more time, so that a loaded machine changes nothing;
//! - `expect` with `verdict` (and `or` others), `files` (`or_files` as further lists), `others` (how many entries are no
//!   files), `complete` (false: exit 1 with drift, null: either), and `on` a version whatever differs there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::harness::ended::Ended;
use crate::harness::server::Scripted;
use crate::harness::step::Step;
use crate::harness::suite::{Need, NotRun, Suite};
use crate::harness::{ansible, read, root, variable};

/// One test for each directory. Where `CASES_PART` is `1/2`, it is every second one, beginning with the first, and all that
/// differ by version.
pub fn suite() -> Suite {
    let mut names: Vec<String> = fs::read_dir(root().join("tests/cases"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    if let Some(part) = variable("CASES_PART") {
        let (first, of) = part.split_once('/').unwrap_or_else(|| panic!("CASES_PART is {part}, and no 1/2"));
        let (first, of): (usize, usize) = (first.parse().unwrap(), of.parse().unwrap());
        let mut place = 0;
        names.retain(|name| {
            place += 1;
            place % of == first % of || differs_by_version(name)
        });
    }
    names.into_iter().fold(Suite::new("cases", &[Need::Ansible]), |suite, name| {
        suite.test(&name.replace('-', "_"), move || run(&name))
    })
}

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
    reaches: Option<String>,
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

fn read_case(name: &str) -> Case {
    let file = format!("tests/cases/{name}/case.json");
    serde_json::from_str(&read(&file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn differs_by_version(name: &str) -> bool {
    read_case(name).expect.contains_key("on")
}

/// The case, and what is expected on this ansible-core.
fn load(name: &str) -> (Case, Expected) {
    let mut case = read_case(name);
    if let Some(serde_json::Value::Object(by_version)) = case.expect.remove("on") {
        let here = by_version.into_iter().find(|(version, _)| version == ansible::version());
        if let Some((_, serde_json::Value::Object(differs))) = here {
            case.expect.extend(differs);
        }
    }
    let expected = serde_json::from_value(std::mem::take(&mut case.expect).into());
    (case, expected.unwrap_or_else(|error| panic!("{name}: {error}")))
}

fn expand(step: &Step, text: &str) -> String {
    let text = text.replace("$CASE_DIR", &step.repository().display().to_string());
    text.replace("$CASE_TMP", &step.target().display().to_string())
}

/// Gives a step the settings and the environment of a case.
fn configured(step: &Step, case: &Case) -> Step {
    let names = [("repo_name", "rsyslog"), ("server_name", "rsyslog-lab")];
    let step = step.again().settings(names).env("CASE_TMP", step.target());
    let step = case.settings.iter().fold(step, |step, (name, value)| {
        let value = expand(&step, value);
        step.setting(name, value)
    });
    case.environment.iter().fold(step, |step, (name, value)| {
        let value = expand(&step, value);
        step.env(name, value)
    })
}

/// The step of a case whose setup did not run, for a fake Ansible.
pub fn not_set_up(name: &str) -> Step {
    let step = configured(&Step::in_copy_of(&format!("tests/cases/{name}")), &load(name).0);
    // Where a setup makes an inventory, any will do.
    step.target_file("inventory.ini", "")
}

/// The settings of a case, with the server's files in `target`.
pub fn settings(name: &str, target: &str) -> BTreeMap<String, String> {
    let given = load(name).0.settings.into_iter();
    let mut settings: BTreeMap<_, _> = given.map(|(name, value)| (name, value.replace("$CASE_TMP", target))).collect();
    settings.extend([("repo_name", "rsyslog"), ("server_name", "rsyslog-lab")].map(|(a, b)| (a.into(), b.into())));
    settings
}

/// A copy of a case, made ready to run, until this is dropped.
pub struct Ready {
    pub step: Step,
    reaches: Option<String>,
    teardown: String,
}

impl Ready {
    /// # Errors
    /// When this machine lacks what the case needs.
    pub fn new(name: &str) -> Result<Self, NotRun> {
        let case = load(name).0;
        let step = Step::in_copy_of(&format!("tests/cases/{name}"));
        let mut ready = Self { step, reaches: None, teardown: case.teardown.clone() };
        let made = ready.shell(&case.setup);
        if made.code == Some(77) {
            return Err(NotRun(made.stderr.trim().to_owned()));
        }
        assert_eq!(made.code, Some(0), "setup: {made}");
        ready.reaches = case.reaches.as_deref().map(|file| expand(&ready.step, file));
        ready.step = configured(&ready.step, &case);
        Ok(ready)
    }

    /// Runs the step, which tells the server what it found.
    fn run(&self, server: &Scripted) -> Ended {
        let step = self.step.again().to(server.url());
        self.run_as(&step, || server.forget())
    }

    /// Runs a step of the case; `begin` comes before each turn.
    pub fn run_as(&self, step: &Step, begin: impl Fn()) -> Ended {
        let Some(file) = &self.reaches else { return step.run() };
        let run = |step: &Step| {
            begin();
            let _ = fs::remove_file(file);
            step.run()
        };
        step.again().with_enough_time(&[8, 30, 120], run, || Path::new(file).exists())
    }

    fn shell(&self, script: &str) -> Ended {
        let mut bash = self.step.beside("bash");
        bash.args(["-ec", script]).env("CASE_TMP", self.step.target()).env("TESTS", root().join("tests"));
        // What it starts, such as sshd, is none of the step's.
        bash.env_remove("TMPDIR").output().unwrap().into()
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.shell(&self.teardown);
    }
}

fn run(name: &str) -> Result<(), NotRun> {
    let expected = load(name).1;
    let ready = Ready::new(name)?;
    let server = Scripted::keeping();
    let end = ready.run(&server);
    let outcome = compare(&expected, &server.bodies(), end.code, &|text| expand(&ready.step, text));
    outcome.unwrap_or_else(|problem| panic!("{problem}\n{end}"));
    Ok(())
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

fn compare(
    expected: &Expected,
    bodies: &[String],
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
