//! The private files one run needs, in directories nobody else can enter, gone when [`Scratch`] is dropped.
//!
//! There are two: the run's own (callback, events, Ansible's temporary files) under the temporary directory, which
//! may be a disk and has room for a big fleet's events; and one for what is secret or must have a short path (extra
//! variables, ssh control sockets), in memory (`/dev/shm`) where there is one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use crate::settings::Secret;

const CALLBACK: &str = include_str!("drift_events.py");

/// The directories and files of one run.
#[derive(Debug)]
pub struct Scratch {
    /// The run's own directory.
    folder: PathBuf,
    /// The directory in memory.
    private: PathBuf,
    /// The name of the callback plugin, which is this run's nonce.
    nonce: String,
    /// Opened before the run: a file that takes this one's place later is not the one that is read.
    events: Option<File>,
    /// Whether extra variables were written.
    extra_vars: bool,
}

impl Scratch {
    /// Makes the directories, the callback and the event file. `temporary` is the directory for temporary files.
    ///
    /// # Errors
    /// A directory or file that cannot be made, by its path.
    pub fn new(temporary: &Path, extra_vars: Option<&Secret>) -> Result<Self> {
        let nonce = format!("drift_events_{}", random()?);
        let memory = Path::new("/dev/shm");
        let folder = private_folder(temporary, &nonce).with_context(|| {
            format!(
                "cannot make a private directory in `{}`; set TMPDIR to a directory that can be written",
                temporary.display()
            )
        })?;
        let mut scratch = Self { private: folder.clone(), folder, nonce, events: None, extra_vars: false };
        if let Ok(private) = private_folder(memory, &format!("gs-{}", &scratch.nonce[scratch.nonce.len() - 10..])) {
            scratch.private = private;
        }
        for folder in [scratch.local_temp(), scratch.control_path_dir()] {
            DirBuilder::new().mode(0o700).create(&folder).with_context(|| cannot_write(&folder))?;
        }
        write_private(&scratch.callback_dir().join(format!("{}.py", scratch.nonce)), CALLBACK.as_bytes())?;
        let events = scratch.callback_dir().join("events");
        write_private(&events, b"")?;
        scratch.events = Some(File::open(&events).with_context(|| format!("cannot open `{}`", events.display()))?);
        if let Some(extra_vars) = extra_vars {
            write_private(&scratch.private.join("extra_vars.json"), extra_vars.expose().as_bytes())?;
            scratch.extra_vars = true;
        }
        Ok(scratch)
    }

    /// The directory Ansible finds the callback plugin in.
    pub fn callback_dir(&self) -> &Path {
        &self.folder
    }

    /// Where Ansible keeps its own temporary files; it leaves them behind when it is killed.
    pub fn local_temp(&self) -> PathBuf {
        self.folder.join("tmp")
    }

    /// Where ssh masters put their sockets: its own for each run, so that no master of an earlier run is used.
    pub fn control_path_dir(&self) -> PathBuf {
        self.private.join("cp")
    }

    /// The file with the extra variables, if there are any.
    pub fn extra_vars(&self) -> Option<PathBuf> {
        self.extra_vars.then(|| self.private.join("extra_vars.json"))
    }

    /// What every event line of this run is signed with.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// The event file, once.
    ///
    /// # Errors
    /// When it was taken before.
    pub fn take_events(&mut self) -> Result<File> {
        self.events.take().ok_or_else(|| anyhow!("the events of a run can be read once"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for folder in [&self.private, &self.folder] {
            // Nothing can be said from here, and a directory that is gone already is what is wanted.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

fn private_folder(parent: &Path, name: &str) -> std::io::Result<PathBuf> {
    let folder = fs::canonicalize(parent)?.join(name);
    DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}

fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(|| cannot_write(path))?;
    file.write_all(content).with_context(|| cannot_write(path))
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write `{}`", path.display())
}

/// 128 random bits in hexadecimal.
pub(crate) fn random() -> Result<String> {
    let mut bytes = [0u8; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).context("cannot get random bytes")?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn everything_is_private_and_gone_after_the_run() {
        let scratch = Scratch::new(&std::env::temp_dir(), Some(&Secret::new("{\"a\":1}"))).unwrap();
        let folders = [scratch.callback_dir().to_owned(), scratch.private.clone()];
        for folder in &folders {
            assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
        }
        let vars = scratch.extra_vars().unwrap();
        assert_eq!(fs::metadata(&vars).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(vars).unwrap(), "{\"a\":1}");
        drop(scratch);
        assert!(folders.iter().all(|folder| !folder.exists()));
    }

    #[test]
    fn a_temporary_directory_that_does_not_exist_is_named() {
        let error = Scratch::new(Path::new("/nonexistent/tmp"), None).unwrap_err();
        assert!(format!("{error:#}").contains("`/nonexistent/tmp`"), "{error:#}");
    }
}
