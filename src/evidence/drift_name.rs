//! What a drifted thing is called: the name the target gives it, never a file of the controller.
//!
//! In order: the path a difference names, the answer's `dest` or `path`, the task's arguments; where there is no
//! file, `module:name`; where there is no name, `module:task NAME`.

use crate::evidence::event::{Diff, Task, TaskResult};

/// Endings `lineinfile` and `blockinfile` put behind the path in a diff's header.
const HEADER_NOTES: [&str; 2] = [" (content)", " (file attributes)"];

/// Arguments that hold a path on the target, the usual one first.
const PATH_ARGUMENTS: [&str; 3] = ["dest", "path", "destfile"];

/// Arguments that name a thing that is no file, the usual one first.
const NAME_ARGUMENTS: [&str; 8] = ["name", "pkg", "package", "unit", "service", "user", "repo", "key"];

/// Modules whose path arguments say where something is kept, not what it is.
const NAMED_BY_NAME: [&str; 9] =
    ["service", "systemd", "systemd_service", "sysvinit", "user", "group", "cron", "package", "pip"];

/// The names of what a changed result is about; at least one.
pub fn drift_names(task: &Task, result: &TaskResult<'_>) -> Vec<String> {
    let module = short(&task.action);
    let by_task = || format!("{module}:task {}", task.name);
    if result.censored {
        return vec![by_task()];
    }
    let mut names: Vec<String> = result.answer().diff.iter().filter_map(path_of).collect();
    names.sort();
    names.dedup();
    if !names.is_empty() {
        return names;
    }
    if !NAMED_BY_NAME.contains(&module) {
        if let Some(path) =
            [&result.answer().dest, &result.answer().path].into_iter().flatten().find(|path| is_path(path))
        {
            return vec![path.clone()];
        }
        let argument =
            PATH_ARGUMENTS.iter().find_map(|name| result.answer().args.get(*name).filter(|path| is_path(path)));
        if let Some(path) = argument {
            return vec![in_directory(path, result.answer().args.get("src").map(String::as_str))];
        }
    }
    let name = NAME_ARGUMENTS.iter().find_map(|name| result.answer().args.get(*name));
    match name {
        Some(name) if is_path(name) && !NAMED_BY_NAME.contains(&module) => vec![name.clone()],
        Some(name) => vec![format!("{module}:{name}")],
        None => vec![by_task()],
    }
}

/// The last part of an action's name: `copy` of `ansible.builtin.copy`.
pub fn short(action: &str) -> &str {
    action.rsplit('.').next().unwrap_or(action)
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

/// A name as it is reported: relative to `directory` where it lies below it.
pub fn relative(name: &str, directory: Option<&str>) -> String {
    let below = directory.and_then(|directory| match directory {
        "/" => name.strip_prefix('/'),
        directory => name.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')),
    });
    below.filter(|rest| !rest.is_empty()).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::event::Event;
    use crate::evidence::event_file::{line, read};

    fn names(action: &str, answer: &str) -> Vec<String> {
        names_of(action, &format!(r#","answer":{{{answer}}}"#))
    }

    fn names_of(action: &str, fields: &str) -> Vec<String> {
        let json = format!(r#"[0,{{"result":{{"task":0,"host":"h","status":"ok","changed":true{fields}}}}}]"#);
        let task = Task { name: "do it".to_owned(), action: action.to_owned(), ..Task::default() };
        let mut found = None;
        let damage = read(line("n", &json).as_bytes(), "n", |event| {
            if let Event::Result(result) = event {
                found = Some(drift_names(&task, &result));
            }
        });
        assert_eq!(damage, None, "{json}");
        found.unwrap()
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
        assert_eq!(relative("/etc/a/b", Some("/etc")), "a/b");
        assert_eq!(relative("/etcetera/b", Some("/etc")), "/etcetera/b");
        assert_eq!(relative("/a", Some("/")), "a");
        assert_eq!(relative("service:x", Some("/etc")), "service:x");
        assert_eq!(relative("/etc/", Some("/etc")), "/etc/");
    }
}
