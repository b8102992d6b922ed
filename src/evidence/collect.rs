//! Folds the events of a run into facts per playbook and host. It has no opinion.
//!
//! Memory grows with hosts, plays, tasks and what they reveal, not with the number of events.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::BufRead;

use crate::evidence::drift_name::short;
use crate::evidence::event::{self, Event, Status, Task, TaskResult};
use crate::evidence::event_file::{self, Damage};
use crate::evidence::facts::{HostFacts, PlayFacts, PlaybookFacts};
use crate::evidence::ignore::{Ignored, matches};
use crate::evidence::task_outcome::{Cause, TaskOutcome, task_outcome};
use crate::settings::Ignore;

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
    /// What the ignore took out.
    pub waived: Ignored,
}

/// `meta` tasks that keep nothing from running. Any other may, one that a later Ansible brings included.
const HARMLESS_META: [&str; 6] =
    ["clear_facts", "flush_handlers", "noop", "refresh_inventory", "reset_connection", "role_complete"];

/// Reads the events of a run.
pub fn collect(input: impl BufRead, nonce: &str, ignore: &Ignore) -> Evidence {
    let mut collector = Collector {
        ignore,
        used: [vec![false; ignore.tasks.len()], vec![false; ignore.plays.len()]],
        ..Collector::new(ignore)
    };
    let damage = event_file::read(input, nonce, |event| collector.take(event));
    collector.finish(damage)
}

struct Collector<'a> {
    ignore: &'a Ignore,
    seen: Evidence,
    tasks: Vec<KnownTask>,
    /// Which globs of `ignore_tasks` and `ignore_plays` matched something.
    used: [Vec<bool>; 2],
    /// Items of a loop that answered before its summary, by task and host.
    items: HashMap<(usize, String), usize>,
    /// Jobs that were started and not yet seen to finish: task and host.
    jobs: BTreeMap<String, (usize, String)>,
    /// What the hosts of the playbook at work have shown: looked up once or twice for each event, so not sorted yet.
    hosts: HashMap<String, HostFacts>,
    batch: Batch,
    /// An event came where none of its kind can.
    stray: bool,
}

struct KnownTask {
    task: Task,
    waived: bool,
    meta: bool,
}

/// The batch of hosts that is at work.
#[derive(Default)]
struct Batch {
    hosts: Vec<String>,
    implicit: BTreeSet<String>,
}

impl<'a> Collector<'a> {
    fn new(ignore: &'a Ignore) -> Self {
        Self {
            ignore,
            seen: Evidence::default(),
            tasks: Vec::new(),
            used: [Vec::new(), Vec::new()],
            items: HashMap::new(),
            jobs: BTreeMap::new(),
            hosts: HashMap::new(),
            batch: Batch::default(),
            stray: false,
        }
    }

    fn take(&mut self, event: Event<'_>) {
        // The first event and no other says that the callback was loaded.
        self.stray |= matches!(event, Event::Open(_)) == self.seen.ansible_version.is_some();
        match event {
            Event::Open(open) => self.seen.ansible_version = Some(open.ansible),
            Event::Playbook(options) => self.playbook(options),
            Event::Play(play) => self.play(play),
            Event::NoHosts(event::Empty {}) => match self.current_play() {
                Some(play) => play.no_hosts = true,
                None => self.stray = true,
            },
            Event::NoHostsLeft(event::Empty {}) => match self.current_play() {
                Some(play) => play.ended_for_all = true,
                None => self.stray = true,
            },
            Event::ConnectionOverride(reach) => self.reach(reach),
            Event::Task(task) => self.task(task),
            Event::Start(start) => self.start(&start),
            Event::Result(result) => {
                if self.result(&result).is_none() {
                    self.stray = true;
                }
            }
            Event::Stats(stats) => match self.seen.playbooks.last_mut() {
                Some(playbook) if playbook.recap.is_none() => {
                    playbook.recap = Some(stats.hosts);
                    self.seen.last_task = None;
                }
                _ => self.stray = true,
            },
            Event::Error(error) => self.seen.callback_errors.push(format!("{}: {}", error.hook, error.msg)),
        }
    }

    fn finish(mut self, damage: Option<Damage>) -> Evidence {
        for (task, host) in std::mem::take(&mut self.jobs).into_values() {
            self.doubt(Cause::JobNotAwaited, task, &host, None);
        }
        let unsummed: Vec<_> = std::mem::take(&mut self.items).into_keys().collect();
        for (task, host) in unsummed {
            self.doubt(Cause::ItemsMissing, task, &host, None);
        }
        self.close_playbook();
        self.seen.damage = damage.or(self.stray.then_some(Damage::Unreadable));
        let settings = [("ignore_tasks", &self.ignore.tasks), ("ignore_plays", &self.ignore.plays)];
        for ((setting, waivers), used) in settings.into_iter().zip(&self.used) {
            let unused = waivers.iter().zip(used).filter(|(_, used)| !**used);
            self.seen.waived.unused.extend(unused.map(|(waiver, _)| (setting, waiver.glob.as_str().to_owned())));
        }
        self.seen
    }

