//! The programs of one run, one after the other: what keeps it from starting, the installation, the playbook.
//!
//! Not here: their command lines, which are the ansible stage's, and watching one of them ([`super::supervise`]).

use std::ffi::OsString;

use anyhow::Result;

use super::signals::Signals;
use super::supervise::{Ending, supervise};
use crate::ansible::command::{self, Invocation};
use crate::ansible::preflight::{self, InstallFailure, NotStarted};
use crate::ansible::run_dir::RunDir;
use crate::output::redact::Redactor;
use crate::settings::AnsibleSettings;

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
    /// Installs what `galaxy_requirements` lists and runs the playbook, each for no longer than `timeout`, and shows what
    /// they print. `environment` is the step's own.
    ///
    /// # Errors
    /// When a file of the run cannot be written, or its processes cannot be watched. A missing program or playbook is an [`Ending`].
    pub fn execute(&self, environment: &[(OsString, OsString)], signals: &mut Signals) -> Result<Ending> {
        if let Some(obstacle) = self.obstacle(environment, signals) {
            return Ok(Ending::NotStarted(obstacle));
        }
        let playbook = command::playbook(self.ansible, self.run_dir, environment.iter().cloned(), self.colour)?;
        if let Some(installation) = command::installation(self.ansible, &playbook) {
            let installed = self.supervise(&installation, signals)?;
            if installed != Ending::Exited(0) {
                return Ok(self.not_installed(installed));
            }
        }
        self.supervise(&playbook, signals)
    }

    /// The end of a run whose installation ended like this.
    fn not_installed(&self, installation: Ending) -> Ending {
        let how = match installation {
            Ending::Exited(code) => InstallFailure::Exited(code),
            Ending::Killed(signal) => InstallFailure::Killed(signal),
            Ending::TimedOut => InstallFailure::TimedOut,
            ending @ (Ending::Cancelled(_) | Ending::NotStarted(_)) => return ending,
        };
        let requirements = self.ansible.galaxy_requirements.clone().unwrap_or_default();
        Ending::NotStarted(NotStarted::NotInstalled { requirements, how })
    }

    /// What keeps the run from starting and can be seen before it does.
    fn obstacle(&self, environment: &[(OsString, OsString)], signals: &Signals) -> Option<NotStarted> {
        let missing = preflight::missing(self.ansible).into_iter().next().map(NotStarted::Missing);
        let is_damaged = || preflight::is_damaged_key(self.run_dir, environment, || signals.cancelled().is_some());
        missing.or_else(|| is_damaged().then_some(NotStarted::DamagedKey))
    }

    fn supervise(&self, invocation: &Invocation, signals: &mut Signals) -> Result<Ending> {
        supervise(invocation, self.ansible.timeout, self.run_dir.cleanup(), self.redactor, signals)
    }
}
