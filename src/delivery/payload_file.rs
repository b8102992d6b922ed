//! Writes a payload to the file a user named: whole or not at all.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, anyhow};

/// Replaces `path` by a file that holds the payloads, a line each; nothing is written where there are none.
///
/// # Errors
/// Whatever keeps the file from being written, a full disk included; what was at `path` before is still there then.
pub fn write(path: &Path, payloads: &BTreeMap<String, String>) -> Result<()> {
    if payloads.is_empty() {
        return Ok(());
    }
    let failed = || format!("cannot write the payload to `{}`; check `payload_file`", path.display());
    let name = path.file_name().ok_or_else(|| anyhow!("it names no file")).with_context(failed)?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}", std::process::id()));
    let beside = path.with_file_name(beside);
    let written = File::create(&beside)
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
    written.with_context(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("server".to_owned(), text.to_owned())])
    }

    #[test]
    fn a_file_is_replaced_whole_or_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let path = folder.join("status.json");
        write(&path, &one("one")).unwrap();
        write(&path, &one("two")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        fs::create_dir(folder.join("taken")).unwrap();
        let error = write(&folder.join("taken"), &one("three")).unwrap_err();
        assert!(format!("{error:#}").contains("payload_file"), "{error:#}");
        let left: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }
}
