//! What is known of modules: what an answer of each means, and on which of its arguments it depends whether the answer is
//! proof, that is: whether it would have been different on a target that differs.
//!
//! The table itself stands in [`ansible_core`] and [`collections`]. A module that is not in it manages something and compares it.

mod not_listed;
mod row;
mod ansible_core;
mod collections;
#[cfg(test)]
mod observed;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

/// What an answer of a module means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It runs on the controller, whatever host it runs for, and says nothing about a target.
    Controller,
    /// The same, and it brings in further tasks: a skip of it skips all of them.
    Include,
    /// It describes no state of the target, whatever it does there.
    Action,
    /// It reads the target and manages nothing.
    Reads,
    /// It runs what it is given: its exit code and its `changed` mean what the playbook says they mean.
    Command,
    /// It manages something on the target and compares it first.
    Compares,
}

/// What is known of one module.
#[derive(Debug, PartialEq, Eq)]
pub struct Module {
    /// Its full name; a module of ansible-core is called by its own name alone.
    pub name: &'static str,
    /// What an answer of it means.
    pub kind: Kind,
    /// Whether it supports check mode.
    pub check_mode: CheckMode,
    /// Its path arguments say where something is kept, not what it is: it is named by its name.
    pub named_by_name: bool,
    /// When an answer of it is no proof.
    pub conditions: &'static [Condition],
    /// Arguments that have to be known, beside those of its conditions.
    pub needs: &'static [&'static str],
    /// Fields of its answer that have to be known.
    pub answers: &'static [&'static str],
    /// What a warning of it says where it did not look.
    pub disclaimers: &'static [&'static str],
    /// Its diff shows each attribute of a file that differs, and whether anything else does, unless one of these holds.
    /// `None` where that is not known.
    pub attributes_hidden: Option<&'static [Is]>,
    /// Its diff shows texts only of a file that it would replace, so that two equal ones do not say that nothing differs.
    pub shows_what_it_replaces: bool,
    /// Arguments that say only how a difference is put right: what it compares does not hang on them.
    pub for_changes: &'static [&'static str],
}

/// Whether a module supports check mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckMode {
    /// In full, by its documentation.
    Full,
    /// Not in full, or nothing is said about it: how it is.
    NotInFull(&'static str),
}

/// When an answer is no proof, and why.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// All of these must hold.
    pub when: &'static [Is],
    /// Which answers are no proof then.
    pub lost: Lost,
    /// The end of a sentence that begins with the task.
    pub because: &'static str,
    /// What makes the answer proof. Empty where nothing does.
    pub hint: &'static str,
}

/// Which answers of a module are no proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lost {
    /// "Not changed": it did not look.
    Unchanged,
    /// "Changed": it says so of a target that is as it should be, too.
    Changed,
    /// Either.
    Both,
    /// It describes no state with these arguments: neither answer means anything, nor that it was skipped.
    State,
    /// A diff whose sides differ: they differ on a target that is as it should be, too.
    Diff,
}

