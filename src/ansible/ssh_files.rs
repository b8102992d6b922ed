//! The files that tell ssh what [`super::ssh`] says: a configuration, a program called `ssh`, and one that writes down which
//! host keys are offered.
//!
//! Not here: the key and the known hosts themselves ([`super::run_dir`]), and what is made of the offered host keys
//! ([`super::host_keys`]).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rustix::fs::{Access as Permission, access};
use rustix::process::getuid;

use crate::ansible::private_files::PrivateDir;
use crate::ansible::ssh::{SshOption, quoted, word};

/// What an administrator tells every ssh of this machine.
const SYSTEM_CONFIG: &str = "/etc/ssh/ssh_config";

/// Where the user's own configuration comes from.
#[derive(Debug)]
pub(super) enum UserConfig {
    /// ssh's own places.
    Default,
    /// The text of a file that was named (`-F`).
    Text(String),
}

impl UserConfig {
    /// The configuration in a file that was named; `None` where ssh had better say itself why it cannot be read.
    pub(super) fn read(file: &str) -> Option<Self> {
        if file == "none" {
            return Some(Self::Text(String::new()));
        }
        fs::read_to_string(file).ok().map(Self::Text)
    }

    fn lines(&self) -> String {
        match self {
            // Not included: ssh asks more of the owner of an included file than of a named one.
            Self::Text(text) => format!("{text}\n"),
            Self::Default if is_includable(Path::new(SYSTEM_CONFIG)) => {
                format!("Include ~/.ssh/config\nInclude {SYSTEM_CONFIG}\n")
            }
            Self::Default => "Include ~/.ssh/config\n".to_owned(),
        }
    }
}

/// Whether ssh would include a file: it must belong to root or to this user, and nobody else may write to it. Of the
/// system's own file ssh asks that only when it is included, and ends where it is not so, as in some user namespaces.
fn is_includable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| [0, getuid().as_raw()].contains(&meta.uid()) && meta.mode() & 0o022 == 0)
}

/// Writes the configuration of this run. `command` writes down the host keys that are offered, where ssh has such an option.
pub(super) fn write_config(
    dir: &PrivateDir,
    options: &[SshOption],
    user: &UserConfig,
    command: Option<&str>,
) -> Result<PathBuf> {
    let ours = options.iter().map(|option| format!("    {} {}", option.keyword, option.value)).collect::<Vec<_>>();
    // The last place: a command that the user or the administrator has may know hosts that nobody else does.
    let last = command.map(|command| format!("Host *\n    KnownHostsCommand {command}\n")).unwrap_or_default();
    // A master of the user's own may be one that another run made.
    dir.write("ssh_config", &format!("Host *\n{}\n    ControlPath none\n{}{last}", ours.join("\n"), user.lines()))
}

/// Writes a directory with a program called `ssh`, which is `command`, and returns the directory.
pub(super) fn write_program(dir: &PrivateDir, command: &str) -> Result<PathBuf> {
    let programs = dir.make_dir("bin")?;
    dir.write_program("bin/ssh", &format!("#!/bin/sh\nexec {command} \"$@\"\n"))?;
    Ok(programs)
}

/// Writes a script that knows no host and writes each key that is offered to `offered`; the value of the option
/// `KnownHostsCommand` that runs it. Each line holds the host as `known_hosts` names it, the kind of the key, and the key.
pub(super) fn write_key_recorder(dir: &PrivateDir, offered: &Path) -> Result<String> {
    let offered = word(&offered.display().to_string());
    // ssh also asks before it has seen a key, and for the address of a host that it has asked for by name.
    let script = format!("[ \"$1\" != HOSTNAME ] || printf '%s %s %s\\n' \"$2\" \"$3\" \"$4\" >> {offered}\n");
    let script = dir.write("record_host_key", &script)?;
    Ok(format!("/bin/sh {} %I %H %t %K", quoted(&script)))
}

/// The program that `name` is in a search path.
pub(super) fn find_program(path: &str, name: &str) -> Option<PathBuf> {
    let candidates = path.split(':').filter(|dir| dir.starts_with('/')).map(|dir| Path::new(dir).join(name));
    candidates.into_iter().find(|file| file.is_file() && access(file, Permission::EXEC_OK).is_ok())
}

/// Whether the version that `ssh -V` told has the option `KnownHostsCommand`, which came with 8.5. Others end at an option
/// that they do not know.
pub(super) fn has_known_hosts_command(version: &str) -> bool {
    let number = version.strip_prefix("OpenSSH_").unwrap_or_default();
    let end = number.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(number.len());
    let mut parts = number[..end].split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) >= (8, 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_of_ssh_are_told_apart() {
        for version in
            ["OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19 27 Jan 2026", "OpenSSH_8.5p1", "OpenSSH_10.0p2"]
        {
            assert!(has_known_hosts_command(version), "{version}");
        }
        for version in ["OpenSSH_8.4p1 Debian-5", "OpenSSH_7.4p1", "Dropbear v2022.83", ""] {
            assert!(!has_known_hosts_command(version), "{version}");
        }
    }
}
