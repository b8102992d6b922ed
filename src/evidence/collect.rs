//! Folds the events of a run into facts per playbook and host. What they mean for the status is judged elsewhere.
//!
//! Memory grows with hosts, plays, tasks and what they reveal, not with the number of events.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::BufRead;
use std::rc::Rc;

use crate::evidence::connection::{KeyCheckBypass, shared_by};
use crate::evidence::event::{self, Event};
use crate::evidence::event_file::{self, Damage};
use crate::evidence::facts::{HostFacts, PlayFacts, PlaybookFacts, UnverifiedTask};
use crate::evidence::ignore::{Globs, Ignored};
use crate::evidence::task::{KnownTask, Task};
use crate::evidence::task_outcome::{Circumstances, TaskOutcome, task_outcome};
use crate::evidence::task_result::{Status, TaskResult};
use crate::evidence::unverified::WhyUnverified;
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
    /// What the user took out of the verdict.
    pub ignored: Ignored,
}

/// `meta` tasks that keep nothing from running. Any other may, one that a later Ansible brings included.
const HARMLESS_META: [&str; 6] =
    ["clear_facts", "flush_handlers", "noop", "refresh_inventory", "reset_connection", "role_complete"];

/// What Ansible calls the controller where it stands in no inventory.
const LOCALHOST: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

/// Reads the events of a run.
pub fn collect(input: impl BufRead, nonce: &str, ignore: &Ignore) -> Evidence {
    let mut collector = Collector::new(ignore);
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
    /// What the environment tells every ssh of the run.
    ssh_args: String,
    /// Every task, by its number.
    tasks: Vec<Rc<KnownTask>>,
    /// What is still missing on a host: items of a loop before its summary, and jobs before they have finished.
    pending: Pending,
    /// What the hosts of the playbook at work have shown: looked up once or twice for each event, so not sorted yet.
    hosts: HashMap<String, HostFacts>,
    batch: Batch,
    /// An event came where none of its kind can.
    stray: bool,
}

/// The batch of hosts that is at work.
#[derive(Default)]
struct Batch {
    hosts: Vec<String>,
    implicit: BTreeSet<String>,
}

impl Batch {
    fn is_localhost_alone(&self) -> bool {
        matches!(&self.hosts[..], [host] if LOCALHOST.contains(&host.as_str()))
    }
}

/// A task on one host.
#[derive(PartialEq, Eq, Hash)]
struct TaskOnHost {
    task: usize,
    host: String,
}

#[derive(Default)]
struct Pending {
    /// How many items of a loop answered before its summary.
    items: HashMap<TaskOnHost, usize>,
    /// Jobs that were started and not yet seen to finish.
    jobs: BTreeMap<String, TaskOnHost>,
}

/// Where a result belongs.
struct Subject<'r> {
    host: &'r str,
    on_controller: bool,
}

impl<'a> Collector<'a> {
    fn new(ignore: &'a Ignore) -> Self {
        Self {
            ignored_tasks: Globs::new("ignore_tasks", &ignore.tasks),
            ignored_plays: Globs::new("ignore_plays", &ignore.plays),
            seen: Evidence::default(),
            ssh_args: String::new(),
            tasks: Vec::new(),
            pending: Pending::default(),
            hosts: HashMap::new(),
            batch: Batch::default(),
            stray: false,
        }
    }

    /// `None` where the event belongs to nothing that was announced.
    fn take(&mut self, event: Event<'_>) -> Option<()> {
        // The first event and no other says that the callback was loaded.
        let first = self.seen.ansible_version.is_none();
        if matches!(event, Event::Open(_)) != first {
            self.stray = true;
        }
        match event {
            Event::Open(open) => {
                self.seen.ansible_version = Some(open.ansible);
                self.ssh_args = open.ssh_args;
            }
            Event::Playbook(options) => self.playbook(options),
            Event::Play(play) => return self.play(play),
            Event::NoHosts(event::Empty {}) => self.current_play()?.no_hosts = true,
            Event::NoHostsLeft(event::Empty {}) => self.current_play()?.ended_for_all = true,
            Event::Connection(connection) => return self.connection(&connection),
            Event::Task(task) => return self.task(task),
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
        let Pending { items, jobs } = std::mem::take(&mut self.pending);
        for job in jobs.into_values() {
            self.unverified(WhyUnverified::JobNotAwaited, job.task, &job.host, None);
        }
        for item in items.into_keys() {
            self.unverified(WhyUnverified::ItemsMissing, item.task, &item.host, None);
        }
        self.close_playbook();
        self.seen.damage = damage.or(self.stray.then_some(Damage::Unreadable));
        self.seen.ignored.unused = self.ignored_tasks.unused().chain(self.ignored_plays.unused()).collect();
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
        self.seen.playbooks.push(PlaybookFacts::new(options));
    }

    fn play(&mut self, play: event::Play) -> Option<()> {
        let playbook = self.seen.playbooks.last_mut()?;
        let implicit: BTreeSet<String> = play.implicit.into_iter().collect();
        if let Some(named) = play.named {
            let waived = self.ignored_plays.match_any(&[play.name.as_str()]);
            if waived {
                self.seen.ignored.plays.insert(play.name.clone());
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
                max_fail: play.max_fail_percentage.is_some(),
            });
        }
        let facts = playbook.plays.last_mut()?;
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
        Some(())
    }

