//! What the callback reports of a run, kind by kind; `src/ansible/callback.py` and `values.py` are the other side. What a
//! task is stands in [`crate::evidence::task`], how it answered in [`crate::evidence::task_result`]; what it
//! mentions and sets, where that matters, in [`crate::evidence::mentions`].
//!
//! Unknown fields are errors: a field that is not understood might be the one that matters.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::evidence::mentions::{Gone, Mentions, Prompt, Uses};
use crate::evidence::task::Task;
use crate::evidence::task_result::TaskResult;

/// One thing Ansible said. A fleet says millions of them, nearly all results: what is larger than one is in a box.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Event<'a> {
    /// The callback was loaded.
    Open(Open),
    /// A playbook file begins.
    Playbook(Box<Playbook>),
    /// A play, or the next batch of a play with `serial`, begins.
    Play(Box<Play>),
    /// The play before matched no host.
    NoHosts(Empty),
    /// A play ended early because no host was left.
    NoHostsLeft(Empty),
    /// How a host is reached; comes before the first answer of a host in a play, and again when it changes.
    Connection(Connection),
    /// What a task is; comes before anything names its number.
    Task(Box<Task>),
    /// What a task mentions, where something unknown may stand behind it.
    Uses(Box<Uses>),
    /// Hosts that the run goes on without, or not any more.
    Gone(Gone),
    /// A question of `vars_prompt` was not answered.
    Prompt(Prompt),
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
    /// What `ANSIBLE_SSH_ARGS` tells every ssh of the run.
    #[serde(default)]
    pub ssh_args: String,
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
    /// Parts of its host pattern that name nothing; only with the play's first batch.
    #[serde(default)]
    pub unmatched: Vec<String>,
    /// Parts of the limit that name nothing; only with the first play of a playbook.
    #[serde(default)]
    pub limit_unmatched: Vec<String>,
    /// How many hosts may fail before the play ends for all, where that is set.
    pub max_fail_percentage: Option<String>,
    /// What its host pattern mentions, where something unknown may stand behind it.
    pub hosts_from: Option<Box<Mentions>>,
}

/// See [`Event::Connection`].
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// The inventory name of the host.
    pub host: String,
    /// The connection plugin, such as `ssh` or `ansible.netcommon.libssh`; a template where it cannot be read yet.
    pub plugin: String,
    /// The variables about it that have a value.
    pub variables: BTreeMap<String, String>,
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

impl Recap {
    /// How many failures it counts, whatever became of them.
    pub fn failures_in_all(&self) -> u64 {
        self.failures + self.unreachable + self.rescued + self.ignored
    }
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