/// Something about the arguments of a task or the answer of its module. An argument that is a template nobody has read
/// yet may be anything: it counts as what takes proof away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Is {
    /// The argument may be true.
    True(&'static str),
    /// The argument is missing, or may not be true.
    NotTrue(&'static str),
    /// The argument is given, and may be false.
    False(&'static str),
    /// One of the arguments is given.
    Given(&'static [&'static str]),
    /// None of the arguments is given.
    Missing(&'static [&'static str]),
    /// The argument may have one of these values.
    OneOf(&'static str, &'static [&'static str]),
    /// The argument is missing, or has none of these values.
    NotOneOf(&'static str, &'static [&'static str]),
    /// The argument's text holds one of these.
    Holds(&'static str, &'static [&'static str]),
    /// The answer has this field.
    Answered(&'static str),
    /// One of the arguments is given, and the field of the answer with its name may say otherwise.
    Unlike(&'static [&'static str]),
    /// The argument `dest` is a directory: it says so, or the answer's `dest` is something in it.
    DestIsDirectory,
}

/// The arguments of a task and the fields of its answer, as far as they are known.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Arguments that `module_defaults` give.
    pub defaults: &'a BTreeMap<String, String>,
    /// Arguments of the task itself, which win.
    pub args: &'a BTreeMap<String, String>,
    /// Fields of the answer; `None` where they are hidden or not asked for.
    pub answer: Option<&'a BTreeMap<String, String>>,
}

impl<'a> Call<'a> {
    fn arg(&self, name: &str) -> Option<&'a str> {
        self.args.get(name).or_else(|| self.defaults.get(name)).map(String::as_str)
    }
}

impl Is {
    fn holds(self, call: &Call<'_>) -> bool {
        match self {
            Self::True(name) => call.arg(name).is_some_and(|value| !is_false(value)),
            Self::NotTrue(name) => !call.arg(name).is_some_and(is_true),
            Self::False(name) => call.arg(name).is_some_and(|value| !is_true(value)),
            Self::Given(names) => names.iter().any(|name| call.arg(name).is_some()),
            Self::Missing(names) => names.iter().all(|name| call.arg(name).is_none()),
            Self::OneOf(name, values) => {
                call.arg(name).is_some_and(|value| is_template(value) || values.contains(&value))
            }
            Self::NotOneOf(name, values) => !call.arg(name).is_some_and(|value| values.contains(&value)),
            Self::Holds(name, parts) => {
                call.arg(name).is_some_and(|value| is_template(value) || parts.iter().any(|part| value.contains(part)))
            }
            Self::Answered(field) => call.answer.is_none_or(|answer| answer.contains_key(field)),
            Self::Unlike(names) => names.iter().any(|name| {
                let found = call.answer.and_then(|answer| answer.get(*name));
                call.arg(name).is_some_and(|wanted| !found.is_some_and(|found| is_same(wanted, found)))
            }),
            Self::DestIsDirectory => call.arg("dest").is_some_and(|dest| {
                let answer = |field: &str| call.answer.and_then(|answer| answer.get(field)).map(String::as_str);
                let inside = answer("dest").and_then(|found| found.strip_prefix(dest.trim_end_matches('/')));
                dest.ends_with('/')
                    || inside.is_some_and(|rest| rest.starts_with('/'))
                    || answer("state") == Some("directory")
            }),
        }
    }

    /// The arguments without which it does not hold.
    fn arguments_given(&self) -> &[&'static str] {
        match self {
            Self::Given(names) | Self::Unlike(names) => names,
            Self::True(name) | Self::False(name) | Self::OneOf(name, _) | Self::Holds(name, _) => {
                std::slice::from_ref(name)
            }
            Self::NotTrue(_) | Self::Missing(_) | Self::NotOneOf(..) | Self::Answered(_) | Self::DestIsDirectory => &[],
        }
    }

    /// The arguments it speaks of.
    fn arguments(&self) -> &[&'static str] {
        match self {
            Self::Given(names) | Self::Missing(names) | Self::Unlike(names) => names,
            Self::True(name)
            | Self::NotTrue(name)
            | Self::False(name)
            | Self::OneOf(name, _)
            | Self::NotOneOf(name, _)
            | Self::Holds(name, _) => std::slice::from_ref(name),
            Self::DestIsDirectory => &["dest"],
            Self::Answered(_) => &[],
        }
    }
}

/// What of the answers of one call is proof; a condition says why it is not.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// "Not changed" is no proof.
    pub unchanged_lost: Option<&'static Condition>,
    /// "Changed" is no proof.
    pub changed_lost: Option<&'static Condition>,
    /// A diff whose sides differ is no proof.
    pub diff_lost: Option<&'static Condition>,
    /// It describes no state.
    pub is_action: bool,
}

impl Module {
    /// What answers of this module prove, called so.
    pub fn proof(&self, call: &Call<'_>) -> Proof {
        let mut proof = Proof::default();
        for condition in self.conditions.iter().filter(|condition| condition.when.iter().all(|is| is.holds(call))) {
            let unchanged = matches!(condition.lost, Lost::Unchanged | Lost::Both);
            let changed = matches!(condition.lost, Lost::Changed | Lost::Both);
            proof.unchanged_lost = proof.unchanged_lost.or(unchanged.then_some(condition));
            proof.changed_lost = proof.changed_lost.or(changed.then_some(condition));
            proof.diff_lost = proof.diff_lost.or((condition.lost == Lost::Diff).then_some(condition));
            proof.is_action |= condition.lost == Lost::State;
        }
        proof.is_action |= self.kind == Kind::Action;
        proof
    }

    /// Whether the diff of a call shows each attribute of a file that differs, and whether anything else does.
    pub fn tells_attributes(&self, call: &Call<'_>) -> bool {
        self.attributes_hidden.is_some_and(|hidden| !hidden.iter().any(|is| is.holds(call)))
    }

    /// Whether it supports check mode in full.
    pub fn supports_check_mode(&self) -> bool {
        self.check_mode == CheckMode::Full
    }

    /// The arguments that may take proof away where they are given; `None` where that can happen without any.
    pub fn doubtful_arguments(&self) -> Option<BTreeSet<&'static str>> {
        let mut doubtful = BTreeSet::new();
        for condition in self.conditions.iter().filter(|condition| condition.lost != Lost::State) {
            let given: BTreeSet<&str> = condition.when.iter().flat_map(Is::arguments_given).copied().collect();
            if given.is_empty() {
                return None;
            }
            doubtful.extend(given);
        }
        Some(doubtful)
    }

    /// The arguments that decide what an answer of it proves.
    pub fn deciding_arguments(&self) -> BTreeSet<&'static str> {
        let tests = self.conditions.iter().flat_map(|condition| condition.when);
        let tests = tests.chain(self.attributes_hidden.unwrap_or_default());
        tests.flat_map(Is::arguments).chain(self.needs).copied().collect()
    }
}

/// Every module that something is known of.
pub fn all() -> impl Iterator<Item = &'static Module> {
    ansible_core::CORE.iter().chain(collections::COLLECTIONS)
}

