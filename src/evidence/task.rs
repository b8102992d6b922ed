//! What a task is, as the playbook says it: conditions and loops are the text that stands there.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::ansible::modules::{self, Module};

/// The variable that tells a playbook whether it runs in check mode.
const CHECK_MODE: &str = "ansible_check_mode";

/// Lookups that read the controller's files, in a loop or as its `with_...`.
const FILE_LOOKUPS: [&str; 2] = ["fileglob", "filetree"];

/// A task, as it is announced before anything names its number. Flags are false where they are left out.
#[derive(Debug, Default, Clone, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Its number in this run.
    pub number: usize,
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
    pub any_errors_fatal: bool,
    /// Its conditions, those of its blocks included.
    #[serde(default)]
    pub when: Vec<String>,
    /// Its `changed_when`; empty where it has none.
    #[serde(default)]
    pub changed_when: Vec<String>,
    /// Its `failed_when`; empty where it has none.
    #[serde(default)]
    pub failed_when: Vec<String>,
    /// Its `diff`, where that is set and not true.
    pub diff: Option<String>,
    /// Its `loop`, where that is a template, or the argument of its `with_...`.
    #[serde(rename = "loop")]
    pub loops_over: Option<String>,
    /// The lookup of its `with_...`.
    pub loop_with: Option<String>,
    /// Arguments that decide whether an answer is proof, from `module_defaults`, by module or group.
    #[serde(default)]
    pub module_defaults: BTreeMap<String, BTreeMap<String, String>>,
}

impl Task {
    /// Whether the playbook replaces the module's own `changed`.
    pub fn replaces_changed(&self) -> bool {
        !self.changed_when.is_empty()
    }

    /// Whether its `changed_when` is plainly false.
    pub fn never_changed(&self) -> bool {
        self.changed_when.iter().any(|part| ["false", "no"].contains(&part.trim().to_lowercase().as_str()))
    }

    /// Whether one of its conditions names `ansible_check_mode`.
    pub fn when_names_check_mode(&self) -> bool {
        self.when.iter().any(|condition| names_check_mode(condition))
    }

    /// Whether it loops over files of the controller that a pattern finds.
    pub fn loops_over_files(&self) -> bool {
        let named = |text: &Option<String>| {
            text.as_deref().is_some_and(|text| FILE_LOOKUPS.iter().any(|name| text.contains(name)))
        };
        named(&self.loops_over) || named(&self.loop_with)
    }

    /// Whether it is told not to show differences.
    pub fn hides_diff(&self) -> bool {
        self.diff.as_deref() == Some("False")
    }

    /// Whether `module_defaults` set an argument to something that is not plainly true.
    pub fn default_may_be_false(&self, argument: &str) -> bool {
        self.module_defaults.values().filter_map(|values| values.get(argument)).any(|value| !is_true(value))
    }

    /// The name without its role.
    pub fn own_name(&self) -> &str {
        self.name.split_once(" : ").map(|(_, name)| name).filter(|name| !name.is_empty()).unwrap_or(&self.name)
    }

    /// What a reader finds it by.
    pub fn reference(&self) -> TaskRef {
        TaskRef { name: self.name.clone(), place: self.place.clone() }
    }
}

/// Whether a condition names `ansible_check_mode`.
pub fn names_check_mode(condition: &str) -> bool {
    condition.contains(CHECK_MODE)
}

/// Whether Ansible takes an argument for true.
pub fn is_true(value: &str) -> bool {
    ["true", "yes", "on", "1", "y", "t"].contains(&value.trim().to_lowercase().as_str())
}

/// Whether Ansible takes an argument for false.
pub fn is_false(value: &str) -> bool {
    ["false", "no", "off", "0", "n", "f"].contains(&value.trim().to_lowercase().as_str())
}

/// What a reader finds a task by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskRef {
    /// Its name, `ROLE : TASK` in a role.
    pub name: String,
    /// Its file and line.
    pub place: Option<String>,
}

/// A task with what is known of its module, and whether `ignore_tasks` names it.
#[derive(Debug)]
pub struct KnownTask {
    /// The task.
    pub task: Task,
    /// Its module.
    pub module: &'static Module,
    /// Whether the user took it out of the verdict.
    pub waived: bool,
}

impl KnownTask {
    /// Looks the task's module up.
    pub fn new(task: Task, waived: bool) -> Self {
        Self { module: modules::find(&task.action), task, waived }
    }

    /// Whether it is a `meta` task, which answers for nothing.
    pub fn is_meta(&self) -> bool {
        self.module.name == "meta"
    }
}
