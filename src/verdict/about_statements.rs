//! What playbooks state about themselves by markers: drift, and what forbids `SYNCED` where it is stated.

use std::collections::BTreeSet;

use crate::evidence::collect::Evidence;
use crate::evidence::difference::Difference;
use crate::evidence::drift_name::DriftName;
use crate::evidence::facts::{HostFacts, PlaybookFacts};
use crate::evidence::markers::{Markers, Statement};
use crate::settings::{AnsibleSettings, Settings};
use crate::verdict::about_hosts;
use crate::verdict::judge::Drift;
use crate::verdict::reason::{Findings, Reason};

/// Whether markers decide this playbook: always with `check: false`, else where it states anything.
pub(super) fn decide(ansible: &AnsibleSettings, playbook: &PlaybookFacts) -> bool {
    !ansible.check_mode || playbook.hosts.values().any(|facts| facts.statement.statement() != Statement::None)
}

/// What is stated for each host, and by whom.
pub(super) fn statements(findings: &mut Findings, drift: &mut Drift, settings: &Settings, playbook: &PlaybookFacts) {
    for (host, facts) in &playbook.hosts {
        let task = facts.statement.task();
        match facts.statement.statement() {
            Statement::None | Statement::Synced => {}
            Statement::Broken(problem) => {
                findings.about_hosts(Reason::BrokenStatement { task: task.to_owned(), problem }, [host]);
            }
            Statement::OutOfSync(files) => {
                let unnamed = BTreeSet::from([DriftName::task("debug", task)]);
                let files = files.unwrap_or(&unnamed).iter().cloned().map(Difference::of);
                drift.add(settings, host, &files.collect::<Vec<_>>());
                let spoken_for = playbook.summaries.get(host).filter(|hosts| hosts.iter().any(|other| other != host));
                if let (true, Some(hosts)) = (settings.report.per_host, spoken_for) {
                    findings.about_hosts(Reason::StatedForAll { task: task.to_owned() }, hosts);
                }
            }
        }
    }
    unstated(findings, playbook);
    contradicted(findings, playbook);
}

/// Hosts that nobody states a status for.
fn unstated(findings: &mut Findings, playbook: &PlaybookFacts) {
    let to_check = || playbook.hosts.iter().filter(|(_, facts)| facts.to_check);
    let silent = to_check().filter(|(host, facts)| stated_for(playbook, host, facts).is_none());
    findings.about_hosts(Reason::NoStatement, silent.map(|(host, _)| host));
    let nobody_speaks = playbook.hosts.values().all(|facts| facts.statement.statement() == Statement::None);
    if to_check().next().is_none() && nobody_speaks {
        findings.about_run(Reason::NoStatement);
    }
}

/// Hosts on which a task found a difference, and nobody says so.
fn contradicted(findings: &mut Findings, playbook: &PlaybookFacts) {
    for (host, facts) in &playbook.hosts {
        let Some(task) = &facts.compared_changed else { continue };
        let out_of_sync = |statement: &Statement<'_>| matches!(statement, Statement::OutOfSync(_));
        let accounted_for = match stated_for(playbook, host, facts) {
            Some(statement) => out_of_sync(&statement),
            // A host that was only delegated to: whoever reports drift reports for it too.
            None => playbook.hosts.values().any(|facts| out_of_sync(&facts.statement.statement())),
        };
        if !accounted_for {
            findings.about_hosts(Reason::Contradicted { task: task.clone() }, [host]);
        }
    }
}

/// When SYNCED is stated for a host, if it is: the number of the event.
pub(super) fn synced_at(playbook: &PlaybookFacts, host: &str, facts: &HostFacts) -> Option<u64> {
    let markers = speaker(playbook, host, facts)?;
    (markers.statement() == Statement::Synced).then(|| markers.stated_at())
}

/// Hosts that `OUT_OF_SYNC` is stated of, and that no task of the run looked at.
pub(super) fn unseen<'a>(ansible: &AnsibleSettings, seen: &'a Evidence) -> Vec<&'a String> {
    let looks = about_hosts::first_looks(seen);
    let decided = seen.playbooks.iter().filter(|playbook| decide(ansible, playbook));
    let stated = decided.flat_map(|playbook| {
        let out_of_sync = |(host, facts): &(&String, &HostFacts)| {
            facts.to_check && matches!(stated_for(playbook, host, facts), Some(Statement::OutOfSync(_)))
        };
        playbook.hosts.iter().filter(out_of_sync)
    });
    let unseen: BTreeSet<&String> = stated.map(|(host, _)| host).filter(|host| !looks.contains_key(host)).collect();
    unseen.into_iter().collect()
}

/// What is stated for a host: by itself, or else by whoever speaks for it. A broken statement is one.
fn stated_for<'a>(playbook: &'a PlaybookFacts, host: &str, facts: &'a HostFacts) -> Option<Statement<'a>> {
    speaker(playbook, host, facts).map(Markers::statement)
}

/// The markers that speak for a host.
fn speaker<'a>(playbook: &'a PlaybookFacts, host: &str, facts: &'a HostFacts) -> Option<&'a Markers> {
    let others = playbook.summaries.iter().filter(|(_, hosts)| hosts.contains(host)).map(|(speaker, _)| speaker);
    let others = others.filter_map(|speaker| Some(&playbook.hosts.get(speaker)?.statement));
    [&facts.statement].into_iter().chain(others).find(|markers| markers.statement() != Statement::None)
}
