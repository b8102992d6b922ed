//! Each reason as a sentence, and what its reader can do about it.

use glob::Pattern;

use crate::evidence::task_outcome::Cause;
use crate::verdict::reason::{Reason, Rule};

/// How many hosts are named before the rest is only counted.
const HOSTS_SHOWN: usize = 3;

/// What was not verified and where, in one sentence without anything a module printed: fit for the payload.
pub fn sentence(reason: &Reason) -> String {
    match hosts(&reason.hosts) {
        Some(hosts) => format!("on {hosts}: {}", matter(reason)),
        None => matter(reason),
    }
}

/// What Ansible or the module said about it, if that adds anything: for the log alone.
pub fn said(reason: &Reason) -> Option<String> {
    let detail = match reason.rule {
        Rule::Task(_) | Rule::CallbackFailed | Rule::BrokenStatement => reason.detail.as_deref()?.trim(),
        _ => return None,
    };
    // ssh frames its warning of a changed host key.
    let first = detail.lines().next().unwrap_or_default().trim_end_matches('@').trim_end();
    match reason.count > reason.hosts.len().max(1) as u64 {
        true if first.is_empty() => Some(format!("{} items", reason.count)),
        true => Some(format!("{} items, first: {first}", reason.count)),
        false if first.is_empty() => None,
        false => Some(first.to_owned()),
    }
}

/// `web01`, `web01, web02` or `17 hosts: web01, web02, web03, …`.
pub fn hosts(hosts: &[String]) -> Option<String> {
    match hosts.len() {
        0 => None,
        1..=HOSTS_SHOWN => Some(hosts.join(", ")),
        count => Some(format!("{count} hosts: {}, …", hosts[..HOSTS_SHOWN].join(", "))),
    }
}

/// The same without the hosts.
pub fn matter(reason: &Reason) -> String {
    let subject = reason.subject.as_deref().unwrap_or_default();
    let detail = reason.detail.as_deref().unwrap_or_default();
    let during = if subject.is_empty() { String::new() } else { format!(" (during task `{subject}`)") };
    match &reason.rule {
        Rule::NotStarted => format!("the playbook was not run: {detail}"),
        Rule::Cancelled => format!("the run was cancelled by {detail}"),
        Rule::TimedOut => format!("the run was not over within `timeout`{during}"),
        Rule::Killed => format!("`ansible-playbook` was killed by {detail}{during}"),
        Rule::ExitCode => format!("`ansible-playbook` exited with code {detail}"),
        Rule::NoEvents => "Ansible never loaded the callback that tells this plugin what was checked".to_owned(),
        Rule::EventsDamaged => format!("the record of the run is not whole: {detail}"),
        Rule::CallbackFailed => "the callback that records the run failed".to_owned(),
        Rule::PlaybookNotRun => match subject {
            "" => "more playbooks ran than the setting names".to_owned(),
            file => format!("playbook `{file}` was not run"),
        },
        Rule::PlaybookUnfinished => format!("playbook `{subject}` did not run to its end"),
        Rule::NotInCheckMode => format!("playbook `{subject}` did not run in check mode"),
        Rule::LimitNotAsked if detail.is_empty() => "the run was not limited as `limit` asks".to_owned(),
        Rule::LimitNotAsked => format!("the run was limited to `{detail}`, which is not what the settings ask for"),
        Rule::TagsNotAsked => format!("only tasks tagged `{detail}` ran, which is not what the settings ask for"),
        Rule::SkipTagsNotAsked => {
            format!("tasks tagged `{detail}` were left out, which is not what the settings ask for")
        }
        Rule::StartAtTask => format!("the run began in the middle, at task `{detail}`"),
        Rule::Step => "the run asked before each task whether to run it".to_owned(),
        Rule::NoPlay => "no play ran".to_owned(),
        Rule::NoHost => "no host of an inventory took part".to_owned(),
        Rule::PlayMatchedNoHost => format!("play `{subject}` matched no host"),
        Rule::PlayNotInCheckMode => format!("play `{subject}` turns check mode off for itself"),
        Rule::EndedEarly => format!("`meta: {subject}` kept the rest of a play from running"),
        Rule::HostTookNoPart if subject.is_empty() => "no task ran on it".to_owned(),
        Rule::HostTookNoPart => format!("play `{subject}` names it, and it took no part"),
        Rule::HostNotInRecap => "it is missing from Ansible's recap".to_owned(),
        Rule::FailureInRecap => "Ansible's recap counts a failure".to_owned(),
        Rule::HostKeyNotChecked => format!("its key was not checked against `ssh_known_hosts`, by `{subject}`"),
        Rule::SharedConnection => format!("its connection may be one that another run made, by `{subject}`"),
        Rule::EndedByOthers => format!("a failure on another host may have ended play `{subject}` early"),
        Rule::NothingVerified => "nothing was verified; only tasks that print, read or decide ran".to_owned(),
        Rule::NothingLooked => "SYNCED is stated, and no task looked at the host".to_owned(),
        Rule::NoStatement => "no SYNC_STATUS was stated".to_owned(),
        Rule::BrokenStatement => format!("what task `{subject}` states cannot be believed"),
        Rule::Contradicted => format!("task `{subject}` found a difference, and SYNCED is stated"),
        Rule::StatedForAll => format!("task `{subject}` states one result for several hosts"),
        Rule::Task(doubt) => format!("task `{subject}` {}", doubted(*doubt)),
    }
}

