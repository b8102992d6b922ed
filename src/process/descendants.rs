//! Every process below this one: collecting those that ended, ending those that did not.
//!
//! Not here: when that is done, which is [`super::supervise`]'s and the panic hook's business.
//!
//! Ansible's workers and ssh masters have sessions of their own, so no process group holds them all. The right way would
//! be a cgroup for the run, which the kernel ends as one; making one takes a privilege that a container does not have.
//! So orphans are adopted ([`adopt_orphans`]) and the process table is read. Two races remain, and why they do no harm:
//!
//! - A process may start another one between the look and the signal. The child is ours too, since we adopt it, and is
//!   found by the next look; looking ends only when nobody is left or the time is up.
//! - A process may end and its number be given to a stranger between the look and the signal. Our own children keep their
//!   number until they are collected, which happens here and in the same thread. A grandchild's number is free once its
//!   parent has collected it, but the kernel would have to hand out all others first, within microseconds.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};

/// How long processes that were killed may take to be gone.
const GRACE: Duration = Duration::from_secs(2);

/// What Ansible leaves behind becomes our child and can be ended, also where we are not PID 1.
///
/// # Errors
/// When the kernel refuses.
pub(super) fn adopt_orphans() -> Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).context("cannot adopt orphaned processes")
}

/// Collects every child that has ended; the status of `main` when it is among them.
pub(super) fn collect_ended(main: Pid) -> Option<WaitStatus> {
    let mut found = None;
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid == main {
            found = Some(status);
        }
    }
    found
}

/// Kills every process that descends from us, but the one that cleans up.
pub(crate) fn kill_descendants(cleanup: Pid) {
    let deadline = Instant::now() + GRACE;
    loop {
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        let mut rest = descendants();
        rest.retain(|pid| *pid != cleanup);
        if rest.is_empty() || Instant::now() > deadline {
            return;
        }
        for pid in rest {
            let _ = kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A line of the process table.
struct Process {
    pid: i32,
    parent: i32,
}

/// Every living process below us.
fn descendants() -> Vec<Pid> {
    let processes = living_processes();
    let mut family = vec![rustix::process::getpid().as_raw_nonzero().get()];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(processes.iter().filter(|process| process.parent == parent).map(|process| process.pid));
        next += 1;
    }
    family.into_iter().skip(1).filter_map(Pid::from_raw).collect()
}

fn living_processes() -> Vec<Process> {
    let mut processes = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        if let Some(parent) = parent_if_alive(&stat) {
            processes.push(Process { pid, parent });
        }
    }
    processes
}

/// The parent in a line of `/proc/PID/stat`; `None` for a process that has ended and was not collected yet.
fn parent_if_alive(stat: &str) -> Option<i32> {
    // The command's name stands in parentheses and may hold anything, parentheses included.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (state != "Z").then_some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_whatever_the_command_is_called() {
        assert_eq!(parent_if_alive("7 (sh) S 42 7 7 0"), Some(42));
        assert_eq!(parent_if_alive("7 (a) S 1 (b) R 42 7 7 0"), Some(42));
        assert_eq!(parent_if_alive("7 (sh) Z 42 7 7 0"), None);
        assert_eq!(parent_if_alive(""), None);
    }
}
