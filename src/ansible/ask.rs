//! Asks a small program of the system something, without waiting for ever.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};

/// How long an answer may take. These programs look at a file or two, and answer within milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it is waited at once, in nanoseconds.
const PAUSE: i64 = 50_000_000;

/// How long a program takes to end after its files were closed.
const MOMENT: Duration = Duration::from_micros(200);

/// What a program answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Whether it exited with code 0.
    pub success: bool,
    /// The first that it wrote to stderr.
    pub stderr: String,
}

/// Runs a program to its end; `None` where it cannot be started, or was ended because it took too long or `is_cancelled`
/// became true.
///
/// The end of a program closes its stderr, which ends a pause at once. Where something else holds that open, the end is seen
/// when the pause is over.
pub(super) fn ask(command: &mut Command, is_cancelled: impl Fn() -> bool) -> Option<Answer> {
    // A group of its own, which can be ended whole.
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().ok()?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(Answer { success: status.success(), stderr: first_of_stderr(&mut child) }),
            Ok(None) if Instant::now() < deadline && !is_cancelled() => pause(&child),
            Ok(None) | Err(_) => {
                // An error means that it has ended by now, which is as good.
                let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
                let _ = child.wait();
                return None;
            }
        }
    }
}

/// Waits until nobody holds the child's stderr open any more, and for [`PAUSE`] at most.
fn pause(child: &Child) {
    let mut closed: Vec<PollFd> = child.stderr.iter().map(|pipe| PollFd::new(pipe, PollFlags::empty())).collect();
    // A signal ends it early, and then there is a look at everything again.
    let _ = poll(&mut closed, Some(&Timespec { tv_sec: 0, tv_nsec: PAUSE }));
    if closed.iter().any(|pipe| !pipe.revents().is_empty()) {
        // It ends in a moment, unless it closed its stderr itself and goes on.
        sleep(MOMENT);
    }
}

/// What is in the pipe. Whoever else holds its other end is not waited for.
fn first_of_stderr(child: &mut Child) -> String {
    let mut first = [0; 4096];
    let length = child.stderr.take().and_then(|mut pipe| {
        rustix::io::ioctl_fionbio(&pipe, true).ok()?;
        pipe.read(&mut first).ok()
    });
    String::from_utf8_lossy(&first[..length.unwrap_or_default()]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn an_answer_is_the_exit_code_and_what_was_written() {
        let answer = ask(&mut shell("echo one >&2; echo two >&2"), || false);
        assert_eq!(answer, Some(Answer { success: true, stderr: "one\ntwo\n".to_owned() }));
        assert_eq!(ask(&mut shell("exit 3"), || false).map(|answer| answer.success), Some(false));
        assert_eq!(ask(&mut Command::new("/nonexistent"), || false), None);
    }

    #[test]
    fn a_program_that_does_not_answer_is_ended_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let (alive, started) = (folder.path().join("alive"), folder.path().join("started"));
        assert!(Command::new("mkfifo").arg(&alive).status().unwrap().success());
        // Both hold the pipe open for reading as long as they live.
        let script = format!("exec 3<> {}; sleep 600 & : > {}; wait", alive.display(), started.display());
        let is_asked = std::cell::Cell::new(false);
        let is_cancelled = || {
            is_asked.set(true);
            started.exists()
        };
        assert_eq!(ask(&mut shell(&script), is_cancelled), None);
        assert!(is_asked.get(), "nothing can cancel it");
        // Each has its signal by now, and dies on its own.
        while writer(&alive).is_ok() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_a_program_leaves_behind_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // It holds stderr too, and reads until somebody opens the pipe and closes it.
        let answer = ask(&mut shell(&format!("echo gone >&2; cat {} & exit 0", pipe.display())), || false);
        assert_eq!(answer.unwrap().stderr, "gone\n");
        while writer(&pipe).is_err() {
            std::thread::yield_now();
        }
    }

    /// Opens a named pipe for writing, which fails where nobody reads.
    fn writer(pipe: &std::path::Path) -> std::io::Result<std::fs::File> {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
        std::fs::OpenOptions::new().write(true).custom_flags(flags).open(pipe)
    }
}
