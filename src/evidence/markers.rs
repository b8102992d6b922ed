//! What a playbook states about itself: `SYNC_STATUS=` and `DRIFTED_FILES=` as whole lines of a `debug`.

use std::collections::BTreeSet;

use crate::ansible::reported::{FILES_MARKER, STATUS_MARKER};
use crate::evidence::drift_name::DriftName;
use crate::evidence::source::Source;

/// What one host has stated in one playbook, over all its lines.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Markers {
    synced: bool,
    out_of_sync: bool,
    lists: BTreeSet<BTreeSet<DriftName>>,
    problem: Option<MarkerProblem>,
    /// The task that stated a status, for drift that names no file.
    task: Option<String>,
    /// When the status was stated last: the number of the event.
    stated_at: u64,
}

/// What a statement comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Statement<'a> {
    /// Nothing was stated.
    None,
    /// `SYNC_STATUS=SYNCED`, and no files.
    Synced,
    /// `SYNC_STATUS=OUT_OF_SYNC`, with the names it listed.
    OutOfSync(Option<&'a BTreeSet<DriftName>>),
    /// It contradicts itself or cannot be read, and why.
    Broken(MarkerProblem),
}

/// Why a statement cannot be believed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum MarkerProblem {
    /// `SYNC_STATUS=` without a value.
    EmptyStatus,
    /// A status of another name, such as `synced`.
    UnknownStatus(String),
    /// Both `SYNCED` and `OUT_OF_SYNC`.
    BothStatuses,
    /// Two different lists of files.
    TwoLists,
    /// SYNCED, and a list of files.
    SyncedWithFiles,
    /// A list of files, and no status.
    FilesWithoutStatus,
    /// `DRIFTED_FILES=[...]` that is no JSON.
    UnreadableFiles,
    /// It hangs on a value that is unknown.
    DependsOn(Source),
}

impl Markers {
    /// Adds the lines of one `debug` of the task `task`. `at` is the number of the event.
    pub fn add(&mut self, lines: &[String], task: &str, at: u64) {
        for line in lines {
            match line.split_once('=') {
                Some((STATUS_MARKER, value)) => {
                    match value.trim() {
                        "SYNCED" => self.synced = true,
                        "OUT_OF_SYNC" => self.out_of_sync = true,
                        "" => self.break_with(MarkerProblem::EmptyStatus),
                        other => self.break_with(MarkerProblem::UnknownStatus(other.to_owned())),
                    }
                    self.task = Some(task.to_owned());
                    self.stated_at = at;
                }
                Some((FILES_MARKER, value)) => match listed(value.trim()) {
                    Ok(list) => _ = self.lists.insert(list),
                    Err(problem) => self.break_with(problem),
                },
                _ => {}
            }
        }
    }

    /// What it states hangs on a value that is unknown.
    pub fn depends_on(&mut self, source: &Source) {
        self.break_with(MarkerProblem::DependsOn(source.clone()));
    }

    /// What it all comes to.
    pub fn statement(&self) -> Statement<'_> {
        let files = self.lists.iter().find(|list| !list.is_empty());
        if let Some(problem) = &self.problem {
            return Statement::Broken(problem.clone());
        }
        match (self.synced, self.out_of_sync, self.lists.len()) {
            (false, false, 0) => Statement::None,
            (true, true, _) => Statement::Broken(MarkerProblem::BothStatuses),
            (_, _, 2..) => Statement::Broken(MarkerProblem::TwoLists),
            (true, false, _) if files.is_some() => Statement::Broken(MarkerProblem::SyncedWithFiles),
            (true, false, _) => Statement::Synced,
            (false, true, _) => Statement::OutOfSync(files),
            (false, false, _) => Statement::Broken(MarkerProblem::FilesWithoutStatus),
        }
    }

    /// When the status was stated last: the number of the event.
    pub fn stated_at(&self) -> u64 {
        self.stated_at
    }

    /// The task that stated the status.
    pub fn task(&self) -> &str {
        self.task.as_deref().unwrap_or("debug")
    }

    fn break_with(&mut self, problem: MarkerProblem) {
        self.problem.get_or_insert(problem);
    }
}

/// A JSON array of strings, or names separated by commas.
fn listed(value: &str) -> Result<BTreeSet<DriftName>, MarkerProblem> {
    let names = if value.starts_with('[') && value.ends_with(']') {
        serde_json::from_str::<Vec<String>>(value).map_err(|_| MarkerProblem::UnreadableFiles)?
    } else {
        crate::settings::split_commas(value)
    };
    Ok(names.into_iter().filter(|name| !name.trim().is_empty()).map(DriftName::Path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stated(lines: &[&str]) -> Markers {
        let mut statement = Markers::default();
        statement.add(&lines.iter().map(ToString::to_string).collect::<Vec<_>>(), "say", 0);
        statement
    }

    fn files(names: &[&str]) -> BTreeSet<DriftName> {
        names.iter().map(|name| DriftName::Path((*name).to_owned())).collect()
    }

    #[test]
    fn a_statement_is_read_as_it_stands() {
        assert_eq!(stated(&[]).statement(), Statement::None);
        assert_eq!(stated(&["SYNC_STATUS=SYNCED", "DRIFTED_FILES="]).statement(), Statement::Synced);
        let drift = stated(&["DRIFTED_FILES=b/c, a", "SYNC_STATUS=OUT_OF_SYNC"]);
        assert_eq!(drift.statement(), Statement::OutOfSync(Some(&files(&["a", "b/c"]))));
        let json = stated(&[r#"DRIFTED_FILES=["a, b","[x].conf"]"#, "SYNC_STATUS=OUT_OF_SYNC"]);
        assert_eq!(json.statement(), Statement::OutOfSync(Some(&files(&["a, b", "[x].conf"]))));
        assert_eq!(stated(&["SYNC_STATUS=OUT_OF_SYNC"]).statement(), Statement::OutOfSync(None));
        assert_eq!(stated(&["SYNC_STATUS=SYNCED", "SYNC_STATUS=SYNCED"]).statement(), Statement::Synced);
    }

    #[test]
    fn a_statement_that_contradicts_itself_proves_nothing() {
        for lines in [
            &["SYNC_STATUS=SYNCED", "SYNC_STATUS=OUT_OF_SYNC"][..],
            &["SYNC_STATUS=SYNCED", "DRIFTED_FILES=a"],
            &["SYNC_STATUS=OUT_OF_SYNC", "DRIFTED_FILES=a", "DRIFTED_FILES=b"],
            &["SYNC_STATUS=OUT_OF_SYNC", "DRIFTED_FILES=a", "DRIFTED_FILES="],
            &["SYNC_STATUS="],
            &["SYNC_STATUS=SYNCED?"],
            &["SYNC_STATUS=synced"],
            &["SYNC_STATUS=OUT_OF_SYNC", "DRIFTED_FILES=['a']"],
            &["DRIFTED_FILES=a"],
        ] {
            assert!(matches!(stated(lines).statement(), Statement::Broken(_)), "{lines:?}");
        }
    }
}
