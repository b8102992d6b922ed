//! Folds the events of a run into facts per playbook and host. What they mean for the status is judged elsewhere.
//!
//! Memory grows with hosts, plays, tasks and what they reveal, not with the number of events.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;
use std::rc::Rc;

use crate::evidence::batch::{Batch, Subject};
use crate::evidence::connection::{KeyCheckBypass, shared_by};
use crate::evidence::event::{self, Event};
use crate::evidence::event_file::{self, Damage};
use crate::evidence::facts::{Ending, HostFacts, PlayFacts, PlaybookFacts, UnverifiedTask};
use crate::evidence::hosts::Hosts;
use crate::evidence::ignore::{Globs, Ignored};
use crate::evidence::pending::{InLoop, Pending};
use crate::evidence::provenance::Provenance;
use crate::evidence::source::{Source, WhyUnknown};
use crate::evidence::task::{KnownTask, Task};
use crate::evidence::task_outcome::{
    Circumstances, TaskOutcome, drift_of_failure, handler_differs, task_outcome, with_inputs,
};
use crate::evidence::task_result::{Status, TaskResult};
use crate::evidence::unverified::WhyUnverified;
use crate::settings::Settings;

/// Everything a run has shown.
#[derive(Debug, Default)]
pub struct Evidence {
    /// The version of ansible-core, once the callback was loaded.
    pub ansible_version: Option<String>,
    /// The playbooks that began, in order.
    pub playbooks: Vec<PlaybookFacts>,
    /// Why the events could not be read to their end.
    pub damage: Option<Damage>,
    /// What went wrong in the callback itself.
    pub callback_errors: Vec<String>,
    /// The task that had begun last, and not ended where the run was cut off.
    pub last_task: Option<String>,
    /// Variables that a prompt asked for and nobody answered.
    pub prompts: BTreeSet<String>,
    /// What the user took out of the verdict.
    pub ignored: Ignored,
}

impl Evidence {
    /// Whether Ansible ended before it said anything.
    pub fn is_empty(&self) -> bool {
        self.damage == Some(Damage::Empty)
    }
}

/// `meta` tasks that keep nothing from running. Any other may, one that a later Ansible brings included.
const HARMLESS_META: [&str; 6] =
    ["clear_facts", "flush_handlers", "noop", "refresh_inventory", "reset_connection", "role_complete"];

/// Reads the events of a run.
pub fn collect(input: impl BufRead, nonce: &str, settings: &Settings) -> Evidence {
    let mut collector = Collector::new(settings, nonce);
    let damage = event_file::read(input, nonce, |event| {
        if collector.take(event).is_none() {
            collector.stray = true;
        }
    });
    collector.finish(damage)
}

struct Collector<'a> {
    ignored_tasks: Globs<'a>,
    ignored_plays: Globs<'a>,
    seen: Evidence,
    /// The settings ask for check mode.
    check_mode: bool,
    /// The name of the run, which stands in the path of each of its private files.
    nonce: &'a str,
    /// How many events were taken.
    events: u64,
    /// What the environment tells every ssh of the run.
    ssh_args: String,
    /// Every task, by its number.
    tasks: Vec<Rc<KnownTask>>,
    /// What is still missing on a host: items of a loop before its summary, and jobs before they have finished.
    pending: Pending,
    /// What the hosts of the playbook at work have shown.
    hosts: Hosts,
    batch: Batch,
    provenance: Provenance,
    /// A task has shown a difference, or the user ignores what changed: handlers may act on it.
    change_seen: bool,
    /// An event came where none of its kind can.
    stray: bool,
}

impl<'a> Collector<'a> {
    fn new(settings: &'a Settings, nonce: &'a str) -> Self {
        Self {
            ignored_tasks: Globs::new("ignore_tasks", &settings.ignore.tasks),
            ignored_plays: Globs::new("ignore_plays", &settings.ignore.plays),
            seen: Evidence::default(),
            check_mode: settings.ansible.check_mode,
            nonce,
            events: 0,
            ssh_args: String::new(),
            tasks: Vec::new(),
            pending: Pending::default(),
            hosts: Hosts::default(),
            batch: Batch::default(),
            provenance: Provenance::default(),
            change_seen: false,
            stray: false,
        }
    }

