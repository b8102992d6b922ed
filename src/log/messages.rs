//! Every line a user may read in the log, in one place. Nothing here prints; [`crate::verdict::explain`] words the reasons.

use std::fmt::Write;
use std::time::Duration;

use crate::ansible::command::inventories;
use crate::delivery::client::{Failure, FailureKind};
use crate::delivery::payload::{Payloads, escaped, status_word};
use crate::evidence::collect::Evidence;
use crate::settings::{Settings, StatusServer, TABLE};
use crate::verdict::explain::{hosts, remedy, said, sentence};
use crate::verdict::judge::{SyncStatus, Verdict};
use crate::verdict::reason::{Reason, Rule};

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is for, which decides where it goes and its colour.
    pub tone: Tone,
    /// Its text, which holds no line break and nothing that moves a cursor.
    pub text: String,
}

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A step's heading.
    Step,
    /// Plain information.
    Plain,
    /// It went well.
    Good,
    /// Something to look at.
    Warning,
    /// What is wrong; to stderr.
    Error,
    /// What can be done about it; to stderr too.
    Remedy,
}

impl Line {
    /// A line; control characters in `text` are shown escaped.
    pub fn new(tone: Tone, text: impl AsRef<str>) -> Self {
        Self { tone, text: escaped(text.as_ref()) }
    }

    /// The line as it is printed, with or without ANSI colour.
    pub fn painted(&self, colour: bool) -> String {
        let code = match self.tone {
            _ if !colour => return self.text.clone(),
            Tone::Plain | Tone::Remedy => return self.text.clone(),
            Tone::Step => "1",
            Tone::Good => "32",
            Tone::Warning => "33",
            Tone::Error => "31",
        };
        format!("\x1b[{code}m{}\x1b[0m", self.text)
    }
}

/// Most entries a list in the log has before the rest is only counted.
const LONGEST_LIST: usize = 20;

/// The answer to a command line argument: help, version, or that there is no such argument.
///
/// # Errors
/// The lines that say so.
pub fn answer(argument: &str) -> Result<Vec<Line>, Vec<Line>> {
    let plain = |text: &str| text.lines().map(|line| Line::new(Tone::Plain, line)).collect();
    match argument {
        "--help" | "-h" => Ok(plain(&help())),
        "--version" | "-V" => Ok(plain(concat!("plugin-gitops-status ", env!("CARGO_PKG_VERSION")))),
        other => Err(vec![Line::new(
            Tone::Error,
            format!("`{other}` is not understood; everything is set by PLUGIN_* variables, which --help lists"),
        )]),
    }
}

fn help() -> String {
    let mut text = format!(
        "plugin-gitops-status {}\n\
         Runs an Ansible playbook that compares servers with their Git repository and reports SYNCED or OUT_OF_SYNC to a\n\
         gitops-status-server. Everything is set by environment variables; lists are separated by commas or JSON arrays.\n\n",
        env!("CARGO_PKG_VERSION")
    );
    let width = TABLE.iter().map(|setting| setting.variable().len()).max().unwrap_or_default();
    for setting in TABLE {
        let default = match setting.default.replace('`', "") {
            default if default.is_empty() => String::new(),
            default if default.starts_with("required") => format!("; {default}"),
            default => format!("; default: {default}"),
        };
        let help = setting.help.replace('`', "");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:width$}  {help} ({}{default})", setting.variable(), setting.kind);
    }
    text.push_str(
        "\nExit codes: 0 delivered; 1 nothing can be claimed or delivered; 2 OUT_OF_SYNC with fail_on_drift;\n\
         128+n ended by signal n.\n",
    );
    text
}

/// Everything that is wrong with the settings.
pub fn problems(problems: &[String]) -> Vec<Line> {
    let mut lines = vec![Line::new(Tone::Error, "cannot start, the settings are wrong:")];
    lines.extend(problems.iter().map(|problem| Line::new(Tone::Error, format!("  {problem}"))));
    lines.push(Line::new(Tone::Error, "nothing was run and nothing was sent"));
    lines
}

/// What stopped the step from this side.
pub fn error(error: &anyhow::Error) -> Vec<Line> {
    vec![Line::new(Tone::Error, format!("error: {error:#}"))]
}

/// What stopped the step was a fault of this program, at a place in its code.
pub fn fault(place: Option<String>) -> Vec<Line> {
    let place = place.unwrap_or_else(|| "an unknown place".to_owned());
    vec![
        Line::new(Tone::Error, format!("error: this program has a fault of its own (at {place})")),
        Line::new(Tone::Remedy, "  the run was ended and nothing is claimed; please report that place"),
    ]
}

