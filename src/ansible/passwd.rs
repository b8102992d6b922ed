//! Who we are on this machine. A container may run as any uid, with no entry in `/etc/passwd` and no home of its own:
//! ssh then refuses to start ("No user exists for uid 12345"), and Ansible has nowhere to put its files.

use std::path::Path;

use rustix::fs::{Access, access};
use rustix::process::{getgid, getuid};

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
    /// Looks at `/etc/passwd` and at `home`, the value of `HOME`.
    pub fn find(home: Option<&Path>) -> Self {
        let named = theirs("/etc/passwd").lines().any(|line| ours(line) && line.split(':').nth(5).is_some_and(usable));
        Self { home: !home.is_some_and(usable), name: Path::new(NSS_WRAPPER).exists() && !named }
    }
}

fn usable(home: impl AsRef<Path>) -> bool {
    let home = home.as_ref();
    home.parent().is_some() && home.is_dir() && access(home, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// Whether a line of `/etc/passwd` is about the uid of this process.
fn ours(line: &str) -> bool {
    line.split(':').nth(2) == Some(getuid().as_raw().to_string().as_str())
}

fn theirs(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// `/etc/passwd` and `/etc/group` with this process in them, at `home`.
pub fn with_us(home: &Path) -> (String, String) {
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    let passwd = theirs("/etc/passwd");
    let name = passwd.lines().find(|line| ours(line)).and_then(|line| line.split(':').next()).unwrap_or(NAME);
    let mut others: Vec<&str> = passwd.lines().filter(|line| !ours(line)).collect();
    let us = format!("{name}:x:{uid}:{gid}::{}:/bin/sh", home.display());
    others.push(&us);
    let group = theirs("/etc/group");
    let mut groups: Vec<&str> = group.lines().collect();
    let own_group = format!("{NAME}:x:{gid}:");
    if !groups.iter().any(|line| line.split(':').nth(2) == Some(gid.to_string().as_str())) {
        groups.push(&own_group);
    }
    (others.join("\n") + "\n", groups.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_looked_for_in_its_own_field() {
        let uid = getuid().as_raw();
        assert!(ours(&format!("web:x:{uid}:33::/:/bin/sh")));
        for other in [format!("web:x:1{uid}:{uid}::/:/bin/sh"), format!("{uid}:{uid}"), String::new()] {
            assert!(!ours(&other), "{other}");
        }
    }

    #[test]
    fn a_home_must_be_a_directory_that_can_be_written_and_not_the_root() {
        assert!(!Needs::find(Some(&std::env::temp_dir())).home);
        for home in ["/", "/nonexistent", "/etc/passwd"] {
            assert!(Needs::find(Some(Path::new(home))).home, "{home}");
        }
        assert!(Needs::find(None).home);
    }

    #[test]
    fn we_are_among_those_who_are_there_once_and_at_our_home() {
        let (passwd, group) = with_us(Path::new("/tmp/home"));
        let us: Vec<&str> = passwd.lines().filter(|line| ours(line)).collect();
        assert_eq!(us.len(), 1, "{passwd}");
        assert_eq!(us[0].split(':').nth(5), Some("/tmp/home"));
        let others = |text: &str| text.lines().filter(|line| !ours(line)).count();
        assert_eq!(others(&passwd), others(&theirs("/etc/passwd")));
        assert!(group.lines().any(|line| line.split(':').nth(2) == Some(getgid().as_raw().to_string().as_str())));
    }
}
