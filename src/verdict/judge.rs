//! The only opinion: facts of a run become a status, with a named rule for everything that forbids `SYNCED`.
//!
//! Drift is proven by one witness; sync needs them all.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::collect::Evidence;
use crate::evidence::drift_name::relative;
use crate::evidence::event_file::Damage;
use crate::evidence::facts::{HostFacts, PlaybookFacts};
use crate::evidence::ignore::glob_matches;
use crate::evidence::markers::Statement;
use crate::evidence::task_outcome::Cause;
use crate::process::supervise::Ending;
use crate::settings::{AnsibleSettings, Settings};
use crate::verdict::reason::{Reason, Reasons, Rule};
pub use crate::verdict::{HostVerdict, SyncStatus, Verdict};

/// Judges a run.
pub fn judge(settings: &Settings, ending: &Ending, seen: &Evidence) -> Verdict {
    let mut reasons = Reasons::default();
    run_reasons(&mut reasons, &settings.ansible, ending, seen);
    for playbook in &seen.playbooks {
        option_reasons(&mut reasons, &settings.ansible, playbook);
        play_reasons(&mut reasons, settings, playbook);
        host_reasons(&mut reasons, playbook);
        reach_reasons(&mut reasons, &settings.ansible, playbook);
        task_reasons(&mut reasons, playbook);
    }
    let mut drift = Drift::default();
    for playbook in &seen.playbooks {
        if stated(&settings.ansible, playbook) {
            statements(&mut reasons, &mut drift, settings, playbook);
        } else {
            for (host, facts) in &playbook.hosts {
                drift.add(settings, host, &facts.drift);
            }
        }
    }
    proof_reasons(&mut reasons, settings, seen);
    reasons.list.sort_by(|a, b| a.rule.cmp(&b.rule));
    conclude(reasons.list, &drift, seen)
}

/// Names that differ, by host, split into those that count and those that are ignored.
#[derive(Default)]
struct Drift {
    counted: BTreeMap<String, BTreeSet<String>>,
    ignored: BTreeMap<String, BTreeSet<String>>,
}

impl Drift {
    fn add<'a>(&mut self, settings: &Settings, host: &str, names: impl IntoIterator<Item = &'a String>) {
        for name in names {
            let shown = relative(name, settings.report.relative_to.as_deref());
            let ignored = settings
                .ignore
                .files
                .iter()
                .any(|waiver| glob_matches(&waiver.glob, name) || glob_matches(&waiver.glob, &shown));
            let side = if ignored { &mut self.ignored } else { &mut self.counted };
            side.entry(host.to_owned()).or_default().insert(shown);
        }
    }
}

fn run_reasons(reasons: &mut Reasons, ansible: &AnsibleSettings, ending: &Ending, seen: &Evidence) {
    let began = !seen.playbooks.is_empty();
    match ending {
        Ending::NotStarted(why) => return reasons.run(Rule::NotStarted, None, Some(why.clone())),
        Ending::Cancelled(signal) => reasons.run(Rule::Cancelled, None, Some(format!("signal {signal}"))),
        Ending::TimedOut => reasons.run(Rule::TimedOut, seen.last_task.as_deref(), None),
        Ending::Killed(signal) => {
            reasons.run(Rule::Killed, seen.last_task.as_deref(), Some(format!("signal {signal}")));
        }
        Ending::Exited(0) => {}
        Ending::Exited(code) if explained_by_hosts(*code, seen) => {}
        Ending::Exited(code) => reasons.run(Rule::ExitCode, None, Some(code.to_string())),
    }
    let ended_well = *ending == Ending::Exited(0);
    match &seen.damage {
        // Where Ansible ended before it said anything, its own error is the reason.
        Some(Damage::Empty) if ended_well => reasons.run(Rule::NoEvents, None, None),
        Some(Damage::Empty) | None => {}
        Some(damage) => reasons.run(Rule::EventsDamaged, None, Some(damaged(damage))),
    }
    for error in &seen.callback_errors {
        reasons.run(Rule::CallbackFailed, None, Some(error.clone()));
    }
    for playbook in seen.playbooks.iter().filter(|playbook| playbook.recap.is_none()) {
        reasons.run(Rule::PlaybookUnfinished, Some(&playbook.options.file), None);
    }
    if began && seen.playbooks.len() != ansible.playbooks.len() {
        let never = ansible.playbooks.get(seen.playbooks.len()).map(String::as_str);
        reasons.run(Rule::PlaybookNotRun, never, None);
    }
    if ended_well
        && seen.damage != Some(Damage::Empty)
        && seen.playbooks.iter().all(|playbook| playbook.plays.is_empty())
    {
        reasons.run(Rule::NoPlay, None, None);
    }
}

