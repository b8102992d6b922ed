//! What keeps a run from starting, as a type: looked at before anything is started, or told by the start itself.
//!
//! Not here: how it is said; that is the verdict's.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ansible::command::inventories;
use crate::settings::AnsibleSettings;

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
    /// A playbook that is a directory, by its value.
    PlaybookIsDirectory(String),
    /// An inventory that does not exist.
    Inventory(MissingFile),
    /// An inventory that cannot be read.
    UnreadableInventory {
        /// Its value.
        path: String,
        /// The kernel's word for why.
        cause: String,
    },
    /// A file of `galaxy_requirements` that does not exist.
    Requirements(MissingFile),
    /// A file of `ansible_config` that does not exist.
    Config(MissingFile),
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
    let requirements = ansible.galaxy_requirements.as_deref().and_then(missing_file).map(Missing::Requirements);
    let config = ansible.ansible_config.as_deref().and_then(missing_file).map(Missing::Config);
    playbooks.chain(inventories).chain(requirements).chain(config).collect()
}

fn missing_playbook(playbook: &str) -> Option<Missing> {
    if Path::new(playbook).is_dir() {
        return Some(Missing::PlaybookIsDirectory(playbook.to_owned()));
    }
    missing_file(playbook).filter(|_| !in_a_collection(playbook)).map(Missing::Playbook)
}

fn missing_inventory(inventory: &str) -> Option<Missing> {
    // An inline host list.
    if inventory.contains(',') {
        return None;
    }
    if let Some(missing) = missing_file(inventory) {
        return Some(Missing::Inventory(missing));
    }
    let readable = if Path::new(inventory).is_file() { File::open(inventory).map(drop) } else { Ok(()) };
    let unreadable =
        |error: std::io::Error| Missing::UnreadableInventory { path: inventory.to_owned(), cause: error.to_string() };
    readable.map_err(unreadable).err()
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

/// Whether `ssh-keygen` says that ssh cannot use the key at `path`; false also where there is no `ssh-keygen` to ask.
pub fn is_damaged_key(path: &Path) -> bool {
    let asked = Command::new("ssh-keygen")
        .args(["-y", "-P", "", "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| !status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_ssh_cannot_use_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path).status().unwrap();
        assert!(made.success());
        assert!(!is_damaged_key(&path));
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen('A', "B", 40)).unwrap();
        assert!(is_damaged_key(&path));
    }

    #[test]
    fn what_is_missing_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().display().to_string();
        assert_eq!(missing_playbook(&directory), Some(Missing::PlaybookIsDirectory(directory.clone())));
        assert_eq!(missing_playbook("acme.site.deploy"), None);
        assert!(
            matches!(missing_playbook("acme.site.yml"), Some(Missing::Playbook(file)) if file.path == "acme.site.yml")
        );
        assert_eq!(missing_inventory("web01,"), None);
        assert_eq!(missing_inventory(&directory), None);
        assert!(matches!(missing_inventory("nonesuch"), Some(Missing::Inventory(_))));
    }
}