/// The first heading, and what should be known before the run. `config_ignored`: Ansible will pass over the ansible.cfg
/// of the working directory. `secrets_on_disk`: there is no memory to keep them in.
pub fn running(settings: &Settings, config_ignored: bool, secrets_on_disk: bool) -> Vec<Line> {
    let ansible = &settings.ansible;
    let mode = if ansible.check_mode { "check mode" } else { "its own drift check, no check mode" };
    let inventory = match inventories(&ansible.inventory) {
        list if list.is_empty() => "Ansible's own inventory".to_owned(),
        list => format!("inventory {}", list.join(", ")),
    };
    let limit = ansible.limit.as_ref().map(|limit| format!(", limit {limit}")).unwrap_or_default();
    let mut lines =
        vec![Line::new(Tone::Step, format!("[1/4] Run {} ({mode}, {inventory}{limit})", ansible.playbooks.join(", ")))];
    if config_ignored && ansible.ansible_config.is_none() {
        lines.push(warning(
            "Ansible ignores the ansible.cfg here, because anybody may write to this directory; \
             set `ansible_config: ansible.cfg`",
        ));
    }
    if secrets_on_disk {
        lines.push(warning(
            "secrets lie in a private file that may be on a disk until this step ends, because /dev/shm cannot be written",
        ));
    }
    if ansible.ssh.host_key_checking == Some(false) {
        lines.push(warning("`host_key_checking` is off: any machine that answers at a server's address is believed"));
    }
    if settings.status_server.as_ref().is_some_and(|status_server| status_server.insecure_skip_verify) {
        lines.push(warning(
            "`insecure_skip_verify` is on: whoever sits between here and the status server can read and forge the status",
        ));
    }
    lines
}

fn warning(text: &str) -> Line {
    Line::new(Tone::Warning, format!("warning: {text}"))
}

/// The second heading, what differs, what was left out, and why anything could not be verified.
pub fn judged(settings: &Settings, verdict: &Verdict, seen: &Evidence) -> Vec<Line> {
    let mut lines = vec![Line::new(Tone::Step, format!("[2/4] Read the result: {}", summary(verdict)))];
    lines.extend(drift(verdict));
    let ignored: Vec<String> = verdict
        .hosts
        .iter()
        .flat_map(|(host, verdict)| verdict.ignored.iter().map(move |name| format!("{host}  {name}")))
        .collect();
    lines.extend(listed("ignored, it differs: ", &ignored));
    let waived = &seen.waived;
    lines.extend(listed("task not counted: ", &waived.tasks.iter().cloned().collect::<Vec<_>>()));
    lines.extend(listed("play not counted: ", &waived.plays.iter().cloned().collect::<Vec<_>>()));
    for (setting, glob) in &waived.unused {
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
    let cut_off =
        verdict.reasons.iter().any(|reason| matches!(reason.rule, Rule::NotStarted | Rule::TimedOut | Rule::Killed));
    let follows = |rule: &Rule| {
        matches!(
            rule,
            Rule::PlaybookUnfinished
                | Rule::PlaybookNotRun
                | Rule::NothingVerified
                | Rule::NothingLooked
                | Rule::NoStatement
        )
    };
    lines.extend(verdict.reasons.iter().filter(|reason| !(cut_off && follows(&reason.rule))).flat_map(explained));
    lines
}

fn explained(reason: &Reason) -> Vec<Line> {
    let mut notes: Vec<String> = reason.place.iter().cloned().collect();
    notes.extend(said(reason));
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
    let mut lines = vec![Line::new(Tone::Error, format!("  - {}{notes}", sentence(reason)))];
    if let Some(remedy) = remedy(reason) {
        lines.push(Line::new(Tone::Remedy, format!("    {remedy}")));
    }
    lines
}

fn summary(verdict: &Verdict) -> String {
    let drifted = verdict.hosts.values().filter(|host| matches!(host.status, SyncStatus::OutOfSync { .. })).count();
    let status = status_word(&verdict.status);
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
            entries.extend(files.iter().map(|file| format!("{host:width$}  {file}")));
        }
    }
    if let (SyncStatus::OutOfSync { files }, true) = (&verdict.status, entries.is_empty()) {
        entries.extend(files.iter().cloned());
    }
    listed("", &entries)
}

