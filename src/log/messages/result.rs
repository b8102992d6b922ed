//! The result: what differs, what was left out, what could not be verified, and what to write to ignore that.

use std::collections::BTreeSet;

use super::{Line, Tone, counted, listed, warning};
use crate::evidence::collect::Evidence;
use crate::evidence::ignore::UnusedGlob;
use crate::settings::Settings;
use crate::verdict::explain::{hint, hosts, many_depend, said, sentence};
use crate::verdict::judge::{SyncStatus, Verdict};
use crate::verdict::reason::Finding;
use crate::verdict::waiver::Waivers;

/// The second heading, what differs, what was left out, and why anything could not be verified.
pub fn judged(settings: &Settings, verdict: &Verdict, seen: &Evidence) -> Vec<Line> {
    let mut lines = vec![Line::new(Tone::Step, format!("[2/4] Result: {}", summary(verdict)))];
    lines.extend(drift(verdict));
    lines.extend(repaired(settings, seen));
    if let Some(hosts) = hosts(&verdict.unseen) {
        lines.push(warning(&format!("the playbook states OUT_OF_SYNC for {hosts}, but no task looked at it")));
    }
    let ignored: Vec<String> = verdict
        .hosts
        .iter()
        .flat_map(|(host, verdict)| verdict.ignored.iter().map(move |name| format!("{host}  {}", name.as_str())))
        .collect();
    lines.extend(listed("differs, but ignored: ", &ignored));
    for (item, on) in &verdict.more_differs {
        let on = hosts(&on.iter().cloned().collect::<Vec<_>>()).unwrap_or_default();
        lines.push(warning(&format!(
            "`{item}` in `ignore` does not apply on {on}: something else differs there, or the task does not show what differs"
        )));
    }
    let ignored = &seen.ignored;
    lines.extend(listed("ignored task: ", &ignored.tasks.iter().cloned().collect::<Vec<_>>()));
    lines.extend(listed("ignored play: ", &ignored.plays.iter().cloned().collect::<Vec<_>>()));
    for UnusedGlob { setting, glob } in &ignored.unused {
        lines.push(warning(&format!("`{glob}` in `{setting}` matched nothing; check the name, or remove it")));
    }
    if !verdict.complete() {
        lines.extend(unverified(settings, verdict));
    }
    lines
}

/// Why the check is not complete, and what to write to ignore that.
fn unverified(settings: &Settings, verdict: &Verdict) -> Vec<Line> {
    let heading = match verdict.status {
        SyncStatus::OutOfSync { .. } => "The check is incomplete, and more may differ, because:",
        SyncStatus::Synced | SyncStatus::Unknown if settings.report.per_host => {
            "The status of some hosts is unknown because:"
        }
        SyncStatus::Synced | SyncStatus::Unknown => "Status unknown because:",
    };
    let mut lines = vec![Line::new(Tone::Error, heading)];
    // A run that was cut off explains everything that is missing at its end.
    let cut_off = verdict.findings.iter().any(|finding| finding.reason.is_cut_off());
    let explained_by_it = |finding: &&Finding| cut_off && finding.reason.follows_from_cut_off();
    let findings: Vec<&Finding> = verdict.findings.iter().filter(|finding| !explained_by_it(finding)).collect();
    let mut folded = BTreeSet::new();
    for (place, finding) in findings.iter().enumerate() {
        let source = finding.reason.source();
        let same: Vec<&Finding> = findings[place..]
            .iter()
            .copied()
            .filter(|other| source.is_some() && other.reason.source() == source)
            .collect();
        match source {
            Some(source) if !folded.insert(source) => {}
            Some(_) if same.len() > 1 => lines.extend(depending(&same)),
            Some(_) | None => lines.extend(explained(finding)),
        }
    }
    lines.extend(to_paste(&Waivers::of(findings)));
    lines
}

fn explained(finding: &Finding) -> Vec<Line> {
    let mut notes: Vec<String> = finding.reason.place().map(str::to_owned).into_iter().collect();
    notes.extend(said(finding));
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
    let mut lines = vec![Line::new(Tone::Error, format!("  - {}{notes}", sentence(finding)))];
    lines.extend(hint(&finding.reason).as_deref().map(hinted));
    lines
}

