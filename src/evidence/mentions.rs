//! Which names a task mentions and what it sets, as the callback reports it where something unknown may stand behind.
//!
//! A name is a variable's (`probe`), one fact (`ansible_facts.services`), one group or host of the inventory
//! (`groups.web`), or all of either (`ansible_facts`, `groups`).

use std::collections::BTreeMap;

use serde::Deserialize;

/// The names in one text or in several.
#[derive(Debug, Default, Clone, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Names {
    /// Names that are looked up for the host that a task runs for.
    pub names: Vec<String>,
    /// What is read of other hosts: a host and a name, `None` where any may be meant.
    pub hostvars: Vec<(Option<String>, Option<String>)>,
}

/// What the keywords of a task mention on a host, and how that is defined there.
#[derive(Debug, Default, Clone, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Mentions {
    /// Its conditions, one by one, those of its blocks included.
    pub when: Vec<Names>,
    /// Its loop.
    #[serde(rename = "loop")]
    pub loops_over: Names,
    /// The variables that its loop sets for each item.
    pub loop_vars: Vec<String>,
    /// Its arguments but those that say only how a change is made, its own variables, the templates they bring in; the host
    /// pattern of a play.
    pub args: Names,
    /// Its `changed_when`.
    pub changed_when: Names,
    /// Its `delegate_to`.
    pub delegate_to: Names,
    /// Its other keywords, those of its blocks and its play included.
    pub other: Names,
    /// What the templates mention by which variables are defined.
    pub variables: BTreeMap<String, Names>,
    /// The names among them that an extra variable defines: no task can set another value.
    pub extra_vars: Vec<String>,
    /// The names among them that have no value; only told where something that sets names has not run.
    pub undefined: Vec<String>,
    /// The same of other hosts.
    pub elsewhere: BTreeMap<String, Elsewhere>,
    /// Dynamic includes that brought the task in, by their number, where something unknown may have decided on them.
    pub within: Vec<usize>,
    /// It stands in a rescue, and a task that something unknown may have made fail has failed before.
    pub rescue: bool,
    /// It is a `debug` whose text holds a marker.
    pub marker: bool,
    /// What could not be read, and why; empty where everything could.
    pub unreadable: String,
}

/// How names are defined on another host.
#[derive(Debug, Default, Clone, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Elsewhere {
    /// What the templates mention by which variables are defined.
    pub variables: BTreeMap<String, Names>,
    /// The names that have no value.
    pub undefined: Vec<String>,
    /// The names whose value the inventory says, and that no task has set on any host.
    pub stated: Vec<String>,
}

/// [`Mentions`] of a task: they hold for its results until there are others.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Uses {
    /// The task's number.
    pub task: usize,
    /// What it mentions.
    pub mentions: Mentions,
}

/// What a result sets. Flags are false where they are left out.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Sets {
    /// Variables, by `register`, `set_fact`, `include_vars` or as those of a new host.
    pub names: Vec<String>,
    /// Facts, as the module names them.
    pub facts: Vec<String>,
    /// The facts belong to the host that the task was delegated to.
    pub delegated: bool,
    /// It may set names that nobody can tell: what has no value later may be one of them.
    pub anything: bool,
    /// Hosts that it adds; `*` for one whose name is computed.
    pub hosts: Vec<String>,
    /// Groups that it adds hosts to; `*` for one whose name is computed.
    pub groups: Vec<String>,
}

/// Hosts that the run goes on without.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Gone {
    /// Hosts that have failed or could not be reached.
    pub hosts: Vec<String>,
    /// Hosts among them that take part again.
    pub back: Vec<String>,
    /// Hosts of a play that the limit leaves out.
    pub limited: Vec<String>,
}

/// A question of `vars_prompt` that nobody answered.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// The variable.
    pub name: String,
}
