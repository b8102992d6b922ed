//! What is kept, in one database file (`SQLite`). One thread writes, one reads the statuses and one the history, each with
//! a connection of its own: a disk that is slow to write keeps no reader waiting, and a search through a million periods
//! keeps nobody waiting who asks for the statuses.

mod database;
mod read;
mod write;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::status::{Key, Status};
use writer::{Change, Health, Job, Writer};

pub use read::{Columns, Counts, Listed, Period, PeriodCursor, PeriodFilter};
pub use write::Outcome;

pub(crate) use database::{Lock, beside, create, lock};
pub(crate) use write::{Request, keep};

/// How many requests wait for the disk before further ones are turned away.
const QUEUE: usize = 1024;

/// A handle to what is kept; clones share it.
#[derive(Clone)]
pub struct Store {
    writes: mpsc::Sender<Job>,
    reads: mpsc::Sender<Query>,
    history: mpsc::Sender<Query>,
    health: Arc<Health>,
}

/// The threads of a store. They end when its last handle is gone.
pub struct Threads {
    handles: Vec<JoinHandle<()>>,
    // Released after the threads have closed the database.
    _lock: Lock,
}

type Query = Box<dyn FnOnce(&Connection) + Send>;

impl Store {
    /// Opens the database at `file`, which this process holds, or makes a new one. Periods stay in the history for
    /// `keep_history` after their end.
    ///
    /// # Errors
    /// When it is no database of this program.
    pub fn open(file: &Path, lock: Lock, keep_history: Duration) -> Result<(Self, Threads)> {
        let health = Arc::new(Health::default());
        let (sender, jobs) = mpsc::channel(QUEUE);
        let connection = database::open(file)?;
        let place = database::Place::of(file)?;
        let writer = Writer::new(connection, place, jobs, Arc::clone(&health), keep_history);
        let (reads, reader) = reading("reader", file)?;
        let (history, history_reader) = reading("history", file)?;
        let handles = vec![spawn("writer", move || writer.run())?, reader, history_reader];
        Ok((Self { writes: sender, reads, history, health }, Threads { handles, _lock: lock }))
    }

    /// Keeps a status unless a newer one is known. What is answered survives the end of this process and of the machine.
    ///
    /// # Errors
    /// When it could not be written, or when too many others wait to be written.
    pub async fn keep(&self, status: Status, idempotency_key: Option<String>) -> Result<Outcome> {
        self.write(Change::Keep(Request { status, idempotency_key })).await
    }

    /// Removes the status of a server.
    ///
    /// # Errors
    /// As [`Store::keep`].
    pub async fn remove(&self, key: Key) -> Result<Outcome> {
        self.write(Change::Remove(key)).await
    }

    /// Whether statuses can be kept. After one could not, the disk is tried again each time this is asked.
    ///
    /// # Errors
    /// With the reason why a status could not be kept.
    pub async fn check(&self) -> Result<()> {
        if self.health.failure().is_some() {
            self.write(Change::Probe).await?;
        }
        Ok(())
    }

    /// The statuses that come after `after` by repository and server; a part of them, of about [`read::PART`] bytes.
    /// Nothing comes after an empty part.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn statuses_after(&self, after: Option<Key>, columns: Columns) -> Result<Vec<Listed>> {
        ask(&self.reads, move |connection| read::statuses_after(connection, after.as_ref(), columns)).await
    }

    /// The status of one server.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn status(&self, key: Key) -> Result<Option<Listed>> {
        ask(&self.reads, move |connection| read::status(connection, &key)).await
    }

    /// How many servers there are of each kind; what was checked before `fresh_from` is stale.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn counts(&self, fresh_from: i64) -> Result<Counts> {
        ask(&self.reads, move |connection| read::counts(connection, fresh_from)).await
    }

    /// The periods of the history after a position, in parts as [`Store::statuses_after`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn periods_after(&self, filter: PeriodFilter, after: Option<PeriodCursor>) -> Result<Vec<Period>> {
        ask(&self.history, move |connection| read::periods_after(connection, &filter, after.as_ref())).await
    }

    async fn write(&self, change: Change) -> Result<Outcome> {
        let (reply, answer) = oneshot::channel();
        self.writes.try_send(Job { change, reply }).map_err(|_| anyhow!("too many statuses wait to be written"))?;
        answer.await.context("the writing thread has ended")?
    }
}

impl Threads {
    /// Waits until everything is written and the database is closed.
    ///
    /// # Errors
    /// When a thread ended because of an error in this program.
    pub fn join(self) -> Result<()> {
        for handle in self.handles {
            handle.join().map_err(|_| anyhow!("a thread of the store ended early"))?;
        }
        Ok(())
    }
}

fn reading(name: &str, file: &Path) -> Result<(mpsc::Sender<Query>, JoinHandle<()>)> {
    let (sender, mut queries) = mpsc::channel::<Query>(QUEUE);
    let connection = database::open_to_read(file)?;
    let thread = spawn(name, move || {
        while let Some(query) = queries.blocking_recv() {
            query(&connection);
        }
    })?;
    Ok((sender, thread))
}

async fn ask<T: Send + 'static>(
    reader: &mpsc::Sender<Query>,
    query: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
) -> Result<T> {
    let (reply, answer) = oneshot::channel();
    let query: Query = Box::new(move |connection| {
        // Whoever asked may be gone.
        let _ = reply.send(query(connection));
    });
    reader.send(query).await.map_err(|_| anyhow!("the reading thread has ended"))?;
    answer.await.context("the reading thread has ended")?
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).with_context(|| format!("cannot start the {name}"))
}
