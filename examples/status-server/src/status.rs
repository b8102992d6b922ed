//! A status as it is posted, the rules it has to keep, and the form in which it is kept.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::timestamp;

/// How far ahead of this machine's clock a check may have begun, in seconds: clocks differ a little.
pub const CLOCK_TOLERANCE: i64 = 300;

/// The longest name of a repository or server, in bytes.
const NAME_LIMIT: usize = 255;

/// The longest name of a drifted file, in bytes: the longest path on Linux.
const FILE_NAME_LIMIT: usize = 4096;

/// A repository and a server: what a status belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub repo: String,
    pub server: String,
}

/// What the newest check of a server found.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    pub key: Key,
    pub result: SyncStatus,
    /// What differs: sorted, without duplicates and without characters that could break a panel.
    pub files: Vec<String>,
    /// When the check began, in Unix seconds.
    pub last_check: i64,
    pub details: Option<Map<String, Value>>,
}

/// The three results of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SyncStatus {
    Synced,
    OutOfSync,
    Unknown,
}

impl SyncStatus {
    /// The word for it everywhere outside this program.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Synced => "SYNCED",
            Self::OutOfSync => "OUT_OF_SYNC",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The status with this name.
    ///
    /// # Errors
    /// For a word that is none of the three.
    pub fn named(word: &str) -> Result<Self> {
        [Self::Synced, Self::OutOfSync, Self::Unknown]
            .into_iter()
            .find(|status| status.as_str() == word)
            .with_context(|| format!("{word:?} is no sync status"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Posted {
    repo: String,
    server: String,
    sync_status: SyncStatus,
    drift_count: usize,
    files: Vec<File>,
    last_check: String,
    details: Option<Map<String, Value>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
}

impl Status {
    /// Reads a status from JSON, at this moment in Unix seconds.
    ///
    /// # Errors
    /// Says what is wrong with it, by the key's name.
    pub fn parse(json: &[u8], now: i64) -> Result<Self> {
        let Posted { repo, server, sync_status, drift_count, files, last_check, details } =
            serde_json::from_slice(json).context("this is not a status")?;
        check_name("repo", &repo)?;
        check_name("server", &server)?;
        ensure!(drift_count == files.len(), "`drift_count` is {drift_count}, but `files` has {}", files.len());
        match sync_status {
            SyncStatus::OutOfSync => ensure!(!files.is_empty(), "`sync_status` is OUT_OF_SYNC, but `files` is empty"),
            SyncStatus::Synced | SyncStatus::Unknown => {
                ensure!(files.is_empty(), "`sync_status` is {}, but `files` is not empty", sync_status.as_str());
            }
        }
        let files = normalised(files)?;
        let last_check = timestamp::parse(&last_check).context("`last_check` cannot be used")?;
        let ahead = last_check - now;
        if ahead > CLOCK_TOLERANCE {
            bail!(
                "`last_check` is {}, {} ahead of this server's clock ({}): set the clock of the machine that ran the check",
                timestamp::rfc3339(last_check),
                humantime::format_duration(std::time::Duration::from_secs(ahead.unsigned_abs())),
                timestamp::rfc3339(now)
            );
        }
        Ok(Self { key: Key { repo, server }, result: sync_status, files, last_check, details })
    }

    /// The object that `/status.json` lists, for a status that began at `since`.
    ///
    /// # Errors
    /// Never for these types; serde's signature allows for it.
    pub fn json(&self, since: i64) -> Result<String> {
        #[derive(Serialize)]
        struct Listed<'a> {
            repo: &'a str,
            server: &'a str,
            sync_status: SyncStatus,
            drift_count: usize,
            files: Vec<ListedFile<'a>>,
            last_check: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            details: Option<&'a Map<String, Value>>,
            since: String,
        }
        #[derive(Serialize)]
        struct ListedFile<'a> {
            name: &'a str,
        }
        Ok(serde_json::to_string(&Listed {
            repo: &self.key.repo,
            server: &self.key.server,
            sync_status: self.result,
            drift_count: self.files.len(),
            files: self.files.iter().map(|name| ListedFile { name }).collect(),
            last_check: timestamp::rfc3339(self.last_check),
            details: self.details.as_ref(),
            since: timestamp::rfc3339(since),
        })?)
    }
}

/// The pipeline that ran the check, where `details` name one that a page may link to.
pub fn pipeline_url(details: Option<&Map<String, Value>>) -> Option<&str> {
    let url = detail(details, "pipeline_url")?;
    // Anything else, such as `javascript:`, would run where somebody clicks on it.
    let linked = ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme));
    (linked && !url.contains(|c: char| breaks_a_line(c) || c.is_whitespace())).then_some(url)
}

/// The commit that the server was compared with, where `details` name one.
pub fn commit(details: Option<&Map<String, Value>>) -> Option<&str> {
    detail(details, "commit").filter(|commit| commit.chars().all(|c| c.is_ascii_alphanumeric()))
}

fn detail<'a>(details: Option<&'a Map<String, Value>>, name: &str) -> Option<&'a str> {
    details?.get(name)?.as_str().filter(|value| !value.is_empty() && value.len() <= 2048)
}

