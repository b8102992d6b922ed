//! The table against what was observed: `tests/atlas/results` holds what modules answered in check mode on targets that were
//! changed by hand.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::{Call, Kind, find};

/// What a module answered with these arguments, on one ansible-core.
struct Observed {
    /// Where it stands, for people.
    place: String,
    module: String,
    args: BTreeMap<String, String>,
    clean: Value,
    changes: BTreeMap<String, Value>,
}

/// Cases that the rest of the answer decides, which is not kept here: the commits before and after, that `dest` is a
/// directory, that there was nothing to copy, and what of a file a touch would change.
const DECIDED_BY_THE_ANSWER: [&str; 5] = [
    "git_commit.json `a short commit`",
    "get_url.json `a directory as dest, with a checksum`",
    "copy.json `an empty directory`",
    "file.json `state: touch`",
    "file.json `state: touch, times preserved`",
];

/// Which of its answers the table takes for proof.
struct Trusted {
    unchanged: bool,
    changed: bool,
    diff: bool,
}

impl Observed {
    fn trusted(&self) -> Trusted {
        let module = find(&self.module);
        let proof = module.proof(&Call { defaults: &BTreeMap::new(), args: &self.args, answer: None });
        let compares = module.kind == Kind::Compares && !proof.is_action;
        Trusted {
            unchanged: compares && proof.unchanged_lost.is_none(),
            changed: compares && proof.changed_lost.is_none(),
            diff: compares && proof.diff_lost.is_none(),
        }
    }
}

fn observed() -> Vec<Observed> {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/atlas/results");
    let entries = |folder: &Path| -> Vec<_> { folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect() };
    let files: Vec<_> = entries(&results).iter().flat_map(|version| entries(version)).collect();
    let mut cases = Vec::new();
    for file in files {
        let content: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        for (about, case) in content["cases"].as_object().unwrap() {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let args = case["args"].as_object().into_iter().flatten();
            let changes = case["changes"].as_object().into_iter().flatten();
            cases.push(Observed {
                place: format!("{} `{about}`", file.strip_prefix(&results).unwrap().display()),
                module: case["module"].as_str().unwrap().to_owned(),
                // The path of the experiment's directory; as a template it could be anything.
                args: args
                    .map(|(name, value)| (name.clone(), text(value).replace("{{ here }}", "/srv/atlas")))
                    .collect(),
                clean: case["clean"].clone(),
                changes: changes.map(|(label, answer)| (label.clone(), answer.clone())).collect(),
            });
        }
    }
    assert!(cases.len() > 100, "only {} cases", cases.len());
    cases
}

/// Fails where the table and what was observed disagree.
fn assert_none(wrong: impl Iterator<Item = String>) {
    let decided = |place: &str| DECIDED_BY_THE_ANSWER.iter().any(|case| place.contains(case));
    let wrong: Vec<String> = wrong.filter(|place| !decided(place)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_module_is_said_to_support_check_mode_that_check_mode_skips() {
    let skipped = |case: &Observed| case.clean["answer"] == "skipped" && find(&case.module).supports_check_mode();
    assert_none(observed().into_iter().filter(skipped).map(|case| case.place));
}

#[test]
fn no_unchanged_counts_that_was_the_same_on_a_target_that_differs() {
    let mut wrong = Vec::new();
    for case in observed().iter().filter(|case| case.clean["answer"] == "ok" && case.trusted().unchanged) {
        let missed = case.changes.iter().filter(|(_, answer)| answer["kind"] == "managed" && answer["answer"] == "ok");
        wrong.extend(missed.map(|(label, _)| format!("{}: {label}", case.place)));
    }
    assert_none(wrong.into_iter());
}

#[test]
fn no_changed_counts_that_was_the_same_on_a_target_that_does_not_differ() {
    let counts = |case: &Observed| case.clean["answer"] == "changed" && case.trusted().changed;
    assert_none(observed().into_iter().filter(counts).map(|case| case.place));
}

#[test]
fn no_diff_counts_that_differs_on_a_target_that_does_not() {
    let shown = |case: &Observed| case.clean["answer"] == "ok" && case.clean["diff"] == "differs";
    let counts = |case: &Observed| shown(case) && case.trusted().diff;
    assert_none(observed().into_iter().filter(counts).map(|case| case.place));
}

#[test]
fn every_case_that_the_answer_decides_is_there() {
    let places: Vec<String> = observed().into_iter().map(|case| case.place).collect();
    for case in DECIDED_BY_THE_ANSWER {
        assert!(places.iter().any(|place| place.ends_with(case)), "{case} was not observed");
    }
}
