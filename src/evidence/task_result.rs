//! How a task answered, as the callback reports it: the module's own values, without any text that may be secret.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::evidence::mentions::Sets;
use crate::evidence::task::EmptyLoop;

/// How a task answered.
#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It did what it was to do, whether or not that changed anything.
    Ok,
    /// It failed, ignored or not.
    Failed,
    /// It was skipped.
    Skipped,
    /// The host could not be reached, ignored or not.
    Unreachable,
}

/// Reasons Ansible gives where a task was not asked for, so that its skip leaves nothing unverified.
pub const CONDITION_WAS_FALSE: &str = "Conditional result was False";
/// The same of a loop without items.
pub const NO_ITEMS: &str = "No items in the list";
const META_CONDITION_WAS_FALSE: &str = "conditional evaluated to False";

/// What of a task decided how it answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecidedBy<'a> {
    /// This condition, and nothing else: it was false.
    Condition(&'a str),
    /// One of its conditions; up to ansible-core 2.14 nobody says which.
    AnyCondition,
    /// Its loop, which was empty.
    Loop,
    /// Everything in it.
    Everything,
}

/// One answer of a task, or of an item of its loop, on one host. Flags are false where they are left out.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct TaskResult<'a> {
    /// The task's number.
    pub task: usize,
    /// The inventory name of the host it ran for.
    #[serde(borrow)]
    pub host: Cow<'a, str>,
    /// How it answered.
    pub status: Status,
    /// It is one item of a loop.
    #[serde(default)]
    pub item: bool,
    /// It sums up a loop.
    #[serde(default)]
    pub summary: bool,
    /// How many items the loop had, as far as the summary says it.
    pub items: Option<usize>,
    /// The failure was ignored.
    #[serde(default)]
    pub ignored: bool,
    /// Something changed, or would.
    #[serde(default)]
    pub changed: bool,
    /// `no_log` hid the answer.
    #[serde(default)]
    pub censored: bool,
    /// The host it was delegated to, where that is another.
    pub delegated_to: Option<Box<str>>,
    /// Whether it ran in check mode.
    #[serde(default = "in_check_mode")]
    pub check_mode: bool,
    /// It answered that it would have run.
    #[serde(default)]
    pub held_back: bool,
    /// It answered that it could not look everywhere it should.
    #[serde(default)]
    pub skipped_paths: bool,
    /// What its loop is over behind the variables that it names, and that may have found nothing. Only told where there
    /// were no items.
    #[serde(default)]
    pub found_by: Vec<EmptyLoop>,
    /// The last `uses` event of its task holds for it.
    #[serde(default)]
    pub uses: bool,
    /// What it sets, where that may be unknown, or may have been before.
    pub sets: Option<Box<Sets>>,
    /// What it said beyond that. Most answers say no more, and a fleet gives millions of them: hence the box.
    pub answer: Option<Box<ModuleResult>>,
}

const fn in_check_mode() -> bool {
    true
}

impl TaskResult<'_> {
    /// What it said, which may be nothing.
    pub fn answer(&self) -> &ModuleResult {
        const NOTHING: &ModuleResult = &ModuleResult::nothing();
        self.answer.as_deref().unwrap_or(NOTHING)
    }

    /// Whether it sums up items that have answered for themselves.
    pub fn sums_up_items(&self) -> bool {
        self.summary && self.items != Some(0)
    }

    /// What of its task decided how it answered.
    pub fn decided_by(&self) -> DecidedBy<'_> {
        let answer = self.answer();
        match (self.status, answer.why_skipped()) {
            (Status::Skipped, _) if self.censored => DecidedBy::AnyCondition,
            (Status::Skipped, Some(NO_ITEMS)) => DecidedBy::Loop,
            (Status::Skipped, Some(CONDITION_WAS_FALSE)) => {
                answer.false_condition.as_deref().map_or(DecidedBy::AnyCondition, DecidedBy::Condition)
            }
            // Of a `meta` task: `end_host conditional evaluated to False, ...`.
            (Status::Skipped, Some(why)) if why.contains(META_CONDITION_WAS_FALSE) => DecidedBy::AnyCondition,
            _ => DecidedBy::Everything,
        }
    }

    /// Whether the task failed or its host could not be reached.
    pub fn failed(&self) -> bool {
        match self.status {
            Status::Failed | Status::Unreachable => true,
            Status::Ok | Status::Skipped => false,
        }
    }
}

/// What the module said, as far as it can matter. Flags are false where they are left out.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ModuleResult {
    /// How long a command ran; one that was held back has no such time.
    #[serde(default)]
    pub delta: bool,
    /// The job of an `async` task.
    pub job: Option<String>,
    /// Whether that job has finished.
    pub finished: Option<bool>,
    /// What `failed_when` decided, where it decided.
    pub failed_when_result: Option<bool>,
    /// Why it was skipped.
    pub skip_reason: Option<String>,
    /// The same, of a loop.
    pub skipped_reason: Option<String>,
    /// The condition that was false.
    pub false_condition: Option<String>,
    /// The module's message.
    pub msg: Option<String>,
    /// What a module that broke wrote before.
    pub module_stderr: Option<String>,
    /// A command's exit code.
    pub rc: Option<i64>,
    /// The module raised an exception.
    #[serde(default)]
    pub exception: bool,
    /// The lines of a `debug` that begin like a marker.
    #[serde(default)]
    pub markers: Vec<String>,
    /// What it shows of its differences.
    #[serde(default)]
    pub diff: Vec<Diff>,
    /// Its `dest`.
    pub dest: Option<String>,
    /// Its `path`.
    pub path: Option<String>,
    /// Those of the task's arguments that can name a thing or decide whether the answer is proof.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
    /// Which of them are lists of several.
    #[serde(default)]
    pub several: Vec<String>,
    /// Those fields of the answer that decide whether it is proof.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// The module warned that it did not look.
    #[serde(default)]
    pub disclaimed: bool,
    /// What was to be copied is a directory without a file.
    #[serde(default)]
    pub empty_source: bool,
    /// What was to be copied is a directory with one file, and the answer is that of a directory.
    #[serde(default)]
    pub lone_file: bool,
    /// The home of the user that the task ran as, where a path begins with `~` and the home is known.
    pub home: Option<String>,
}

