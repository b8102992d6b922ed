//! The hosts of the playbook that is at work.

use std::collections::HashMap;

use crate::evidence::facts::HostFacts;

/// What hosts have shown, by name. They are looked up for each event: hence not sorted, and each has a number.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    numbers: HashMap<String, usize>,
    facts: Vec<HostFacts>,
}

impl Hosts {
    /// The number of a host, whether or not it was met before.
    pub fn number(&mut self, name: &str) -> usize {
        self.numbers.get(name).copied().unwrap_or_else(|| {
            let next = self.facts.len();
            self.facts.push(HostFacts::default());
            self.numbers.insert(name.to_owned(), next);
            next
        })
    }

    /// What the host of a number has shown.
    pub fn at(&mut self, number: usize) -> &mut HostFacts {
        &mut self.facts[number]
    }

    /// What a host has shown; nothing yet where it was not met before.
    pub fn of(&mut self, name: &str) -> &mut HostFacts {
        let number = self.number(name);
        self.at(number)
    }

    /// The same of a host that was met before.
    pub fn get(&self, name: &str) -> Option<&HostFacts> {
        self.numbers.get(name).map(|number| &self.facts[*number])
    }

    /// Each host and what it has shown, in no order. None is left.
    pub fn take(&mut self) -> impl Iterator<Item = (String, HostFacts)> {
        let Self { numbers, mut facts } = std::mem::take(self);
        numbers.into_iter().map(move |(name, number)| (name, std::mem::take(&mut facts[number])))
    }
}
