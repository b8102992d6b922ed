//! What the callback says of a run, kind by kind. `drift_events.py` is the other side.
//!
//! Unknown fields are errors: a field that is not understood might be the one that matters.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

/// One thing Ansible said.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Event<'a> {
    /// The callback was loaded.
    Open(Open),
    /// A playbook file begins.
    Playbook(Playbook),
    /// A play, or the next batch of a play with `serial`, begins.
    Play(Play),
    /// The play before matched no host.
    NoHosts(Empty),
    /// A play ended early because no host was left.
    NoHostsLeft(Empty),
    /// How a host is reached, where its variables say something that this run cannot overrule.
    #[serde(rename = "reach")]
    ConnectionOverride(ConnectionOverride),
    /// What a task is; comes before anything names its number.
    Task(Task),
    /// A task begins.
    Start(Start),
    /// A task, or an item of its loop, answered on a host.
    #[serde(borrow)]
    Result(TaskResult<'a>),
    /// A playbook's recap: it ran to its end.
    Stats(Stats),
    /// Something went wrong in the callback itself.
    Error(CallbackError),
}

/// An event without fields.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// See [`Event::Open`].
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// The version of ansible-core, such as `2.19.3`.
    pub ansible: String,
}

/// See [`Event::Playbook`]; the options are those Ansible really runs with, wherever they came from.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// Its file, as given on the command line.
    pub file: String,
    /// Whether the run is in check mode.
    pub check: bool,
    /// `--limit`.
    pub limit: Option<String>,
    /// `--tags`; `["all"]` when there are none.
    pub tags: Vec<String>,
    /// `--skip-tags`.
    pub skip_tags: Vec<String>,
    /// `--start-at-task`.
    pub start_at_task: Option<String>,
    /// `--step`.
    pub step: bool,
}

/// See [`Event::Play`].
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Play {
    /// Its name, or its host pattern when it has none.
    pub name: String,
    /// Whether the play is in check mode.
    pub check: bool,
    /// The hosts of this batch.
    pub hosts: Vec<String>,
    /// Those of them that stand in no inventory: Ansible's implicit localhost.
    #[serde(default)]
    pub implicit: Vec<String>,
    /// All hosts the play names, within the limit; only with the play's first batch.
    pub named: Option<Vec<String>>,
    /// Whether the play ends for all hosts when some have failed (`max_fail_percentage`).
    #[serde(default)]
    pub max_fail: bool,
}

/// See [`Event::ConnectionOverride`]. What was said of the host before holds too.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ConnectionOverride {
    /// The inventory name of the host.
    pub host: String,
    /// What keeps `ssh_known_hosts` from being asked: `ansible_ssh_args`, which replaces what this run tells ssh, or the
    /// connection plugin, which is not ssh.
    pub unchecked: Option<String>,
    /// The variable that names a control socket, which may be that of another run's connection.
    pub control_path: Option<String>,
}

/// See [`Event::Task`]. Flags are false where they are left out.
#[derive(Debug, Default, Clone, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Its number in this run.
    pub task: usize,
    /// Its name, `ROLE : TASK` in a role, or its action where it has none.
    pub name: String,
    /// Its module or action, with its collection where Ansible knows it.
    pub action: String,
    /// Its file and line, such as `site.yml:12`.
    pub place: Option<String>,
    /// It is a handler.
    #[serde(default)]
    pub handler: bool,
    /// It runs for the first host of a batch alone.
    #[serde(default)]
    pub run_once: bool,
    /// A failure on one host ends the play for all.
    #[serde(default)]
    pub fatal: bool,
    /// It sets `changed_when`.
    #[serde(default)]
    pub changed_when: bool,
    /// Its `changed_when` is plainly false.
    #[serde(default)]
    pub never_changed: bool,
    /// It sets `failed_when`.
    #[serde(default)]
    pub failed_when: bool,
    /// It has a `when`, of its own or from a block.
    #[serde(default)]
    pub when: bool,
    /// A `when` of it names `ansible_check_mode`.
    #[serde(default)]
    pub when_check_mode: bool,
    /// It sets `diff: false`.
    #[serde(default)]
    pub no_diff: bool,
    /// It loops over a file glob.
    #[serde(default)]
    pub glob: bool,
    /// `module_defaults` set `force: false`.
    #[serde(default)]
    pub default_force_false: bool,
}

