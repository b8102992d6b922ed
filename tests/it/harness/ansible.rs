//! The real Ansible and what else a machine may have or lack.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{root, succeeded, variable};

/// The directory of the real `ansible-playbook`, or why there is none.
///
/// `ANSIBLE_CORE` names a version, which is installed where it is missing, or such a directory. Without it nothing is
/// installed: what an earlier `tests/run.sh` has left under `target/` is taken.
pub fn bin() -> Result<&'static Path, String> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let mut script = Command::new(root().join(".ci/ansible-core"));
        match variable("ANSIBLE_CORE") {
            Some(directory) if directory.contains('/') => return Ok(directory.into()),
            Some(version) => script.arg(version),
            None => script.arg("--installed"),
        };
        let found = script.output().map_err(|error| format!("cannot run `.ci/ansible-core`: {error}"))?;
        if found.status.success() {
            return Ok(String::from_utf8_lossy(&found.stdout).trim().into());
        }
        Err(String::from_utf8_lossy(&found.stderr).trim().to_owned())
    });
    found.as_deref().map_err(Clone::clone)
}

/// The version of the real one, such as `2.19`.
pub fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let mut python = Command::new(bin().unwrap().join("python3"));
        let said = succeeded(python.args(["-c", "import ansible.release; print(ansible.release.__version__)"])).stdout;
        said.rsplit_once('.').unwrap().0.to_owned()
    })
}

/// Whether a server for ssh can be started.
pub fn has_sshd() -> bool {
    Path::new("/usr/sbin/sshd").exists() || Command::new("sshd").arg("-V").output().is_ok()
}
