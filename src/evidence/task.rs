//! What a task is, as the playbook says it: conditions and loops are the text that stands there.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::ansible::modules::{self, Call, Kind, Module, Proof, is_true};
use crate::evidence::task_result::ModuleResult;

/// The variable that tells a playbook whether it runs in check mode.
const CHECK_MODE: &str = "ansible_check_mode";

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
    /// It stands in a block whose `rescue` acts where it fails.
    #[serde(default)]
    pub rescued: bool,
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
    /// The `skip` that is written on that lookup.
    pub loop_skip: Option<String>,
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

    /// Whether the playbook replaces the module's own `changed` by something that can be true.
    pub fn can_say_changed(&self) -> bool {
        self.replaces_changed() && !self.never_changed()
    }

    /// Whether one of its conditions names `ansible_check_mode`.
    pub fn when_names_check_mode(&self) -> bool {
        self.when.iter().any(|condition| names_check_mode(condition))
    }

    /// Why its loop may have come out empty although there is something to do.
    pub fn may_find_nothing(&self) -> Option<EmptyLoop> {
        let over = self.loops_over.as_deref().unwrap_or_default();
        let with = self.loop_with.as_deref().unwrap_or_default();
        let named = |name: &str| over.contains(name) || with.contains(name);
        if named("first_found") {
            // The author's word that nothing may be found; it counts where it stands on the loop itself.
            let allowed = with.contains("first_found") && self.loop_skip.as_deref().is_some_and(is_true);
            return (!allowed).then_some(EmptyLoop::FirstFound);
        }
        if ["fileglob", "filetree"].iter().any(|name| named(name)) {
            return Some(EmptyLoop::Files);
        }
        let ignored = ["errors='ignore'", "errors=\"ignore\"", "errors='warn'", "errors=\"warn\""];
        let compact: String = over.split_whitespace().collect();
        ignored.iter().any(|text| compact.contains(text)).then_some(EmptyLoop::ErrorsIgnored)
    }

    /// Whether a condition about change or failure speaks of the exit code.
    pub fn speaks_of_exit_code(&self) -> bool {
        self.verdict_words().any(|word| word == "rc")
    }

    /// Whether such a condition names this number.
    pub fn names_exit_code(&self, code: i64) -> bool {
        let code = code.to_string();
        self.speaks_of_exit_code() && self.verdict_words().any(|word| word == code)
    }

    fn verdict_words(&self) -> impl Iterator<Item = &str> {
        let conditions = self.changed_when.iter().chain(&self.failed_when);
        conditions.flat_map(|text| text.split(|c: char| !c.is_alphanumeric() && c != '_'))
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

/// What a loop is over that may have come out empty although there is something to do.
#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "snake_case")]
pub enum EmptyLoop {
    /// Files of the controller that a pattern finds.
    #[serde(alias = "fileglob", alias = "filetree")]
    Files,
    /// What the module `find` found on the controller.
    #[serde(rename = "find")]
    Found,
    /// The first of several files that is there.
    FirstFound,
    /// A lookup whose errors are ignored.
    #[serde(rename = "errors")]
    ErrorsIgnored,
}

/// What a reader finds a task by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// What `module_defaults` give to its module, as far as it is known.
    pub defaults: BTreeMap<String, String>,
    /// Whether the user took it out of the verdict.
    pub waived: bool,
    /// What of an answer is proof that names no argument and no field: of most answers.
    proof_of_bare_answer: Proof,
}

impl KnownTask {
    /// Looks the task's module up.
    pub fn new(task: Task, waived: bool) -> Self {
        let module = modules::find(&task.action);
        let mut defaults = BTreeMap::new();
        for (name, values) in &task.module_defaults {
            if name.starts_with("group/") || std::ptr::eq(modules::find(name), module) {
                defaults.extend(values.clone());
            }
        }
        let nothing = BTreeMap::new();
        let proof_of_bare_answer = module.proof(&Call { defaults: &defaults, args: &nothing, answer: Some(&nothing) });
        Self { task, module, defaults, waived, proof_of_bare_answer }
    }

    /// What of a result's own answer is proof.
    pub fn proof(&self, answer: &ModuleResult) -> Proof {
        if answer.args.is_empty() && answer.fields.is_empty() {
            return self.proof_of_bare_answer;
        }
        self.module.proof(&Call { defaults: &self.defaults, args: &answer.args, answer: Some(&answer.fields) })
    }

    /// Whether a result's diff shows each attribute of a file that differs, and whether anything else does.
    pub fn tells_attributes(&self, answer: &ModuleResult) -> bool {
        let call = Call { defaults: &self.defaults, args: &answer.args, answer: Some(&answer.fields) };
        self.module.tells_attributes(&call)
    }

    /// Whether it may only read: its module does, or it is a command whose author says that it changes nothing.
    pub fn may_only_read(&self) -> bool {
        self.module.kind == Kind::Reads || (self.module.kind == Kind::Command && self.task.never_changed())
    }

    /// Whether it is a `meta` task, which answers for nothing.
    pub fn is_meta(&self) -> bool {
        self.module.name == "meta"
    }
}
