//! Each reason as a sentence, and a hint at what its reader can do about it. They stand here and below, and nowhere else.

mod hint;
mod start;
mod task;

pub use self::hint::hint;
pub(crate) use self::start::missing;
use self::start::not_started;
use self::task::{source_of, unverified};
use crate::evidence::connection::KeyCheckBypass;
use crate::evidence::event_file::Damage;
use crate::evidence::markers::MarkerProblem;
use crate::evidence::source::Source;
use crate::verdict::reason::{Finding, Reason};

/// How many hosts are named before the rest is only counted.
const HOSTS_SHOWN: usize = 3;

/// What was not verified and where, in one sentence without anything a module printed: fit for the payload.
pub fn sentence(finding: &Finding) -> String {
    match hosts(&finding.hosts) {
        Some(hosts) => format!("on {hosts}: {}", matter(&finding.reason)),
        None => matter(&finding.reason),
    }
}

/// What Ansible or the module said about it, if that adds anything: for the log alone.
pub fn said(finding: &Finding) -> Option<String> {
    if let Reason::BrokenStatement { problem, .. } = &finding.reason {
        return Some(marker_problem(problem));
    }
    let said = finding.said.as_deref();
    match (finding.count > finding.hosts.len().max(1) as u64, said) {
        (true, None) => Some(format!("{} items", finding.count)),
        (true, Some(said)) => Some(format!("{} items, first: {said}", finding.count)),
        (false, said) => said.map(str::to_owned),
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

/// Several tasks that depend on one unknown value.
pub fn many_depend(source: &Source, tasks: &[&str]) -> String {
    let named: Vec<String> = tasks.iter().map(|task| format!("`{task}`")).collect();
    format!("{} tasks depend on {}: {}", tasks.len(), source_of(source), named.join(", "))
}

/// The same without the hosts.
pub fn matter(reason: &Reason) -> String {
    match reason {
        Reason::NotStarted(why) => format!("the playbook was not run: {}", not_started(why)),
        Reason::Cancelled { signal } => format!("the run was cancelled by signal {signal}"),
        Reason::TimedOut { during } => {
            format!("the run took longer than `timeout`{}", while_running(during.as_deref()))
        }
        Reason::Killed { signal, during } => {
            format!("`ansible-playbook` was killed by signal {signal}{}", while_running(during.as_deref()))
        }
        Reason::ExitCode(code) => format!("`ansible-playbook` exited with code {code}"),
        Reason::NoEvents => "Ansible did not load the callback plugin that records what was checked".to_owned(),
        Reason::EventsDamaged(damage) => format!("the record of the run is damaged: {}", damaged(damage)),
        Reason::CallbackFailed => "the callback plugin that records the run failed".to_owned(),
        Reason::PlaybookNotRun { file: None } => "more playbooks ran than `playbook` names".to_owned(),
        Reason::PlaybookNotRun { file: Some(file) } => format!("playbook `{file}` was not run"),
        Reason::PlaybookUnfinished { file } => format!("playbook `{file}` did not run to its end"),
        Reason::NotInCheckMode { file } => format!("playbook `{file}` did not run in check mode"),
        Reason::LimitNotAsked { limit: None } => "the run was not limited to what `limit` asks for".to_owned(),
        Reason::LimitNotAsked { limit: Some(limit) } => {
            format!("the run was limited to `{limit}`, which `limit` does not ask for")
        }
        Reason::TagsNotAsked { tags } => {
            format!("only tasks tagged `{}` ran, which `tags` does not ask for", tags.join(","))
        }
        Reason::SkipTagsNotAsked { tags } => {
            format!("tasks tagged `{}` were skipped, which `skip_tags` does not ask for", tags.join(","))
        }
        Reason::StartAtTask { task } => format!("the run started in the middle, at task `{task}`"),
        Reason::Step => "the run asked for confirmation before each task".to_owned(),
        Reason::NoPlay => "no play ran".to_owned(),
        Reason::NoHost => "no host of the inventory took part".to_owned(),
        Reason::PlayMatchedNoHost { play } => format!("play `{play}` matched no host"),
        Reason::PatternMatchedNothing { play, pattern } => {
            format!("play `{play}` names `{pattern}`, which is neither a group nor a host")
        }
        Reason::LimitMatchedNothing { pattern } => {
            format!("the limit names `{pattern}`, which is neither a group nor a host")
        }
        Reason::PlayHostsUnknown { play, source } => {
            format!("the hosts of play `{play}` depend on {}", task::source_of(source))
        }
        Reason::PromptNotAnswered { variable } => {
            format!("the playbook prompts for `{variable}`, and nobody could answer, so its default was used")
        }
        Reason::PlayNotInCheckMode { play } => format!("play `{play}` turns check mode off for itself"),
        Reason::EndedEarly { meta, .. } => format!("`meta: {meta}` ended a play early"),
        Reason::HostTookNoPart { play: None } => "no task ran on this host".to_owned(),
        Reason::HostTookNoPart { play: Some(play) } => format!("play `{play}` names this host, but it took no part"),
        Reason::HostNotInRecap => "this host is missing from Ansible's recap".to_owned(),
        Reason::FailureInRecap => "Ansible's recap counts a failure that no task reported".to_owned(),
        Reason::HostKeyNotChecked { by } => {
            let by = match by {
                KeyCheckBypass::SshArgs => "ansible_ssh_args",
                KeyCheckBypass::ConnectionPlugin(plugin) => plugin,
            };
            format!("host key not verified: `{by}` bypasses `ssh_known_hosts`")
        }
        Reason::SharedConnection { by } => {
            format!("may have reused another run's SSH connection (ControlPath in `{by}`)")
        }
        Reason::EndedByOthers { play } => format!("a failure on another host may have ended play `{play}` early"),
        Reason::NothingVerified => "nothing was verified, because no task compared anything".to_owned(),
        Reason::NothingLooked => "the playbook states SYNCED before any task has looked at this host".to_owned(),
        Reason::NoStatement => "the playbook printed no SYNC_STATUS".to_owned(),
        Reason::BrokenStatement { task, .. } => format!("task `{task}` printed invalid markers"),
        Reason::Contradicted { task } => format!("task `{task}` found a difference, but the playbook states SYNCED"),
        Reason::StatedForAll { task } => format!("task `{task}` states one result for several hosts"),
        Reason::Task { task, why, .. } => format!("task `{}` {}", task.name, unverified(why)),
    }
}

fn while_running(task: Option<&str>) -> String {
    task.map(|task| format!(" (during task `{task}`)")).unwrap_or_default()
}

fn damaged(damage: &Damage) -> String {
    match damage {
        Damage::Empty => "it is empty".to_owned(),
        Damage::Cut => "its last event is cut off".to_owned(),
        Damage::Gap => "events are missing or out of order".to_owned(),
        Damage::Unreadable => "an event is damaged, too long or not from this run".to_owned(),
        Damage::Io(error) => error.clone(),
    }
}

fn marker_problem(problem: &MarkerProblem) -> String {
    match problem {
        MarkerProblem::DependsOn(source) => format!("it depends on {}", source_of(source)),
        MarkerProblem::EmptyStatus => "SYNC_STATUS= is empty".to_owned(),
        MarkerProblem::UnknownStatus(status) => {
            format!("SYNC_STATUS={status} is neither SYNCED nor OUT_OF_SYNC")
        }
        MarkerProblem::BothStatuses => "SYNC_STATUS is both SYNCED and OUT_OF_SYNC".to_owned(),
        MarkerProblem::TwoLists => "there are two different DRIFTED_FILES lists".to_owned(),
        MarkerProblem::SyncedWithFiles => "SYNC_STATUS is SYNCED, but DRIFTED_FILES lists files".to_owned(),
        MarkerProblem::FilesWithoutStatus => "there is DRIFTED_FILES without SYNC_STATUS".to_owned(),
        MarkerProblem::UnreadableFiles => {
            "DRIFTED_FILES=[...] is not a JSON list of strings; write it with `to_json`".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::task::TaskRef;
    use crate::evidence::unverified::{WhyFailed, WhyUnverified};

    fn finding(why: WhyUnverified, hosts: &[&str], said: &str) -> Finding {
        Finding {
            reason: Reason::Task {
                task: TaskRef { name: "run it".to_owned(), place: None },
                why,
                may_only_read: false,
            },
            hosts: hosts.iter().map(ToString::to_string).collect(),
            said: Some(said.to_owned()),
            count: hosts.len() as u64,
        }
    }

    #[test]
    fn many_hosts_are_folded() {
        let skipped = finding(WhyUnverified::SkippedInCheckMode, &["a", "b", "c", "d"], "why");
        assert_eq!(sentence(&skipped), "on 4 hosts: a, b, c, …: task `run it` was skipped because of check mode");
        assert_eq!(said(&skipped).as_deref(), Some("why"));
        let many = Finding { count: 22, ..skipped };
        assert_eq!(said(&many).as_deref(), Some("22 items, first: why"));
    }

    #[test]
    fn what_a_module_said_stays_out_of_the_sentence() {
        let failed = finding(WhyUnverified::Failed(WhyFailed::Other), &["a"], "the password is hunter2");
        assert!(!sentence(&failed).contains("hunter2"));
        assert_eq!(said(&failed).as_deref(), Some("the password is hunter2"));
    }
}
