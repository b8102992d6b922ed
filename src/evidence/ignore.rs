//! What the user took out of the verdict: shell globs over names, and a record of what they met.

use std::collections::BTreeSet;

use glob::{MatchOptions, Pattern};

use crate::settings::Waiver;

/// What the ignore took out, and which of them met nothing.
#[derive(Debug, Default)]
pub struct Ignored {
    /// Tasks taken out, by name.
    pub tasks: BTreeSet<String>,
    /// Plays taken out, by name.
    pub plays: BTreeSet<String>,
    /// Globs of `ignore_tasks` and `ignore_plays` that matched nothing, with their setting.
    pub unused: Vec<(&'static str, String)>,
}

/// Whether any waiver matches any of the names; every one that does is marked as used.
pub(crate) fn matches(waivers: &[Waiver], used: &mut [bool], names: &[&str]) -> bool {
    let mut any = false;
    for (waiver, used) in waivers.iter().zip(used) {
        if names.iter().any(|name| glob_matches(&waiver.glob, name)) {
            *used = true;
            any = true;
        }
    }
    any
}

/// A shell glob whose `*` also crosses `/` and leading dots.
pub fn glob_matches(glob: &Pattern, name: &str) -> bool {
    let options =
        MatchOptions { case_sensitive: true, require_literal_separator: false, require_literal_leading_dot: false };
    glob.matches_with(name, options)
}
