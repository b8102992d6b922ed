//! What one request changes, inside a transaction of the caller.

use std::time::Duration;

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension, params};

use crate::status::{CLOCK_TOLERANCE, Key, Status, commit, pipeline_url};

/// How many servers are kept; a mistake or a misuse must not fill the disk.
const SERVER_LIMIT: i64 = 50_000;

/// How many periods the history holds, the ones that last included.
const HISTORY_LIMIT: i64 = 1_000_000;

/// How long and how many answers are remembered for requests that are sent again.
const REQUEST_SECONDS: i64 = 3600;
const REQUEST_LIMIT: i64 = 100_000;

/// A status that was posted.
#[derive(Debug)]
pub struct Request {
    pub status: Status,
    pub idempotency_key: Option<String>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A posted status is kept.
    Kept,
    /// Not kept, because the known check began at this later moment, in Unix seconds.
    OlderThan(i64),
    /// Not kept, because its idempotency key came with another status before.
    KeyReused,
    /// Not kept, because there are as many servers as there may be.
    TooManyServers,
    /// A status is removed.
    Removed,
    /// There was no status to remove.
    NotThere,
    /// The disk takes data.
    Writable,
}

/// What was answered to a request with an idempotency key.
struct Answered {
    checksum: u32,
    newer: Option<i64>,
}

struct Known {
    last_check: i64,
    since: i64,
    sync_status: String,
    period: i64,
    files: String,
}

/// Keeps a status unless a newer one is known.
///
/// # Errors
/// When the database cannot be written.
pub fn keep(connection: &Connection, request: &Request, now: i64) -> Result<Outcome> {
    let Request { status, idempotency_key } = request;
    let Some(key) = idempotency_key else { return keep_status(connection, status, now) };
    let checksum = crc32fast::hash(status.json(0)?.as_bytes());
    if let Some(before) = answered(connection, key)? {
        let outcome = before.newer.map_or(Outcome::Kept, Outcome::OlderThan);
        return Ok(if before.checksum == checksum { outcome } else { Outcome::KeyReused });
    }
    let outcome = keep_status(connection, status, now)?;
    let newer = match outcome {
        Outcome::Kept => None,
        Outcome::OlderThan(newer) => Some(newer),
        // Sent again, it may be kept.
        Outcome::KeyReused | Outcome::TooManyServers | Outcome::Removed | Outcome::NotThere | Outcome::Writable => {
            return Ok(outcome);
        }
    };
    connection.execute(
        "INSERT INTO request (idempotency_key, checksum, newer, received) VALUES (?1, ?2, ?3, ?4)",
        params![key, checksum, newer, now],
    )?;
    Ok(outcome)
}

fn answered(connection: &Connection, key: &str) -> Result<Option<Answered>> {
    let select = "SELECT checksum, newer FROM request WHERE idempotency_key = ?1";
    let before = connection.query_row(select, [key], |row| Ok(Answered { checksum: row.get(0)?, newer: row.get(1)? }));
    Ok(before.optional()?)
}

fn keep_status(connection: &Connection, status: &Status, now: i64) -> Result<Outcome> {
    let Key { repo, server } = &status.key;
    let known = known(connection, &status.key)?;
    if let Some(Known { last_check, .. }) = known {
        // One from the future was kept while this clock was ahead; it must not hide what is true now.
        if last_check > status.last_check && last_check <= now + CLOCK_TOLERANCE {
            return Ok(Outcome::OlderThan(last_check));
        }
    } else if servers(connection)? >= SERVER_LIMIT {
        return Ok(Outcome::TooManyServers);
    }
    let word = status.result.as_str();
    let files = serde_json::to_string(&status.files)?;
    let same_status = known.as_ref().filter(|known| known.sync_status == word);
    let since = same_status.map_or(status.last_check, |known| known.since.min(status.last_check));
    let period = if let Some(known) = same_status.filter(|known| known.files == files) {
        known.period
    } else {
        if let Some(known) = &known {
            end_period(connection, known.period, status.last_check)?;
        }
        let details = status.details.as_ref();
        connection.execute(
            "INSERT INTO history (repo, server, began, sync_status, files, commit_id, pipeline_url)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![repo, server, status.last_check, word, files, commit(details), pipeline_url(details)],
        )?;
        connection.last_insert_rowid()
    };
    let count = i64::try_from(status.files.len())?;
    connection.execute(
        "INSERT OR REPLACE INTO status VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![repo, server, word, count, status.last_check, since, status.json(since)?, period],
    )?;
    Ok(Outcome::Kept)
}