fn check_name(key: &str, name: &str) -> Result<()> {
    ensure!(!name.is_empty(), "`{key}` is empty");
    ensure!(name.len() <= NAME_LIMIT, "`{key}` is longer than {NAME_LIMIT} bytes");
    ensure!(name.trim() == name, "`{key}` begins or ends with a space: {name:?}");
    ensure!(!name.contains(breaks_a_line), "`{key}` has a control character in it: {name:?}");
    Ok(())
}

/// The names of files, sorted. A control character is kept as its escape: a file that somebody named so has drifted all
/// the same, and refusing its name would hide that.
fn normalised(files: Vec<File>) -> Result<Vec<String>> {
    let mut seen = BTreeSet::new();
    for File { name } in &files {
        ensure!(!name.is_empty(), "`files` has an empty name in it");
        ensure!(name.len() <= FILE_NAME_LIMIT, "`files` has a name in it that is longer than {FILE_NAME_LIMIT} bytes");
        ensure!(seen.insert(name), "`files` names {name:?} twice");
    }
    let mut names: Vec<String> = files.into_iter().map(|file| escaped(file.name)).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn escaped(name: String) -> String {
    if !name.contains(breaks_a_line) {
        return name;
    }
    let mut shown = String::new();
    for c in name.chars() {
        if breaks_a_line(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// Control characters, line separators, and the marks that turn the direction of writing.
fn breaks_a_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_776_767_400; // 2026-04-21T10:30:00Z

    fn with(changes: &Value) -> Result<Status> {
        let mut status = json!({"repo": "r", "server": "s", "sync_status": "OUT_OF_SYNC", "drift_count": 1,
            "files": [{"name": "f"}], "last_check": "2026-04-21T10:30:00Z"});
        for (key, value) in changes.as_object().unwrap() {
            status[key] = value.clone();
        }
        Status::parse(status.to_string().as_bytes(), NOW)
    }

    fn files(names: &[&str]) -> Value {
        json!({"drift_count": names.len(), "files": names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>()})
    }

    #[test]
    fn what_breaks_a_rule_is_refused_and_named() {
        let long = "x".repeat(256);
        for (changes, key) in [
            (json!({"repo": ""}), "`repo`"),
            (json!({"server": " s"}), "`server`"),
            (json!({"server": "a\nb"}), "`server`"),
            (json!({"repo": "a\u{202e}b"}), "`repo`"),
            (json!({"repo": long}), "`repo`"),
            (json!({"drift_count": 2}), "`drift_count`"),
            (json!({"drift_count": -1}), "invalid value"),
            (json!({"sync_status": "SYNCED"}), "`files`"),
            (json!({"sync_status": "UNKNOWN"}), "`files`"),
            (json!({"sync_status": "synced"}), "unknown variant"),
            (json!({"drift_count": 0, "files": []}), "`files`"),
            (files(&["a", ""]), "`files`"),
            (files(&["b", "a", "b"]), "names \"b\" twice"),
            (json!({"last_check": "2026-04-21"}), "`last_check`"),
            (
                json!({"last_check": "2026-04-21T10:35:01Z"}),
                "5m 1s ahead of this server's clock (2026-04-21T10:30:00Z)",
            ),
            (json!({"last_check": "9999-01-01T00:00:00Z"}), "`last_check`"),
            (json!({"details": "none"}), "invalid type"),
            (json!({"colour": "red"}), "unknown field `colour`"),
        ] {
            let error = format!("{:#}", with(&changes).expect_err(&changes.to_string()));
            assert!(error.contains(key), "{changes}: {error}");
        }
        let twice = br#"{"repo":"r","repo":"r"}"#;
        assert!(format!("{:#}", Status::parse(twice, NOW).unwrap_err()).contains("duplicate field"));
    }

    #[test]
    fn a_check_may_be_a_little_ahead() {
        assert_eq!(with(&json!({"last_check": "2026-04-21T10:35:00Z"})).unwrap().last_check, NOW + 300);
    }

    #[test]
    fn files_are_sorted_and_control_characters_are_shown() {
        let status = with(&files(&["b", "a\nb", "a\u{202e}c", "ä ö"])).unwrap();
        assert_eq!(status.files, ["a\\nb", "a\\u{202e}c", "b", "ä ö"]);
    }

    #[test]
    fn the_listed_object_has_the_posted_keys_and_since() {
        let details = json!({"details": {"schema": 1}, "last_check": "2026-04-21t12:30:00.5+02:00"});
        assert_eq!(
            with(&details).unwrap().json(0).unwrap(),
            r#"{"repo":"r","server":"s","sync_status":"OUT_OF_SYNC","drift_count":1,"files":[{"name":"f"}],"last_check":"2026-04-21T10:30:00Z","details":{"schema":1},"since":"1970-01-01T00:00:00Z"}"#
        );
    }

    #[test]
    fn only_a_web_address_and_a_plain_commit_are_linked() {
        let of = |url: &str, id: &str| {
            let status = with(&json!({"details": {"pipeline_url": url, "commit": id}})).unwrap();
            let details = status.details.as_ref();
            (pipeline_url(details).map(str::to_owned), commit(details).map(str::to_owned))
        };
        assert_eq!(of("https://ci/1", "abc1"), (Some("https://ci/1".to_owned()), Some("abc1".to_owned())));
        assert_eq!(of("javascript:alert(1)", "<b>"), (None, None));
        assert_eq!(of("https://ci/\n1", ""), (None, None));
    }
}