    fn connection(&mut self, connection: &event::Connection) -> Option<()> {
        if !self.current_play()?.waived {
            let facts = facts_of(&mut self.hosts, &connection.host);
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
            Some(meta) if HARMLESS_META.contains(&meta) => {}
            Some(meta) => *playbook.endings.entry(meta.to_owned()).or_default() += 1,
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
            forget_ending(&mut playbook.endings, result);
            return Some(());
        }
        let waived = known.waived || play.waived;
        let trusted = play.check || !playbook.options.check;
        self.answered(result);
        if !self.loop_goes_on(result) {
            return Some(());
        }
        if !waived && trusted {
            self.statement(&known, result);
        }
        if self.waits_for_job(result, waived) {
            return Some(());
        }
        let Subject { host, on_controller } = self.subject(result);
        match task_outcome(&known, result, Circumstances { on_controller, waived }) {
            TaskOutcome::Unverified { why, said } => {
                self.unverified(why, result.task, &result.host, said);
            }
            outcome if trusted => facts_of(&mut self.hosts, host).count(outcome, &known.task.name),
            _not_in_check_mode => {}
        }
        Some(())
    }

    /// The host a task ran for has answered, wherever the work was done.
    fn answered(&mut self, result: &TaskResult<'_>) {
        let facts = facts_of(&mut self.hosts, &result.host);
        facts.answered = true;
        if !result.item && result.status == Status::Ok {
            facts.tasks_ok += 1;
            facts.tasks_changed += u64::from(result.changed);
        }
    }

    /// The host that a result is about.
    fn subject<'r>(&self, result: &'r TaskResult<'_>) -> Subject<'r> {
        let Some(host) = result.delegated_to.as_deref() else {
            return Subject { host: &result.host, on_controller: self.batch.implicit.contains(result.host.as_ref()) };
        };
        let is_a_server = self.hosts.get(host).is_some_and(|facts| facts.to_check);
        let on_controller = LOCALHOST.contains(&host) && !is_a_server;
        Subject { host: if on_controller { &result.host } else { host }, on_controller }
    }

    /// Whether there is more to a result than that it sums up items which have answered for themselves.
    fn loop_goes_on(&mut self, result: &TaskResult<'_>) -> bool {
        let key = || TaskOnHost { task: result.task, host: result.host.as_ref().to_owned() };
        if result.item {
            *self.pending.items.entry(key()).or_default() += 1;
        } else if result.summary {
            let seen = self.pending.items.remove(&key()).unwrap_or(0);
            if result.items.is_some_and(|items| items != seen) {
                self.unverified(WhyUnverified::ItemsMissing, result.task, &result.host, None);
                return false;
            }
            // A loop can fail as such, before or after its items.
            return seen == 0 || result.failed();
        }
        true
    }

    /// Notes what a `debug` states.
    fn statement(&mut self, known: &KnownTask, result: &TaskResult<'_>) {
        let lines = &result.answer().markers;
        if lines.is_empty() || known.task.handler {
            return;
        }
        facts_of(&mut self.hosts, &result.host).statement.add(lines, &known.task.name);
        if let Some(playbook) = self.seen.playbooks.last_mut() {
            speaks_for(playbook, &self.batch, &known.task, &result.host);
        }
    }

    /// Whether a result only says that a job was started; what becomes of it is told when it has finished.
    fn waits_for_job(&mut self, result: &TaskResult<'_>, waived: bool) -> bool {
        let answer = result.answer();
        let (Some(job), Status::Ok) = (&answer.job, result.status) else { return false };
        if !answer.is_unfinished_job() {
            self.pending.jobs.remove(job);
            return false;
        }
        if !waived {
            let started = TaskOnHost { task: result.task, host: result.host.as_ref().to_owned() };
            self.pending.jobs.insert(job.clone(), started);
        }
        !waived
    }

    fn unverified(&mut self, why: WhyUnverified, task: usize, host: &str, said: Option<String>) {
        let (Some(known), Some(playbook)) = (self.tasks.get(task), self.seen.playbooks.last_mut()) else {
            return;
        };
        let results = playbook.unverified.entry(UnverifiedTask { why, task: known.task.reference() }).or_default();
        results.count += 1;
        results.never_changed = known.task.never_changed();
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

/// The facts about a host, empty ones for a host not met before. Spares an allocation for each event.
fn facts_of<'a>(hosts: &'a mut HashMap<String, HostFacts>, name: &str) -> &'a mut HostFacts {
    if !hosts.contains_key(name) {
        hosts.insert(name.to_owned(), HostFacts::default());
    }
    hosts.get_mut(name).unwrap_or_else(|| unreachable!("the host was inserted above"))
}

/// A `meta` task that did not take effect says so by a skip, whose reason begins with what it does:
/// `end_host conditional evaluated to False, ...`.
fn forget_ending(endings: &mut BTreeMap<String, u64>, result: &TaskResult<'_>) {
    let why = result.answer().why_skipped().unwrap_or_default();
    if let Some((_, times)) = endings.iter_mut().find(|(meta, _)| why.starts_with(meta.as_str())) {
        *times = times.saturating_sub(1);
    }
}

/// A `run_once` task speaks for its batch and for the plays before; so does a play on localhost alone.
fn speaks_for(playbook: &mut PlaybookFacts, batch: &Batch, task: &Task, speaker: &str) {
    if !task.run_once && !batch.is_localhost_alone() {
        return;
    }
    let Some((_, earlier)) = playbook.plays.split_last() else { return };
    let hosts = earlier.iter().flat_map(|play| play.named.keys()).chain(&batch.hosts).cloned();
    playbook.summaries.entry(speaker.to_owned()).or_default().extend(hosts);
}
