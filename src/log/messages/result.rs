//! The result: what differs, what was left out, what could not be verified.

use super::{Line, Tone, counted, listed, warning};
use crate::evidence::collect::Evidence;
use crate::evidence::ignore::UnusedGlob;
use crate::settings::Settings;
use crate::verdict::explain::{remedy, said, sentence};
use crate::verdict::judge::{SyncStatus, Verdict};
use crate::verdict::reason::Finding;

/// The second heading, what differs, what was left out, and why anything could not be verified.
pub fn judged(settings: &Settings, verdict: &Verdict, seen: &Evidence) -> Vec<Line> {
    let mut lines = vec![Line::new(Tone::Step, format!("[2/4] Read the result: {}", summary(verdict)))];
    lines.extend(drift(verdict));
    let ignored: Vec<String> = verdict
        .hosts
        .iter()
        .flat_map(|(host, verdict)| verdict.ignored.iter().map(move |name| format!("{host}  {}", name.as_str())))
        .collect();
    lines.extend(listed("ignored, it differs: ", &ignored));
    let ignored = &seen.ignored;
    lines.extend(listed("task not counted: ", &ignored.tasks.iter().cloned().collect::<Vec<_>>()));
    lines.extend(listed("play not counted: ", &ignored.plays.iter().cloned().collect::<Vec<_>>()));
    for UnusedGlob { setting, glob } in &ignored.unused {
        lines.push(warning(&format!("`{setting}` holds `{glob}`, which matched nothing; check the name or remove it")));
    }
    if verdict.complete() {
        return lines;
    }
    let heading = match verdict.status {
        SyncStatus::OutOfSync { .. } => "The check is not complete, more may differ:",
        SyncStatus::Synced | SyncStatus::Unknown if settings.report.per_host => "Not every host can be judged:",
        SyncStatus::Synced | SyncStatus::Unknown => "Nothing can be claimed:",
    };
    lines.push(Line::new(Tone::Error, heading));
    // A run that was cut off explains everything that is missing at its end.
    let cut_off = verdict.findings.iter().any(|finding| finding.reason.is_cut_off());
    let explained_by_it = |finding: &&Finding| cut_off && finding.reason.follows_from_cut_off();
    lines.extend(verdict.findings.iter().filter(|finding| !explained_by_it(finding)).flat_map(explained));
    lines
}

fn explained(finding: &Finding) -> Vec<Line> {
    let mut notes: Vec<String> = finding.reason.place().map(str::to_owned).into_iter().collect();
    notes.extend(said(finding));
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
    let mut lines = vec![Line::new(Tone::Error, format!("  - {}{notes}", sentence(finding)))];
    if let Some(remedy) = remedy(&finding.reason) {
        lines.push(Line::new(Tone::Remedy, format!("    {remedy}")));
    }
    lines
}

fn summary(verdict: &Verdict) -> String {
    let drifted = verdict.hosts.values().filter(|host| matches!(host.status, SyncStatus::OutOfSync { .. })).count();
    let status = verdict.status.word();
    match &verdict.status {
        SyncStatus::Synced => {
            format!("{status}, everything asked for was checked on {}", counted(verdict.hosts.len(), "host"))
        }
        SyncStatus::OutOfSync { files } if drifted == 0 => format!("{status}, {}", counted(files.len(), "file")),
        SyncStatus::OutOfSync { files } => {
            format!("{status}, {} on {}", counted(files.len(), "file"), counted(drifted, "host"))
        }
        SyncStatus::Unknown => status.to_owned(),
    }
}

fn drift(verdict: &Verdict) -> Vec<Line> {
    let width = verdict.hosts.keys().map(|host| host.chars().count()).max().unwrap_or_default().min(40);
    let mut entries: Vec<String> = Vec::new();
    for (host, verdict) in &verdict.hosts {
        if let SyncStatus::OutOfSync { files } = &verdict.status {
            entries.extend(files.iter().map(|file| format!("{host:width$}  {}", file.as_str())));
        }
    }
    if let (SyncStatus::OutOfSync { files }, true) = (&verdict.status, entries.is_empty()) {
        entries.extend(files.iter().map(|file| file.as_str().to_owned()));
    }
    listed("", &entries)
}
