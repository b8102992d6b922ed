//! Each reason as a sentence, and what its reader can do about it. The sentences of reasons stand here and nowhere else.

use glob::Pattern;

use crate::ansible::command::ANSIBLE_GALAXY;
use crate::ansible::preflight::{InstallFailure, Missing, MissingFile, NotStarted, ProgramProblem};
use crate::evidence::connection::KeyCheckBypass;
use crate::evidence::event_file::Damage;
use crate::evidence::markers::MarkerProblem;
use crate::evidence::unverified::{WhyFailed, WhyUnreachable, WhyUnverified};
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

/// The same without the hosts.
pub fn matter(reason: &Reason) -> String {
    match reason {
        Reason::NotStarted(why) => format!("the playbook was not run: {}", not_started(why)),
        Reason::Cancelled { signal } => format!("the run was cancelled by signal {signal}"),
        Reason::TimedOut { during } => {
            format!("the run was not over within `timeout`{}", while_running(during.as_deref()))
        }
        Reason::Killed { signal, during } => {
            format!("`ansible-playbook` was killed by signal {signal}{}", while_running(during.as_deref()))
        }
        Reason::ExitCode(code) => format!("`ansible-playbook` exited with code {code}"),
        Reason::NoEvents => "Ansible never loaded the callback that tells this plugin what was checked".to_owned(),
        Reason::EventsDamaged(damage) => format!("the record of the run is not whole: {}", damaged(damage)),
        Reason::CallbackFailed => "the callback that records the run failed".to_owned(),
        Reason::PlaybookNotRun { file: None } => "more playbooks ran than the setting names".to_owned(),
        Reason::PlaybookNotRun { file: Some(file) } => format!("playbook `{file}` was not run"),
        Reason::PlaybookUnfinished { file } => format!("playbook `{file}` did not run to its end"),
        Reason::NotInCheckMode { file } => format!("playbook `{file}` did not run in check mode"),
        Reason::LimitNotAsked { limit: None } => "the run was not limited as `limit` asks".to_owned(),
        Reason::LimitNotAsked { limit: Some(limit) } => {
            format!("the run was limited to `{limit}`, which is not what the settings ask for")
        }
        Reason::TagsNotAsked { tags } => {
            format!("only tasks tagged `{}` ran, which is not what the settings ask for", tags.join(","))
        }
        Reason::SkipTagsNotAsked { tags } => {
            format!("tasks tagged `{}` were left out, which is not what the settings ask for", tags.join(","))
        }
        Reason::StartAtTask { task } => format!("the run began in the middle, at task `{task}`"),
        Reason::Step => "the run asked before each task whether to run it".to_owned(),
        Reason::NoPlay => "no play ran".to_owned(),
        Reason::NoHost => "no host of an inventory took part".to_owned(),
        Reason::PlayMatchedNoHost { play } => format!("play `{play}` matched no host"),
        Reason::PlayNotInCheckMode { play } => format!("play `{play}` turns check mode off for itself"),
        Reason::EndedEarly { meta } => format!("`meta: {meta}` kept the rest of a play from running"),
        Reason::HostTookNoPart { play: None } => "no task ran on it".to_owned(),
        Reason::HostTookNoPart { play: Some(play) } => format!("play `{play}` names it, and it took no part"),
        Reason::HostNotInRecap => "it is missing from Ansible's recap".to_owned(),
        Reason::FailureInRecap => "Ansible's recap counts a failure".to_owned(),
        Reason::HostKeyNotChecked { by } => {
            let by = match by {
                KeyCheckBypass::SshArgs => "ansible_ssh_args",
                KeyCheckBypass::ConnectionPlugin(plugin) => plugin,
            };
            format!("its key was not checked against `ssh_known_hosts`, by `{by}`")
        }
        Reason::SharedConnection { by } => format!("its connection may be one that another run made, by `{by}`"),
        Reason::EndedByOthers { play } => format!("a failure on another host may have ended play `{play}` early"),
        Reason::NothingVerified => "nothing was verified; only tasks that print, read or decide ran".to_owned(),
        Reason::NothingLooked => "SYNCED is stated, and no task looked at the host".to_owned(),
        Reason::NoStatement => "no SYNC_STATUS was stated".to_owned(),
        Reason::BrokenStatement { task, .. } => format!("what task `{task}` states cannot be believed"),
        Reason::Contradicted { task } => format!("task `{task}` found a difference, and SYNCED is stated"),
        Reason::StatedForAll { task } => format!("task `{task}` states one result for several hosts"),
        Reason::Task { task, why, .. } => format!("task `{}` {}", task.name, unverified(*why)),
    }
}

