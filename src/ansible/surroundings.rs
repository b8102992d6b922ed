//! What the platform makes of a run and its user should know.

use crate::ansible::config::ignored_in_working_directory;
use crate::ansible::run_dir::RunDir;

/// What the platform makes of a run.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings {
    /// Ansible will pass over the ansible.cfg of the working directory.
    pub config_ignored: bool,
    /// There is no memory to keep secrets in.
    pub secrets_on_disk: bool,
}

impl Surroundings {
    /// Those of this run.
    pub fn of(run_dir: &RunDir) -> Self {
        Self { config_ignored: ignored_in_working_directory(), secrets_on_disk: run_dir.has_secrets_on_disk() }
    }
}