    /// `None` where the event belongs to nothing that was announced.
    fn take(&mut self, event: Event<'_>) -> Option<()> {
        // The first event and no other says that the callback was loaded.
        let first = self.seen.ansible_version.is_none();
        self.events += 1;
        if matches!(event, Event::Open(_)) != first {
            self.stray = true;
        }
        match event {
            Event::Open(open) => {
                self.seen.ansible_version = Some(open.ansible);
                self.ssh_args = open.ssh_args;
            }
            Event::Playbook(options) => {
                self.provenance.playbook(options.check);
                self.playbook(*options);
            }
            Event::Play(play) => return self.play(*play),
            Event::NoHosts(event::Empty {}) => self.current_play()?.no_hosts = true,
            Event::NoHostsLeft(event::Empty {}) => self.current_play()?.ended_for_all = true,
            Event::Connection(connection) => return self.connection(&connection),
            Event::Uses(uses) => self.provenance.uses(*uses),
            Event::Gone(gone) => self.provenance.gone(gone),
            Event::Prompt(prompt) => {
                self.seen.prompts.insert(prompt.name.clone());
                self.provenance.prompt(prompt);
            }
            Event::Task(task) => return self.task(*task),
            Event::Start(start) => return self.start(&start),
            Event::Result(result) => return self.result(&result),
            Event::Stats(stats) => {
                let playbook = self.seen.playbooks.last_mut().filter(|playbook| playbook.recap.is_none())?;
                playbook.recap = Some(stats.hosts);
                self.seen.last_task = None;
            }
            Event::Error(error) => self.seen.callback_errors.push(format!("{}: {}", error.hook, error.msg)),
        }
        Some(())
    }

    fn finish(mut self, damage: Option<Damage>) -> Evidence {
        for (why, at) in std::mem::take(&mut self.pending).unfinished() {
            self.unverified(why, at.task, &at.host, None);
        }
        self.close_playbook();
        self.seen.damage = damage.or(self.stray.then_some(Damage::Unreadable));
        self.seen.ignored.unused = self.ignored_tasks.unused().chain(self.ignored_plays.unused()).collect();
        self.seen
    }

    fn close_playbook(&mut self) {
        if let Some(playbook) = self.seen.playbooks.last_mut() {
            playbook.hosts.extend(self.hosts.take());
        }
    }

    fn playbook(&mut self, options: event::Playbook) {
        self.close_playbook();
        self.batch = Batch::default();
        self.seen.playbooks.push(PlaybookFacts::new(options));
    }

    fn play(&mut self, play: event::Play) -> Option<()> {
        let hosts_depend_on = self.provenance.play(&play.hosts, play.named.as_ref(), play.hosts_from.as_deref());
        let playbook = self.seen.playbooks.last_mut()?;
        let implicit: BTreeSet<String> = play.implicit.into_iter().collect();
        if let Some(named) = play.named {
            let waived = self.ignored_plays.match_any(&[play.name.as_str()]);
            if waived {
                self.seen.ignored.plays.insert(play.name.clone());
            }
            // An implicit localhost is the controller: nobody listed it as a server.
            let named = named.into_iter().filter(|host| !implicit.contains(host)).map(|host| (host, false)).collect();
            playbook.limit_unmatched.extend(play.limit_unmatched);
            playbook.plays.push(PlayFacts {
                unmatched: play.unmatched,
                name: play.name,
                check: play.check,
                waived,
                named,
                no_hosts: play.hosts.is_empty() && implicit.is_empty(),
                ended_for_all: false,
                max_fail: play.max_fail_percentage.is_some(),
                hosts_depend_on: hosts_depend_on.map(|source| (*source).clone()),
            });
        }
        let facts = playbook.plays.last_mut()?;
        if facts.waived {
            facts.named.values_mut().for_each(|took_part| *took_part = true);
        } else {
            for host in facts.named.keys() {
                self.hosts.of(host).to_check = true;
            }
        }
        for host in play.hosts.iter().filter(|host| !implicit.contains(*host)) {
            facts.named.insert(host.clone(), true);
        }
        self.batch = Batch { hosts: play.hosts, implicit };
        Some(())
    }

