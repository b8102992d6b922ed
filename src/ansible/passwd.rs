//! The account that this process runs as. A container may run as any uid, with no entry in `/etc/passwd` and no home of its own:
//! ssh then refuses to start ("No user exists for uid 12345"), and Ansible has nowhere to put its files.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Result;
use rustix::fs::{Access, access};
use rustix::process::{getgid, getuid};

use crate::ansible::private_files::PrivateDir;

/// Gives programs the names in files of our choice instead of `/etc/passwd` and `/etc/group` (the `nss_wrapper` of the
/// Samba project). Only the plugin's image has it at this path: on any other machine names may come from a directory.
pub const NSS_WRAPPER: &str = "/usr/lib/plugin-gitops-status/libnss_wrapper.so";

/// The name of a uid that has none.
const NAME: &str = "woodpecker";

/// What this process needs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// A home directory that it can write.
    pub home: bool,
    /// A name for its uid with such a home, where one can be given. `ssh` asks for the name, and Ansible looks for the
    /// home there and not in `HOME`.
    pub name: bool,
}

impl Needs {
    /// Looks at `/etc/passwd` and at `HOME` in the step's environment.
    pub fn find(environment: &[(OsString, OsString)]) -> Self {
        let variable = environment.iter().find(|(name, _)| name == "HOME").map(|(_, home)| home.as_os_str());
        Self::of(variable, &read("/etc/passwd"))
    }

    fn of(variable: Option<&OsStr>, passwd: &str) -> Self {
        let of_this_user = passwd.lines().filter(|line| is_this_user(line));
        let listed: Vec<&OsStr> = of_this_user.filter_map(|line| line.split(':').nth(5)).map(OsStr::new).collect();
        // Where the variable is missing, programs take the home that is listed.
        let home = variable.filter(|home| !home.is_empty()).or(listed.first().copied());
        let named = listed.iter().any(usable);
        Self { home: !home.is_some_and(usable), name: Path::new(NSS_WRAPPER).exists() && !named }
    }
}

fn usable(home: impl AsRef<Path>) -> bool {
    let home = home.as_ref();
    home.parent().is_some() && home.is_dir() && access(home, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// What a process without a home or a name gets instead.
#[derive(Debug)]
pub struct AccountFiles {
    /// The home directory.
    pub home: Option<PathBuf>,
    /// A list of users with this process in it.
    pub passwd: Option<PathBuf>,
    /// A list of groups with that of this process in it; there whenever `passwd` is.
    pub group: Option<PathBuf>,
}

impl AccountFiles {
    /// Writes into `dir` what is needed.
    pub(super) fn write(dir: &PrivateDir, needs: Needs) -> Result<Self> {
        if !needs.home && !needs.name {
            return Ok(Self { home: None, passwd: None, group: None });
        }
        let home = dir.make_dir("home")?;
        let file = |name, content: String| needs.name.then(|| dir.write(name, &content)).transpose();
        Ok(Self {
            passwd: file("passwd", passwd_with_this_process(&home))?,
            group: file("group", group_with_this_process())?,
            home: needs.home.then_some(home),
        })
    }
}

/// `/etc/passwd`, with this process at `home`.
fn passwd_with_this_process(home: &Path) -> String {
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    let passwd = read("/etc/passwd");
    let name = passwd.lines().find(|line| is_this_user(line)).and_then(|line| line.split(':').next()).unwrap_or(NAME);
    let others = passwd.lines().filter(|line| !is_this_user(line)).map(|line| format!("{line}\n"));
    let own = format!("{name}:x:{uid}:{gid}::{}:/bin/sh\n", home.display());
    others.chain([own]).collect()
}

/// `/etc/group`, with the group of this process.
fn group_with_this_process() -> String {
    let group = read("/etc/group");
    let gid = getgid().as_raw().to_string();
    let listed = group.lines().any(|line| line.split(':').nth(2) == Some(gid.as_str()));
    let own = (!listed).then(|| format!("{NAME}:x:{gid}:\n"));
    group.lines().map(|line| format!("{line}\n")).chain(own).collect()
}

/// Whether a line of `/etc/passwd` is about the uid of this process.
fn is_this_user(line: &str) -> bool {
    line.split(':').nth(2) == Some(getuid().as_raw().to_string().as_str())
}

/// A list that may be missing, as in an image without users.
fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_looked_for_in_its_own_field() {
        let uid = getuid().as_raw();
        assert!(is_this_user(&format!("web:x:{uid}:33::/:/bin/sh")));
        for other in [format!("web:x:1{uid}:{uid}::/:/bin/sh"), format!("{uid}:{uid}"), String::new()] {
            assert!(!is_this_user(&other), "{other}");
        }
    }

    #[test]
    fn a_home_must_be_a_directory_that_can_be_written_and_not_the_root() {
        let good = std::env::temp_dir();
        let listed = format!("me:x:{}:1::{}:/bin/sh\n", getuid().as_raw(), good.display());
        assert!(!Needs::of(Some(good.as_os_str()), "").home);
        for home in ["/", "/nonexistent", "/etc/passwd"] {
            assert!(Needs::of(Some(OsStr::new(home)), &listed).home, "{home}");
        }
        for no_variable in [None, Some(OsStr::new(""))] {
            assert!(Needs::of(no_variable, "").home);
            assert!(!Needs::of(no_variable, &listed).home);
        }
    }

    #[test]
    fn the_lists_hold_this_process_once_and_everybody_else() {
        let passwd = passwd_with_this_process(Path::new("/tmp/home"));
        let own: Vec<&str> = passwd.lines().filter(|line| is_this_user(line)).collect();
        assert_eq!(own.len(), 1, "{passwd}");
        assert_eq!(own[0].split(':').nth(5), Some("/tmp/home"));
        let others = |text: &str| text.lines().filter(|line| !is_this_user(line)).count();
        assert_eq!(others(&passwd), others(&read("/etc/passwd")));
        let gid = getgid().as_raw().to_string();
        assert!(group_with_this_process().lines().any(|line| line.split(':').nth(2) == Some(gid.as_str())));
    }
}