fn known(connection: &Connection, key: &Key) -> Result<Option<Known>> {
    let select = "SELECT last_check, since, status.sync_status, period, files FROM status JOIN history ON id = period
                  WHERE status.repo = ?1 AND status.server = ?2";
    let known = connection.query_row(select, [&key.repo, &key.server], |row| {
        Ok(Known {
            last_check: row.get(0)?,
            since: row.get(1)?,
            sync_status: row.get(2)?,
            period: row.get(3)?,
            files: row.get(4)?,
        })
    });
    Ok(known.optional()?)
}

fn servers(connection: &Connection) -> Result<i64> {
    Ok(connection.query_row("SELECT count(*) FROM status", [], |row| row.get(0))?)
}

fn end_period(connection: &Connection, period: i64, moment: i64) -> Result<()> {
    // A clock that was set back must not make a period end before it began.
    connection.execute("UPDATE history SET ended = max(began, ?2) WHERE id = ?1", params![period, moment])?;
    Ok(())
}

/// Removes the status of a server. Its history stays.
///
/// # Errors
/// When the database cannot be written.
pub fn remove(connection: &Connection, key: &Key, now: i64) -> Result<Outcome> {
    let Some(known) = known(connection, key)? else { return Ok(Outcome::NotThere) };
    end_period(connection, known.period, now)?;
    connection.execute("DELETE FROM status WHERE repo = ?1 AND server = ?2", [&key.repo, &key.server])?;
    Ok(Outcome::Removed)
}

/// Writes something, to find out whether that is possible.
///
/// # Errors
/// When the database cannot be written.
pub fn probe(connection: &Connection) -> Result<Outcome> {
    // More than what an ordinary status needs, so that success here means something.
    connection.execute("INSERT OR REPLACE INTO probe VALUES (1, randomblob(65536))", [])?;
    Ok(Outcome::Writable)
}

