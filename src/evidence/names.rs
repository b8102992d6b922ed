//! Looks names up: which of them stand for something unknown, directly or through the variables that are defined by them.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::evidence::mentions::{Mentions, Names};
use crate::evidence::provenance::Provenance;
use crate::evidence::source::Source;

/// Variables that tell a playbook how it is run.
const CHECK_MODE: [&str; 2] = ["ansible_check_mode", "ansible_diff_mode"];

/// Variables that list the hosts which the play still has, or has not.
const REMAINING_HOSTS: [&str; 5] =
    ["ansible_current_hosts", "ansible_failed_hosts", "ansible_play_batch", "ansible_play_hosts", "play_hosts"];

/// Variables that say which groups there are, or which of them a host is in.
const GROUPS: [&str; 2] = ["groups", "group_names"];

/// What one group, host or fact is called among names.
const GROUP: &str = "groups.";
const FACT: &str = "ansible_facts.";

/// Stands for a host or group whose name is computed.
const COMPUTED: &str = "*";

/// What names stand for.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The first unknown value.
    pub unknown: Option<Rc<Source>>,
    /// One of them stands for check mode.
    pub check_mode: bool,
}

impl Found {
    /// Whether everything is known, and the same in a real run.
    pub fn is_nothing(&self) -> bool {
        self.unknown.is_none() && !self.check_mode
    }

    fn add(&mut self, other: Self) {
        self.check_mode |= other.check_mode;
        self.unknown = self.unknown.take().or(other.unknown);
    }

    fn add_source(&mut self, source: Option<&Rc<Source>>) {
        self.unknown = self.unknown.take().or_else(|| source.cloned());
    }
}

/// Where names are looked up: for a host, as a task mentions them.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    provenance: &'a Provenance,
    host: Option<&'a str>,
    mentions: &'a Mentions,
    variables: &'a BTreeMap<String, Names>,
    undefined: &'a [String],
    /// Names of the task itself hold here, such as its loop variables.
    own: bool,
}

impl<'a> Scope<'a> {
    /// For a host, or for none before a play has any.
    pub fn new(provenance: &'a Provenance, host: Option<&'a str>, mentions: &'a Mentions) -> Self {
        Self { provenance, host, mentions, variables: &mentions.variables, undefined: &mentions.undefined, own: true }
    }

    /// What the names in texts stand for.
    pub fn find<'n>(self, texts: impl IntoIterator<Item = &'n Names>) -> Found {
        let mut found = Found::default();
        let mut seen = BTreeSet::new();
        for names in texts {
            found.add(self.names(names, &mut seen));
        }
        found
    }

    fn names(self, names: &Names, seen: &mut BTreeSet<(Option<String>, String)>) -> Found {
        let mut found = Found::default();
        for name in &names.names {
            // Also what keeps variables that are defined by each other from going on forever.
            if seen.insert((self.host.map(str::to_owned), name.clone())) {
                found.add(self.name(name, seen));
            }
        }
        for (host, name) in &names.hostvars {
            found.add(self.hostvar(host.as_deref(), name.as_deref(), seen));
        }
        found
    }

    fn name(self, name: &str, seen: &mut BTreeSet<(Option<String>, String)>) -> Found {
        let Provenance { values, anything, inventory, gone, named, prompts, check_mode, .. } = self.provenance;
        let mut found = Found { unknown: None, check_mode: *check_mode && CHECK_MODE.contains(&name) };
        if self.own && self.mentions.loop_vars.iter().any(|own| own == name) {
            return self.names(&self.mentions.loops_over, seen);
        }
        if let Some(group) = name.strip_prefix(GROUP) {
            found.add_source(inventory.get(group).or_else(|| inventory.get(COMPUTED)));
        } else if GROUPS.contains(&name) {
            found.add_source(inventory.values().next());
        } else if REMAINING_HOSTS.contains(&name) {
            found.add_source(gone.iter().find(|(host, _)| named.contains(*host)).map(|(_, source)| source));
        } else if !self.mentions.extra_vars.iter().any(|extra| extra == name) {
            let values = self.host.and_then(|host| values.get(host));
            if name == "ansible_facts" {
                let facts = values.and_then(|values| values.iter().find(|(name, _)| name.starts_with(FACT)));
                found.add_source(facts.map(|(_, source)| source));
            }
            found.add_source(values.and_then(|values| values.get(name)));
            found.add_source(prompts.get(name));
        }
        if self.undefined.iter().any(|undefined| undefined == name) {
            found.add_source(self.host.and_then(|host| anything.get(host)));
        }
        if let Some(names) = self.variables.get(name) {
            found.add(self.names(names, seen));
        }
        found
    }

    /// A name that is read of other hosts; `None` for any host, any name.
    fn hostvar(self, host: Option<&str>, name: Option<&str>, seen: &mut BTreeSet<(Option<String>, String)>) -> Found {
        let Provenance { values, anything, inventory, gone, limited, .. } = self.provenance;
        let meant = |other: &str| host.is_none_or(|host| host == other);
        let mut found = Found::default();
        found.add_source(host.and_then(|host| inventory.get(host)));
        for (out, source) in gone.iter().chain(limited).filter(|(out, _)| meant(out)) {
            let stated = self
                .mentions
                .elsewhere
                .get(out)
                .is_some_and(|there| name.is_some_and(|name| there.stated.iter().any(|stated| stated == name)));
            if !stated {
                found.add_source(Some(source));
            }
        }
        for (_, values) in values.iter().filter(|(other, _)| meant(other)) {
            found.add_source(match name {
                Some(name) => values.get(name),
                None => values.values().next(),
            });
        }
        if name.is_none() {
            found.add_source(anything.iter().find(|(other, _)| meant(other)).map(|(_, source)| source));
        }
        let Some(name) = name else { return found };
        let nothing = Mentions::default();
        for (other, there) in self.mentions.elsewhere.iter().filter(|(other, _)| meant(other)) {
            let scope = Scope {
                provenance: self.provenance,
                host: Some(other),
                mentions: &nothing,
                variables: &there.variables,
                undefined: &there.undefined,
                own: false,
            };
            let names = Names { names: vec![name.to_owned()], hostvars: Vec::new() };
            found.add(scope.names(&names, seen));
        }
        found
    }
}
