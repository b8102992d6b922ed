//! Which values are unknown, and which results hang on one.
//!
//! A value is unknown when it comes from something that did not really happen in this check, or is computed from an
//! unknown value. The callback reports which names a task mentions, how they are defined and what it sets; here they are
//! followed, host by host. Only what is unknown is kept: where nothing is, this costs nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use crate::ansible::modules::Kind;
use crate::evidence::mentions::{Gone, Mentions, Prompt, Sets, Uses};
use crate::evidence::names::{Found, Scope};
use crate::evidence::source::{Source, WhyUnknown, why_unknown};
use crate::evidence::task::KnownTask;
use crate::evidence::task_result::{DecidedBy, Status, TaskResult};

/// What the inputs of a result were.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Inputs {
    /// The first unknown value that it hangs on.
    pub unknown: Option<Rc<Source>>,
    /// The condition by which it was skipped hangs on check mode.
    pub skipped_by_check_mode: bool,
    /// A loop, an argument, a template or a `changed_when` hangs on check mode.
    pub argument_on_check_mode: bool,
    /// A condition hangs on check mode, of the task or of an include around it.
    pub condition_on_check_mode: bool,
    /// Where the task ran may be another place in a real run.
    pub elsewhere: bool,
    /// The task would state something by a marker.
    pub marker: bool,
}

/// Unknown values of a run.
#[derive(Debug, Default)]
pub struct Provenance {
    /// The run is in check mode: what hangs on that would be otherwise in a real run.
    pub(crate) check_mode: bool,
    /// By host and name.
    pub(crate) values: BTreeMap<String, BTreeMap<String, Rc<Source>>>,
    /// Hosts on which something has not run that sets names which nobody can tell.
    pub(crate) anything: BTreeMap<String, Rc<Source>>,
    /// Hosts and groups that may or may not have been added.
    pub(crate) inventory: BTreeMap<String, Rc<Source>>,
    /// Hosts that failed or could not be reached, and hosts that the limit leaves out.
    pub(crate) gone: BTreeMap<String, Rc<Source>>,
    pub(crate) limited: BTreeMap<String, Rc<Source>>,
    pub(crate) prompts: BTreeMap<String, Rc<Source>>,
    /// The hosts that the play names, in all of its batches.
    pub(crate) named: BTreeSet<String>,
    /// What the tasks of the play mention, by number.
    mentions: HashMap<usize, Mentions>,
    /// Items that gave no real answer, before the summary of their loop.
    items: HashMap<TaskOnHost, Rc<Source>>,
    /// Dynamic includes that something unknown or check mode decided on.
    includes: HashMap<TaskOnHost, Inputs>,
    play: PlayAtWork,
    /// A source that the callback has not followed: nothing after it can be told.
    lost: Option<Rc<Source>>,
}

type TaskOnHost = (usize, String);

/// The play that is at work.
#[derive(Debug, Default)]
struct PlayAtWork {
    batch: Vec<String>,
    /// Something unknown decided on its hosts.
    hosts: Option<Rc<Source>>,
    /// Hosts on which a task that hangs on something unknown has failed.
    failed: HashMap<String, Rc<Source>>,
    /// Hosts for which something unknown decided whether the play goes on.
    ended: HashMap<String, Rc<Source>>,
}

impl PlayAtWork {
    /// Whether nothing unknown decided which tasks run on which hosts.
    fn is_certain(&self) -> bool {
        self.hosts.is_none() && self.failed.is_empty() && self.ended.is_empty()
    }
}

impl Provenance {
    /// A playbook begins, in check mode or not.
    pub fn playbook(&mut self, check_mode: bool) {
        self.check_mode = check_mode;
    }

    /// A play, or its next batch, begins. Gives what is unknown of its hosts.
    pub fn play(
        &mut self,
        batch: &[String],
        named: Option<&Vec<String>>,
        hosts_from: Option<&Mentions>,
    ) -> Option<Rc<Source>> {
        self.mentions.clear();
        self.items.clear();
        if let Some(named) = named {
            self.named = named.iter().cloned().collect();
        }
        let hosts = hosts_from.and_then(|mentions| {
            let found = Scope::new(self, None, mentions).find([&mentions.args]);
            let on_check_mode = found.check_mode.then(|| Rc::new(Source::CheckMode));
            unreadable(mentions).or(found.unknown).or(on_check_mode)
        });
        self.play = PlayAtWork { batch: batch.to_vec(), hosts, ..PlayAtWork::default() };
        self.play.hosts.clone()
    }

