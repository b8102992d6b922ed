//! What happens when this program has a fault of its own: the run is ended, nothing is left, nothing is claimed.
//!
//! A hook and not unwinding: unwinding would leave the playbook running, and its tables are a tenth of the binary.

use std::process::exit;

use crate::ansible::run_dir::RunDir;
use crate::log::Log;
use crate::log::messages;
use crate::process::descendants::kill_descendants;

/// From here on a panic ends every process of the run, removes `run_dir` from the disk, says where it happened and
/// exits 1.
pub fn clean_up_after(run_dir: &RunDir, log: Log) {
    let (directories, cleanup) = (run_dir.directories(), run_dir.cleanup());
    std::panic::set_hook(Box::new(move |panic| {
        kill_descendants(cleanup);
        for directory in &directories {
            // What cannot be removed cannot be helped here either.
            let _ = std::fs::remove_dir_all(directory);
        }
        // Not the panic's words: they may quote the text that was being worked on, and that may be a secret.
        log.say(messages::fault(panic.location().map(ToString::to_string)));
        exit(1)
    }));
}