/// Several tasks that depend on one unknown value.
fn depending(findings: &[&Finding]) -> Vec<Line> {
    let Some(source) = findings[0].reason.source() else { return Vec::new() };
    let tasks: BTreeSet<&str> = findings.iter().filter_map(|finding| finding.reason.task_name()).collect();
    let tasks: Vec<&str> = tasks.into_iter().collect();
    let on: BTreeSet<String> = findings.iter().flat_map(|finding| finding.hosts.iter().cloned()).collect();
    let on = hosts(&on.into_iter().collect::<Vec<_>>()).map(|hosts| format!("on {hosts}: ")).unwrap_or_default();
    let mut lines = vec![Line::new(Tone::Error, format!("  - {on}{}", many_depend(source, &tasks)))];
    lines.extend(hint(&findings[0].reason).as_deref().map(hinted));
    lines
}

fn hinted(hint: &str) -> Line {
    Line::new(Tone::Remedy, format!("    hint: {hint}"))
}

/// One block for the step's `settings:` that ignores all that can be ignored.
fn to_paste(waivers: &Waivers) -> Vec<Line> {
    let count = waivers.count();
    if count == 0 {
        return Vec::new();
    }
    let all = if waivers.incomplete { "the rest" } else { "all of this" };
    let mended = match waivers.better_mended {
        0 => String::new(),
        1 => " (for 1 of them, a change of the playbook is better)".to_owned(),
        mended => format!(" (for {mended} of them, a change of the playbook is better)"),
    };
    let what = counted(count, if waivers.plays.is_empty() { "task" } else { "item" });
    let mut lines = vec![Line::new(Tone::Remedy, format!("  to ignore {all}, paste {what} into `settings:`{mended}"))];
    for (setting, globs) in [("ignore_tasks", &waivers.tasks), ("ignore_plays", &waivers.plays)] {
        if !globs.is_empty() {
            lines.push(Line::new(Tone::Remedy, format!("    {setting}:")));
            lines.extend(globs.iter().map(|glob| Line::new(Tone::Remedy, format!("      - {glob}"))));
        }
    }
    lines
}

fn summary(verdict: &Verdict) -> String {
    let drifted = verdict.hosts.values().filter(|host| matches!(host.status, SyncStatus::OutOfSync { .. })).count();
    let status = verdict.status.word();
    match &verdict.status {
        SyncStatus::Synced => format!("{status} ({}, fully checked)", counted(verdict.hosts.len(), "host")),
        SyncStatus::OutOfSync { files } if drifted == 0 => format!("{status} ({})", counted(files.len(), "file")),
        SyncStatus::OutOfSync { files } => {
            format!("{status} ({} on {})", counted(files.len(), "file"), counted(drifted, "host"))
        }
        SyncStatus::Unknown => status.to_owned(),
    }
}

fn drift(verdict: &Verdict) -> Vec<Line> {
    let width = verdict.hosts.keys().map(|host| host.chars().count()).max().unwrap_or_default().min(40);
    let mut entries: Vec<String> = Vec::new();
    for (host, verdict) in &verdict.hosts {
        entries.extend(verdict.status.files().map(|file| format!("{host:width$}  {}", file.as_str())));
    }
    if entries.is_empty() {
        entries.extend(verdict.status.files().map(|file| file.as_str().to_owned()));
    }
    listed("", &entries)
}

/// What differed and does so no more: a task that does not run in check mode has put it right.
fn repaired(settings: &Settings, seen: &Evidence) -> Vec<Line> {
    if !settings.ansible.check_mode {
        return Vec::new();
    }
    let hosts = seen.playbooks.iter().flat_map(|playbook| &playbook.hosts);
    let names = hosts.flat_map(|(host, facts)| facts.repaired.iter().map(move |name| (host, name)));
    let entries: BTreeSet<String> = names
        .map(|(host, name)| format!("{host}  {}", name.relative_to(settings.report.relative_to.as_deref()).as_str()))
        .collect();
    listed("fixed by this run (`check_mode: false`): ", &entries.into_iter().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests;