    fn close_playbook(&mut self) {
        if let Some(playbook) = self.seen.playbooks.last_mut() {
            playbook.hosts.extend(self.hosts.drain());
        }
    }

    fn playbook(&mut self, options: event::Playbook) {
        self.close_playbook();
        self.batch = Batch::default();
        self.seen.playbooks.push(PlaybookFacts {
            options,
            plays: Vec::new(),
            recap: None,
            hosts: BTreeMap::new(),
            doubts: BTreeMap::new(),
            endings: BTreeMap::new(),
            summaries: BTreeMap::new(),
        });
    }

    fn play(&mut self, play: event::Play) {
        let Some(playbook) = self.seen.playbooks.last_mut() else {
            self.stray = true;
            return;
        };
        let implicit: BTreeSet<String> = play.implicit.into_iter().collect();
        if let Some(named) = play.named {
            let waived = matches(&self.ignore.plays, &mut self.used[1], &[play.name.as_str()]);
            if waived {
                self.seen.waived.plays.insert(play.name.clone());
            }
            // An implicit localhost is the controller: nobody listed it as a server.
            let named = named.into_iter().filter(|host| !implicit.contains(host)).map(|host| (host, false)).collect();
            playbook.plays.push(PlayFacts {
                name: play.name,
                check: play.check,
                waived,
                named,
                no_hosts: play.hosts.is_empty() && implicit.is_empty(),
                ended_for_all: false,
                max_fail: play.max_fail,
            });
        }
        let Some(facts) = playbook.plays.last_mut() else {
            self.stray = true;
            return;
        };
        if facts.waived {
            facts.named.values_mut().for_each(|took_part| *took_part = true);
        } else {
            for host in facts.named.keys() {
                self.hosts.entry(host.clone()).or_default().to_check = true;
            }
        }
        for host in play.hosts.iter().filter(|host| !implicit.contains(*host)) {
            facts.named.insert(host.clone(), true);
        }
        self.batch = Batch { hosts: play.hosts, implicit };
    }

    fn reach(&mut self, reach: event::ConnectionOverride) {
        match self.current_play() {
            None => self.stray = true,
            Some(play) if play.waived => {}
            Some(_) => {
                let facts = facts_of(&mut self.hosts, &reach.host);
                facts.unchecked_by = facts.unchecked_by.take().or(reach.unchecked);
                facts.shared_by = facts.shared_by.take().or(reach.control_path);
            }
        }
    }

    fn task(&mut self, task: Task) {
        let own_name = task.name.split_once(" : ").map_or("", |(_, name)| name);
        let names: &[&str] = if own_name.is_empty() { &[&task.name] } else { &[&task.name, own_name] };
        let waived = matches(&self.ignore.tasks, &mut self.used[0], names);
        if waived {
            self.seen.waived.tasks.insert(task.name.clone());
        }
        if task.task != self.tasks.len() {
            self.stray = true;
            return;
        }
        let meta = short(&task.action) == "meta";
        self.tasks.push(KnownTask { task, waived, meta });
    }

    fn start(&mut self, start: &event::Start) {
        let (Some(known), Some(playbook)) = (self.known(start.task), self.seen.playbooks.last_mut()) else {
            self.stray = true;
            return;
        };
        match start.meta.as_deref() {
            Some(meta) if HARMLESS_META.contains(&meta) => {}
            Some(meta) => *playbook.endings.entry(meta.to_owned()).or_default() += 1,
            None => self.seen.last_task = Some(known),
        }
    }

    fn known(&self, number: usize) -> Option<String> {
        self.tasks.get(number).map(|known| known.task.name.clone())
    }

