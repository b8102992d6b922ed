//! What the user took out of the verdict: shell globs over names, and a record of what they met.

use std::collections::BTreeSet;

use glob::{MatchOptions, Pattern};

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

/// Whether any glob matches any of the names; every glob that does is marked as used.
pub(crate) fn matches(globs: &[Pattern], used: &mut [bool], names: &[&str]) -> bool {
    let mut any = false;
    for (glob, used) in globs.iter().zip(used) {
        if names.iter().any(|name| glob_matches(glob, name)) {
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