impl ModuleResult {
    const fn nothing() -> Self {
        Self {
            delta: false,
            job: None,
            finished: None,
            failed_when_result: None,
            skip_reason: None,
            skipped_reason: None,
            false_condition: None,
            msg: None,
            module_stderr: None,
            rc: None,
            exception: false,
            markers: Vec::new(),
            diff: Vec::new(),
            dest: None,
            path: None,
            args: BTreeMap::new(),
            several: Vec::new(),
            fields: BTreeMap::new(),
            disclaimed: false,
            empty_source: false,
            lone_file: false,
            home: None,
        }
    }

    /// Why it was skipped, where it says so.
    pub fn why_skipped(&self) -> Option<&str> {
        self.skip_reason.as_deref().or(self.skipped_reason.as_deref())
    }

    /// Whether there was nothing to do: what `creates` names is there, or what `removes` names is gone.
    pub fn says_already_there(&self) -> bool {
        self.msg.as_deref().is_some_and(|msg| {
            let begins = ["skipped, since ", "Would not run command since ", "Did not run command since "];
            let ends = ["matching creates option", "matching removes option"];
            begins.iter().any(|begin| msg.starts_with(begin)) || ends.iter().any(|end| msg.ends_with(end))
        })
    }

    /// Whether a command was held back because the run is in check mode.
    pub fn would_have_run(&self) -> bool {
        self.msg.as_deref().is_some_and(|msg| msg.contains("would have run"))
    }

    /// Whether it started a job and did not wait for it.
    pub fn is_unfinished_job(&self) -> bool {
        self.job.is_some() && self.finished != Some(true)
    }

    /// One of the task's arguments.
    pub fn arg(&self, name: &str) -> Option<&str> {
        self.args.get(name).map(String::as_str)
    }

    /// The one line of what it said that helps a reader most.
    pub fn said(&self) -> Option<String> {
        // Of a module that broke, the message only says that there is more to read.
        let line =
            self.module_stderr.as_deref().and_then(first_useful_line).or_else(|| first_line(self.msg.as_deref()?));
        line.map(|line| shortened(line, LONGEST_LINE_SHOWN))
    }
}

/// How many characters of a line a reader is shown.
const LONGEST_LINE_SHOWN: usize = 600;

fn shortened(line: &str, limit: usize) -> String {
    match line.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// ssh frames its warning of a changed host key.
fn first_line(text: &str) -> Option<&str> {
    let line = text.trim().lines().next()?.trim_end_matches('@').trim_end();
    (!line.is_empty()).then_some(line)
}

/// The line of an error output that names the cause: the end of a Python traceback, else its first line that is no warning.
fn first_useful_line(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    // A shell warns of a locale, and Python of itself with a line of its source, before either fails.
    let is_warning = |line: &str| line.to_lowercase().contains("warning: ") || line.starts_with([' ', '\t']);
    let very_first = lines.clone().next();
    let first = lines.find(|line| !is_warning(line)).or(very_first)?;
    if !first.starts_with("Traceback (most recent call last)") {
        return first_line(first);
    }
    // Its frames are indented; the line that is not says what was raised.
    lines.find(|line| !line.starts_with([' ', '\t'])).or(Some(first))
}

/// One difference a result shows, without its text.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Diff {
    /// The header of the side before.
    pub before_header: Option<String>,
    /// The header of the side after.
    pub after_header: Option<String>,
    /// The path the side before names.
    pub path: Option<String>,
    /// The keys in which the sides differ, where they are maps.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Their `state`, before and after, where they are maps and it differs.
    #[serde(default)]
    pub states: Vec<String>,
    /// Whether the sides differ; `None` where it has not two sides.
    pub sides: Option<Sides>,
    /// Both sides are empty texts.
    #[serde(default)]
    pub empty: bool,
}

/// Whether the two sides of a difference are the same.
#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Sides {
    /// They are the same.
    Equal,
    /// They are not.
    Differ,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_names_the_cause_is_shown() {
        for (stderr, shown) in [
            (
                "\n/usr/bin/env: 'python3': No such file\nPython versions to be found at the same time.\n",
                "/usr/bin/env: 'python3': No such file",
            ),
            (
                "Traceback (most recent call last):\n  File \"a.py\", line 1\n    import x\nModuleNotFoundError: No module named 'x'\n",
                "ModuleNotFoundError: No module named 'x'",
            ),
            ("Traceback (most recent call last):\n  cut", "Traceback (most recent call last):"),
            (
                "bash: warning: setlocale: LC_ALL: cannot change locale (C.UTF-8)\n/usr/bin/python3: Permission denied\n",
                "/usr/bin/python3: Permission denied",
            ),
            (
                "/x.py:1: DeprecationWarning: old\n  import x\nTraceback (most recent call last):\n  File \"x\"\nOSError: full\n",
                "OSError: full",
            ),
            ("sh: warning: nothing else\n", "sh: warning: nothing else"),
        ] {
            assert_eq!(first_useful_line(stderr), Some(shown));
        }
        assert_eq!(first_useful_line(" \n"), None);
        assert_eq!(shortened("äöü", 2), "äö…");
    }
}