    /// `None` where the result belongs to nothing that was announced.
    fn result(&mut self, result: &TaskResult<'_>) -> Option<()> {
        let known = self.tasks.get(result.task)?;
        let (task, task_waived) = (&known.task, known.waived);
        let playbook = self.seen.playbooks.last_mut().filter(|playbook| playbook.recap.is_none())?;
        let play = playbook.plays.last_mut()?;
        let host = result.host.as_ref();
        let failed = matches!(result.status, Status::Failed | Status::Unreachable);
        if failed && (task.fatal || task.run_once || play.max_fail) {
            play.ended_for_all = true;
        }
        if known.meta {
            // One that did not take effect says so by a skip, whose reason begins with what it does:
            // `end_host conditional evaluated to False, ...`.
            let why = result.answer().why.as_deref().unwrap_or_default();
            if let Some((_, times)) = playbook.endings.iter_mut().find(|(meta, _)| why.starts_with(meta.as_str())) {
                *times = times.saturating_sub(1);
            }
            return Some(());
        }
        let on_controller = match &result.on {
            Some(on) => result.on_localhost && !self.hosts.get(on.as_ref()).is_some_and(|host| host.to_check),
            None => self.batch.implicit.contains(host),
        };
        let subject = result.on.as_deref().filter(|_| !on_controller).unwrap_or(host);
        let waived = task_waived || play.waived;
        let trusted = play.check || !playbook.options.check;

        // The host it ran for has answered, wherever the work was done.
        let facts = facts_of(&mut self.hosts, host);
        facts.answered = true;
        if !result.item && result.status == Status::Ok {
            facts.tasks_ok += 1;
            facts.tasks_changed += u64::from(result.changed);
        }
        if result.item {
            *self.items.entry((result.task, host.to_owned())).or_default() += 1;
        } else if result.summary {
            let seen = self.items.remove(&(result.task, host.to_owned())).unwrap_or(0);
            if result.items.is_some_and(|items| items != seen) {
                self.doubt(Cause::ItemsMissing, result.task, host, None);
                return Some(());
            }
            // Its items have said everything, but for a failure to loop at all.
            if seen > 0 && !failed {
                return Some(());
            }
        }
        if !waived && trusted && !result.answer().says.is_empty() && !task.handler {
            facts.statement.add(&result.answer().says, &task.name);
            speaks_for(playbook, &self.batch, task, host);
        }
        if let (Some(job), Status::Ok) = (&result.answer().job, result.status) {
            if !result.answer().unfinished {
                self.jobs.remove(job);
            } else if !waived {
                self.jobs.insert(job.clone(), (result.task, host.to_owned()));
                return Some(());
            }
        }
        let evidence = task_outcome(task, result, on_controller);
        if let TaskOutcome::Unverified(doubt, detail) = evidence {
            if failed || (!waived && !on_controller) {
                self.doubt(doubt, result.task, host, detail);
            }
            return Some(());
        }
        if waived || !trusted {
            return Some(());
        }
        let facts = if subject == host { facts } else { facts_of(&mut self.hosts, subject) };
        match evidence {
            TaskOutcome::Nothing | TaskOutcome::Unverified(..) => {}
            TaskOutcome::Looked => facts.looked += 1,
            TaskOutcome::Verified => facts.verified += 1,
            TaskOutcome::Drifted { names, compared } => {
                facts.looked += 1;
                facts.drift.extend(names);
                if compared {
                    facts.compared_changed.get_or_insert_with(|| task.name.clone());
                }
            }
        }
        Some(())
    }

    fn doubt(&mut self, doubt: Cause, task: usize, host: &str, detail: Option<String>) {
        let (Some(known), Some(playbook)) = (self.tasks.get(task), self.seen.playbooks.last_mut()) else {
            return;
        };
        let key = (doubt, known.task.name.clone(), known.task.place.clone());
        let doubtful = playbook.doubts.entry(key).or_default();
        doubtful.count += 1;
        doubtful.probe = known.task.never_changed;
        if doubtful.detail.is_none() {
            doubtful.detail = detail;
        }
        if !doubtful.hosts.contains(host) {
            doubtful.hosts.insert(host.to_owned());
        }
    }

    fn current_play(&mut self) -> Option<&mut PlayFacts> {
        self.seen.playbooks.last_mut()?.plays.last_mut()
    }
}

/// The facts about a host, empty ones for a host not met before. Spares an allocation for each event.
fn facts_of<'a>(hosts: &'a mut HashMap<String, HostFacts>, name: &str) -> &'a mut HostFacts {
    if !hosts.contains_key(name) {
        hosts.insert(name.to_owned(), HostFacts::default());
    }
    hosts.get_mut(name).unwrap_or_else(|| unreachable!("the host was inserted above"))
}

/// A `run_once` task speaks for its batch and for the plays before; so does a play on localhost alone.
fn speaks_for(playbook: &mut PlaybookFacts, batch: &Batch, task: &Task, speaker: &str) {
    let on_localhost = batch.hosts.len() == 1 && ["localhost", "127.0.0.1", "::1"].contains(&batch.hosts[0].as_str());
    if !task.run_once && !on_localhost {
        return;
    }
    let Some((_, earlier)) = playbook.plays.split_last() else { return };
    let hosts = earlier.iter().flat_map(|play| play.named.keys()).chain(&batch.hosts).cloned();
    playbook.summaries.entry(speaker.to_owned()).or_default().extend(hosts);
}