    fn connection(&mut self, connection: &event::Connection) -> Option<()> {
        if !self.current_play()?.waived {
            let facts = self.hosts.of(&connection.host);
            // What was said of the host before holds too.
            facts.key_check_bypass = facts.key_check_bypass.take().or_else(|| KeyCheckBypass::of(connection));
            facts.shared_by = facts.shared_by.or_else(|| shared_by(connection, &self.ssh_args));
        }
        Some(())
    }

    fn task(&mut self, task: Task) -> Option<()> {
        let waived = self.ignored_tasks.match_any(&[&task.name, task.own_name()]);
        if waived {
            self.seen.ignored.tasks.insert(task.name.clone());
        }
        if task.number != self.tasks.len() {
            return None;
        }
        self.tasks.push(Rc::new(KnownTask::new(task, waived)));
        Some(())
    }

    fn start(&mut self, start: &event::Start) -> Option<()> {
        let known = self.tasks.get(start.task)?;
        let playbook = self.seen.playbooks.last_mut()?;
        match start.meta.as_deref() {
            Some(meta) if HARMLESS_META.contains(&meta) || known.waived => {}
            Some(meta) => {
                let ending = Ending { meta: meta.to_owned(), task: known.task.reference() };
                *playbook.endings.entry(ending).or_default() += 1;
            }
            None => self.seen.last_task = Some(known.task.name.clone()),
        }
        Some(())
    }

    fn result(&mut self, result: &TaskResult<'_>) -> Option<()> {
        let known = Rc::clone(self.tasks.get(result.task)?);
        let playbook = self.seen.playbooks.last_mut().filter(|playbook| playbook.recap.is_none())?;
        let play = playbook.plays.last_mut()?;
        if result.failed() && (known.task.any_errors_fatal || known.task.run_once || play.max_fail) {
            play.ended_for_all = true;
        }
        if known.is_meta() {
            forget_ending(&mut playbook.endings, &known, result);
            if !(known.waived || play.waived) {
                self.condition_of_meta(&known, result);
            }
            return Some(());
        }
        let waived = known.waived || play.waived;
        let trusted = !self.check_mode || (play.check && playbook.options.check);
        let asked_host = self.hosts.number(&result.host);
        answered(self.hosts.at(asked_host), result);
        let inputs = self.provenance.inputs(&known, result);
        self.provenance.record(&known, result, &inputs, waived);
        let Subject { host, on_controller } = self.batch.subject(result, &self.hosts);
        let circumstances = Circumstances { on_controller, waived, nonce: self.nonce };
        let outcome = task_outcome(&known, result, circumstances);
        match self.pending.in_loop(result, &outcome) {
            InLoop::Speaks => {}
            InLoop::SumsUp => return Some(()),
            InLoop::SumsUpAccepted => {
                self.hosts.of(&result.host).accepted_failures += 1;
                return Some(());
            }
            InLoop::Missing => {
                self.unverified(WhyUnverified::ItemsMissing, result.task, &result.host, None);
                return Some(());
            }
        }
        if !waived && trusted {
            self.statement(&known, result, inputs.unknown.as_deref());
        }
        if self.pending.starts_job(result, waived) {
            return Some(());
        }
        let mut outcome = with_inputs(&known, result, circumstances, &inputs, outcome);
        if handler_differs(&known, result, circumstances) && !self.change_seen {
            outcome = TaskOutcome::Unverified { why: WhyUnverified::HandlerAlone, said: None };
        }
        let shows_change = matches!(outcome, TaskOutcome::Drifted { .. } | TaskOutcome::Waived);
        self.change_seen |= shows_change && result.changed;
        if let TaskOutcome::Unverified { why, said } = outcome {
            let failed = why.is_failure();
            self.unverified(why, result.task, &result.host, said);
            let Some(drift) = drift_of_failure(&known, result, circumstances) else { return Some(()) };
            // What hangs on an unknown value has found nothing, whatever it says.
            if !failed || inputs.unknown.is_some() {
                return Some(());
            }
            outcome = drift;
        }
        if outcome == TaskOutcome::Waived && result.failed() && !result.item {
            self.hosts.of(&result.host).accepted_failures += 1;
        } else if trusted {
            let number = if host == result.host { asked_host } else { self.hosts.number(host) };
            self.hosts.at(number).count(outcome, &known.task.name, self.events);
        }
        Some(())
    }

