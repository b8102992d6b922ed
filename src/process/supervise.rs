//! Starts one program, waits for it, and ends it when its time is up or the step is cancelled.
//!
//! Not here: which program ([`super::run`]), the processes that it leaves behind ([`super::descendants`]), what it prints ([`super::output`]), and what its
//! exit code means, which the verdict decides.
//!
//! The process is waited for, never the end of its output: an ssh master can hold that open for a minute. Waiting costs
//! nothing and wakes at once, because signals and ended children wake the same sleep ([`super::signals`]). Children are
//! collected with `wait` for any child, since orphans become ours; nobody else in this program may wait for the run.
//! When the run and a signal end the step at the same moment, the signal counts: what was cancelled claims nothing.

use std::io::{ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, WaitStatus, kill_process_group};

use super::descendants::{adopt_orphans, collect_ended, kill_descendants};
use super::output::{self, Shown};
use super::signals::Signals;
use crate::ansible::command::Invocation;
use crate::ansible::preflight::NotStarted;
use crate::output::redact::Redactor;

/// The bytes that an empty pipe takes at once on every system (`PIPE_BUF` of Linux).
const PIPE_BUF: usize = 4096;

/// How long a program has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// How a program ended. A playbook that fails is an ending; only what *we* could not do is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It never ran.
    NotStarted(NotStarted),
    /// It exited with this code.
    Exited(i32),
    /// It was ended by this signal, which was not ours.
    Killed(i32),
    /// It was ended because its time was up.
    TimedOut,
    /// The step itself was ended by this signal.
    Cancelled(i32),
}

/// Runs one program to its end, for no longer than `timeout`, and shows what it prints. No process that it started is left,
/// but `cleanup`.
///
/// # Errors
/// When the processes cannot be watched. A program that cannot be started is an [`Ending`].
pub(super) fn supervise(
    invocation: &Invocation,
    timeout: Duration,
    cleanup: Pid,
    redactor: Option<&Redactor>,
    signals: &mut Signals,
) -> Result<Ending> {
    adopt_orphans()?;
    // It may have come while something else was waited for.
    if let Some(signal) = signals.cancelled() {
        return Ok(Ending::Cancelled(signal));
    }
    let mut child = match command(invocation).spawn() {
        Ok(child) => child,
        Err(error) => {
            kill_descendants(cleanup);
            let program = invocation.program;
            return Ok(Ending::NotStarted(NotStarted::Program { program, problem: (&error).into() }));
        }
    };
    let pid = Pid::from_child(&child);
    let connected = write_input(&mut child, invocation).and_then(|()| show_output(&mut child, invocation, redactor));
    let shown = connected.inspect_err(|_| kill_descendants(cleanup))?;
    let deadline = Instant::now() + timeout;
    let ending = loop {
        if let Some(status) = collect_ended(pid) {
            break status.into();
        }
        if let Some(signal) = signals.cancelled() {
            terminate(pid, signals);
            break Ending::Cancelled(signal);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            terminate(pid, signals);
            break Ending::TimedOut;
        }
        signals.sleep(left);
    };
    kill_descendants(cleanup);
    // Nobody is left who could write, unless a process of another user could not be ended.
    shown.wait(GRACE);
    // A signal may have reached the whole group at once, and the program may have ended before us.
    Ok(signals.cancelled().map_or(ending, Ending::Cancelled))
}

fn command(invocation: &Invocation) -> Command {
    let mut command = Command::new(invocation.program);
    command
        .args(&invocation.arguments)
        .env_clear()
        .envs(invocation.environment.iter())
        .stdin(if invocation.input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Its own group: a signal from a terminal reaches us alone, and we pass it on.
        .process_group(0);
    command
}

/// Writes what the program reads. It stays in the pipe until it is read, and is on no disk.
fn write_input(child: &mut Child, invocation: &Invocation) -> Result<()> {
    let (Some(mut pipe), Some(input)) = (child.stdin.take(), &invocation.input) else { return Ok(()) };
    let program = invocation.program;
    // A pipe takes this much at once, whoever reads it and when.
    anyhow::ensure!(
        input.expose().len() <= PIPE_BUF,
        "cannot hand `{program}` a password of more than {PIPE_BUF} bytes"
    );
    match pipe.write_all(input.expose().as_bytes()) {
        // It ended early, and says why itself.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.with_context(|| format!("cannot hand `{program}` a password")),
    }
}

fn show_output(child: &mut Child, invocation: &Invocation, redactor: Option<&Redactor>) -> Result<Shown> {
    output::show(child, redactor).with_context(|| {
        let program = invocation.program;
        format!("cannot start a thread that shows what `{program}` prints; raise the limit of processes")
    })
}

impl From<WaitStatus> for Ending {
    fn from(status: WaitStatus) -> Self {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, Some(signal)) => Self::Killed(signal),
            (None, None) => Self::Killed(0),
        }
    }
}

/// SIGTERM to the group; what is left after [`GRACE`] is killed with the other descendants.
fn terminate(main: Pid, signals: &mut Signals) {
    // An error means that nothing is there to be ended.
    let _ = kill_process_group(main, Signal::TERM);
    let deadline = Instant::now() + GRACE;
    while collect_ended(main).is_none() && Instant::now() < deadline {
        signals.sleep(deadline.saturating_duration_since(Instant::now()));
    }
}