/// What is known of the module of an action, such as `ansible.builtin.copy`.
pub fn find(action: &str) -> &'static Module {
    if is_template(action) {
        return &not_listed::AT_RUN_TIME;
    }
    let name = known_name(action);
    let table = if name.contains('.') { collections::COLLECTIONS } else { ansible_core::CORE };
    match table.binary_search_by(|module| module.name.cmp(name)) {
        Ok(place) => &table[place],
        Err(_) => not_listed::find(name),
    }
}

/// The name by which an action stands in the table: `copy` of `ansible.builtin.copy`.
fn known_name(action: &str) -> &str {
    ["ansible.builtin.", "ansible.legacy."].iter().find_map(|own| action.strip_prefix(own)).unwrap_or(action)
}

/// The last part of an action's name: `ufw` of `community.general.ufw`.
pub fn short_name(action: &str) -> &str {
    action.rsplit('.').next().unwrap_or(action)
}

/// Whether Ansible takes an argument for true.
pub fn is_true(value: &str) -> bool {
    ["true", "yes", "on", "1", "1.0", "y", "t"].contains(&value.trim().to_lowercase().as_str())
}

/// Whether Ansible takes an argument for false.
pub fn is_false(value: &str) -> bool {
    ["false", "no", "off", "0", "0.0", "n", "f"].contains(&value.trim().to_lowercase().as_str())
}

/// Whether a value is what was asked for. A mode is octal where it begins with 0; one that does not may have been a number in
/// the playbook, which is another one.
fn is_same(wanted: &str, found: &str) -> bool {
    let mode = |text: &str| text.strip_prefix('0').and_then(|digits| u32::from_str_radix(digits, 8).ok());
    wanted == found || mode(wanted).is_some_and(|wanted| mode(found) == Some(wanted))
}

fn is_template(value: &str) -> bool {
    value.contains("{{") || value.contains("{%")
}