fn damaged(damage: &Damage) -> String {
    match damage {
        Damage::Empty => "there are none".to_owned(),
        Damage::Cut => "the last one is cut off".to_owned(),
        Damage::Gap => "some are missing or out of order".to_owned(),
        Damage::Unreadable => "one is damaged, too long or not from this run".to_owned(),
        Damage::Io(error) => error.clone(),
    }
}

/// Codes 2 and 4 (and their sums with 8) say that hosts failed or were unreachable. Where every playbook has its
/// recap and events tell which hosts, the hosts are the reason and the others can still be judged.
fn explained_by_hosts(code: i32, seen: &Evidence) -> bool {
    let failed = |playbook: &PlaybookFacts| {
        playbook.doubts.keys().any(|(doubt, ..)| matches!(doubt, Cause::Failed | Cause::Unreachable))
    };
    [2, 4, 6, 8, 10, 12, 14].contains(&code)
        && seen.damage.is_none()
        && seen.playbooks.iter().all(|playbook| playbook.recap.is_some())
        && seen.playbooks.iter().any(failed)
}

fn option_reasons(reasons: &mut Reasons, ansible: &AnsibleSettings, playbook: &PlaybookFacts) {
    let options = &playbook.options;
    if ansible.check_mode && !options.check {
        reasons.run(Rule::NotInCheckMode, Some(&options.file), None);
    }
    if options.limit != ansible.limit {
        reasons.run(Rule::LimitNotAsked, None, Some(options.limit.clone().unwrap_or_default()));
    }
    let set = |tags: &[String]| -> BTreeSet<String> {
        tags.iter().flat_map(|tag| crate::settings::split_commas(tag)).filter(|tag| tag != "all").collect()
    };
    if set(&options.tags) != set(&ansible.tags) {
        reasons.run(Rule::TagsNotAsked, None, Some(options.tags.join(",")));
    }
    if set(&options.skip_tags) != set(&ansible.skip_tags) {
        reasons.run(Rule::SkipTagsNotAsked, None, Some(options.skip_tags.join(",")));
    }
    if options.start_at_task.is_some() {
        reasons.run(Rule::StartAtTask, None, options.start_at_task.clone());
    }
    if options.step {
        reasons.run(Rule::Step, None, None);
    }
}

fn play_reasons(reasons: &mut Reasons, settings: &Settings, playbook: &PlaybookFacts) {
    let ansible = &settings.ansible;
    for play in playbook.plays.iter().filter(|play| !play.waived) {
        let name = Some(play.name.as_str());
        if play.no_hosts && ansible.limit.is_none() {
            reasons.run(Rule::PlayMatchedNoHost, name, None);
        }
        if ansible.check_mode && !play.check {
            reasons.collected(Rule::PlayNotInCheckMode, play.named.keys(), name);
            if play.named.is_empty() {
                reasons.run(Rule::PlayNotInCheckMode, name, None);
            }
        }
        let absent = play.named.iter().filter(|(_, took_part)| !**took_part).map(|(host, _)| host);
        reasons.collected(Rule::HostTookNoPart, absent, name);
        if settings.report.per_host && play.ended_for_all {
            reasons.collected(Rule::EndedByOthers, play.named.keys(), name);
        }
    }
    for (meta, times) in &playbook.endings {
        if *times > 0 {
            reasons.run(Rule::EndedEarly, Some(meta), None);
        }
    }
}

fn host_reasons(reasons: &mut Reasons, playbook: &PlaybookFacts) {
    let silent = playbook.hosts.iter().filter(|(_, facts)| facts.to_check && !facts.answered).map(|(host, _)| host);
    reasons.collected(Rule::HostTookNoPart, silent, None);
    let Some(recap) = &playbook.recap else { return };
    let absent = playbook.hosts.iter().filter(|(_, facts)| facts.to_check && facts.answered).map(|(host, _)| host);
    reasons.collected(Rule::HostNotInRecap, absent.filter(|host| !recap.contains_key(*host)), None);
    let told = |host: &String| {
        let failures = |doubt: &Cause| matches!(doubt, Cause::Failed | Cause::Unreachable);
        playbook.doubts.iter().any(|((doubt, ..), doubtful)| failures(doubt) && doubtful.hosts.contains(host))
    };
    let failed =
        recap.iter().filter(|(_, recap)| recap.failures + recap.unreachable + recap.rescued + recap.ignored > 0);
    reasons.collected(Rule::FailureInRecap, failed.map(|(host, _)| host).filter(|host| !told(host)), None);
}

