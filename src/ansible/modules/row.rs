//! How a row of the table of modules is written.

use super::{CheckMode, Condition, Is, Kind, Lost, Module};

pub(super) const SKIPPED: CheckMode = CheckMode::NotInFull("check mode skips it");
pub(super) const UNSAID: CheckMode =
    CheckMode::NotInFull("its documentation does not speak of check mode; its code supports it");
pub(super) const PARTLY: CheckMode = CheckMode::NotInFull("in part, by its documentation");

/// How the file is replaced whose content differs.
pub(super) const REPLACES: &[&str] = &["backup", "unsafe_writes", "validate"];

/// A condition that always holds.
pub(super) const ALWAYS: &[Is] = &[];

pub(super) const fn module(name: &'static str, kind: Kind, check_mode: CheckMode) -> Module {
    let (conditions, needs, answers, disclaimers) = (&[], &[], &[], &[]);
    Module {
        name,
        kind,
        check_mode,
        named_by_name: false,
        conditions,
        needs,
        answers,
        disclaimers,
        attributes_hidden: None,
        shows_what_it_replaces: false,
        for_changes: &[],
    }
}

pub(super) const fn condition(when: &'static [Is], lost: Lost, because: &'static str, hint: &'static str) -> Condition {
    Condition { when, lost, because, hint }
}

/// With these arguments it describes no state.
pub(super) const fn no_state(when: &'static [Is]) -> Condition {
    condition(when, Lost::State, "", "")
}

impl Module {
    pub(super) const fn named_by_name(mut self) -> Self {
        self.named_by_name = true;
        self
    }

    pub(super) const fn when(mut self, conditions: &'static [Condition]) -> Self {
        self.conditions = conditions;
        self
    }

    pub(super) const fn needs(mut self, arguments: &'static [&'static str]) -> Self {
        self.needs = arguments;
        self
    }

    pub(super) const fn answers(mut self, fields: &'static [&'static str]) -> Self {
        self.answers = fields;
        self
    }

    /// Its diff shows each attribute of a file that differs, and whether anything else does, unless one of these holds.
    pub(super) const fn tells_attributes_unless(mut self, hidden: &'static [Is]) -> Self {
        self.attributes_hidden = Some(hidden);
        self
    }

    /// Its diff shows texts only of a file that it would replace: there is a link to one with this content, for example.
    pub(super) const fn shows_what_it_replaces(mut self) -> Self {
        self.shows_what_it_replaces = true;
        self
    }

    /// These arguments say only how a difference is put right.
    pub(super) const fn for_changes(mut self, arguments: &'static [&'static str]) -> Self {
        self.for_changes = arguments;
        self
    }

    pub(super) const fn disclaims(mut self, warnings: &'static [&'static str]) -> Self {
        self.disclaimers = warnings;
        self
    }
}