fn while_running(task: Option<&str>) -> String {
    task.map(|task| format!(" (during task `{task}`)")).unwrap_or_default()
}

fn not_started(why: &NotStarted) -> String {
    match why {
        NotStarted::Missing(missing) => self::missing(missing),
        NotStarted::DamagedKey => {
            "`ssh_private_key` is damaged, ssh-keygen cannot read it; store the whole file as it was made".to_owned()
        }
        NotStarted::Program { program, problem } => match problem {
            ProgramProblem::NotOnPath => format!(
                "`{program}` is not on PATH; use the plugin's image, or install ansible-core where this step runs"
            ),
            ProgramProblem::NotExecutable => {
                format!("`{program}` on PATH may not be executed; check its mode and owner")
            }
            ProgramProblem::ArgumentsTooLarge => format!(
                "`{program}` cannot be started: the environment and arguments are too large; pass fewer or shorter variables"
            ),
            ProgramProblem::Other(cause) => format!("`{program}` cannot be started: {cause}"),
        },
        NotStarted::NotInstalled { requirements, how } => {
            let how = match how {
                InstallFailure::Exited(code) => format!("exited with code {code}"),
                InstallFailure::Killed(signal) => format!("was ended by signal {signal}"),
                InstallFailure::TimedOut => "was not over within `timeout`".to_owned(),
            };
            format!("`{ANSIBLE_GALAXY}` {how} while it installed what `{requirements}` lists; see its own error above")
        }
    }
}