/// See [`Event::Start`].
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The task's number.
    pub task: usize,
    /// What a `meta` task does, such as `end_play`.
    pub meta: Option<String>,
}

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

/// See [`Event::Result`]. Flags are false where they are left out.
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
    /// The host it was delegated to.
    pub on: Option<Box<str>>,
    /// It was delegated to the controller.
    #[serde(default)]
    pub on_localhost: bool,
    /// It did not run in check mode.
    #[serde(default)]
    pub real: bool,
    /// What it said beyond that. Most answers say no more, and a fleet gives millions of them: hence the box.
    pub answer: Option<Box<ModuleResult>>,
}

impl TaskResult<'_> {
    /// What it said, which may be nothing.
    pub fn answer(&self) -> &ModuleResult {
        const NOTHING: &ModuleResult = &ModuleResult::nothing();
        self.answer.as_deref().unwrap_or(NOTHING)
    }
}

/// What the module said, as far as it can matter. Flags are false where they are left out.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ModuleResult {
    /// A command really ran (and was not held back by `creates` or `removes`).
    #[serde(default)]
    pub ran: bool,
    /// Existing content is never compared (`force: false`).
    #[serde(default)]
    pub force_false: bool,
    /// The job of an `async` task.
    pub job: Option<String>,
    /// That job had not finished.
    #[serde(default)]
    pub unfinished: bool,
    /// `failed_when` decided that it did not fail.
    #[serde(default)]
    pub failed_when: bool,
    /// Why it was skipped.
    pub why: Option<String>,
    /// The condition that was false.
    pub condition: Option<String>,
    /// The module's message.
    pub msg: Option<String>,
    /// A command's exit code.
    pub rc: Option<i64>,
    /// The module raised an exception.
    #[serde(default)]
    pub exception: bool,
    /// Marker lines of a `debug`.
    #[serde(default)]
    pub says: Vec<String>,
    /// What it shows of its differences.
    #[serde(default)]
    pub diff: Vec<Diff>,
    /// Its `dest`.
    pub dest: Option<String>,
    /// Its `path`.
    pub path: Option<String>,
    /// Those of the task's arguments that can name a thing.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
}

impl ModuleResult {
    const fn nothing() -> Self {
        Self {
            ran: false,
            force_false: false,
            job: None,
            unfinished: false,
            failed_when: false,
            why: None,
            condition: None,
            msg: None,
            rc: None,
            exception: false,
            says: Vec::new(),
            diff: Vec::new(),
            dest: None,
            path: None,
            args: BTreeMap::new(),
        }
    }
}

/// One difference a result shows, without its text.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Diff {
    /// The header of the side before.
    pub header: Option<String>,
    /// The path the side before names.
    pub path: Option<String>,
    /// The keys in which the sides differ, where they are maps.
    #[serde(default)]
    pub keys: Vec<String>,
    /// The sides differ, where they are no maps.
    #[serde(default)]
    pub differs: bool,
}

/// See [`Event::Stats`].
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Stats {
    /// Each host that took part.
    pub hosts: BTreeMap<String, Recap>,
}

/// One line of Ansible's recap.
#[derive(Debug, Default, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Recap {
    /// Tasks that were ok, changed ones included.
    pub ok: u64,
    /// Tasks that failed.
    pub failures: u64,
    /// Times the host could not be reached.
    pub unreachable: u64,
    /// Tasks that changed something.
    pub changed: u64,
    /// Tasks that were skipped.
    pub skipped: u64,
    /// Failures that a `rescue` caught.
    pub rescued: u64,
    /// Failures that were ignored.
    pub ignored: u64,
}

/// See [`Event::Error`].
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct CallbackError {
    /// Where it happened.
    pub hook: String,
    /// What happened.
    pub msg: String,
}
