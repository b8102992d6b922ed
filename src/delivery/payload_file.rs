//! The file a user named for the payload: gone when a run begins, then written whole or not at all. However the run ends,
//! a status of an earlier one is not taken for its own.
//!
//! Only a regular file is ever replaced or removed. A device, a socket, a directory or a symbolic link of that name is none
//! of ours.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, FileType, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use rustix::fs::{Access, access};

use crate::random;

/// The file, for the length of a run. When it is dropped before anything was written, whatever the run itself has put there is
/// removed.
#[derive(Debug)]
pub struct PayloadFile {
    path: PathBuf,
    is_stale: bool,
}

impl PayloadFile {
    /// Removes what an earlier run left at `path`: a run that is killed cannot do that any more.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        if is_regular_file(&path) {
            fs::remove_file(&path).with_context(|| {
                format!("cannot remove `{}`, which an earlier run left; check `payload_file`", path.display())
            })?;
        }
        Ok(Self { path, is_stale: true })
    }

    /// Writes the payloads, a line each; without any, no file is left.
    ///
    /// # Errors
    /// Whatever keeps the file from being written, a full disk included; nothing is left of it then.
    pub fn write(mut self, payloads: &BTreeMap<String, String>) -> Result<()> {
        self.is_stale = payloads.is_empty();
        if self.is_stale {
            return Ok(());
        }
        replace(&self.path, payloads)
            .with_context(|| format!("cannot write the payload to `{}`; check `payload_file`", self.path.display()))
    }
}

impl Drop for PayloadFile {
    fn drop(&mut self) {
        if self.is_stale && is_regular_file(&self.path) {
            // It cannot be told from here, and whoever may write the directory may remove from it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Why the payload cannot be written to `path`, as far as that can be known before the run.
pub(crate) fn problem(path: &Path) -> Option<String> {
    let remedy = "write the path of a file in a directory that exists and is writable";
    // `Path` itself does not tell `x/` from `x`.
    let is_directory = [&b"/"[..], b"/."].iter().any(|end| path.as_os_str().as_bytes().ends_with(end));
    let problem = match (path.file_name().filter(|_| !is_directory), fs::symlink_metadata(path)) {
        (None, _) => "does not name a file".to_owned(),
        (Some(_), Ok(found)) if !found.is_file() => format!("is {}", kind(found.file_type())),
        (Some(_), Err(error)) if error.kind() != ErrorKind::NotFound => format!("cannot be written: {error}"),
        (Some(_), Ok(_) | Err(_)) => match access(directory(path), Access::WRITE_OK | Access::EXEC_OK) {
            Ok(()) => return None,
            Err(error) => {
                let cause = std::io::Error::from(error);
                format!("cannot be written: no file can be made in `{}`: {cause}", directory(path).display())
            }
        },
    };
    Some(format!("`payload_file` names `{}`, which {problem}; {remedy}", path.display()))
}

fn kind(found: FileType) -> &'static str {
    match found {
        _ if found.is_dir() => "a directory",
        _ if found.is_symlink() => "a symbolic link",
        _ if found.is_socket() => "a socket",
        _ if found.is_fifo() => "a named pipe",
        _ => "a device",
    }
}

/// The directory that the file lies in.
fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn is_regular_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
}

fn replace(path: &Path, payloads: &BTreeMap<String, String>) -> Result<()> {
    // Looked at again: the run took its time, and anybody may have written to the workspace.
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        bail!("something that is no regular file is there now");
    }
    let mut beside = OsString::from(".");
    beside.push(path.file_name().ok_or_else(|| anyhow!("it names no file"))?);
    beside.push(format!(".{}", random::hex_128()?));
    let beside = path.with_file_name(beside);
    // A new file, so that a link which somebody put there is not followed.
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&beside)
        .and_then(|mut file| {
            for text in payloads.values() {
                file.write_all(format!("{text}\n").as_bytes())?;
            }
            // Without it a machine that loses power may keep the name and lose the content.
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // It may never have been made; either way nothing of it is wanted.
        let _ = fs::remove_file(&beside);
    }
    Ok(written?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    fn one(text: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("server".to_owned(), text.to_owned())])
    }

    #[test]
    fn a_file_is_replaced_whole_or_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let path = folder.join("status.json");
        PayloadFile::new(&path).unwrap().write(&one("one")).unwrap();
        PayloadFile::new(&path).unwrap().write(&one("two")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        fs::create_dir(folder.join("taken")).unwrap();
        let error = PayloadFile::new(folder.join("taken")).unwrap().write(&one("three")).unwrap_err();
        assert!(format!("{error:#}").contains("payload_file"), "{error:#}");
        let left: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }

    #[test]
    fn a_run_that_claims_nothing_removes_the_earlier_status() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.json");
        for claims_nothing in [(|file| drop(file)) as fn(PayloadFile), |file| file.write(&BTreeMap::new()).unwrap()] {
            fs::write(&path, "old").unwrap();
            let file = PayloadFile::new(&path).unwrap();
            // At once: no program can clean up after SIGKILL.
            assert!(!path.exists());
            fs::write(&path, "by the playbook").unwrap();
            claims_nothing(file);
            assert!(!path.exists());
        }
    }

    #[test]
    fn only_a_regular_file_or_a_new_one_is_written_or_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("directory")).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        fs::write(path("elsewhere"), "kept").unwrap();
        symlink("elsewhere", path("link")).unwrap();
        symlink("nowhere", path("dangling")).unwrap();
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        for (name, said) in [
            ("directory", "a directory"),
            ("socket", "a socket"),
            ("link", "a symbolic link"),
            ("dangling", "a symbolic link"),
            ("pipe", "a named pipe"),
        ] {
            assert!(problem(&path(name)).unwrap().contains(said), "{name}");
            assert!(PayloadFile::new(path(name)).unwrap().write(&one("text")).is_err(), "{name}");
            drop(PayloadFile::new(path(name)));
            assert!(fs::symlink_metadata(path(name)).is_ok(), "{name} was removed");
        }
        assert_eq!(fs::read_to_string(path("elsewhere")).unwrap(), "kept");
        for (wrong, said) in [
            ("/", "does not name a file"),
            ("x/..", "does not name a file"),
            ("/tmp/x/", "does not name a file"),
            ("/tmp/x/.", "does not name a file"),
            ("./", "does not name a file"),
            ("/dev/null", "a device"),
            ("/dev/stdout", "a symbolic link"),
            ("/nonexistent/x", "`/nonexistent`: No such file or directory"),
        ] {
            let problem = problem(Path::new(wrong)).unwrap();
            assert!(problem.contains(said) && problem.starts_with("`payload_file` names "), "{wrong}: {problem}");
        }
        assert_eq!(problem(&path("new")), None);
        assert_eq!(problem(&path("elsewhere")), None);
    }
}