fn missing(missing: &Missing) -> String {
    let directory = |file: &MissingFile| match &file.directory {
        Some(directory) => format!("`{}`", directory.display()),
        None => "the working directory".to_owned(),
    };
    match missing {
        Missing::Playbook(file) => format!(
            "playbook `{}` does not exist in {}; check the path, which is relative to the repository",
            file.path,
            directory(file)
        ),
        Missing::PlaybookIsDirectory(path) => format!("playbook `{path}` is a directory; name the .yml file in it"),
        Missing::Inventory(file) => format!(
            "inventory `{path}` does not exist in {}; check the path, or write `{path},` for a host of that name",
            directory(file),
            path = file.path
        ),
        Missing::UnreadableInventory { path, cause } => {
            format!("inventory `{path}` cannot be read: {cause}; check its owner and mode")
        }
        Missing::Requirements(file) => {
            format!("`galaxy_requirements` names `{}`, which does not exist in {}", file.path, directory(file))
        }
        Missing::Config(file) => {
            format!("`ansible_config` names `{}`, which does not exist in {}", file.path, directory(file))
        }
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

fn marker_problem(problem: &MarkerProblem) -> String {
    match problem {
        MarkerProblem::EmptyStatus => "SYNC_STATUS= is empty".to_owned(),
        MarkerProblem::UnknownStatus(status) => {
            format!("SYNC_STATUS={status} is neither SYNCED nor OUT_OF_SYNC")
        }
        MarkerProblem::BothStatuses => "it says both SYNCED and OUT_OF_SYNC".to_owned(),
        MarkerProblem::TwoLists => "it gives two different DRIFTED_FILES lists".to_owned(),
        MarkerProblem::SyncedWithFiles => "it says SYNCED and lists drifted files".to_owned(),
        MarkerProblem::FilesWithoutStatus => "it lists DRIFTED_FILES and says no SYNC_STATUS".to_owned(),
        MarkerProblem::UnreadableFiles => {
            "DRIFTED_FILES=[...] is no JSON list of strings; write it with `to_json`".to_owned()
        }
    }
}

fn unverified(why: WhyUnverified) -> &'static str {
    match why {
        WhyUnverified::Unreachable(_) => "could not reach the host",
        WhyUnverified::Failed(_) => "failed",
        WhyUnverified::FailureHidden => "answered like a failure, and `failed_when` made it a success",
        WhyUnverified::FailureCensored => "has `failed_when` and `no_log`, so a failure of it would not be seen",
        WhyUnverified::SkippedInCheckMode => "was skipped because of check mode",
        WhyUnverified::SkippedByCheckModeWhen => "was skipped by its `when` on ansible_check_mode",
        WhyUnverified::SkipCensored => "was skipped, and `no_log` hides why",
        WhyUnverified::GlobMatchedNothing => "loops over a file glob that matched nothing",
        WhyUnverified::JobNotAwaited => "started a job that nobody waited for",
        WhyUnverified::NeverCompared => "does not compare content that is there already (`force: false`)",
        WhyUnverified::ChangeHidden => "sets `changed_when`, and no diff shows whether anything differs",
        WhyUnverified::ItemsMissing => "did not report every item of its loop",
    }
}

/// What the reader can do, in words that name the setting or the line of the playbook. `None` where the sentence has
/// said it.
pub fn remedy(reason: &Reason) -> Option<String> {
    let words = match reason {
        Reason::NotStarted(_) | Reason::Cancelled { .. } => return None,
        Reason::TimedOut { .. } => {
            "raise `timeout`, or find out what the task waits for; \
             `ansible_env: {ANSIBLE_TASK_TIMEOUT: \"60\"}` ends it on a host that hangs, so that the others are judged"
        }
        Reason::Killed { .. } => "look for an out-of-memory kill on the agent, or for who else ended it",
        Reason::ExitCode(_) | Reason::PlaybookUnfinished { .. } | Reason::PlaybookNotRun { .. } => {
            "see Ansible's own error above"
        }
        Reason::NoEvents => {
            "look for a warning about a callback above; check `callback_plugins` and ANSIBLE_* settings"
        }
        Reason::EventsDamaged(_) => "check the space left where TMPDIR points to, then run the step again",
        Reason::CallbackFailed => "this is a defect of the plugin; please report it with this log",
        Reason::NotInCheckMode { .. } => {
            "remove what turns check mode off from `args`, or set `check: false` and print markers"
        }
        Reason::LimitNotAsked { .. } => "move the limit from `args` into the setting `limit`, or remove it",
        Reason::TagsNotAsked { .. } => {
            "set `tags` to the same, or remove them from `args`, ANSIBLE_RUN_TAGS and `[tags] run` of ansible.cfg"
        }
        Reason::SkipTagsNotAsked { .. } => {
            "set `skip_tags` to the same, or remove them from `args`, ANSIBLE_SKIP_TAGS and `[tags] skip` of ansible.cfg"
        }
        Reason::StartAtTask { .. } => "remove --start-at-task from `args`",
        Reason::Step => "remove --step from `args`",
        Reason::NoPlay => "remove --syntax-check and --list-... from `args`, and check that the playbook holds a play",
        Reason::NoHost => "name the servers in `inventory`; the implicit localhost is only the place the check runs at",
        Reason::PlayMatchedNoHost { play } => {
            return Some(format!(
                "fill its group in the inventory, or set `ignore_plays: [{}]` if it is meant to be empty",
                pasted(play)
            ));
        }
        Reason::PlayNotInCheckMode { .. } => {
            "set `check_mode: false` on single probing tasks instead of the play, or set `check: false` and print markers"
        }
        Reason::EndedEarly { .. } => {
            "put a `when` on the tasks instead, so that what is skipped is skipped for a reason"
        }
        Reason::HostTookNoPart { .. } | Reason::HostNotInRecap | Reason::FailureInRecap => {
            "see Ansible's output above for what ended the play early"
        }
        Reason::HostKeyNotChecked { by: KeyCheckBypass::SshArgs } => {
            "that variable replaces what this step tells ssh: rename it to `ansible_ssh_common_args`"
        }
        Reason::HostKeyNotChecked { by: KeyCheckBypass::ConnectionPlugin(_) } => {
            "that connection plugin does not read `ssh_known_hosts`: connect by ssh, or check the host in a step without it"
        }
        Reason::SharedConnection { .. } => {
            "remove the control path from that variable, or write ControlPath=none: this step has masters of its own"
        }
        Reason::EndedByOthers { .. } => {
            "mend the failing host; without it, or without `any_errors_fatal`, this one can be judged"
        }
        Reason::NothingVerified => {
            "let the playbook manage something on it, leave the host out with `limit`, or print SYNC_STATUS markers"
        }
        Reason::NothingLooked => "let a task read the host's files (stat, slurp, command) before the status is stated",
        Reason::NoStatement => {
            "let a `debug` task print SYNC_STATUS=SYNCED or SYNC_STATUS=OUT_OF_SYNC on each host, or one `run_once` for all"
        }
        Reason::BrokenStatement { .. } => {
            "print SYNC_STATUS once for each host, and DRIFTED_FILES only with OUT_OF_SYNC"
        }
        Reason::Contradicted { .. } => "correct what the playbook compares, or what it states",
        Reason::StatedForAll { .. } => "let each host state its own result, or turn `per_host` off",
        Reason::Task { task, why, never_changed } => return Some(task_remedy(*why, &task.name, *never_changed)),
    };
    Some(words.to_owned())
}

fn task_remedy(why: WhyUnverified, task: &str, never_changed: bool) -> String {
    let waive = || format!("`ignore_tasks: [{}]` if this need not be verified", pasted(task));
    match why {
        WhyUnverified::Unreachable(WhyUnreachable::HostKeyChanged | WhyUnreachable::HostKeyUnknown) => {
            "its host key is not the known one: if the server was set up anew, correct `ssh_known_hosts`; \
             if not, somebody may sit in between"
                .to_owned()
        }
        WhyUnverified::Unreachable(WhyUnreachable::AuthRefused | WhyUnreachable::Other) => {
            "check that the host is up, and that user, key and known host are right; or leave it out with `limit`"
                .to_owned()
        }
        WhyUnverified::Failed(WhyFailed::SudoWantsTerminal) => {
            "sudo on it wants a terminal (`requiretty`), which a pipelined task has not: \
             set `ansible_env: {ANSIBLE_PIPELINING: \"false\"}`"
                .to_owned()
        }
        WhyUnverified::Failed(WhyFailed::Other) => "mend what fails; a failure is never waived".to_owned(),
        WhyUnverified::FailureHidden | WhyUnverified::FailureCensored => {
            format!("narrow its `failed_when` to the answers that are fine, or set {}", waive())
        }
        WhyUnverified::SkippedInCheckMode | WhyUnverified::SkippedByCheckModeWhen | WhyUnverified::SkipCensored
            if never_changed =>
        {
            "it only reads (`changed_when: false`): set `check_mode: false` on it, so that it runs in check mode too"
                .to_owned()
        }
        WhyUnverified::SkippedInCheckMode => format!(
            "set `check_mode: false` on it if it only reads, use a module with check mode instead, or set {}",
            waive()
        ),
        WhyUnverified::SkippedByCheckModeWhen => {
            format!("remove ansible_check_mode from its `when`, or set {}", waive())
        }
        WhyUnverified::SkipCensored => format!("remove `no_log` from what needs none, or set {}", waive()),
        WhyUnverified::GlobMatchedNothing => format!("check the path of the glob, or set {}", waive()),
        WhyUnverified::JobNotAwaited => format!("wait for it with `async_status`, or set {}", waive()),
        WhyUnverified::NeverCompared => format!("remove `force: false`, or set {}", waive()),
        WhyUnverified::ChangeHidden => {
            format!("remove `diff: false` or `no_log`, or its `changed_when`, or set {}", waive())
        }
        WhyUnverified::ItemsMissing => "see Ansible's output above for what ended the loop early".to_owned(),
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
    use crate::evidence::task::TaskRef;

    fn finding(why: WhyUnverified, hosts: &[&str], said: &str) -> Finding {
        Finding {
            reason: Reason::Task {
                task: TaskRef { name: "run it".to_owned(), place: None },
                why,
                never_changed: false,
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

    #[test]
    fn a_pasted_waiver_matches_the_task_it_came_from() {
        for name in ["plain", "with, comma", "brackets [x] and *", "a \"quoted\" one"] {
            let glob: String = serde_json::from_str(&pasted(name)).unwrap();
            assert!(!glob.contains(','), "{glob}");
            assert!(Pattern::new(&glob).unwrap().matches(name), "{name} by {glob}");
        }
    }
}
