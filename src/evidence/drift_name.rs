//! What a drifted thing is called: the name the target gives it, never a file of the controller.
//!
//! In order: the path a difference names, the answer's `dest` or `path`, the task's arguments; where there is no
//! file, `module:name`; where there is no name, `module:task NAME`.

use std::cmp::Ordering;

use glob::Pattern;
use serde::{Serialize, Serializer};

use crate::ansible::modules::short_name;
use crate::ansible::reported::{NAME_ARGUMENTS, PATH_ARGUMENTS, SOURCE_ARGUMENT};
use crate::evidence::ignore::glob_matches;
use crate::evidence::task::KnownTask;
use crate::evidence::task_result::{Diff, TaskResult};

/// Endings `lineinfile` and `blockinfile` put behind the path in a diff's header.
const HEADER_NOTES: [&str; 2] = [" (content)", " (file attributes)"];

/// What a drifted thing is called. Names are ordered and told apart by their text.
#[derive(Debug, Clone)]
pub enum DriftName {
    /// A path on the target, absolute unless the playbook states it otherwise.
    Path(String),
    /// `module:name`, for what is no file.
    Thing(String),
}

impl DriftName {
    /// The name of a thing that is no file.
    pub fn thing(module: &str, name: &str) -> Self {
        Self::Thing(format!("{module}:{name}"))
    }

    /// The name of what a task manages that has no name of its own.
    pub fn task(module: &str, task: &str) -> Self {
        Self::thing(module, &format!("task {task}"))
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Path(text) | Self::Thing(text) => text,
        }
    }

    /// The name relative to `directory` where it lies below it.
    #[must_use]
    pub fn relative_to(&self, directory: Option<&str>) -> Self {
        let Self::Path(path) = self else { return self.clone() };
        let below = directory.and_then(|directory| match directory {
            "/" => path.strip_prefix('/'),
            directory => path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')),
        });
        Self::Path(below.filter(|rest| !rest.is_empty()).unwrap_or(path).to_owned())
    }

    /// Whether the glob matches it, in full or relative to `directory`.
    pub fn matches(&self, glob: &Pattern, directory: Option<&str>) -> bool {
        glob_matches(glob, self.as_str()) || glob_matches(glob, self.relative_to(directory).as_str())
    }

    /// The same kind of name with another text.
    #[must_use]
    pub fn with_text(&self, change: impl FnOnce(&str) -> String) -> Self {
        match self {
            Self::Path(text) => Self::Path(change(text)),
            Self::Thing(text) => Self::Thing(change(text)),
        }
    }
}

impl PartialEq for DriftName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for DriftName {}

impl PartialOrd for DriftName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DriftName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Serialize for DriftName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The names of what a changed result is about; at least one.
pub fn drift_names(known: &KnownTask, result: &TaskResult<'_>) -> Vec<DriftName> {
    let (task, module) = (&known.task, known.module);
    let module_name = short_name(&task.action);
    let by_task = || DriftName::task(module_name, &task.name);
    if result.censored {
        return vec![by_task()];
    }
    let answer = result.answer();
    let mut names: Vec<DriftName> = answer.diff.iter().filter_map(path_of).map(DriftName::Path).collect();
    names.sort();
    names.dedup();
    if !names.is_empty() {
        return names;
    }
    if !module.named_by_name {
        if let Some(path) = [&answer.dest, &answer.path].into_iter().flatten().find(|path| is_path(path)) {
            return vec![DriftName::Path(path.clone())];
        }
        let argument = PATH_ARGUMENTS.iter().find_map(|name| answer.arg(name).filter(|path| is_path(path)));
        if let Some(path) = argument {
            return vec![DriftName::Path(in_directory(path, answer.arg(SOURCE_ARGUMENT)))];
        }
    }
    let name = NAME_ARGUMENTS.iter().find_map(|name| answer.arg(name));
    vec![match name {
        Some(name) if is_path(name) && !module.named_by_name => DriftName::Path(name.to_owned()),
        Some(name) => DriftName::thing(module_name, name),
        None => by_task(),
    }]
}

