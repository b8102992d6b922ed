//! Directories and files that nobody else can read, and secrets as files that are on no disk.
//!
//! Not here: which of them a run has; that is [`super::run_dir`].

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{MemfdFlags, Mode};

use crate::settings::Secret;

/// A directory that nobody else can enter, removed with everything in it when it is dropped.
#[derive(Debug)]
pub(super) struct PrivateDir {
    path: PathBuf,
}

impl PrivateDir {
    /// Makes the directory; it is an error when there is something of that name.
    pub(super) fn create(path: PathBuf) -> std::io::Result<Self> {
        make_private_dir(&path)?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A directory in it.
    pub(super) fn make_dir(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        make_private_dir(&path).with_context(|| cannot_write(&path))?;
        Ok(path)
    }

    /// A file in it that nobody else can read.
    pub(super) fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        self.write_with_mode(name, content, 0o600)
    }

    /// A program in it that nobody else can run.
    pub(super) fn write_program(&self, name: &str, content: &str) -> Result<PathBuf> {
        self.write_with_mode(name, content, 0o700)
    }

    fn write_with_mode(&self, name: &str, content: &str, mode: u32) -> Result<PathBuf> {
        let path = self.path.join(name);
        let create = || OpenOptions::new().write(true).create_new(true).mode(mode).open(&path);
        let written = create().and_then(|mut file| file.write_all(content.as_bytes()));
        written.with_context(|| cannot_write(&path))?;
        Ok(path)
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        // Nothing can be said from here, and a directory that is gone already is what is wanted.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn make_private_dir(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write `{}`", path.display())
}

/// A secret as a file that others can open while this process lives, and that is gone with it, killed or not.
#[derive(Debug)]
pub(super) struct SecretFile {
    path: PathBuf,
    /// The file in memory; without it the path is a file in a private directory.
    memory: Option<OwnedFd>,
}

impl SecretFile {
    /// In memory where the kernel has files there, else as `name` in `dir`.
    pub(super) fn create(dir: &PrivateDir, name: &str, secret: &Secret) -> Result<Self> {
        let Ok(memory) = private_memory() else {
            return Ok(Self { path: dir.write(name, secret.expose())?, memory: None });
        };
        let mut file = File::from(memory);
        file.write_all(secret.expose().as_bytes()).context("cannot write a secret to memory")?;
        let memory = OwnedFd::from(file);
        let path = format!("/proc/{}/fd/{}", std::process::id(), memory.as_raw_fd());
        Ok(Self { path: path.into(), memory: Some(memory) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_in_memory(&self) -> bool {
        self.memory.is_some()
    }
}

fn private_memory() -> rustix::io::Result<OwnedFd> {
    let memory = rustix::fs::memfd_create("secret", MemfdFlags::CLOEXEC)?;
    // ssh refuses a key that others may read, and Ansible would run an executable password file as a script.
    rustix::fs::fchmod(&memory, Mode::RUSR | Mode::WUSR)?;
    Ok(memory)
}
