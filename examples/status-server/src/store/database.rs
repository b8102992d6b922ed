//! Opening the file: its tables, its settings, and one process for each file.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, flock};

/// Marks a database as one of this program: "gops".
const APPLICATION_ID: i32 = 0x676f_7073;

/// The version of the tables.
const VERSION: i32 = 1;

const TABLES: &str = "
CREATE TABLE status (
    repo TEXT NOT NULL,
    server TEXT NOT NULL,
    sync_status TEXT NOT NULL,
    drift_count INTEGER NOT NULL,
    last_check INTEGER NOT NULL,  -- Unix seconds, as all times here
    since INTEGER NOT NULL,       -- when sync_status became what it is
    json TEXT NOT NULL,           -- the object of /status.json
    period INTEGER NOT NULL,      -- the row of history that lasts
    PRIMARY KEY (repo, server)
) WITHOUT ROWID;

-- A period in which neither the status of a server nor its list of files changed.
CREATE TABLE history (
    id INTEGER PRIMARY KEY,
    repo TEXT NOT NULL,
    server TEXT NOT NULL,
    began INTEGER NOT NULL,
    ended INTEGER,                -- NULL while it lasts
    sync_status TEXT NOT NULL,
    files TEXT NOT NULL,          -- a JSON array of names
    commit_id TEXT,
    pipeline_url TEXT
);
CREATE INDEX history_by_server ON history (repo, server, began, id, ended);
CREATE INDEX history_by_end ON history (ended);

-- What was answered to requests that may be sent again.
CREATE TABLE request (
    id INTEGER PRIMARY KEY,
    idempotency_key TEXT NOT NULL UNIQUE,
    checksum INTEGER NOT NULL,
    newer INTEGER,                -- the newer check because of which it was not kept
    received INTEGER NOT NULL
);
CREATE INDEX request_by_time ON request (received);

-- Written to find out whether the disk takes data again.
CREATE TABLE probe (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
";

/// Holds a database for this process alone, until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Takes the database at `file` for this process.
///
/// # Errors
/// When another process holds it.
pub fn lock(file: &Path) -> Result<Lock> {
    // The same file by another name is the same file.
    let real = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let path = beside(&real, "lock");
    let lock = File::options().create(true).append(true).open(&path);
    let lock = lock.with_context(|| format!("cannot open `{}`", path.display()))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Lock { _file: lock }),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            bail!("cannot use `{}`: another process uses it, and two would show different statuses", file.display())
        }
        Err(error) => Err(error).with_context(|| format!("cannot lock `{}`", path.display())),
    }
}

/// The file that a path leads to, as long as it does.
#[derive(Debug)]
pub struct Place {
    file: PathBuf,
    device: u64,
    inode: u64,
}

impl Place {
    /// What `file` leads to now.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn of(file: &Path) -> Result<Self> {
        let found = file.metadata().with_context(|| format!("cannot look at `{}`", file.display()))?;
        Ok(Self { file: file.to_owned(), device: found.dev(), inode: found.ino() })
    }

    /// That the path still leads to the same file. `SQLite` goes on writing to one that was removed or replaced, and all of
    /// that would be gone with the process.
    ///
    /// # Errors
    /// When the file was removed or replaced.
    pub fn check(&self) -> Result<()> {
        let found = self.file.metadata().ok().map(|found| (found.dev(), found.ino()));
        let same = found == Some((self.device, self.inode));
        ensure!(same, "`{}` was removed or replaced while this server used it; start it again", self.file.display());
        Ok(())
    }
}

/// The path with an ending more.
pub fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(".");
    path.push(ending);
    path.into()
}

/// Opens the database to write, and makes it where it is missing.
///
/// # Errors
/// When the file cannot be opened, is no database, or is one of another program or of a newer version of this one.
pub fn open(file: &Path) -> Result<Connection> {
    let open = || {
        let mut connection = Connection::open(file)?;
        settings(&connection)?;
        // Readers go on while this writes; a commit is on the disk before it is answered.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        create(&mut connection)?;
        anyhow::Ok(connection)
    };
    open().with_context(|| format!("cannot use `{}`", file.display()))
}

/// Makes the tables in an empty database.
///
/// # Errors
/// When the database is not empty and not one of this program in this version.
pub fn create(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction()?;
    let number = |pragma: &str| transaction.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let objects: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, version) {
        (0, 0) if objects == 0 => {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        (APPLICATION_ID, VERSION) => {}
        (APPLICATION_ID, newer) => bail!("it was written by another version of this program (format {newer})"),
        (_, _) => bail!("it is a database of another program"),
    }
    transaction.commit()?;
    Ok(())
}

/// Opens the database to read.
///
/// # Errors
/// When the file cannot be opened.
pub fn open_to_read(file: &Path) -> Result<Connection> {
    let open = || {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        settings(&connection)?;
        connection.pragma_update(None, "query_only", true)?;
        anyhow::Ok(connection)
    };
    open().with_context(|| format!("cannot read `{}`", file.display()))
}

fn settings(connection: &Connection) -> rusqlite::Result<()> {
    // The image has no directory for temporary files.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.busy_timeout(std::time::Duration::from_secs(5))
}