fn path_of(diff: &Diff) -> Option<String> {
    let header = diff
        .header
        .as_deref()
        .map(|header| HEADER_NOTES.iter().find_map(|note| header.strip_suffix(note)).unwrap_or(header));
    [header, diff.path.as_deref()].into_iter().flatten().find(|path| is_path(path)).map(str::to_owned)
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') || text.starts_with("~/")
}

/// A destination that is a directory gets the source's base name.
fn in_directory(dest: &str, src: Option<&str>) -> String {
    match src.map(|src| src.rsplit('/').next().unwrap_or(src)) {
        Some(base) if dest.ends_with('/') && !base.is_empty() => format!("{dest}{base}"),
        _ => dest.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::task::Task;

    fn names(action: &str, answer: &str) -> Vec<String> {
        names_of(action, &format!(r#","answer":{{{answer}}}"#))
    }

    fn names_of(action: &str, fields: &str) -> Vec<String> {
        let json = format!(r#"{{"task":0,"host":"h","status":"ok","changed":true{fields}}}"#);
        let task = Task { name: "do it".to_owned(), action: action.to_owned(), ..Task::default() };
        let names = drift_names(&KnownTask::new(task, false), &serde_json::from_str(&json).unwrap());
        names.iter().map(|name| name.as_str().to_owned()).collect()
    }

    #[test]
    fn names_are_what_the_target_says() {
        let table: &[(&str, &str, &[&str])] = &[
            (
                "ansible.builtin.copy",
                r#""diff":[{"header":"/etc/a","differs":true}],"args":{"dest":"/x"}"#,
                &["/etc/a"],
            ),
            (
                "ansible.builtin.copy",
                r#""diff":[{"differs":true}],"args":{"dest":"/etc/d/","src":"f/30.conf"}"#,
                &["/etc/d/30.conf"],
            ),
            (
                "ansible.builtin.copy",
                r#""dest":"/etc/tree/","args":{"dest":"/etc/tree","src":"tree"}"#,
                &["/etc/tree/"],
            ),
            (
                "ansible.builtin.lineinfile",
                r#""diff":[{"header":"/e (content)","differs":true},{"header":"/e (file attributes)"}]"#,
                &["/e"],
            ),
            ("ansible.builtin.file", r#""diff":[{"path":"/etc/d","keys":["state"]}]"#, &["/etc/d"]),
            ("ansible.builtin.apt", r#""args":{"name":"git,curl"}"#, &["apt:git,curl"]),
            ("ansible.builtin.service", r#""args":{"name":"rsyslog"}"#, &["service:rsyslog"]),
            ("ansible.builtin.user", r#""path":"/home/x","args":{"name":"x"}"#, &["user:x"]),
            ("community.general.ufw", "", &["ufw:task do it"]),
            (
                "ansible.builtin.template",
                r#""diff":[{"header":"not a path","differs":true}],"args":{"dest":"/etc/t"}"#,
                &["/etc/t"],
            ),
        ];
        for (action, answer, expected) in table {
            assert_eq!(names(action, answer), *expected, "{action} {answer}");
        }
        assert_eq!(names_of("ansible.builtin.copy", r#","censored":true"#), ["copy:task do it"]);
    }

    #[test]
    fn relative_names_end_at_a_directory() {
        let relative = |name: DriftName, directory| name.relative_to(Some(directory)).as_str().to_owned();
        let path = |text: &str| DriftName::Path(text.to_owned());
        assert_eq!(relative(path("/etc/a/b"), "/etc"), "a/b");
        assert_eq!(relative(path("/etcetera/b"), "/etc"), "/etcetera/b");
        assert_eq!(relative(path("/a"), "/"), "a");
        assert_eq!(relative(DriftName::thing("service", "x"), "/etc"), "service:x");
        assert_eq!(relative(path("/etc/"), "/etc"), "/etc/");
    }

    #[test]
    fn a_glob_may_match_the_full_or_the_relative_name() {
        let name = DriftName::Path("/etc/rsyslog.d/30.conf".to_owned());
        for (glob, matched) in [("/etc/*", true), ("rsyslog.d/*.conf", true), ("30.conf", false)] {
            assert_eq!(name.matches(&Pattern::new(glob).unwrap(), Some("/etc")), matched, "{glob}");
        }
    }
}
