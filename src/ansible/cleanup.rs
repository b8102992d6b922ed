//! Cleans up where this program is killed and cannot: Woodpecker's local backend ends a step with SIGKILL to its whole
//! process group. A small process in a group of its own waits for us to be gone, whatever the reason.
//!
//! Not here: cleaning up while we live. Dropping [`super::run_dir::RunDir`] removes its files, and the end of a run ends
//! its processes.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use rustix::process::Pid;

/// What a run leaves behind that nobody ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftovers {
    /// Stands in the environment of every process of the run, and of no other.
    pub mark: String,
    /// The directories that have to go with the run.
    pub directories: [PathBuf; 2],
}

/// Its standard input ends when the last process that can write to it does, and that is us alone. It waits without a
/// child, which would be ended with the run's processes and pass for our end. A process may start another one while it
/// is looked for, hence the turns.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
while read -r _; do :; done
mark=$1
shift
turn=0
# grep fails where a process ends while it reads, whatever else it found.
while [ $turn -lt 100 ] && found=$(grep -ls -- "$mark" /proc/[0-9]*/environ || :) && [ -n "$found" ]; do
    for file in $found; do
        process=${file#/proc/}
        kill -KILL "${process%/environ}"
    done
    turn=$((turn + 1))
done
rm -rf -- "$@"
"#;

/// The process that waits for our end, and that is ended when there is nothing left to clean up.
#[derive(Debug)]
pub struct Cleanup {
    shell: Child,
}

impl Cleanup {
    /// Starts to wait; the directories need not be there yet.
    ///
    /// # Errors
    /// When there is no shell; Ansible needs one too.
    pub fn start(leftovers: &Leftovers) -> Result<Self> {
        Command::new("/bin/sh")
            .args(["-c", SCRIPT, "gitops-status-cleanup", &leftovers.mark])
            .args(&leftovers.directories)
            // Nothing of ours, neither secrets nor the mark that it looks for.
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map(|shell| Self { shell })
            .context("cannot start `/bin/sh`, which cleans up if this step is killed; Ansible needs it too")
    }

    /// The process, which is not one of the run.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.shell)
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        // Before its standard input ends, which it would take for our end. It may be gone, and that is what is wanted.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
