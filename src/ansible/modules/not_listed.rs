//! Modules that are not in the table.

use super::row::{ALWAYS, condition};
use super::{CheckMode, Kind, Lost, Module};

/// Modules of any collection.
const OTHER: Module = Module {
    name: "",
    kind: Kind::Compares,
    check_mode: CheckMode::NotInFull("nothing is known of it"),
    named_by_name: false,
    conditions: &[],
    needs: &[],
    answers: &[],
    disclaimers: &[],
    attributes_hidden: None,
    shows_what_it_replaces: false,
    for_changes: &[],
};

/// Those of them whose name says that they only read.
const OTHER_READS: Module = Module { kind: Kind::Reads, ..OTHER };

/// Endings of the names of modules that read.
const READS: [&str; 2] = ["_facts", "_info"];

/// The module of an action that is a template, such as `action: "{{ ansible_pkg_mgr }}"`.
pub(super) const AT_RUN_TIME: Module = Module {
    conditions: &[
        condition(ALWAYS, Lost::Both, CHOSEN_BY_TEMPLATE, NAME_IT),
        condition(ALWAYS, Lost::Diff, CHOSEN_BY_TEMPLATE, NAME_IT),
    ],
    ..OTHER
};
const CHOSEN_BY_TEMPLATE: &str = "names its module by a template, so what its answer proves is not known";
const NAME_IT: &str = "name the module in the playbook";

/// What a name that is not in the table says by itself.
pub(super) fn find(name: &str) -> &'static Module {
    if READS.iter().any(|ending| name.ends_with(ending)) { &OTHER_READS } else { &OTHER }
}