    /// A question was not answered.
    pub fn prompt(&mut self, prompt: Prompt) {
        let source = Rc::new(Source::Prompt { name: prompt.name.clone() });
        self.prompts.insert(prompt.name, source);
    }

    /// The run goes on without some hosts.
    pub fn gone(&mut self, gone: Gone) {
        let of = |host: String, source: fn(String) -> Source| (host.clone(), Rc::new(source(host)));
        self.gone.extend(gone.hosts.into_iter().map(|host| of(host, |host| Source::GoneHost { host })));
        self.limited.extend(gone.limited.into_iter().map(|host| of(host, |host| Source::LimitedHost { host })));
        for host in &gone.back {
            self.gone.remove(host);
        }
    }

    /// What a task mentions, from here on.
    pub fn uses(&mut self, uses: Uses) {
        self.mentions.insert(uses.task, uses.mentions);
    }

    /// What a result hangs on.
    pub fn inputs(&self, known: &KnownTask, result: &TaskResult<'_>) -> Inputs {
        if !result.uses && self.lost.is_none() && self.inventory.is_empty() && self.play.is_certain() {
            return Inputs::default();
        }
        let nothing = Mentions::default();
        let mentions = match (result.uses, self.mentions.get(&result.task)) {
            (false, _) => &nothing,
            (true, Some(mentions)) => mentions,
            (true, None) => {
                let what = format!("what task `{}` mentions was not reported", known.task.name);
                return Inputs { unknown: Some(Rc::new(Source::Unreadable { what })), ..Inputs::default() };
            }
        };
        let scope = Scope::new(self, Some(&result.host), mentions);
        let when = |place: usize| mentions.when.get(place);
        let (conditions, arguments, other) = match result.decided_by() {
            DecidedBy::Condition(false_condition) => {
                let place = known.task.when.iter().position(|condition| condition == false_condition);
                let found = match place {
                    Some(place) => scope.find(when(place)),
                    None => scope.find(&mentions.when),
                };
                if place.is_some() && found.is_nothing() && mentions.unreadable.is_empty() {
                    // Whatever else is unknown, a real run would not have run it either.
                    return Inputs::default();
                }
                (found, Found::default(), Found::default())
            }
            DecidedBy::AnyCondition => {
                (scope.find(&mentions.when), scope.find([&mentions.loops_over]), Found::default())
            }
            DecidedBy::Loop => (Found::default(), scope.find([&mentions.loops_over]), Found::default()),
            DecidedBy::Everything => {
                let arguments = [&mentions.loops_over, &mentions.args, &mentions.changed_when, &mentions.delegate_to];
                (scope.find(&mentions.when), scope.find(arguments), scope.find([&mentions.other]))
            }
        };
        let around = self.around(&result.host, mentions);
        let unknown = [around.unknown, conditions.unknown, arguments.unknown, other.unknown, unreadable(mentions)];
        Inputs {
            unknown: unknown.into_iter().flatten().next(),
            skipped_by_check_mode: result.status == Status::Skipped && conditions.check_mode,
            argument_on_check_mode: arguments.check_mode || around.argument_on_check_mode,
            condition_on_check_mode: conditions.check_mode || around.condition_on_check_mode,
            elsewhere: !scope.find([&mentions.delegate_to]).is_nothing(),
            marker: mentions.marker,
        }
    }

    /// What decided that a task runs on a host at all.
    fn around(&self, host: &str, mentions: &Mentions) -> Inputs {
        let rescued = if mentions.rescue { self.play.failed.get(host) } else { None };
        let sources = [
            self.lost.as_ref(),
            self.play.hosts.as_ref(),
            self.inventory.get(host),
            self.play.ended.get(host),
            rescued,
        ];
        let mut around = Inputs { unknown: sources.into_iter().flatten().next().cloned(), ..Inputs::default() };
        if !mentions.within.is_empty() {
            for include in &mentions.within {
                if let Some(inputs) = self.includes.get(&(*include, host.to_owned())) {
                    around.unknown = around.unknown.or_else(|| inputs.unknown.clone());
                    around.argument_on_check_mode |= inputs.argument_on_check_mode;
                    around.condition_on_check_mode |= inputs.condition_on_check_mode;
                }
            }
        }
        around
    }

