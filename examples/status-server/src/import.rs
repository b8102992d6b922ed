//! Takes over the JSON file that an older version of this server kept, so that an upgrade loses no status.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rusqlite::Connection;
use serde_json::Value;

use crate::complain;
use crate::status::Status;
use crate::store::{self, Outcome, Request};

/// Makes a database of the JSON file at `file` itself, or, where there is no `file` yet, of the one beside it that ends in
/// `.json`. The JSON file stays, with `.old` after its name. Does nothing where there is no such file.
///
/// # Errors
/// When a JSON file is there and is no list, or when a file cannot be read or written.
pub fn take_over(file: &Path, now: i64) -> Result<()> {
    let Some(old) = old_file(file)? else { return Ok(()) };
    let context = || format!("cannot take over `{}`", old.display());
    let text = fs::read(&old).with_context(context)?;
    let list: Vec<Value> = serde_json::from_slice(&text).context("it is not a list").with_context(context)?;
    let made = store::beside(file, "new");
    remove_leftovers(&made)?;
    let count = write(&made, &list, now).with_context(context)?;
    // The database takes its place only when it is complete; until then a next start begins anew.
    if old == file {
        fs::copy(&old, store::beside(&old, "old")).with_context(context)?;
        fs::rename(&made, file).with_context(context)?;
    } else {
        fs::rename(&made, file).with_context(context)?;
        fs::rename(&old, store::beside(&old, "old")).with_context(context)?;
    }
    complain(&format!("took over {count} of {} statuses from `{}`", list.len(), old.display()));
    Ok(())
}

fn old_file(file: &Path) -> Result<Option<PathBuf>> {
    let context = || format!("cannot look at `{}`", file.display());
    if file.try_exists().with_context(context)? {
        let mut start = [0; 1];
        let mut opened = fs::File::open(file).with_context(context)?;
        let length = std::io::Read::read(&mut opened, &mut start).with_context(context)?;
        // A database begins with its format's name.
        return Ok((length == 1 && start[0] == b'[').then(|| file.to_owned()));
    }
    let beside = file.with_extension("json");
    Ok(beside.try_exists().with_context(context)?.then_some(beside))
}

fn write(made: &Path, list: &[Value], now: i64) -> Result<usize> {
    let mut connection = Connection::open(made)?;
    store::create(&mut connection)?;
    let transaction = connection.transaction()?;
    let mut count = 0;
    for json in list {
        match Status::parse(json.to_string().as_bytes(), now) {
            Ok(status) => {
                let outcome = store::keep(&transaction, &Request { status, idempotency_key: None }, now)?;
                count += usize::from(outcome == Outcome::Kept);
            }
            // The older version took what would hide later checks or break a panel.
            Err(error) => complain(&format!("a status is left out: {error:#}: {json}")),
        }
    }
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(count)
}

fn remove_leftovers(new: &Path) -> Result<()> {
    for path in [new.to_owned(), store::beside(new, "journal"), PathBuf::from(format!("{}-journal", new.display()))] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove `{}`", path.display()));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