fn doubted(doubt: Cause) -> &'static str {
    match doubt {
        Cause::Unreachable => "could not reach the host",
        Cause::Failed => "failed",
        Cause::FailureHidden => "answered like a failure, and `failed_when` made it a success",
        Cause::FailureCensored => "has `failed_when` and `no_log`, so a failure of it would not be seen",
        Cause::SkippedInCheckMode => "was skipped because of check mode",
        Cause::SkippedByCheckModeWhen => "was skipped by its `when` on ansible_check_mode",
        Cause::SkipCensored => "was skipped, and `no_log` hides why",
        Cause::GlobMatchedNothing => "loops over a file glob that matched nothing",
        Cause::JobNotAwaited => "started a job that nobody waited for",
        Cause::NeverCompared => "does not compare content that is there already (`force: false`)",
        Cause::ChangeHidden => "sets `changed_when`, and no diff shows whether anything differs",
        Cause::ItemsMissing => "did not report every item of its loop",
    }
}

/// What the reader can do, in words that name the setting or the line of the playbook. `None` where the sentence has
/// said it.
pub fn remedy(reason: &Reason) -> Option<String> {
    let subject = reason.subject.as_deref().unwrap_or_default();
    let detail = reason.detail.as_deref().unwrap_or_default();
    let words = match &reason.rule {
        Rule::NotStarted | Rule::Cancelled => return None,
        Rule::TimedOut => {
            "raise `timeout`, or find out what the task waits for; \
             `ansible_env: {ANSIBLE_TASK_TIMEOUT: \"60\"}` ends it on a host that hangs, so that the others are judged"
        }
        Rule::Killed => "look for an out-of-memory kill on the agent, or for who else ended it",
        Rule::ExitCode | Rule::PlaybookUnfinished | Rule::PlaybookNotRun => "see Ansible's own error above",
        Rule::NoEvents => "look for a warning about a callback above; check `callback_plugins` and ANSIBLE_* settings",
        Rule::EventsDamaged => "check the space left where TMPDIR points to, then run the step again",
        Rule::CallbackFailed => "this is a defect of the plugin; please report it with this log",
        Rule::NotInCheckMode => "remove what turns check mode off from `args`, or set `check: false` and print markers",
        Rule::LimitNotAsked => "move the limit from `args` into the setting `limit`, or remove it",
        Rule::TagsNotAsked => {
            "set `tags` to the same, or remove them from `args`, ANSIBLE_RUN_TAGS and `[tags] run` of ansible.cfg"
        }
        Rule::SkipTagsNotAsked => {
            "set `skip_tags` to the same, or remove them from `args`, ANSIBLE_SKIP_TAGS and `[tags] skip` of ansible.cfg"
        }
        Rule::StartAtTask => "remove --start-at-task from `args`",
        Rule::Step => "remove --step from `args`",
        Rule::NoPlay => "remove --syntax-check and --list-... from `args`, and check that the playbook holds a play",
        Rule::NoHost => "name the servers in `inventory`; the implicit localhost is only the place the check runs at",
        Rule::PlayMatchedNoHost => {
            return Some(format!(
                "fill its group in the inventory, or set `ignore_plays: [{}]` if it is meant to be empty",
                pasted(subject)
            ));
        }
        Rule::PlayNotInCheckMode => {
            "set `check_mode: false` on single probing tasks instead of the play, or set `check: false` and print markers"
        }
        Rule::EndedEarly => "put a `when` on the tasks instead, so that what is skipped is skipped for a reason",
        Rule::HostTookNoPart | Rule::HostNotInRecap | Rule::FailureInRecap => {
            "see Ansible's output above for what ended the play early"
        }
        Rule::HostKeyNotChecked if subject == "ansible_ssh_args" => {
            "that variable replaces what this step tells ssh: rename it to `ansible_ssh_common_args`"
        }
        Rule::HostKeyNotChecked => {
            "that connection plugin does not read `ssh_known_hosts`: connect by ssh, or check the host in a step without it"
        }
        Rule::SharedConnection => {
            "remove the control path from that variable, or write ControlPath=none: this step has masters of its own"
        }
        Rule::EndedByOthers => {
            "mend the failing host; without it, or without `any_errors_fatal`, this one can be judged"
        }
        Rule::NothingVerified => {
            "let the playbook manage something on it, leave the host out with `limit`, or print SYNC_STATUS markers"
        }
        Rule::NothingLooked => "let a task read the host's files (stat, slurp, command) before the status is stated",
        Rule::NoStatement => {
            "let a `debug` task print SYNC_STATUS=SYNCED or SYNC_STATUS=OUT_OF_SYNC on each host, or one `run_once` for all"
        }
        Rule::BrokenStatement => "print SYNC_STATUS once for each host, and DRIFTED_FILES only with OUT_OF_SYNC",
        Rule::Contradicted => "correct what the playbook compares, or what it states",
        Rule::StatedForAll => "let each host state its own result, or turn `per_host` off",
        Rule::Task(Cause::Failed) if detail.contains("must have a tty") => {
            "sudo on it wants a terminal (`requiretty`), which a pipelined task has not: \
             set `ansible_env: {ANSIBLE_PIPELINING: \"false\"}`"
        }
        Rule::Task(Cause::Unreachable)
            if ["IDENTIFICATION HAS CHANGED", "Host key verification"].iter().any(|words| detail.contains(words)) =>
        {
            "its host key is not the known one: if the server was set up anew, correct `ssh_known_hosts`; \
             if not, somebody may sit in between"
        }
        Rule::Task(doubt) => return Some(task_remedy(*doubt, subject, reason.probe)),
    };
    Some(words.to_owned())
}

