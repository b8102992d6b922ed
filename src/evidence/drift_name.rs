//! What a drifted thing is called: the name the target gives it, never a file of the controller.
//!
//! In order: the path a difference names, the answer's `dest` or `path`, the task's arguments; where there is no
//! file, `module:name`; where there is no name, `module:task NAME`.

use std::cmp::Ordering;

use glob::Pattern;
use serde::{Serialize, Serializer};

use crate::ansible::modules::{Kind, short_name};
use crate::ansible::reported::{NAME_ARGUMENTS, PATH_ARGUMENTS, SOURCE_ARGUMENT};
use crate::evidence::ignore::glob_matches;
use crate::evidence::task::KnownTask;
use crate::evidence::task_result::{Diff, ModuleResult, TaskResult};

/// Endings `lineinfile` and `blockinfile` put behind the path in a diff's header.
const HEADER_NOTES: [&str; 2] = [" (content)", " (file attributes)"];

/// What a difference names where there is nothing.
const NOWHERE: &str = "/dev/null";

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

/// The names of what a changed result is about; at least one. `nonce` is the name of the run: what has it in its path is a
/// private file of this run, and is named nowhere.
pub fn drift_names(known: &KnownTask, result: &TaskResult<'_>, nonce: &str) -> Vec<DriftName> {
    let (task, module, answer) = (&known.task, known.module, result.answer());
    let module_name = short_name(&task.action);
    let by_task = || vec![DriftName::task(module_name, &task.name)];
    // Arguments of these say nothing about a target.
    if result.censored || matches!(module.kind, Kind::Controller | Kind::Include) {
        return by_task();
    }
    let names = Names { answer, nonce };
    let mut shown: Vec<DriftName> = answer.diff.iter().filter_map(|diff| names.of_diff(diff)).collect();
    shown.sort();
    shown.dedup();
    if !shown.is_empty() {
        return shown;
    }
    if !module.named_by_name {
        let said = [&answer.dest, &answer.path].into_iter().flatten().find_map(|path| names.path(path));
        let asked = || PATH_ARGUMENTS.iter().find_map(|name| names.path(answer.arg(name)?));
        let asked = || asked().map(|path| in_directory(&path, names.source()));
        if let Some(path) = said.or_else(asked) {
            return vec![DriftName::Path(path)];
        }
    }
    let given = NAME_ARGUMENTS.iter().find_map(|name| Some((*name, answer.arg(name)?)));
    match given {
        Some((argument, name)) if answer.several.iter().any(|several| several == argument) || name.contains(',') => {
            by_task()
        }
        Some((_, name)) if !module.named_by_name && names.path(name).is_some() => {
            names.path(name).map(DriftName::Path).into_iter().collect()
        }
        Some((_, name)) => vec![DriftName::thing(module_name, name)],
        None => by_task(),
    }
}

/// Paths as one answer names them.
struct Names<'a> {
    answer: &'a ModuleResult,
    nonce: &'a str,
}

impl Names<'_> {
    /// What a difference is about. Where there was nothing before, only the side after names it; where there was
    /// something, the side after may be named by a file of the controller.
    fn of_diff(&self, diff: &Diff) -> Option<DriftName> {
        let before = diff.before_header.as_deref();
        let header = if before == Some(NOWHERE) { diff.after_header.as_deref() } else { before };
        let header =
            header.map(|header| HEADER_NOTES.iter().find_map(|note| header.strip_suffix(note)).unwrap_or(header));
        [header, diff.path.as_deref()].into_iter().flatten().find_map(|path| self.path(path)).map(DriftName::Path)
    }

    /// A path on the target, with its home where it is known.
    fn path(&self, text: &str) -> Option<String> {
        let private = !self.nonce.is_empty() && text.contains(self.nonce);
        if private || text == NOWHERE {
            return None;
        }
        match text.strip_prefix('~') {
            None => text.starts_with('/').then(|| text.to_owned()),
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                Some(self.answer.home.as_deref().map_or_else(|| text.to_owned(), |home| format!("{home}{rest}")))
            }
            // The home of a user by name.
            Some(_) => Some(text.to_owned()),
        }
    }

    /// The file of the controller that is to be there; not one that only this run made.
    fn source(&self) -> Option<&str> {
        self.answer.arg(SOURCE_ARGUMENT).filter(|source| self.nonce.is_empty() || !source.contains(self.nonce))
    }
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
        let names = drift_names(&KnownTask::new(task, false), &serde_json::from_str(&json).unwrap(), "nonce");
        names.iter().map(|name| name.as_str().to_owned()).collect()
    }

    #[test]
    fn names_are_what_the_target_says() {
        let table: &[(&str, &str, &[&str])] = &[
            (
                "ansible.builtin.copy",
                r#""diff":[{"before_header":"/etc/a","sides":"differ"}],"args":{"dest":"/x"}"#,
                &["/etc/a"],
            ),
            (
                "ansible.builtin.copy",
                r#""diff":[{"sides":"differ"}],"args":{"dest":"/etc/d/","src":"f/30.conf"}"#,
                &["/etc/d/30.conf"],
            ),
            (
                "ansible.builtin.copy",
                r#""dest":"/etc/tree/","args":{"dest":"/etc/tree","src":"tree"}"#,
                &["/etc/tree/"],
            ),
            (
                "ansible.builtin.lineinfile",
                r#""diff":[{"before_header":"/e (content)","sides":"differ"},{"before_header":"/e (file attributes)"}]"#,
                &["/e"],
            ),
            ("ansible.builtin.file", r#""diff":[{"path":"/etc/d","keys":["state"]}]"#, &["/etc/d"]),
            ("ansible.builtin.apt", r#""args":{"name":"git"}"#, &["apt:git"]),
            ("ansible.builtin.apt", r#""args":{"name":"git,curl"},"several":["name"]"#, &["apt:task do it"]),
            ("ansible.builtin.apt", r#""args":{"name":"git,curl"}"#, &["apt:task do it"]),
            (
                "ansible.builtin.apt_repository",
                r#""diff":[{"before_header":"/dev/null","after_header":"/etc/apt/x.list","sides":"differ"}]"#,
                &["/etc/apt/x.list"],
            ),
            ("ansible.builtin.copy", r#""args":{"dest":"~/new"},"home":"/root""#, &["/root/new"]),
            ("ansible.builtin.copy", r#""args":{"dest":"~/new"}"#, &["~/new"]),
            ("ansible.builtin.copy", r#""args":{"dest":"/d/","src":"/tmp/nonce/.x"}"#, &["/d/"]),
            ("ansible.builtin.copy", r#""diff":[{"before_header":"/tmp/nonce/x"}],"args":{"dest":"/d/f"}"#, &["/d/f"]),
            ("ansible.builtin.set_fact", r#""args":{"path":"/x"}"#, &["set_fact:task do it"]),
            ("ansible.builtin.service", r#""args":{"name":"rsyslog"}"#, &["service:rsyslog"]),
            ("ansible.builtin.user", r#""path":"/home/x","args":{"name":"x"}"#, &["user:x"]),
            ("community.general.ufw", "", &["ufw:task do it"]),
            (
                "ansible.builtin.template",
                r#""diff":[{"before_header":"not a path","sides":"differ"}],"args":{"dest":"/etc/t"}"#,
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