    /// Notes what a result sets. `waived`: the user took its task or its play out of the verdict.
    pub fn record(&mut self, known: &KnownTask, result: &TaskResult<'_>, inputs: &Inputs, waived: bool) {
        let source = source(known, result, inputs, waived);
        if source.is_none() && result.sets.is_none() && self.items.is_empty() {
            return;
        }
        let here = || (result.task, result.host.as_ref().to_owned());
        if let (Status::Failed, Some(unknown)) = (result.status, &inputs.unknown) {
            self.play.failed.insert(result.host.as_ref().to_owned(), Rc::clone(unknown));
        }
        if known.module.kind == Kind::Include && !result.sums_up_items() {
            if *inputs != Inputs::default() {
                self.includes.insert(here(), inputs.clone());
            } else if !result.item {
                self.includes.remove(&here());
            }
        }
        if result.item {
            if let Some(source) = source {
                self.items.entry(here()).or_insert(source);
            }
            return;
        }
        let source = self.items.remove(&here()).or(source);
        match (&result.sets, source) {
            (Some(sets), source) => self.set(known, result, sets, source.as_ref()),
            // That matters where somebody uses the answer, and nobody has registered it.
            (None, Some(source)) if source.is_answer_without_proof() => {}
            (None, Some(source)) => self.lost = self.lost.take().or(Some(source)),
            (None, None) => {}
        }
    }

    /// A `meta` task would have ended the play for a host, had its condition been otherwise.
    pub fn went_on(&mut self, host: &str, for_all: bool, source: &Rc<Source>) {
        let batch = std::mem::take(&mut self.play.batch);
        let own = [host.to_owned()];
        for host in if for_all { &batch[..] } else { &own[..] } {
            self.play.ended.insert(host.clone(), Rc::clone(source));
        }
        self.play.batch = batch;
    }

    fn set(&mut self, known: &KnownTask, result: &TaskResult<'_>, sets: &Sets, source: Option<&Rc<Source>>) {
        let batch = std::mem::take(&mut self.play.batch);
        let own = [result.host.as_ref().to_owned()];
        let hosts = if known.task.run_once { &batch[..] } else { &own[..] };
        let delegated = result.delegated_to.as_deref().filter(|_| sets.delegated).map(|host| [host.to_owned()]);
        let of_facts = delegated.as_ref().map_or(hosts, |host| &host[..]);
        if ["include_vars", "set_fact"].contains(&known.module.name) {
            self.assign(of_facts, &sets.names, source);
            if source.is_some() {
                // Among them is the name of its own answer, which stays here, and one may be made a fact.
                self.assign(hosts, &sets.names, source);
                let facts: Vec<String> = sets.names.iter().map(|name| format!("ansible_facts.{name}")).collect();
                self.assign(of_facts, &facts, source);
            }
        } else {
            self.assign(hosts, &sets.names, source);
        }
        let facts = sets.facts.iter().flat_map(|fact| {
            let short = fact.strip_prefix("ansible_").unwrap_or(fact);
            [fact.clone(), format!("ansible_facts.{short}")]
        });
        self.assign(of_facts, &facts.collect::<Vec<_>>(), source);
        self.assign(&sets.hosts, &sets.names, source);
        if let Some(source) = source {
            for name in sets.hosts.iter().chain(&sets.groups) {
                self.inventory.insert(name.clone(), Rc::clone(source));
            }
            for host in if sets.anything { of_facts } else { &[] } {
                self.anything.insert(host.clone(), Rc::clone(source));
            }
        }
        self.play.batch = batch;
    }

    fn assign(&mut self, hosts: &[String], names: &[String], source: Option<&Rc<Source>>) {
        for host in hosts {
            match source {
                Some(source) => {
                    let values = self.values.entry(host.clone()).or_default();
                    values.extend(names.iter().map(|name| (name.clone(), Rc::clone(source))));
                }
                None => {
                    if let Some(values) = self.values.get_mut(host) {
                        for name in names {
                            values.remove(name);
                        }
                    }
                }
            }
        }
    }
}

/// What makes what a result sets unknown.
fn source(known: &KnownTask, result: &TaskResult<'_>, inputs: &Inputs, waived: bool) -> Option<Rc<Source>> {
    // What sums up items has been said by each of them.
    if let (Some(unknown), false) = (&inputs.unknown, result.sums_up_items()) {
        return Some(Rc::clone(unknown));
    }
    let on_check_mode = inputs.argument_on_check_mode || inputs.condition_on_check_mode;
    let why = if waived {
        WhyUnknown::Waived
    } else if let Some(why) = why_unknown(known, result) {
        why
    } else if on_check_mode && !result.sums_up_items() {
        WhyUnknown::HangsOnCheckMode
    } else {
        return None;
    };
    Some(Rc::new(Source::of(known, why)))
}

fn unreadable(mentions: &Mentions) -> Option<Rc<Source>> {
    let what = &mentions.unreadable;
    (!what.is_empty()).then(|| Rc::new(Source::Unreadable { what: what.clone() }))
}

#[cfg(test)]
mod tests;
