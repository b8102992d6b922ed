//! What forbids `SYNCED` for the whole run: how it ended, the options it really ran with, and its plays.

use std::collections::BTreeSet;

use crate::evidence::collect::Evidence;
use crate::evidence::event;
use crate::evidence::event_file::Damage;
use crate::evidence::facts::PlaybookFacts;
use crate::process::supervise::Ending;
use crate::settings::{AnsibleSettings, Settings, split_commas};
use crate::verdict::reason::{Finding, Findings, Reason};

/// How the run ended, and whether its events are all there.
pub(super) fn ending(findings: &mut Findings, ansible: &AnsibleSettings, ending: &Ending, seen: &Evidence) {
    let during = seen.last_task.clone();
    match ending {
        Ending::NotStarted(why) => return findings.about_run(Reason::NotStarted(why.clone())),
        Ending::Cancelled(signal) => findings.about_run(Reason::Cancelled { signal: *signal }),
        Ending::TimedOut => findings.about_run(Reason::TimedOut { during }),
        Ending::Killed(signal) => findings.about_run(Reason::Killed { signal: *signal, during }),
        Ending::Exited(0) => {}
        Ending::Exited(code) if explained_by_hosts(*code, seen) => {}
        Ending::Exited(code) => findings.about_run(Reason::ExitCode(*code)),
    }
    let ended_well = *ending == Ending::Exited(0);
    match &seen.damage {
        // Where Ansible ended before it said anything, its own error is the reason.
        Some(Damage::Empty) if ended_well => findings.about_run(Reason::NoEvents),
        Some(Damage::Empty) | None => {}
        Some(damage) => findings.about_run(Reason::EventsDamaged(damage.clone())),
    }
    for variable in &seen.prompts {
        findings.about_run(Reason::PromptNotAnswered { variable: variable.clone() });
    }
    for error in &seen.callback_errors {
        let said = Some(error.clone());
        findings.list.push(Finding { reason: Reason::CallbackFailed, hosts: Vec::new(), count: 0, said });
    }
    for playbook in seen.playbooks.iter().filter(|playbook| playbook.recap.is_none()) {
        findings.about_run(Reason::PlaybookUnfinished { file: playbook.options.file.clone() });
    }
    if !seen.playbooks.is_empty() && seen.playbooks.len() != ansible.playbooks.len() {
        findings.about_run(Reason::PlaybookNotRun { file: ansible.playbooks.get(seen.playbooks.len()).cloned() });
    }
    let no_play = seen.playbooks.iter().all(|playbook| playbook.plays.is_empty());
    if ended_well && seen.damage != Some(Damage::Empty) && no_play {
        findings.about_run(Reason::NoPlay);
    }
}

/// Codes 2 and 4 (and their sums with 8) say that hosts failed or were unreachable. Where every playbook has its
/// recap and events tell which hosts, the hosts are the reason and the others can still be judged.
fn explained_by_hosts(code: i32, seen: &Evidence) -> bool {
    let failed = |playbook: &PlaybookFacts| playbook.unverified.keys().any(|task| task.why.is_failure());
    [2, 4, 6, 8, 10, 12, 14].contains(&code)
        && seen.damage.is_none()
        && seen.playbooks.iter().all(|playbook| playbook.recap.is_some())
        && seen.playbooks.iter().any(failed)
}

/// Options that the settings did not ask for.
pub(super) fn options(findings: &mut Findings, ansible: &AnsibleSettings, options: &event::Playbook) {
    if ansible.check_mode && !options.check {
        findings.about_run(Reason::NotInCheckMode { file: options.file.clone() });
    }
    if options.limit != ansible.limit {
        findings.about_run(Reason::LimitNotAsked { limit: options.limit.clone() });
    }
    let set = |tags: &[String]| -> BTreeSet<String> {
        tags.iter().flat_map(|tag| split_commas(tag)).filter(|tag| tag != "all").collect()
    };
    if set(&options.tags) != set(&ansible.tags) {
        findings.about_run(Reason::TagsNotAsked { tags: options.tags.clone() });
    }
    if set(&options.skip_tags) != set(&ansible.skip_tags) {
        findings.about_run(Reason::SkipTagsNotAsked { tags: options.skip_tags.clone() });
    }
    if let Some(task) = &options.start_at_task {
        findings.about_run(Reason::StartAtTask { task: task.clone() });
    }
    if options.step {
        findings.about_run(Reason::Step);
    }
}

/// Plays that did not do what they say.
pub(super) fn plays(findings: &mut Findings, settings: &Settings, playbook: &PlaybookFacts) {
    let ansible = &settings.ansible;
    for play in playbook.plays.iter().filter(|play| !play.waived) {
        let name = || play.name.clone();
        for pattern in &play.unmatched {
            findings.about_run(Reason::PatternMatchedNothing { play: name(), pattern: pattern.clone() });
        }
        if play.no_hosts && ansible.limit.is_none() && play.unmatched.is_empty() {
            findings.about_run(Reason::PlayMatchedNoHost { play: name() });
        }
        if let Some(source) = &play.hosts_depend_on {
            findings.about_run(Reason::PlayHostsUnknown { play: name(), source: source.clone() });
        }
        if ansible.check_mode && !play.check {
            let reason = Reason::PlayNotInCheckMode { play: name() };
            if play.named.is_empty() {
                findings.about_run(reason);
            } else {
                findings.about_hosts(reason, play.named.keys());
            }
        }
        let absent = play.named.iter().filter(|(_, took_part)| !**took_part).map(|(host, _)| host);
        findings.about_hosts(Reason::HostTookNoPart { play: Some(name()) }, absent);
        if settings.report.per_host && play.ended_for_all {
            findings.about_hosts(Reason::EndedByOthers { play: name() }, play.named.keys());
        }
    }
    for pattern in &playbook.limit_unmatched {
        findings.about_run(Reason::LimitMatchedNothing { pattern: pattern.clone() });
    }
    for (ending, times) in &playbook.endings {
        if *times > 0 {
            findings.about_run(Reason::EndedEarly { meta: ending.meta.clone(), task: ending.task.clone() });
        }
    }
}