/// Removes what is older than it has to be kept.
///
/// # Errors
/// When the database cannot be written.
pub fn prune(connection: &Connection, keep_history: Duration, now: i64) -> Result<()> {
    // A clock that jumps ahead must not erase the history: time goes on only as far as checks say so.
    let newest: Option<i64> = connection.query_row("SELECT max(last_check) FROM status", [], |row| row.get(0))?;
    let keep_from = newest.unwrap_or(0).min(now) - i64::try_from(keep_history.as_secs()).unwrap_or(i64::MAX);
    // A part at a time, so that nobody waits for it for long.
    connection.execute(
        "DELETE FROM history WHERE id IN (SELECT id FROM history WHERE ended < ?1 ORDER BY ended LIMIT 1000)",
        [keep_from],
    )?;
    let periods: i64 = connection.query_row("SELECT count(*) FROM history", [], |row| row.get(0))?;
    connection.execute(
        "DELETE FROM history
         WHERE id IN (SELECT id FROM history WHERE ended IS NOT NULL ORDER BY ended LIMIT max(0, min(1000, ?1)))",
        [periods - HISTORY_LIMIT],
    )?;
    connection.execute("DELETE FROM request WHERE received < ?1", [now - REQUEST_SECONDS])?;
    connection.execute("DELETE FROM request WHERE id <= (SELECT max(id) FROM request) - ?1", [REQUEST_LIMIT])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::database::create;
    use super::super::read::{Columns, PeriodFilter, periods_after, status, statuses_after};
    use super::*;
    use crate::status::SyncStatus;

    const NOW: i64 = 1_776_767_400;
    const HOUR: i64 = 3600;

    fn database() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        create(&mut connection).unwrap();
        connection
    }

    fn key() -> Key {
        Key { repo: "r".to_owned(), server: "s".to_owned() }
    }

    fn found(files: &[&str], last_check: i64) -> Request {
        let result = if files.is_empty() { SyncStatus::Synced } else { SyncStatus::OutOfSync };
        let files = files.iter().map(|&file| file.to_owned()).collect();
        Request { status: Status { key: key(), result, files, last_check, details: None }, idempotency_key: None }
    }

    /// When each period began and ended.
    fn periods(connection: &Connection) -> Vec<(i64, Option<i64>)> {
        let periods = periods_after(connection, &PeriodFilter::default(), None).unwrap();
        periods.into_iter().map(|period| (period.cursor.began, period.ended)).collect()
    }

    #[test]
    fn a_status_from_the_future_is_replaced_once_the_clock_is_right_again() {
        let connection = database();
        // The clocks of both machines were a day ahead.
        let day = 24 * HOUR;
        assert_eq!(keep(&connection, &found(&[], NOW + day), NOW + day).unwrap(), Outcome::Kept);
        assert_eq!(keep(&connection, &found(&["f"], NOW), NOW).unwrap(), Outcome::Kept);
        let kept = status(&connection, &key()).unwrap().unwrap();
        assert_eq!((kept.sync_status, kept.since), (SyncStatus::OutOfSync, NOW));
        // No period ends before it began.
        assert_eq!(periods(&connection), [(NOW, None), (NOW + day, Some(NOW + day))]);
    }

    #[test]
    fn a_check_that_is_a_little_ahead_is_not_from_the_future() {
        let connection = database();
        keep(&connection, &found(&["f"], NOW + CLOCK_TOLERANCE), NOW).unwrap();
        let outcome = keep(&connection, &found(&[], NOW), NOW).unwrap();
        assert_eq!(outcome, Outcome::OlderThan(NOW + CLOCK_TOLERANCE));
    }

    #[test]
    fn a_clock_that_jumps_ahead_erases_no_history() {
        let connection = database();
        keep(&connection, &found(&[], NOW - HOUR), NOW).unwrap();
        keep(&connection, &found(&["f"], NOW), NOW).unwrap();
        prune(&connection, Duration::from_secs(7200), NOW + 1_000_000_000).unwrap();
        assert_eq!(periods(&connection).len(), 2);
    }

    #[test]
    fn the_history_is_kept_as_long_as_it_shall_be() {
        let connection = database();
        for hour in 0..5 {
            let files: &[&str] = if hour % 2 == 0 { &["f"] } else { &[] };
            keep(&connection, &found(files, NOW + hour * HOUR), NOW + hour * HOUR).unwrap();
        }
        prune(&connection, Duration::from_secs(2 * 3600), NOW + 4 * HOUR).unwrap();
        let hour = |number: i64| NOW + number * HOUR;
        let expected = [(hour(1), Some(hour(2))), (hour(2), Some(hour(3))), (hour(3), Some(hour(4))), (hour(4), None)];
        assert_eq!(periods(&connection), expected);
        assert_eq!(statuses_after(&connection, None, Columns::All).unwrap().len(), 1);
    }

    #[test]
    fn answers_are_forgotten_after_an_hour() {
        let connection = database();
        let request = Request { idempotency_key: Some("k".to_owned()), ..found(&[], NOW) };
        keep(&connection, &request, NOW).unwrap();
        keep(&connection, &found(&["f"], NOW + 60), NOW + 60).unwrap();
        prune(&connection, Duration::from_secs(60), NOW + HOUR).unwrap();
        assert_eq!(keep(&connection, &request, NOW + HOUR).unwrap(), Outcome::Kept);
        prune(&connection, Duration::from_secs(60), NOW + HOUR + 1).unwrap();
        assert_eq!(keep(&connection, &request, NOW + HOUR + 1).unwrap(), Outcome::OlderThan(NOW + 60));
    }

    #[test]
    fn there_are_only_so_many_servers() {
        let connection = database();
        let fill = "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?1)
                    INSERT INTO status SELECT 'full', n, 'SYNCED', 0, 0, 0, '{}', 0 FROM number";
        connection.execute(fill, [SERVER_LIMIT]).unwrap();
        assert_eq!(keep(&connection, &found(&[], NOW), NOW).unwrap(), Outcome::TooManyServers);
        connection.execute("DELETE FROM status WHERE server = '7'", []).unwrap();
        assert_eq!(keep(&connection, &found(&[], NOW), NOW).unwrap(), Outcome::Kept);
        assert_eq!(keep(&connection, &found(&["f"], NOW), NOW).unwrap(), Outcome::Kept);
    }
}
