//! What forbids `SYNCED` for single hosts: their recap, their connections, their tasks, and that nothing was verified.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::collect::Evidence;
use crate::evidence::facts::{HostFacts, PlaybookFacts};
use crate::settings::AnsibleSettings;
use crate::verdict::about_statements;
use crate::verdict::reason::{Finding, Findings, Reason};

/// Hosts that took no part, or that Ansible's recap tells other things of than the events.
pub(super) fn recap(findings: &mut Findings, playbook: &PlaybookFacts) {
    let to_check = || playbook.hosts.iter().filter(|(_, facts)| facts.to_check);
    let silent = to_check().filter(|(_, facts)| !facts.answered).map(|(host, _)| host);
    findings.about_hosts(Reason::HostTookNoPart { play: None }, silent);
    let Some(recap) = &playbook.recap else { return };
    let answered = to_check().filter(|(_, facts)| facts.answered).map(|(host, _)| host);
    findings.about_hosts(Reason::HostNotInRecap, answered.filter(|host| !recap.contains_key(*host)));
    let accepted = |host: &String| playbook.hosts.get(host).map_or(0, |facts| facts.accepted_failures);
    let failed = recap.iter().filter(|(host, recap)| recap.failures_in_all() > accepted(host)).map(|(host, _)| host);
    findings.about_hosts(Reason::FailureInRecap, failed.filter(|host| !playbook.tells_of_failure_on(host)));
}

/// Connections that leave open whom the run has spoken to.
pub(super) fn connections(findings: &mut Findings, ansible: &AnsibleSettings, playbook: &PlaybookFacts) {
    let reached = |facts: &HostFacts| facts.answered || facts.was_looked_at();
    let reached: Vec<(&String, &HostFacts)> = playbook.hosts.iter().filter(|(_, facts)| reached(facts)).collect();
    if ansible.ssh.known_hosts.is_some() {
        let bypasses: BTreeSet<_> = reached.iter().filter_map(|(_, facts)| facts.key_check_bypass.as_ref()).collect();
        for by in bypasses {
            let hosts = reached.iter().filter(|(_, facts)| facts.key_check_bypass.as_ref() == Some(by));
            findings.about_hosts(Reason::HostKeyNotChecked { by: by.clone() }, hosts.map(|(host, _)| *host));
        }
    }
    let variables: BTreeSet<_> = reached.iter().filter_map(|(_, facts)| facts.shared_by).collect();
    for by in variables {
        let hosts = reached.iter().filter(|(_, facts)| facts.shared_by == Some(by));
        findings.about_hosts(Reason::SharedConnection { by }, hosts.map(|(host, _)| *host));
    }
}

/// Tasks whose results are no proof.
pub(super) fn tasks(findings: &mut Findings, playbook: &PlaybookFacts) {
    findings.list.extend(playbook.unverified.iter().map(|(unverified, results)| Finding {
        reason: Reason::Task {
            task: unverified.task.clone(),
            why: unverified.why.clone(),
            may_only_read: results.may_only_read,
        },
        hosts: results.hosts.iter().cloned().collect(),
        count: results.count,
        said: results.said.clone(),
    }));
}

/// What speaks for a host over the whole run.
#[derive(Default)]
struct Proof {
    to_check: bool,
    /// Markers decide in a playbook that names it: a look before they do is enough, because the playbook compares.
    stated: bool,
    /// In one of them SYNCED is stated, and nothing had looked at the host before.
    stated_unseen: bool,
    verified: bool,
}

/// Over the whole run: each host needs something that was verified, or a look before SYNCED is stated for it.
pub(super) fn proof(findings: &mut Findings, ansible: &AnsibleSettings, seen: &Evidence) {
    let looks = first_looks(seen);
    let mut hosts: BTreeMap<&String, Proof> = BTreeMap::new();
    for playbook in &seen.playbooks {
        let decide = about_statements::decide(ansible, playbook);
        for (host, facts) in &playbook.hosts {
            let proof = hosts.entry(host).or_default();
            proof.to_check |= facts.to_check;
            proof.verified |= facts.verified > 0 || !facts.drift.is_empty();
            if facts.to_check && decide {
                proof.stated = true;
                let stated_at = about_statements::synced_at(playbook, host, facts);
                let looked = |at| looks.get(host).is_some_and(|look| *look < at);
                proof.stated_unseen |= stated_at.is_some_and(|at| !looked(at));
            }
        }
    }
    // A host with a finding of its own needs proof because of that.
    let explained: BTreeSet<&String> = findings.list.iter().flat_map(|finding| &finding.hosts).collect();
    let unproven = |lacks: fn(&Proof) -> bool| -> Vec<String> {
        let asked = hosts.iter().filter(|(host, proof)| proof.to_check && !explained.contains(*host));
        asked.filter(|(_, proof)| lacks(proof)).map(|(host, _)| (*host).clone()).collect()
    };
    let unverified = unproven(|proof| !proof.stated && !proof.verified);
    let unlooked = unproven(|proof| proof.stated_unseen);
    findings.about_hosts(Reason::NothingVerified, &unverified);
    findings.about_hosts(Reason::NothingLooked, &unlooked);
    let ran = seen.playbooks.iter().any(|playbook| !playbook.plays.is_empty());
    let mut facts = seen.playbooks.iter().flat_map(|playbook| playbook.hosts.values());
    if ran && !facts.any(|facts| facts.to_check || facts.was_looked_at()) {
        findings.about_run(Reason::NoHost);
    }
}

/// When anything first looked at each host, in any playbook: the number of the event.
pub(super) fn first_looks(seen: &Evidence) -> BTreeMap<&String, u64> {
    let mut looks = BTreeMap::new();
    for (host, facts) in seen.playbooks.iter().flat_map(|playbook| &playbook.hosts) {
        if let Some(look) = facts.first_look {
            let first = looks.entry(host).or_insert(look);
            *first = look.min(*first);
        }
    }
    looks
}
