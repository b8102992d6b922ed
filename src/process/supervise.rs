//! Starts `ansible-playbook`, waits for it, and ends it when its time is up or the step is cancelled.
//!
//! Not here: the processes that it leaves behind ([`super::descendants`]), what it prints ([`super::output`]), and what its
//! exit code means, which the verdict decides.
//!
//! The process is waited for, never the end of its output: an ssh master can hold that open for a minute. Waiting costs
//! nothing and wakes at once, because signals and ended children wake the same sleep ([`super::signals`]). Children are
//! collected with `wait` for any child, since orphans become ours; nobody else in this program may wait for the run.
//! When the run and a signal end the step at the same moment, the signal counts: what was cancelled claims nothing.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::{Pid, Signal, WaitStatus, kill_process_group};

use super::descendants::{adopt_orphans, collect_ended, kill_descendants};
use super::output;
use super::signals::Signals;
use crate::ansible::command::{self, Invocation};
use crate::ansible::run_dir::RunDir;
use crate::output::redact::Redactor;
use crate::settings::AnsibleSettings;
use crate::settings::ssh_key;

/// How long `ansible-playbook` has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// How a run ended. A playbook that fails is an ending; only what *we* could not do is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It never ran, with the reason and the remedy.
    NotStarted(String),
    /// It exited with this code.
    Exited(i32),
    /// It was ended by this signal, which was not ours.
    Killed(i32),
    /// It was ended because its time was up.
    TimedOut,
    /// The step itself was ended by this signal.
    Cancelled(i32),
}

/// What a run needs.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// What is asked for.
    pub ansible: &'a AnsibleSettings,
    /// The run's private files.
    pub run_dir: &'a RunDir,
    /// Whether Ansible may colour its output.
    pub colour: bool,
    /// What takes secrets out of that output.
    pub redactor: Option<&'a Redactor>,
}

impl Run<'_> {
    /// Installs what `galaxy_requirements` lists, runs the playbook to its end, each within `timeout`, and shows what they
    /// print. `environment` is the step's own.
    ///
    /// # Errors
    /// When the processes of the run cannot be watched. A missing program or playbook is an [`Ending`].
    pub fn play(&self, environment: Vec<(OsString, OsString)>, signals: &mut Signals) -> Result<Ending> {
        let Self { ansible, run_dir, .. } = self;
        if let Some(why) = command::missing(ansible).or_else(|| ssh_key::unusable(run_dir.private_key()?)) {
            return Ok(Ending::NotStarted(why));
        }
        let playbook = command::playbook(ansible, run_dir, environment, self.colour);
        if let Some(installation) = command::installation(ansible, &playbook) {
            let failed = match self.watch(&installation, signals)? {
                Ending::Exited(0) => None,
                Ending::Exited(code) => Some(format!("exited with code {code}")),
                Ending::Killed(signal) => Some(format!("was ended by signal {signal}")),
                Ending::TimedOut => Some("was not over within `timeout`".to_owned()),
                ending @ (Ending::Cancelled(_) | Ending::NotStarted(_)) => return Ok(ending),
            };
            if let Some(failed) = failed {
                return Ok(Ending::NotStarted(not_installed(ansible, &failed)));
            }
        }
        self.watch(&playbook, signals)
    }

    /// Runs one program to its end.
    fn watch(&self, invocation: &Invocation, signals: &mut Signals) -> Result<Ending> {
        adopt_orphans()?;
        let mut command = Command::new(invocation.program);
        command
            .args(&invocation.arguments)
            .env_clear()
            .envs(invocation.environment.iter())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Its own group: a signal from a terminal reaches us alone, and we pass it on.
            .process_group(0);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                kill_descendants(self.run_dir.cleanup());
                return Ok(Ending::NotStarted(not_started(invocation.program, &error)));
            }
        };
        let shown = output::show(&mut child, self.redactor);
        let pid = Pid::from_child(&child);
        let deadline = Instant::now() + self.ansible.timeout;
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
        kill_descendants(self.run_dir.cleanup());
        // Nobody is left who could write, unless a process of another user could not be ended.
        shown.wait(GRACE);
        // A signal may have reached the whole group at once, and Ansible may have ended before us.
        Ok(signals.cancelled().map_or(ending, Ending::Cancelled))
    }
}

fn not_installed(ansible: &AnsibleSettings, why: &str) -> String {
    let requirements = ansible.galaxy_requirements.as_deref().unwrap_or_default();
    format!("`ansible-galaxy` {why} while it installed what `{requirements}` lists; see its own error above")
}

fn not_started(program: &str, error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => {
            format!("`{program}` is not on PATH; use the plugin's image, or install ansible-core where this step runs")
        }
        ErrorKind::PermissionDenied => format!("`{program}` on PATH may not be executed; check its mode and owner"),
        ErrorKind::ArgumentListTooLong => {
            format!(
                "`{program}` cannot be started: the environment and arguments are too large; pass fewer or shorter variables"
            )
        }
        _ => format!("`{program}` cannot be started: {error}"),
    }
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