fn listed(label: &str, entries: &[String]) -> Vec<Line> {
    let mut lines: Vec<Line> = entries
        .iter()
        .take(LONGEST_LIST)
        .map(|entry| Line::new(Tone::Plain, format!("        {label}{entry}")))
        .collect();
    if entries.len() > LONGEST_LIST {
        lines.push(Line::new(Tone::Plain, format!("        … and {} more", entries.len() - LONGEST_LIST)));
    }
    lines
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The third heading, and the hosts it leaves out. In a dry run every payload is shown, else a fleet's list is cut.
pub fn payloads(payloads: &Payloads, dry_run: bool) -> Vec<Line> {
    let texts: Vec<String> = payloads.texts.values().cloned().collect();
    let mut lines = match texts.as_slice() {
        [] => vec![Line::new(Tone::Step, "[3/4] Payload: none, nothing is claimed")],
        [text] => vec![Line::new(Tone::Step, format!("[3/4] Payload: {text}"))],
        texts => vec![Line::new(Tone::Step, format!("[3/4] Payloads, one for each of {} hosts:", texts.len()))],
    };
    if texts.len() > 1 && dry_run {
        lines.extend(texts.iter().map(|text| Line::new(Tone::Plain, format!("        {text}"))));
    } else if texts.len() > 1 {
        lines.extend(listed("", &texts));
    }
    if let (false, Some(unknown)) = (texts.is_empty(), hosts(&payloads.unknown)) {
        lines.push(Line::new(Tone::Error, format!("nothing is claimed for {unknown}; the reasons stand above")));
    }
    lines
}

/// The fourth heading; there is no status_server in a dry run.
pub fn posting(status_server: Option<&StatusServer>, count: usize) -> Line {
    let text = match status_server {
        None => "[4/4] Dry run, nothing is sent".to_owned(),
        Some(_) if count == 0 => "[4/4] Nothing is sent".to_owned(),
        Some(status_server) => format!("[4/4] POST {}", status_server.endpoint),
    };
    Line::new(Tone::Step, text)
}

/// The step was ended by a signal; `arrived` says how many of how many payloads were taken by then, where any was to be sent.
pub fn cancelled(signal: i32, arrived: Option<(usize, usize)>) -> Vec<Line> {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        15 => "SIGTERM",
        _ => "a signal",
    };
    let claimed = match arrived {
        None => "nothing is claimed".to_owned(),
        Some((arrived, all)) => {
            format!("{arrived} of {} had arrived, the next may have been on its way", counted(all, "payload"))
        }
    };
    vec![Line::new(Tone::Error, format!("cancelled by {name} ({signal}): {claimed}; nothing more is sent"))]
}

/// One attempt that failed, and when the next one comes. `host` only with several payloads.
pub fn attempt(host: Option<&str>, attempt: u32, failure: &Failure, pause: Duration) -> Line {
    let host = host.map(|host| format!("{host}: ")).unwrap_or_default();
    let next = format!("; next attempt in {:.1} s", pause.as_secs_f64());
    Line::new(Tone::Warning, format!("        {host}attempt {attempt}: {}{next}", failed(failure)))
}

/// The last line of a delivery that went well.
pub fn delivered(status: u16) -> Line {
    Line::new(Tone::Good, format!("✓ Status update successful (HTTP {status})"))
}

/// A payload that did not arrive, and what its reader should check.
pub fn undelivered(host: Option<&str>, failure: &Failure, attempts: u32) -> Vec<Line> {
    let whose = host.map(|host| format!(" of {host}")).unwrap_or_default();
    let attempts = counted(attempts as usize, "attempt");
    vec![
        Line::new(Tone::Error, format!("cannot deliver the status{whose}: {} ({attempts})", failed(failure))),
        Line::new(Tone::Remedy, format!("  check {}", to_check(failure.kind))),
    ]
}

fn failed(failure: &Failure) -> String {
    let cause = &failure.cause;
    match failure.kind {
        FailureKind::Dns => "the server's name does not resolve".to_owned(),
        FailureKind::Connection => format!("the connection failed: {cause}"),
        FailureKind::Timeout => "no answer in time".to_owned(),
        FailureKind::Certificate => format!("the server is not trusted: {cause}"),
        FailureKind::Protocol => format!("the exchange failed: {cause}"),
        FailureKind::Status(status) => format!("HTTP {status}: {cause}"),
    }
}

fn to_check(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Dns => "the host name in `gitops_status_server_url`, and that this step may use the cluster's DNS",
        FailureKind::Connection => {
            "that the status server runs, its port, and that a network policy lets this step reach it"
        }
        FailureKind::Timeout => {
            "that the status server is not overloaded and no firewall drops packets; or raise `http_timeout`"
        }
        FailureKind::Certificate => {
            "`ca_cert`, the host name in `gitops_status_server_url`, and the server's certificate"
        }
        FailureKind::Protocol => "that `gitops_status_server_url` is the status server, with the right scheme and port",
        FailureKind::Status(300..=399) => {
            "`gitops_status_server_url`: write the address it redirects to, and mind that it may be a login page"
        }
        FailureKind::Status(401 | 403 | 407) => "`status_server_token`, or the user and password of the URL",
        FailureKind::Status(404 | 405) => "the path of `gitops_status_server_url`; /api/status is added to it",
        FailureKind::Status(408 | 425 | 429 | 500..) => {
            "the status server's own log, and its load; or raise `retry_for`"
        }
        FailureKind::Status(_) => "that the status server and this plugin speak the same version of the payload",
    }
}
