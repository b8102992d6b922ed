//! The thread that writes: takes all requests that wait, keeps them in one transaction, and answers once it is on the disk.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::status::Key;
use crate::{complain, timestamp};

use super::database::Place;
use super::write::{Outcome, Request, keep, probe, prune, remove};

/// How many requests one transaction takes.
const BATCH: usize = 256;

/// How often old rows are looked for, and after how many requests: each may add a row, and a search removes more than
/// these, so that the limits hold however fast requests come.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
const PRUNE_AFTER: usize = 500;

/// Something to write, and whom to tell.
pub struct Job {
    pub change: Change,
    pub reply: oneshot::Sender<Result<Outcome>>,
}

/// What a request asks for.
pub enum Change {
    Keep(Request),
    Remove(Key),
    Probe,
}

/// Whether the last attempt to write succeeded.
#[derive(Debug, Default)]
pub struct Health {
    failure: Mutex<Option<String>>,
}

impl Health {
    /// Why the last attempt to write failed, if it did.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, failure: Option<String>) {
        let mut known = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match (known.is_some(), &failure) {
            (false, Some(why)) => complain(why),
            (true, None) => complain("statuses can be kept again"),
            (true, Some(_)) | (false, None) => {}
        }
        *known = failure;
    }
}

pub struct Writer {
    connection: Connection,
    place: Place,
    jobs: mpsc::Receiver<Job>,
    health: Arc<Health>,
    keep_history: Duration,
    pruned: Instant,
    /// Requests since then.
    written: usize,
}

impl Writer {
    pub fn new(
        connection: Connection,
        place: Place,
        jobs: mpsc::Receiver<Job>,
        health: Arc<Health>,
        keep_history: Duration,
    ) -> Self {
        Self { connection, place, jobs, health, keep_history, pruned: Instant::now(), written: 0 }
    }

    /// Writes until nobody can ask any more.
    pub fn run(mut self) {
        while let Some(first) = self.jobs.blocking_recv() {
            let mut batch = vec![first];
            while let (true, Ok(next)) = (batch.len() < BATCH, self.jobs.try_recv()) {
                batch.push(next);
            }
            self.write(batch);
        }
    }

    fn write(&mut self, batch: Vec<Job>) {
        let (changes, replies): (Vec<_>, Vec<_>) = batch.into_iter().map(|job| (job.change, job.reply)).unzip();
        let outcomes = self.transaction(&changes).context("cannot keep the status");
        self.health.set(outcomes.as_ref().err().map(|error| format!("{error:#}")));
        // Whoever asked may be gone by now.
        match outcomes {
            Ok(outcomes) => {
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    let _ = reply.send(Ok(outcome));
                }
            }
            Err(error) => {
                for reply in replies {
                    let _ = reply.send(Err(anyhow!("{error:#}")));
                }
            }
        }
    }

    /// All or nothing.
    fn transaction(&mut self, changes: &[Change]) -> Result<Vec<Outcome>> {
        self.place.check()?;
        let now = timestamp::now();
        let transaction = self.connection.transaction()?;
        let outcome = |change: &Change| match change {
            Change::Keep(request) => keep(&transaction, request, now),
            Change::Remove(key) => remove(&transaction, key, now),
            Change::Probe => probe(&transaction),
        };
        let outcomes = changes.iter().map(outcome).collect::<Result<_>>()?;
        let written = self.written + changes.len();
        let prune_now = written >= PRUNE_AFTER || self.pruned.elapsed() > PRUNE_EVERY;
        if prune_now {
            prune(&transaction, self.keep_history, now)?;
        }
        transaction.commit()?;
        self.written = written;
        if prune_now {
            (self.pruned, self.written) = (Instant::now(), 0);
        }
        Ok(outcomes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::database::open;
    use super::*;
    use crate::status::{Status, SyncStatus};

    #[test]
    fn the_history_stays_bounded_however_fast_it_grows() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("status.db");
        let connection = open(&file).unwrap();
        let (_, jobs) = mpsc::channel(1);
        let mut writer =
            Writer::new(connection, Place::of(&file).unwrap(), jobs, Arc::default(), Duration::from_secs(1));
        // Each of them ends the period before it, an hour later than that began.
        let found = |number: i64| Status {
            key: Key { repo: "r".to_owned(), server: "s".to_owned() },
            result: SyncStatus::OutOfSync,
            files: vec![format!("f{number}")],
            last_check: number * 3600,
            details: None,
        };
        for batch in 0..12 {
            let jobs = (batch * 250..(batch + 1) * 250).map(|number| {
                let (reply, _) = oneshot::channel();
                let request = Request { status: found(number), idempotency_key: None };
                Job { change: Change::Keep(request), reply }
            });
            writer.write(jobs.collect());
        }
        let periods: i64 = writer.connection.query_row("SELECT count(*) FROM history", [], |row| row.get(0)).unwrap();
        assert!(periods < 1000, "{periods}");
    }
}