/// Hosts whose variables say how they are reached, where that leaves open whom the run has spoken to.
fn reach_reasons(reasons: &mut Reasons, ansible: &AnsibleSettings, playbook: &PlaybookFacts) {
    let reached = || playbook.hosts.iter().filter(|(_, facts)| facts.answered || facts.was_looked_at());
    let mut because = |rule: Rule, cause: fn(&HostFacts) -> Option<&String>| {
        let causes: BTreeSet<&String> = reached().filter_map(|(_, facts)| cause(facts)).collect();
        for named in causes {
            let hosts = reached().filter(|(_, facts)| cause(facts) == Some(named)).map(|(host, _)| host);
            reasons.collected(rule.clone(), hosts, Some(named));
        }
    };
    if ansible.ssh.known_hosts.is_some() {
        because(Rule::HostKeyNotChecked, |facts| facts.unchecked_by.as_ref());
    }
    because(Rule::SharedConnection, |facts| facts.shared_by.as_ref());
}

fn task_reasons(reasons: &mut Reasons, playbook: &PlaybookFacts) {
    for ((doubt, task, place), doubtful) in &playbook.doubts {
        reasons.list.push(Reason {
            rule: Rule::Task(*doubt),
            hosts: doubtful.hosts.iter().cloned().collect(),
            subject: Some(task.clone()),
            place: place.clone(),
            detail: doubtful.detail.clone(),
            count: doubtful.count,
            probe: doubtful.probe,
        });
    }
}

/// Whether markers decide this playbook: always with `check: false`, else where it states anything.
fn stated(ansible: &AnsibleSettings, playbook: &PlaybookFacts) -> bool {
    !ansible.check_mode || playbook.hosts.values().any(|facts| facts.statement.testimony() != Statement::None)
}

fn statements(reasons: &mut Reasons, drift: &mut Drift, settings: &Settings, playbook: &PlaybookFacts) {
    for (host, facts) in &playbook.hosts {
        match facts.statement.testimony() {
            Statement::None | Statement::Synced => {}
            Statement::Broken(why) => {
                reasons.hosts(Rule::BrokenStatement, vec![host.clone()], Some(facts.statement.task()), Some(why));
            }
            Statement::OutOfSync(files) => {
                let unnamed = BTreeSet::from([format!("debug:task {}", facts.statement.task())]);
                drift.add(settings, host, files.unwrap_or(&unnamed));
                let spoken_for = playbook.summaries.get(host).filter(|hosts| hosts.iter().any(|other| other != host));
                if let (true, Some(hosts)) = (settings.report.per_host, spoken_for) {
                    reasons.collected(Rule::StatedForAll, hosts.iter(), Some(facts.statement.task()));
                }
            }
        }
    }
    let to_check = || playbook.hosts.iter().filter(|(_, facts)| facts.to_check);
    let silent = to_check().filter(|(host, facts)| testimony(playbook, host, facts).is_none()).map(|(host, _)| host);
    reasons.collected(Rule::NoStatement, silent, None);
    let nobody_speaks = playbook.hosts.values().all(|facts| facts.statement.testimony() == Statement::None);
    if to_check().next().is_none() && nobody_speaks {
        reasons.run(Rule::NoStatement, Some(&playbook.options.file), None);
    }
    for (host, facts) in &playbook.hosts {
        let Some(task) = &facts.compared_changed else { continue };
        let accounted_for = match testimony(playbook, host, facts) {
            Some(testimony) => matches!(testimony, Statement::OutOfSync(_)),
            // A host that was only delegated to: whoever reports drift reports for it too.
            None => playbook.hosts.values().any(|facts| matches!(facts.statement.testimony(), Statement::OutOfSync(_))),
        };
        if !accounted_for {
            reasons.hosts(Rule::Contradicted, vec![host.clone()], Some(task), None);
        }
    }
}