fn task_remedy(doubt: Cause, task: &str, probe: bool) -> String {
    let waive = || format!("`ignore_tasks: [{}]` if this need not be verified", pasted(task));
    match doubt {
        Cause::Unreachable => {
            "check that the host is up, and that user, key and known host are right; or leave it out with `limit`"
                .to_owned()
        }
        Cause::Failed => "mend what fails; a failure is never waived".to_owned(),
        Cause::FailureHidden | Cause::FailureCensored => {
            format!("narrow its `failed_when` to the answers that are fine, or set {}", waive())
        }
        Cause::SkippedInCheckMode | Cause::SkippedByCheckModeWhen | Cause::SkipCensored if probe => {
            "it only reads (`changed_when: false`): set `check_mode: false` on it, so that it runs in check mode too"
                .to_owned()
        }
        Cause::SkippedInCheckMode => format!(
            "set `check_mode: false` on it if it only reads, use a module with check mode instead, or set {}",
            waive()
        ),
        Cause::SkippedByCheckModeWhen => format!("remove ansible_check_mode from its `when`, or set {}", waive()),
        Cause::SkipCensored => format!("remove `no_log` from what needs none, or set {}", waive()),
        Cause::GlobMatchedNothing => format!("check the path of the glob, or set {}", waive()),
        Cause::JobNotAwaited => format!("wait for it with `async_status`, or set {}", waive()),
        Cause::NeverCompared => format!("remove `force: false`, or set {}", waive()),
        Cause::ChangeHidden => format!("remove `diff: false` or `no_log`, or its `changed_when`, or set {}", waive()),
        Cause::ItemsMissing => "see Ansible's output above for what ended the loop early".to_owned(),
    }
}

/// A name as a glob that matches it, ready for a YAML list. Woodpecker joins lists by commas, so a comma in the name
/// is matched by `?`.
fn pasted(name: &str) -> String {
    let glob = Pattern::escape(name).replace(',', "?");
    serde_json::to_string(&glob).unwrap_or(glob)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(rule: Rule, hosts: &[&str], subject: &str, detail: &str) -> Reason {
        Reason {
            rule,
            hosts: hosts.iter().map(ToString::to_string).collect(),
            subject: Some(subject.to_owned()),
            place: None,
            detail: Some(detail.to_owned()),
            count: hosts.len() as u64,
            probe: false,
        }
    }

    #[test]
    fn many_hosts_are_folded() {
        let skipped = reason(Rule::Task(Cause::SkippedInCheckMode), &["a", "b", "c", "d"], "run it", "why\nand how");
        assert_eq!(sentence(&skipped), "on 4 hosts: a, b, c, …: task `run it` was skipped because of check mode");
        assert_eq!(said(&skipped).as_deref(), Some("why"));
        let many = Reason { count: 22, ..skipped };
        assert_eq!(said(&many).as_deref(), Some("22 items, first: why"));
    }

    #[test]
    fn what_a_module_said_stays_out_of_the_sentence() {
        let failed = reason(Rule::Task(Cause::Failed), &["a"], "run it", "the password is hunter2");
        assert!(!sentence(&failed).contains("hunter2"));
        assert_eq!(said(&failed).as_deref(), Some("the password is hunter2"));
    }

    #[test]
    fn a_pasted_waiver_matches_the_task_it_came_from() {
        for name in ["plain", "with, comma", "brackets [x] and *", "a \"quoted\" one"] {
            let glob: String = serde_json::from_str(&pasted(name)).unwrap();
            assert!(!glob.contains(','), "{glob}");
            assert!(Pattern::new(&glob).unwrap().matches(name), "{name} by {glob}");
        }
    }
}
