//! What a result says that differs: its name, and whether it is nothing but some attributes of a file.

use std::collections::BTreeSet;

use crate::ansible::reported::SOURCE_ARGUMENT;
use crate::evidence::drift_name::{DriftName, drift_names};
use crate::evidence::own_answer::is_touch;
use crate::evidence::task::KnownTask;
use crate::evidence::task_result::{Diff, ModuleResult, Sides, TaskResult};
use crate::settings::Attribute;

/// One thing that differs. What several tasks say of one thing stands side by side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Its name.
    pub name: DriftName,
    /// The only attributes in which it differs, where the task shows that nothing else does; else empty.
    pub only: BTreeSet<Attribute>,
}

impl Difference {
    /// A thing of which nobody says in what it differs.
    pub fn of(name: DriftName) -> Self {
        Self { name, only: BTreeSet::new() }
    }
}

/// What a changed result is about; at least one. `nonce` is the name of the run.
pub(super) fn differences(known: &KnownTask, result: &TaskResult<'_>, nonce: &str) -> Vec<Difference> {
    let names = drift_names(known, result, nonce);
    let only = match names.as_slice() {
        [DriftName::Path(path)] => only_attributes(known, result, path).unwrap_or_default(),
        _ => BTreeSet::new(),
    };
    names.into_iter().map(|name| Difference { name, only: only.clone() }).collect()
}

/// The attributes in which the file `path` differs; `None` where anything else differs too, or may.
fn only_attributes(known: &KnownTask, result: &TaskResult<'_>, path: &str) -> Option<BTreeSet<Attribute>> {
    let answer = result.answer();
    // A `changed_when` that is true may mean anything.
    let own_words = known.task.replaces_changed() && result.changed;
    let hidden = result.censored || known.task.diff.is_some() || answer.lone_file || answer.empty_source;
    if own_words || hidden || !known.tells_attributes(answer) || !is_whole_copy(known, answer, path) {
        return None;
    }
    let shown: Option<Vec<_>> = answer.diff.iter().map(|diff| attributes_of(known, answer, diff)).collect();
    Some(shown?.into_iter().flatten().collect())
}

