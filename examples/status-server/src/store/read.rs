//! What readers ask. Lists come in parts, so that a reader who takes his time holds neither much memory nor the database.

use anyhow::Result;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use crate::status::{Key, SyncStatus};

/// A part of a list is complete when it has this many bytes of JSON.
pub const PART: usize = 16 * 1024;

/// A status as it is kept.
#[derive(Debug, Clone)]
pub struct Listed {
    pub key: Key,
    pub sync_status: SyncStatus,
    pub drift_count: i64,
    /// When the check began, in Unix seconds.
    pub last_check: i64,
    /// When `sync_status` became what it is, in Unix seconds.
    pub since: i64,
    /// The object of `/status.json`.
    pub json: String,
}

/// How many servers there are, each counted once.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub synced: i64,
    pub out_of_sync: i64,
    pub unknown: i64,
    /// Neither out of sync nor checked lately.
    pub stale: i64,
}

/// A time in which neither the status of a server nor its list of files changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    pub cursor: PeriodCursor,
    pub sync_status: SyncStatus,
    /// A JSON array of names.
    pub files: String,
    /// `None` while it lasts; Unix seconds.
    pub ended: Option<i64>,
    pub commit: Option<String>,
    pub pipeline_url: Option<String>,
}

/// A place in the history, which is sorted by these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodCursor {
    pub key: Key,
    /// Unix seconds.
    pub began: i64,
    id: i64,
}

/// Which periods are asked for; times are Unix seconds.
#[derive(Debug, Default, Clone)]
pub struct PeriodFilter {
    pub repo: Option<String>,
    pub server: Option<String>,
    /// Periods that lasted at this moment or later.
    pub from: Option<i64>,
    /// Periods that had begun by this moment.
    pub to: Option<i64>,
}

/// What is read of each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    All,
    /// [`Listed::json`], which may be a thousand times as long as the rest, stays empty.
    WithoutJson,
}

const STATUS: &str = "SELECT repo, server, sync_status, drift_count, last_check, since, json FROM status";
const STATUS_WITHOUT_JSON: &str = "SELECT repo, server, sync_status, drift_count, last_check, since, '' FROM status";

/// A part of the statuses, sorted by repository and server.
///
/// # Errors
/// When the database cannot be read.
pub fn statuses_after(connection: &Connection, after: Option<&Key>, columns: Columns) -> Result<Vec<Listed>> {
    let select = match columns {
        Columns::All => STATUS,
        Columns::WithoutJson => STATUS_WITHOUT_JSON,
    };
    let (repo, server) = after.map_or(("", ""), |key| (&key.repo, &key.server));
    let mut select = connection.prepare(&format!("{select} WHERE (repo, server) > (?1, ?2) ORDER BY repo, server"))?;
    let mut rows = select.query([repo, server])?;
    let (mut part, mut size) = (Vec::new(), 0);
    while let (true, Some(row)) = (size < PART, rows.next()?) {
        let status = listed(row)?;
        size += 100 + status.json.len();
        part.push(status);
    }
    Ok(part)
}

/// The status of one server.
///
/// # Errors
/// When the database cannot be read.
pub fn status(connection: &Connection, key: &Key) -> Result<Option<Listed>> {
    let mut select = connection.prepare(&format!("{STATUS} WHERE repo = ?1 AND server = ?2"))?;
    let mut rows = select.query([&key.repo, &key.server])?;
    rows.next()?.map(listed).transpose()
}

fn listed(row: &Row<'_>) -> Result<Listed> {
    Ok(Listed {
        key: Key { repo: row.get(0)?, server: row.get(1)? },
        sync_status: SyncStatus::named(&row.get::<_, String>(2)?)?,
        drift_count: row.get(3)?,
        last_check: row.get(4)?,
        since: row.get(5)?,
        json: row.get(6)?,
    })
}

/// Counts the servers; what was checked before `fresh_from` is stale unless it is out of sync.
///
/// # Errors
/// When the database cannot be read.
pub fn counts(connection: &Connection, fresh_from: i64) -> Result<Counts> {
    let mut counts = Counts::default();
    let mut select = connection.prepare("SELECT sync_status, last_check < ?1, count(*) FROM status GROUP BY 1, 2")?;
    let mut rows = select.query([fresh_from])?;
    while let Some(row) = rows.next()? {
        let counted = match (SyncStatus::named(&row.get::<_, String>(0)?)?, row.get(1)?) {
            (SyncStatus::OutOfSync, _) => &mut counts.out_of_sync,
            (_, true) => &mut counts.stale,
            (SyncStatus::Synced, false) => &mut counts.synced,
            (SyncStatus::Unknown, false) => &mut counts.unknown,
        };
        *counted += row.get::<_, i64>(2)?;
    }
    Ok(counts)
}

/// A part of the history, sorted by repository, server and time.
///
/// # Errors
/// When the database cannot be read.
pub fn periods_after(
    connection: &Connection,
    filter: &PeriodFilter,
    after: Option<&PeriodCursor>,
) -> Result<Vec<Period>> {
    let mut conditions = vec!["TRUE"];
    let mut values: Vec<Value> = Vec::new();
    if let Some(PeriodCursor { key, began, id }) = after {
        conditions.push("(repo, server, began, id) > (?, ?, ?, ?)");
        values.extend([key.repo.clone().into(), key.server.clone().into(), (*began).into(), (*id).into()]);
    }
    let texts = [("repo = ?", &filter.repo), ("server = ?", &filter.server)];
    for (condition, value) in texts {
        if let Some(value) = value {
            conditions.push(condition);
            values.push(value.clone().into());
        }
    }
    for (condition, value) in [("coalesce(ended, 1e12) >= ?", filter.from), ("began <= ?", filter.to)] {
        if let Some(value) = value {
            conditions.push(condition);
            values.push(value.into());
        }
    }
    let mut select = connection.prepare(&format!(
        "SELECT repo, server, began, id, sync_status, files, ended, commit_id, pipeline_url FROM history
         WHERE {} ORDER BY repo, server, began, id",
        conditions.join(" AND ")
    ))?;
    let mut rows = select.query(params_from_iter(values))?;
    let (mut part, mut size) = (Vec::new(), 0);
    while let (true, Some(row)) = (size < PART, rows.next()?) {
        let key = Key { repo: row.get(0)?, server: row.get(1)? };
        let period = Period {
            cursor: PeriodCursor { key, began: row.get(2)?, id: row.get(3)? },
            sync_status: SyncStatus::named(&row.get::<_, String>(4)?)?,
            files: row.get(5)?,
            ended: row.get(6)?,
            commit: row.get(7)?,
            pipeline_url: row.get(8)?,
        };
        // What every object has besides its files.
        size += 200 + period.files.len();
        part.push(period);
    }
    Ok(part)
}
