//! What the user took out of the verdict: shell globs over names, and a record of what they met.

use std::collections::BTreeSet;

use glob::{MatchOptions, Pattern};

use crate::evidence::difference::Difference;
use crate::evidence::drift_name::DriftName;
use crate::settings::{Attribute, AttributeWaiver, Ignore, Waiver};

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

/// What the settings make of a difference.
#[derive(Debug, PartialEq, Eq)]
pub enum Counted<'a> {
    /// It counts.
    Yes,
    /// It does not; these are its names, each attribute with one of its own.
    No(BTreeSet<DriftName>),
    /// It counts, although these name attributes of it: another one differs, or the content, or nobody knows.
    MoreDiffers(Vec<&'a AttributeWaiver>),
}

impl<'a> Counted<'a> {
    /// Whether a difference counts. Names are relative to `directory` where they lie below it.
    pub fn of(difference: &Difference, ignore: &'a Ignore, directory: Option<&str>) -> Self {
        let Difference { name, only } = difference;
        let shown = name.relative_to(directory);
        if ignore.files.iter().any(|waiver| name.matches(&waiver.glob, directory)) {
            return Self::No(BTreeSet::from([shown]));
        }
        // What is no file has no attributes.
        let DriftName::Path(_) = name else { return Self::Yes };
        let waivers: Vec<_> =
            ignore.attributes.iter().filter(|waiver| name.matches(&waiver.files, directory)).collect();
        let ignored = |attribute| waivers.iter().any(|waiver| waiver.attribute == attribute);
        if waivers.is_empty() {
            Self::Yes
        } else if !only.is_empty() && only.iter().copied().all(ignored) {
            let named = |attribute: &Attribute| shown.with_text(|text| format!("{text}:{}", attribute.name()));
            Self::No(only.iter().map(named).collect())
        } else {
            Self::MoreDiffers(waivers)
        }
    }
}

/// A shell glob whose `*` also crosses `/` and leading dots.
pub fn glob_matches(glob: &Pattern, name: &str) -> bool {
    let options =
        MatchOptions { case_sensitive: true, require_literal_separator: false, require_literal_leading_dot: false };
    glob.matches_with(name, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignore(files: &[&str], attributes: &[(&str, Attribute)]) -> Ignore {
        let glob = |text: &&str| Waiver { glob: Pattern::new(text).unwrap(), until: None, reason: None };
        let of = |(files, attribute): &(&str, Attribute)| AttributeWaiver {
            files: Pattern::new(files).unwrap(),
            attribute: *attribute,
        };
        Ignore {
            files: files.iter().map(glob).collect(),
            attributes: attributes.iter().map(of).collect(),
            ..Ignore::default()
        }
    }

    /// The names that are ignored; those of items that do not suffice begin with `!`.
    fn counted(difference: &Difference, ignore: &Ignore) -> Vec<String> {
        match Counted::of(difference, ignore, Some("/etc")) {
            Counted::Yes => Vec::new(),
            Counted::No(names) => names.iter().map(|name| name.as_str().to_owned()).collect(),
            Counted::MoreDiffers(waivers) => waivers.iter().map(|waiver| format!("!{}", waiver.item())).collect(),
        }
    }

    #[test]
    fn an_attribute_is_ignored_where_nothing_else_differs() {
        use Attribute::{Mode, Owner};
        let motd = |only: &[Attribute]| Difference {
            name: DriftName::Path("/etc/motd".to_owned()),
            only: only.iter().copied().collect(),
        };
        let mode = ignore(&[], &[("/etc/motd", Mode)]);
        assert_eq!(counted(&motd(&[Mode]), &mode), ["motd:mode"]);
        assert_eq!(counted(&motd(&[Mode, Owner]), &mode), ["!/etc/motd:mode"]);
        assert_eq!(counted(&motd(&[Owner]), &mode), ["!/etc/motd:mode"]);
        assert_eq!(counted(&motd(&[]), &mode), ["!/etc/motd:mode"]);
        let both = ignore(&[], &[("mo*", Mode), ("/etc/*", Owner), ("/srv/*", Owner)]);
        assert_eq!(counted(&motd(&[Mode, Owner]), &both), ["motd:mode", "motd:owner"]);
        assert_eq!(counted(&motd(&[]), &ignore(&["motd"], &[("motd", Mode)])), ["motd"]);
        assert_eq!(counted(&motd(&[Mode]), &ignore(&[], &[("/etc/issue", Mode)])), Vec::<String>::new());
        // The user `owner` is no attribute of a file.
        let user = Difference::of(DriftName::thing("user", "owner"));
        assert_eq!(counted(&user, &ignore(&[], &[("user", Owner)])), Vec::<String>::new());
        assert_eq!(counted(&user, &ignore(&["user:owner"], &[("user", Owner)])), ["user:owner"]);
    }
}