/// Whether the file `path` is all that a task copies: of a directory, Ansible may show one part only.
fn is_whole_copy(known: &KnownTask, answer: &ModuleResult, path: &str) -> bool {
    if !["copy", "template"].contains(&known.module.name) {
        return true;
    }
    let source = answer.arg(SOURCE_ARGUMENT).unwrap_or_default();
    let base = source.rsplit('/').next().filter(|base| !base.is_empty());
    answer.arg("dest").is_some_and(|dest| {
        let below = path.strip_prefix(dest.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/'));
        path == dest || (below.is_some() && below == base)
    })
}

/// The attributes in which two sides differ, which may be none; `None` where they differ in anything else, or may.
fn attributes_of(known: &KnownTask, answer: &ModuleResult, diff: &Diff) -> Option<BTreeSet<Attribute>> {
    match diff.sides? {
        // Without `--diff` the two sides of a content are empty.
        Sides::Equal => (!diff.empty).then(BTreeSet::new),
        Sides::Differ if diff.keys.is_empty() => None,
        Sides::Differ => {
            let touched = |key: &String| key == "state" && diff.states == ["file", "touch"] && is_touch(known, answer);
            let keys = diff.keys.iter().filter(|key| !touched(key));
            keys.map(|key| Attribute::named(key)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What differs of the one thing, written as `mode,owner`.
    fn only(action: &str, task: &str, result: &str) -> String {
        let task = format!(r#"{{"number":0,"name":"t","action":"{action}"{task}}}"#);
        let known = KnownTask::new(serde_json::from_str(&task).unwrap(), false);
        let result = format!(r#"{{"task":0,"host":"h","status":"ok"{result}}}"#);
        let differences = differences(&known, &serde_json::from_str(&result).unwrap(), "nonce");
        assert!(!differences.is_empty());
        let names = differences.iter().flat_map(|difference| &difference.only).map(|attribute| attribute.name());
        names.collect::<Vec<_>>().join(",")
    }

    fn changed(answer: &str) -> String {
        format!(r#","changed":true,"answer":{{{answer}}}"#)
    }

    const MODE: &str = r#""args":{"dest":"/a"},"diff":[{"path":"/a","keys":["mode"],"sides":"differ"}]"#;
    const CONTENT: &str =
        r#""args":{"dest":"/a"},"diff":[{"before_header":"/a","after_header":"/src/a","sides":"differ"}]"#;

    /// The two diffs of `lineinfile`: of the content, and of the attributes.
    fn two(content: &str, attributes: &str) -> String {
        let header = |note: &str| format!(r#""before_header":"/a ({note})","after_header":"/a ({note})""#);
        let (content_header, attributes_header) = (header("content"), header("file attributes"));
        format!(r#""diff":[{{{content_header}{content}}},{{{attributes_header}{attributes}}}]"#)
    }

    #[test]
    fn attributes_are_told_apart_where_the_diff_does() {
        for action in
            ["ansible.builtin.file", "ansible.builtin.copy", "ansible.legacy.copy", "ansible.builtin.template"]
        {
            assert_eq!(only(action, "", &changed(MODE)), "mode", "{action}");
        }
        let both = changed(&MODE.replace(r#""mode""#, r#""group","mode","owner""#));
        assert_eq!(only("ansible.builtin.file", "", &both), "mode,owner,group");
        let attributes = r#","keys":["owner"],"sides":"differ""#;
        for action in ["ansible.builtin.lineinfile", "ansible.builtin.blockinfile"] {
            assert_eq!(only(action, "", &changed(&two(r#","sides":"equal""#, attributes))), "owner", "{action}");
        }
        // What replaces the module's own `changed` leaves the diff as it is.
        assert_eq!(
            only("ansible.builtin.copy", r#","changed_when":["False"]"#, &changed(MODE).replace("true", "false")),
            "mode"
        );
        let touch = MODE
            .replace(r#""mode""#, r#""mode","state""#)
            .replace(r#""sides""#, r#""states":["file","touch"],"sides""#);
        let touch = touch.replace(r#""dest":"/a""#, r#""state":"touch""#);
        assert_eq!(only("ansible.builtin.file", "", &changed(&touch)), "mode");
        let into_directory = MODE.replace(r#""dest":"/a""#, r#""dest":"/","src":"files/a""#);
        assert_eq!(only("copy", "", &changed(&into_directory)), "mode");
    }

    #[test]
    fn what_differs_beside_attributes_or_may_is_no_attribute() {
        let (equal, differ) = (r#","sides":"equal""#, r#","sides":"differ""#);
        let mode = r#","keys":["mode"],"sides":"differ""#;
        let keys = |keys: &str| MODE.replace(r#""mode""#, keys);
        let with = |answer: &str| format!("{MODE},{answer}");
        let called = |args: &str| MODE.replace(r#""dest":"/a""#, args);
        for (action, answer) in [
            ("copy", CONTENT.to_owned()),
            ("copy", String::new()),
            ("copy", format!(r#"{},{{"path":"/a","keys":["mode"],"sides":"differ"}}]"#, &CONTENT[..CONTENT.len() - 1])),
            ("copy", with(r#""lone_file":true"#)),
            ("copy", with(r#""empty_source":true"#)),
            ("copy", called(r#""dest":"/a","force":"no""#)),
            ("copy", called(r#""dest":"/a","remote_src":"{{ x }}""#)),
            // Of a directory, one part may be shown, and a part is no file of the source's name.
            ("copy", called(r#""dest":"/","src":"tree/""#)),
            ("copy", called(r#""dest":"/","src":"tree""#)),
            ("copy", called(r#""src":"a""#)),
            ("file", keys(r#""mode","state""#)),
            ("file", keys(r#""mode","src""#)),
            ("file", keys(r#""mode","secontext""#)),
            ("file", keys(r#""mode","mtime""#)),
            ("file", keys("")),
            ("file", MODE.replace(r#","sides":"differ""#, "")),
            // The two sides are equal, and something is changed all the same.
            ("file", r#""diff":[{"path":"/a","keys":[],"sides":"equal"}]"#.to_owned()),
            ("file", called(r#""recurse":"yes""#)),
            ("file", called(r#""state":"hard""#)),
            ("file", called(r#""state":"link""#)),
            ("file", called(r#""state":"{{ state }}""#)),
            ("lineinfile", two(differ, mode)),
            ("lineinfile", two(differ, "")),
            ("lineinfile", two(equal, "")),
            ("lineinfile", two("", mode)),
            ("lineinfile", two(&format!(r#"{equal},"empty":true"#), mode)),
            // Nobody knows what else these change.
            ("replace", MODE.to_owned()),
            ("get_url", MODE.to_owned()),
            ("assemble", MODE.to_owned()),
            ("acme.site.file", MODE.to_owned()),
            // Of two files, each could be the one that differs.
            ("copy", format!(r#"{},{{"path":"/b","keys":["mode"],"sides":"differ"}}]"#, &MODE[..MODE.len() - 1])),
        ] {
            let answer = answer.replace("[,", "[");
            assert_eq!(only(action, "", &changed(&answer)), "", "{action} {answer}");
        }
        for task in [r#","diff":"False""#, r#","changed_when":["r.changed"]"#] {
            assert_eq!(only("copy", task, &changed(MODE)), "", "{task}");
        }
        for defaults in [r#"{"file":{"recurse":"yes"}}"#, r#"{"ansible.builtin.file":{"state":"hard"}}"#] {
            assert_eq!(only("file", &format!(r#","module_defaults":{defaults}"#), &changed(MODE)), "", "{defaults}");
        }
        assert_eq!(only("copy", "", &format!(r#","censored":true{}"#, changed(MODE))), "");
    }
}
