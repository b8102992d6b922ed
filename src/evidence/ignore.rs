//! What the user took out of the verdict: shell globs over names, and a record of what they met.

use std::collections::BTreeSet;

use glob::{MatchOptions, Pattern};

use crate::settings::Waiver;

/// What the user took out, and which globs met nothing.
#[derive(Debug, Default)]
pub struct Ignored {
    /// Tasks taken out, by name.
    pub tasks: BTreeSet<String>,
    /// Plays taken out, by name.
    pub plays: BTreeSet<String>,
    /// Globs of `ignore_tasks` and `ignore_plays` that matched nothing.
    pub unused: Vec<UnusedGlob>,
}

/// A glob that matched nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct UnusedGlob {
    /// The setting that holds it.
    pub setting: &'static str,
    /// The glob as it is written.
    pub glob: String,
}

/// The globs of one setting, and which of them have matched.
pub(crate) struct Globs<'a> {
    setting: &'static str,
    waivers: &'a [Waiver],
    used: Vec<bool>,
}

impl<'a> Globs<'a> {
    pub fn new(setting: &'static str, waivers: &'a [Waiver]) -> Self {
        Self { setting, waivers, used: vec![false; waivers.len()] }
    }

    /// Whether any glob matches any of the names; every glob that does is marked as used.
    pub fn match_any(&mut self, names: &[&str]) -> bool {
        let mut any = false;
        for (waiver, used) in self.waivers.iter().zip(&mut self.used) {
            if names.iter().any(|name| glob_matches(&waiver.glob, name)) {
                *used = true;
                any = true;
            }
        }
        any
    }

    pub fn unused(&self) -> impl Iterator<Item = UnusedGlob> {
        let unused = self.waivers.iter().zip(&self.used).filter(|(_, used)| !**used);
        unused.map(|(waiver, _)| UnusedGlob { setting: self.setting, glob: waiver.glob.as_str().to_owned() })
    }
}

/// A shell glob whose `*` also crosses `/` and leading dots.
pub fn glob_matches(glob: &Pattern, name: &str) -> bool {
    let options =
        MatchOptions { case_sensitive: true, require_literal_separator: false, require_literal_leading_dot: false };
    glob.matches_with(name, options)
}
