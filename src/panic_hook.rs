//! What happens when this program panics: the run is ended, nothing is left, nothing is claimed, the exit code is 1.
//!
//! Three things clean up after a run, and none of them is unwinding. A run that ends in any ordinary way is cleaned up by
//! dropping `RunDir`. A panic, on whichever thread, is cleaned up by the hook here, which also ends the run's processes;
//! unwinding would end neither those nor, from another thread than the main one, the step. And where this process is gone
//! before it could do either (SIGKILL, a panic within the hook), the small process of `ansible::cleanup` does it.

use std::path::PathBuf;
use std::process::exit;

use rustix::process::Pid;

use crate::ansible::run_dir::RunDir;
use crate::log::Log;
use crate::log::messages;
use crate::process::descendants::kill_descendants;

/// From here on a panic says where it happened and exits 1.
pub fn install(log: Log) {
    install_with(None, log);
}

/// From here on a panic also ends every process of the run and removes its directories. `log` is the one without secrets.
pub fn clean_up_after(run_dir: &RunDir, log: Log) {
    install_with(Some(RunLeftovers { cleanup: run_dir.cleanup(), directories: run_dir.directories() }), log);
}

/// What a panic ends and removes.
struct RunLeftovers {
    /// The process that is not ended.
    cleanup: Pid,
    directories: [PathBuf; 2],
}

fn install_with(run: Option<RunLeftovers>, log: Log) {
    std::panic::set_hook(Box::new(move |panic| {
        if let Some(run) = &run {
            kill_descendants(run.cleanup);
            for directory in &run.directories {
                // What cannot be removed cannot be helped here either.
                let _ = std::fs::remove_dir_all(directory);
            }
        }
        // Not the panic's message: it may quote the text that was being worked on, and that may be a secret.
        log.say(messages::internal_error(panic.location().map(ToString::to_string)));
        exit(1)
    }));
}