/// What is stated for a host: by itself, or else by whoever speaks for it. A broken statement is one.
fn testimony<'a>(playbook: &'a PlaybookFacts, host: &str, facts: &'a HostFacts) -> Option<Statement<'a>> {
    let own = facts.statement.testimony();
    if own != Statement::None {
        return Some(own);
    }
    let mut speakers = playbook.summaries.iter().filter(|(_, hosts)| hosts.contains(host)).map(|(speaker, _)| speaker);
    let speaks = |speaker: &String| {
        let testimony = playbook.hosts.get(speaker)?.statement.testimony();
        (testimony != Statement::None).then_some(testimony)
    };
    speakers.find_map(speaks)
}

/// Over the whole run: each host needs something that was verified, or at least looked at where markers decide.
fn proof_reasons(reasons: &mut Reasons, settings: &Settings, seen: &Evidence) {
    let mut proof: BTreeMap<&str, (bool, u64, u64)> = BTreeMap::new();
    let mut any = false;
    for playbook in &seen.playbooks {
        let stated = stated(&settings.ansible, playbook);
        for (host, facts) in &playbook.hosts {
            any |= facts.to_check || facts.was_looked_at();
            let (needs_look, verified, looked) = proof.entry(host).or_default();
            // Where markers decide, looking is enough: the playbook itself compares.
            *needs_look |= facts.to_check && stated;
            *verified += facts.verified + u64::from(!facts.drift.is_empty());
            *looked += facts.looked;
        }
    }
    let to_check =
        |host: &str| seen.playbooks.iter().any(|playbook| playbook.hosts.get(host).is_some_and(|facts| facts.to_check));
    // A host with a reason of its own needs proof because of that.
    let excused: BTreeSet<&str> = reasons.list.iter().flat_map(|reason| &reason.hosts).map(String::as_str).collect();
    let (mut unverified, mut unlooked) = (Vec::new(), Vec::new());
    for (host, (needs_look, verified, looked)) in &proof {
        if !to_check(host) || excused.contains(host) {
            continue;
        }
        if *needs_look && verified + looked == 0 {
            unlooked.push((*host).to_owned());
        } else if !needs_look && *verified == 0 {
            unverified.push((*host).to_owned());
        }
    }
    drop(excused);
    reasons.collected(Rule::NothingVerified, unverified.iter(), None);
    reasons.collected(Rule::NothingLooked, unlooked.iter(), None);
    let ran = seen.playbooks.iter().any(|playbook| !playbook.plays.is_empty());
    if ran && !any {
        reasons.run(Rule::NoHost, None, None);
    }
}

fn conclude(reasons: Vec<Reason>, drift: &Drift, seen: &Evidence) -> Verdict {
    let files: BTreeSet<String> = drift.counted.values().flatten().cloned().collect();
    let status = |files: BTreeSet<String>, complete: bool| match (files.is_empty(), complete) {
        (false, _) => SyncStatus::OutOfSync { files },
        (true, true) => SyncStatus::Synced,
        (true, false) => SyncStatus::Unknown,
    };
    let run_complete = reasons.iter().all(|reason| !reason.hosts.is_empty());
    let doubted: BTreeSet<&str> = reasons.iter().flat_map(|reason| &reason.hosts).map(String::as_str).collect();
    let stated_for_all: BTreeSet<&str> = reasons
        .iter()
        .filter(|reason| reason.rule == Rule::StatedForAll)
        .flat_map(|reason| &reason.hosts)
        .map(String::as_str)
        .collect();
    let mut hosts: BTreeMap<String, HostVerdict> = BTreeMap::new();
    for (host, facts) in seen.playbooks.iter().flat_map(|playbook| &playbook.hosts) {
        let concerned = facts.to_check || facts.verified > 0 || drift.counted.contains_key(host);
        if !concerned && !hosts.contains_key(host) {
            continue;
        }
        let verdict = hosts.entry(host.clone()).or_insert_with(|| {
            let own = drift.counted.get(host).filter(|_| !stated_for_all.contains(host.as_str()));
            HostVerdict {
                status: status(own.cloned().unwrap_or_default(), run_complete && !doubted.contains(host.as_str())),
                ignored: drift.ignored.get(host).cloned().unwrap_or_default(),
                tasks_ok: 0,
                tasks_changed: 0,
            }
        });
        verdict.tasks_ok += facts.tasks_ok;
        verdict.tasks_changed += facts.tasks_changed;
    }
    Verdict { status: status(files, reasons.is_empty()), reasons, hosts }
}
