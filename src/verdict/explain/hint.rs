//! What the reader of a reason can do about it.
//!
//! No hint may change a server: `check_mode: false` stands only with "if it only reads" before it, and that a task can be
//! ignored stands beside it. What to write for that is printed once, for all of them.

use crate::evidence::connection::KeyCheckBypass;
use crate::evidence::source::{Source, WhyUnknown};
use crate::evidence::task::EmptyLoop;
use crate::evidence::unverified::{WhyFailed, WhyUnreachable, WhyUnverified};
use crate::verdict::reason::Reason;

/// What the reader can do, in words that name the setting or the line of the playbook. `None` where the sentence has
/// said it.
pub fn hint(reason: &Reason) -> Option<String> {
    let words = match reason {
        Reason::NotStarted(_) | Reason::Cancelled { .. } => return None,
        Reason::TimedOut { .. } => {
            "raise `timeout`, or find out what the task is waiting for; \
             with `ansible_env: {ANSIBLE_TASK_TIMEOUT: \"60\"}`, a host that hangs does not affect the others"
        }
        Reason::Killed { .. } => "check whether the agent ran out of memory, or what else killed it",
        Reason::ExitCode(_) | Reason::PlaybookUnfinished { .. } | Reason::PlaybookNotRun { .. } => {
            "see Ansible's own error above"
        }
        Reason::NoEvents => {
            "look for a warning about a callback above; check `callback_plugins` and ANSIBLE_* settings"
        }
        Reason::EventsDamaged(_) => "check the free space in TMPDIR, then run the step again",
        Reason::CallbackFailed => "this is a bug in the plugin, please report it with this log",
        Reason::NotInCheckMode { .. } => {
            "remove what turns check mode off from `args`, or set `check: false` and print SYNC_STATUS"
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
        Reason::NoPlay => {
            "remove --syntax-check and --list-... from `args`, and check that the playbook contains a play"
        }
        Reason::NoHost => "list the servers in `inventory`; the implicit localhost is not one of them",
        Reason::PlayMatchedNoHost { .. } => {
            "add hosts to its group in the inventory, or ignore the play as below if the group may be empty"
        }
        Reason::PatternMatchedNothing { .. } => {
            "correct the name, or add it to the inventory; or ignore the play as below if it may match no host"
        }
        Reason::LimitMatchedNothing { .. } => "correct the name in `limit`, or add it to the inventory",
        Reason::PlayHostsUnknown { source, .. } => return Some(of_source(source)),
        Reason::PromptNotAnswered { variable } => return Some(answer_prompt(variable)),
        Reason::PlayNotInCheckMode { .. } => {
            "set `check_mode: false` on tasks that only read, instead of the play; or set `check: false` and print SYNC_STATUS"
        }
        Reason::EndedEarly { .. } => "set `when` on the tasks instead, so that each skipped task has a reason",
        Reason::HostTookNoPart { .. } | Reason::HostNotInRecap | Reason::FailureInRecap => {
            "see Ansible's output above for what ended the play early"
        }
        Reason::HostKeyNotChecked { by: KeyCheckBypass::SshArgs } => {
            "the variable replaces the plugin's ssh options; rename it to `ansible_ssh_common_args`"
        }
        Reason::HostKeyNotChecked { by: KeyCheckBypass::ConnectionPlugin(_) } => {
            "this connection plugin does not use `ssh_known_hosts`; use `connection: ssh`, or check the host in another step"
        }
        Reason::SharedConnection { .. } => {
            "remove ControlPath from the variable, or set it to none; the plugin manages its own ControlMaster"
        }
        Reason::EndedByOthers { .. } => "fix the failing host, or remove `any_errors_fatal`",
        Reason::NothingVerified => {
            "add a task that manages something on it, exclude the host with `limit`, or print SYNC_STATUS"
        }
        Reason::NothingLooked => "let a task read the host's files (stat, slurp, command) before the status is stated",
        Reason::NoStatement => {
            "let a `debug` task print SYNC_STATUS=SYNCED or SYNC_STATUS=OUT_OF_SYNC on each host, or once with `run_once`"
        }
        Reason::BrokenStatement { .. } => {
            "print SYNC_STATUS once for each host, and DRIFTED_FILES only with OUT_OF_SYNC"
        }
        Reason::Contradicted { .. } => "correct what the playbook compares, or the status that it states",
        Reason::StatedForAll { .. } => "let each host state its own result, or set `per_host: false`",
        Reason::Task { why, .. } => return Some(of_task(why)),
    };
    Some(words.to_owned())
}

fn of_task(why: &WhyUnverified) -> String {
    let words = match why {
        WhyUnverified::DependsOn(source) => return of_source(source),
        WhyUnverified::AnswerNoProof(condition) if condition.hint.is_empty() => "ignore it as below",
        WhyUnverified::AnswerNoProof(condition) => return or_ignore(condition.hint),
        WhyUnverified::Unreachable(WhyUnreachable::HostKeyUnknown) => {
            return "its host key is unknown: compare the fingerprint with the server's own, then add its line to \
                    `ssh_known_hosts`"
                .to_owned();
        }
        WhyUnverified::Unreachable(WhyUnreachable::HostKeyChanged) => {
            return "its host key has changed: if the server was reinstalled, correct `ssh_known_hosts`; \
                    if not, somebody may be intercepting the connection"
                .to_owned();
        }
        WhyUnverified::Unreachable(WhyUnreachable::AuthRefused | WhyUnreachable::Other) => {
            return "check that the host is up, and that user, key and host key are right; or exclude it with `limit`"
                .to_owned();
        }
        WhyUnverified::Failed(WhyFailed::SudoWantsTerminal) => {
            return "its sudo requires a terminal (`requiretty`), which does not work with pipelining: \
                    set `ansible_env: {ANSIBLE_PIPELINING: \"false\"}`"
                .to_owned();
        }
        WhyUnverified::Failed(WhyFailed::AsyncInCheckMode) => {
            return "Ansible runs no `async` task in check mode: set `check_mode: false` on it if it only reads; if not, write \
                    `async: \"{{ 0 if ansible_check_mode else 600 }}\"`"
                .to_owned();
        }
        WhyUnverified::Failed(WhyFailed::Other) => {
            return "fix the failing task; failures cannot be ignored".to_owned();
        }
        WhyUnverified::ItemsMissing => return "see Ansible's output above for what ended the loop early".to_owned(),
        WhyUnverified::FailureHidden | WhyUnverified::FailureCensored => {
            "let its `failed_when` accept only the errors that are expected"
        }
        WhyUnverified::ArgumentOnCheckMode => "remove ansible_check_mode from its loop and its arguments",
        WhyUnverified::SkippedInCheckMode => {
            "if it only reads, set `check_mode: false` on it; if not, use a module that supports check mode"
        }
        WhyUnverified::RescueUndecided => {
            "if it only reads, set `check_mode: false` on it; if not, take it out of the block"
        }
        WhyUnverified::SkippedByCheckModeWhen => "remove ansible_check_mode from its `when`",
        WhyUnverified::SkippedItself => "read its message, and install what it needs",
        WhyUnverified::SkipCensored => "remove `no_log` where it is not needed",
        WhyUnverified::LoopFoundNothing(EmptyLoop::Files) => "check the path of the glob",
        WhyUnverified::LoopFoundNothing(EmptyLoop::Found) => "check the paths that `find` looks at",
        WhyUnverified::LoopFoundNothing(EmptyLoop::FirstFound) => {
            "check the paths, or set `skip: true` if none of them has to exist"
        }
        WhyUnverified::LoopFoundNothing(EmptyLoop::ErrorsIgnored) => "do not ignore the errors of its lookup",
        WhyUnverified::JobNotAwaited => "wait for it with `async_status`",
        WhyUnverified::TouchedAgain => "set `access_time: preserve` and `modification_time: preserve`",
        WhyUnverified::NothingToCopy => "check the path, and that the checkout is complete (submodules, LFS)",
        WhyUnverified::LoneFile => "copy the file itself, by its full path",
        WhyUnverified::Disclaimed => "see its warning above",
        WhyUnverified::ExitCodeNoAnswer(_) => {
            "list the expected exit codes in its `changed_when` or `failed_when`, such as `rc == 1`"
        }
        WhyUnverified::HandlerAlone => "make it a task, or let a task that compares something notify it",
        WhyUnverified::ChangeHidden => "remove its `changed_when`, or what hides its diff (`diff: false`, `no_log`)",
    };
    or_ignore(words)
}

fn answer_prompt(variable: &str) -> String {
    format!("set `{variable}` in `extra_vars`")
}

fn or_ignore(words: &str) -> String {
    if words.starts_with("ignore") { words.to_owned() } else { format!("{words}; or ignore it as below") }
}

/// What can be done about an unknown value where it comes from.
fn of_source(source: &Source) -> String {
    match source {
        Source::Task { task, why: WhyUnknown::SkippedInCheckMode | WhyUnknown::HeldBack, .. } => {
            or_ignore(&format!("if `{}` only reads, set `check_mode: false` on it", task.name))
        }
        Source::Prompt { name } => answer_prompt(name),
        Source::CheckMode => or_ignore("remove ansible_check_mode from it"),
        Source::GoneHost { .. } => "make the host reachable, or fix what fails on it".to_owned(),
        Source::Task { .. } | Source::LimitedHost { .. } | Source::Unreadable { .. } => "ignore it as below".to_owned(),
    }
}
