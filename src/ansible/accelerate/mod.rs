//! The connection plugin of the setting `accelerate`: a Python that stays on each server and runs the modules there.
//!
//! The plugin and what belongs to it are Python files that are part of this program and lie in the run's private
//! directory while it lasts:
//!
//! - `ssh.py` takes the place of ansible-core's plugin of that name, and is that plugin but for one step;
//! - `worker.py` is that step, with `remote_command.py`, which understands the command line of a module;
//! - `channels.py` holds the connections between two tasks, with `peers.py`; `frames.py` is how it is spoken to;
//! - `loop.py` is what runs on the server, with `imports.py`, which loads what the modules bring along.

use std::path::PathBuf;

use anyhow::Result;

use crate::ansible::private_files::PrivateDir;

/// The name of the directory with all of it.
const DIRECTORY: &str = "accelerate";

/// The directory in it that Ansible looks for connection plugins in; it takes every file there for one.
const PLUGINS: &str = "accelerate/connection";

/// Each file, where it lies below [`DIRECTORY`], and its text.
const FILES: [(&str, &str); 8] = [
    ("connection/ssh.py", include_str!("ssh.py")),
    ("worker.py", include_str!("worker.py")),
    ("remote_command.py", include_str!("remote_command.py")),
    ("channels.py", include_str!("channels.py")),
    ("peers.py", include_str!("peers.py")),
    ("frames.py", include_str!("frames.py")),
    ("imports.py", include_str!("imports.py")),
    ("loop.py", include_str!("loop.py")),
];

/// Writes the files. Returns the directory that Ansible has to look for connection plugins in before all others.
///
/// # Errors
/// A file or directory that cannot be made, by its path.
pub(super) fn write(private: &PrivateDir) -> Result<PathBuf> {
    private.make_dir(DIRECTORY)?;
    let plugins = private.make_dir(PLUGINS)?;
    for (name, text) in FILES {
        private.write(&format!("{DIRECTORY}/{name}"), text)?;
    }
    Ok(plugins)
}
