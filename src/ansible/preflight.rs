//! What keeps a run from starting, as a type: looked at before anything is started, or told by the start itself.
//!
//! Not here: how it is said; that is the verdict's.

use std::ffi::OsString;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ansible::ask::ask;
use crate::ansible::command::inventories;
use crate::ansible::environment::Environment;
use crate::ansible::run_dir::RunDir;
use crate::settings::{AnsibleSettings, Setting, table};

/// Why the playbook was not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotStarted {
    /// Something the settings name is not there.
    Missing(Missing),
    /// `ssh-keygen` cannot read `ssh_private_key`.
    DamagedKey,
    /// One of Ansible's programs cannot be started.
    Program {
        /// Its name.
        program: &'static str,
        /// Why.
        problem: ProgramProblem,
    },
    /// `ansible-galaxy` did not install what the file lists.
    NotInstalled {
        /// The value of `galaxy_requirements`.
        requirements: String,
        /// How it ended.
        how: InstallFailure,
    },
}

/// Something the settings name that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// A playbook that does not exist.
    Playbook(MissingFile),
    /// An inventory that does not exist.
    Inventory(MissingFile),
    /// A file of `galaxy_requirements` that does not exist.
    Requirements(MissingFile),
    /// A file of `ansible_config` that does not exist.
    Config(MissingFile),
    /// A directory where a file is meant.
    IsDirectory {
        /// The setting that names it.
        setting: &'static Setting,
        /// Its path, as the setting has it.
        path: String,
    },
    /// A device, a pipe or a socket where a file is meant that is read more than once.
    IsNoFile {
        /// The setting that names it.
        setting: &'static Setting,
        /// Its path, as the setting has it.
        path: String,
    },
    /// A file that cannot be read.
    Unreadable {
        /// The setting that names it.
        setting: &'static Setting,
        /// Its path, as the setting has it.
        path: String,
        /// The kernel's word for why.
        cause: String,
    },
}

/// A file that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingFile {
    /// Its path, as the setting has it.
    pub path: String,
    /// Where a relative path begins; `None` where that cannot be told.
    pub directory: Option<PathBuf>,
}

impl MissingFile {
    fn new(path: &str) -> Self {
        Self { path: path.to_owned(), directory: std::env::current_dir().ok() }
    }
}

/// Why a program cannot be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramProblem {
    /// It is not on `PATH`.
    NotOnPath,
    /// It may not be executed.
    NotExecutable,
    /// Its arguments and environment are larger than the kernel takes.
    ArgumentsTooLarge,
    /// Anything else, in the kernel's words.
    Other(String),
}

impl From<&std::io::Error> for ProgramProblem {
    fn from(error: &std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::NotOnPath,
            ErrorKind::PermissionDenied => Self::NotExecutable,
            ErrorKind::ArgumentListTooLong => Self::ArgumentsTooLarge,
            _ => Self::Other(error.to_string()),
        }
    }
}

/// How an installation ended that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstallFailure {
    /// With this exit code.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// It was not over within `timeout`.
    TimedOut,
}

/// Everything that the settings name and that cannot be used.
pub fn missing(ansible: &AnsibleSettings) -> Vec<Missing> {
    let playbooks = ansible.playbooks.iter().filter_map(|playbook| missing_playbook(playbook));
    let inventories = inventories(&ansible.inventory);
    let inventories = inventories.iter().filter_map(|inventory| missing_inventory(inventory));
    let requirements = ansible.galaxy_requirements.as_deref();
    let requirements =
        requirements.and_then(|path| unusable_file(&table::GALAXY_REQUIREMENTS, path, Missing::Requirements));
    let config = ansible.ansible_config.as_deref();
    let config = config.and_then(|path| unusable_file(&table::ANSIBLE_CONFIG, path, Missing::Config));
    playbooks.chain(inventories).chain(requirements).chain(config).collect()
}

fn missing_playbook(playbook: &str) -> Option<Missing> {
    let path = Path::new(playbook);
    if !path.exists() && in_a_collection(playbook) {
        return None;
    }
    unusable_file(&table::PLAYBOOK, playbook, Missing::Playbook)
}

fn missing_inventory(inventory: &str) -> Option<Missing> {
    // An inline host list, or a directory of inventories.
    if inventory.contains(',') || Path::new(inventory).is_dir() {
        return None;
    }
    unusable_file(&table::INVENTORY, inventory, Missing::Inventory)
}

/// What is wrong with a path where a file is meant that can be read.
fn unusable_file(setting: &'static Setting, path: &str, missing: fn(MissingFile) -> Missing) -> Option<Missing> {
    if let Some(file) = missing_file(path) {
        return Some(missing(file));
    }
    if Path::new(path).is_dir() {
        return Some(Missing::IsDirectory { setting, path: path.to_owned() });
    }
    if !Path::new(path).is_file() {
        // A pipe is read once, and this is the one file that is not Ansible's alone to read.
        let is_read_here = setting.name == table::ANSIBLE_CONFIG.name;
        return is_read_here.then(|| Missing::IsNoFile { setting, path: path.to_owned() });
    }
    let cause = File::open(path).err()?.to_string();
    Some(Missing::Unreadable { setting, path: path.to_owned(), cause })
}

fn missing_file(path: &str) -> Option<MissingFile> {
    (!Path::new(path).exists()).then(|| MissingFile::new(path))
}

/// `namespace.collection.playbook`, which Ansible finds among the installed collections.
fn in_a_collection(playbook: &str) -> bool {
    let parts: Vec<_> = playbook.split('.').collect();
    let word = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_');
    parts.len() >= 3 && parts.iter().all(word) && !["yml", "yaml"].contains(&parts[parts.len() - 1])
}

/// Whether `ssh-keygen` says that ssh cannot use the private key; false also where there is no `ssh-keygen` to ask. `inherited`
/// is the step's own environment, most of which is none of its business. It is not waited for once `is_cancelled`.
pub fn is_damaged_key(run_dir: &RunDir, inherited: &[(OsString, OsString)], is_cancelled: impl Fn() -> bool) -> bool {
    let Some(key) = run_dir.private_key() else { return false };
    let inherited = inherited.iter().map(|(name, value)| (name, value));
    is_damaged(key, &Environment::minimal(inherited, run_dir.account()), is_cancelled)
}

fn is_damaged(key: &Path, environment: &Environment, is_cancelled: impl Fn() -> bool) -> bool {
    let mut command = Command::new("ssh-keygen");
    environment.replace_in(&mut command);
    command.args(["-y", "-P", "", "-f"]).arg(key);
    ask(&mut command, is_cancelled).is_some_and(|answer| !answer.success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().display().to_string();
        assert!(matches!(missing_playbook(&directory), Some(Missing::IsDirectory { .. })));
        assert!(matches!(
            unusable_file(&table::ANSIBLE_CONFIG, "/", Missing::Config),
            Some(Missing::IsDirectory { .. })
        ));
        assert!(matches!(
            unusable_file(&table::ANSIBLE_CONFIG, "/dev/null", Missing::Config),
            Some(Missing::IsNoFile { .. })
        ));
        assert_eq!(missing_playbook("/dev/null"), None);
        assert_eq!(missing_playbook("acme.site.deploy"), None);
        assert!(
            matches!(missing_playbook("acme.site.yml"), Some(Missing::Playbook(file)) if file.path == "acme.site.yml")
        );
        assert_eq!(missing_inventory("web01,"), None);
        assert_eq!(missing_inventory(&directory), None);
        assert!(matches!(missing_inventory("nonesuch"), Some(Missing::Inventory(_))));
    }
}