    /// A `meta` task that did not take effect, by a condition that may be otherwise in a real run.
    fn condition_of_meta(&mut self, known: &KnownTask, result: &TaskResult<'_>) {
        let inputs = self.provenance.inputs(known, result);
        let why = result.answer().why_skipped().unwrap_or_default();
        if !why.starts_with("end_") {
            return;
        }
        let on_check_mode = || Rc::new(Source::of(known, WhyUnknown::HangsOnCheckMode));
        let (source, why_unverified) = match inputs.unknown {
            Some(source) => (Rc::clone(&source), WhyUnverified::DependsOn(source)),
            None if inputs.skipped_by_check_mode => (on_check_mode(), WhyUnverified::SkippedByCheckModeWhen),
            None => return,
        };
        let for_all = !why.starts_with("end_host") && !why.starts_with("end_role");
        self.provenance.went_on(&result.host, for_all, &source);
        self.unverified(why_unverified, result.task, &result.host, None);
    }

    /// Notes what a `debug` states.
    fn statement(&mut self, known: &KnownTask, result: &TaskResult<'_>, unknown: Option<&Source>) {
        let lines = &result.answer().markers;
        if lines.is_empty() {
            return;
        }
        let statement = &mut self.hosts.of(&result.host).statement;
        statement.add(lines, &known.task.name, self.events);
        if let Some(source) = unknown {
            statement.depends_on(source);
        }
        if let Some(playbook) = self.seen.playbooks.last_mut() {
            self.batch.speaks_for(playbook, &known.task, &result.host);
        }
    }

    fn unverified(&mut self, why: WhyUnverified, task: usize, host: &str, said: Option<String>) {
        let (Some(known), Some(playbook)) = (self.tasks.get(task), self.seen.playbooks.last_mut()) else {
            return;
        };
        let results = playbook.unverified.entry(UnverifiedTask { why, task: known.task.reference() }).or_default();
        results.count += 1;
        results.may_only_read = known.may_only_read();
        if results.said.is_none() {
            results.said = said;
        }
        if !results.hosts.contains(host) {
            results.hosts.insert(host.to_owned());
        }
    }

    fn current_play(&mut self) -> Option<&mut PlayFacts> {
        self.seen.playbooks.last_mut()?.plays.last_mut()
    }
}

/// The host a task ran for has answered, wherever the work was done.
fn answered(facts: &mut HostFacts, result: &TaskResult<'_>) {
    facts.answered = true;
    if !result.item && result.status == Status::Ok {
        facts.tasks_ok += 1;
        facts.tasks_changed += u64::from(result.changed);
    }
}

/// A `meta` task that did not take effect says so by a skip, whose reason begins with what it does:
/// `end_host conditional evaluated to False, ...`.
fn forget_ending(endings: &mut BTreeMap<Ending, u64>, known: &KnownTask, result: &TaskResult<'_>) {
    let why = result.answer().why_skipped().unwrap_or_default();
    let own = |ending: &Ending| why.starts_with(ending.meta.as_str()) && ending.task == known.task.reference();
    if let Some((_, times)) = endings.iter_mut().find(|(ending, _)| own(ending)) {
        *times = times.saturating_sub(1);
    }
}
