//! Judges a run: its facts become a status, with a typed reason for everything that forbids `SYNCED`.
//!
//! Drift is proven by one witness; sync needs them all. What a single result proves is decided before, in
//! [`crate::evidence::task_outcome`].

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::collect::Evidence;
use crate::evidence::difference::Difference;
use crate::evidence::drift_name::DriftName;
use crate::evidence::ignore::Counted;
use crate::process::supervise::Ending;
use crate::settings::Settings;
use crate::verdict::reason::{Finding, Findings, Reason};
pub use crate::verdict::{HostVerdict, SyncStatus, Verdict};
use crate::verdict::{about_hosts, about_run, about_statements};

/// Judges a run.
pub fn judge(settings: &Settings, ending: &Ending, seen: &Evidence) -> Verdict {
    let mut findings = Findings::default();
    let mut drift = Drift::default();
    about_run::ending(&mut findings, &settings.ansible, ending, seen);
    for playbook in &seen.playbooks {
        about_run::options(&mut findings, &settings.ansible, &playbook.options);
        about_run::plays(&mut findings, settings, playbook);
        about_hosts::recap(&mut findings, playbook);
        about_hosts::connections(&mut findings, &settings.ansible, playbook);
        about_hosts::tasks(&mut findings, playbook);
    }
    for playbook in &seen.playbooks {
        if about_statements::decide(&settings.ansible, playbook) {
            about_statements::statements(&mut findings, &mut drift, settings, playbook);
        } else {
            for (host, facts) in &playbook.hosts {
                drift.add(settings, host, &facts.drift);
            }
        }
    }
    about_hosts::proof(&mut findings, &settings.ansible, seen);
    findings.list.sort_by_key(|finding| finding.reason.rank());
    let unseen = about_statements::unseen(&settings.ansible, seen).into_iter().cloned().collect();
    conclude(findings.list, &drift, seen, unseen)
}

/// Names that differ, by host, split into those that count and those that are ignored.
#[derive(Default)]
pub(super) struct Drift {
    counted: BTreeMap<String, BTreeSet<DriftName>>,
    ignored: BTreeMap<String, BTreeSet<DriftName>>,
    more_differs: BTreeMap<String, BTreeSet<String>>,
}

impl Drift {
    pub fn add<'a>(&mut self, settings: &Settings, host: &str, drift: impl IntoIterator<Item = &'a Difference>) {
        let directory = settings.report.relative_to.as_deref();
        for difference in drift {
            match Counted::of(difference, &settings.ignore, directory) {
                Counted::No(names) => {
                    self.ignored.entry(host.to_owned()).or_default().extend(names);
                    continue;
                }
                Counted::MoreDiffers(waivers) => {
                    for waiver in waivers {
                        self.more_differs.entry(waiver.item()).or_default().insert(host.to_owned());
                    }
                }
                Counted::Yes => {}
            }
            self.counted.entry(host.to_owned()).or_default().insert(difference.name.relative_to(directory));
        }
    }
}

fn conclude(findings: Vec<Finding>, drift: &Drift, seen: &Evidence, unseen: Vec<String>) -> Verdict {
    let run_complete = findings.iter().all(|finding| !finding.hosts.is_empty());
    let incomplete: BTreeSet<&str> = hosts_of(&findings, |_| true);
    let stated_for_all: BTreeSet<&str> = hosts_of(&findings, |reason| matches!(reason, Reason::StatedForAll { .. }));
    let mut hosts: BTreeMap<String, HostVerdict> = BTreeMap::new();
    for (host, facts) in seen.playbooks.iter().flat_map(|playbook| &playbook.hosts) {
        let concerned = facts.to_check || facts.verified > 0 || drift.counted.contains_key(host);
        if !concerned && !hosts.contains_key(host) {
            continue;
        }
        let verdict = hosts.entry(host.clone()).or_insert_with(|| {
            let own = drift.counted.get(host).filter(|_| !stated_for_all.contains(host.as_str()));
            let complete = run_complete && !incomplete.contains(host.as_str());
            HostVerdict {
                status: SyncStatus::of(own.cloned().unwrap_or_default(), complete),
                ignored: drift.ignored.get(host).cloned().unwrap_or_default(),
                tasks_ok: 0,
                tasks_changed: 0,
            }
        });
        verdict.tasks_ok += facts.tasks_ok;
        verdict.tasks_changed += facts.tasks_changed;
    }
    let files = drift.counted.values().flatten().cloned().collect();
    let more_differs = drift.more_differs.clone();
    Verdict { status: SyncStatus::of(files, findings.is_empty()), findings, hosts, unseen, more_differs }
}

fn hosts_of(findings: &[Finding], concerns: impl Fn(&Reason) -> bool) -> BTreeSet<&str> {
    let found = findings.iter().filter(|finding| concerns(&finding.reason));
    found.flat_map(|finding| &finding.hosts).map(String::as_str).collect()
}
