//! Who we are on this machine. A container may run as any uid, with no entry in `/etc/passwd` and no home of its own:
//! ssh then refuses to start ("No user exists for uid 12345"), and Ansible has nowhere to put its files.

use std::path::Path;

use rustix::fs::{Access, access};
use rustix::process::{getgid, getuid};

/// Gives programs the names in files of our choice instead of `/etc/passwd` and `/etc/group` (the `nss_wrapper` of the
/// Samba project). Only the plugin's image has it at this path: on any other machine names may come from a directory.
pub const NAME_GIVER: &str = "/usr/lib/plugin-gitops-status/libnss_wrapper.so";

/// The name of a uid that has none.
const NAME: &str = "woodpecker";

/// What this process lacks.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Lacks {
    /// A home directory that it can write.
    pub home: bool,
    /// A name for its uid, where one can be given.
    pub name: bool,
}

impl Lacks {
    /// Looks at `/etc/passwd` and at `home`, the value of `HOME`.
    pub fn find(home: Option<&Path>) -> Self {
        let usable = |home: &Path| {
            home.parent().is_some() && home.is_dir() && access(home, Access::WRITE_OK | Access::EXEC_OK).is_ok()
        };
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self {
            home: !home.is_some_and(usable),
            name: Path::new(NAME_GIVER).exists() && !lists(&passwd, getuid().as_raw()),
        }
    }
}

fn lists(passwd: &str, uid: u32) -> bool {
    passwd.lines().any(|line| line.split(':').nth(2) == Some(uid.to_string().as_str()))
}

/// `/etc/passwd` and `/etc/group` with an entry for this process added.
pub fn with_us(home: &Path) -> (String, String) {
    let theirs = |path: &str| match std::fs::read_to_string(path) {
        Ok(text) if !text.is_empty() && !text.ends_with('\n') => text + "\n",
        Ok(text) => text,
        Err(_) => String::new(),
    };
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    let passwd = format!("{}{NAME}:x:{uid}:{gid}::{}:/bin/sh\n", theirs("/etc/passwd"), home.display());
    (passwd, format!("{}{NAME}:x:{gid}:\n", theirs("/etc/group")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_looked_for_in_its_own_field() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:1001::/:/bin/sh\n";
        assert!(lists(passwd, 0) && lists(passwd, 33));
        assert!(!lists(passwd, 1001) && !lists(passwd, 3) && !lists("", 0));
    }

    #[test]
    fn a_home_must_be_a_directory_that_can_be_written_and_not_the_root() {
        let folder = std::env::temp_dir();
        assert!(!Lacks::find(Some(&folder)).home);
        for home in ["/", "/nonexistent", "/etc/passwd"] {
            assert!(Lacks::find(Some(Path::new(home))).home, "{home}");
        }
        assert!(Lacks::find(None).home);
    }

    #[test]
    fn we_are_added_to_those_who_are_there() {
        let (passwd, group) = with_us(Path::new("/tmp/home"));
        assert!(lists(&passwd, getuid().as_raw()));
        assert!(passwd.ends_with("::/tmp/home:/bin/sh\n"), "{passwd}");
        assert!(group.contains(NAME));
    }
}
