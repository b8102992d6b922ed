//! What a playbook states about itself: `SYNC_STATUS=` and `DRIFTED_FILES=` as whole lines of a `debug`.

use std::collections::BTreeSet;

/// What one host has stated in one playbook, over all its lines.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Markers {
    synced: bool,
    out_of_sync: bool,
    lists: BTreeSet<BTreeSet<String>>,
    broken: Option<String>,
    /// The task that stated a status, for drift that names no file.
    task: Option<String>,
}

/// What a statement comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Statement<'a> {
    /// Nothing was stated.
    None,
    /// `SYNC_STATUS=SYNCED`, and no files.
    Synced,
    /// `SYNC_STATUS=OUT_OF_SYNC`, with the names it listed.
    OutOfSync(Option<&'a BTreeSet<String>>),
    /// It contradicts itself or cannot be read, and why.
    Broken(String),
}

impl Markers {
    /// Adds the lines of one `debug` of the task `task`.
    pub fn add(&mut self, lines: &[String], task: &str) {
        for line in lines {
            if let Some(value) = line.strip_prefix("SYNC_STATUS=") {
                match value.trim() {
                    "SYNCED" => self.synced = true,
                    "OUT_OF_SYNC" => self.out_of_sync = true,
                    "" => self.break_with("SYNC_STATUS= is empty".to_owned()),
                    other => self.break_with(format!("SYNC_STATUS={other} is neither SYNCED nor OUT_OF_SYNC")),
                }
                self.task = Some(task.to_owned());
            } else if let Some(value) = line.strip_prefix("DRIFTED_FILES=") {
                match listed(value.trim()) {
                    Ok(list) => drop(self.lists.insert(list)),
                    Err(problem) => self.break_with(problem),
                }
            }
        }
    }

    /// What it all comes to.
    pub fn testimony(&self) -> Statement<'_> {
        let files = self.lists.iter().find(|list| !list.is_empty());
        if let Some(problem) = &self.broken {
            return Statement::Broken(problem.clone());
        }
        match (self.synced, self.out_of_sync, self.lists.len()) {
            (false, false, 0) => Statement::None,
            (true, true, _) => Statement::Broken("it says both SYNCED and OUT_OF_SYNC".to_owned()),
            (_, _, 2..) => Statement::Broken("it gives two different DRIFTED_FILES lists".to_owned()),
            (true, false, _) if files.is_some() => {
                Statement::Broken("it says SYNCED and lists drifted files".to_owned())
            }
            (true, false, _) => Statement::Synced,
            (false, true, _) => Statement::OutOfSync(files),
            (false, false, _) => Statement::Broken("it lists DRIFTED_FILES and says no SYNC_STATUS".to_owned()),
        }
    }

    /// The task that stated the status.
    pub fn task(&self) -> &str {
        self.task.as_deref().unwrap_or("debug")
    }

    fn break_with(&mut self, problem: String) {
        self.broken.get_or_insert(problem);
    }
}

/// A JSON array of strings, or names separated by commas.
fn listed(value: &str) -> Result<BTreeSet<String>, String> {
    if value.starts_with('[') && value.ends_with(']') {
        let list: Vec<String> = serde_json::from_str(value)
            .map_err(|_| "DRIFTED_FILES=[...] is no JSON list of strings; write it with `to_json`".to_owned())?;
        return Ok(list.into_iter().filter(|name| !name.trim().is_empty()).collect());
    }
    Ok(crate::settings::split_commas(value).into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(lines: &[&str]) -> Markers {
        let mut statement = Markers::default();
        statement.add(&lines.iter().map(ToString::to_string).collect::<Vec<_>>(), "say");
        statement
    }

    #[test]
    fn a_statement_is_read_as_it_stands() {
        assert_eq!(statement(&[]).testimony(), Statement::None);
        assert_eq!(statement(&["SYNC_STATUS=SYNCED", "DRIFTED_FILES="]).testimony(), Statement::Synced);
        let drift = statement(&["DRIFTED_FILES=b/c, a", "SYNC_STATUS=OUT_OF_SYNC"]);
        assert_eq!(drift.testimony(), Statement::OutOfSync(Some(&BTreeSet::from(["a".to_owned(), "b/c".to_owned()]))));
        let json = statement(&[r#"DRIFTED_FILES=["a, b","[x].conf"]"#, "SYNC_STATUS=OUT_OF_SYNC"]);
        assert_eq!(
            json.testimony(),
            Statement::OutOfSync(Some(&BTreeSet::from(["a, b".to_owned(), "[x].conf".to_owned()])))
        );
        assert_eq!(statement(&["SYNC_STATUS=OUT_OF_SYNC"]).testimony(), Statement::OutOfSync(None));
        assert_eq!(statement(&["SYNC_STATUS=SYNCED", "SYNC_STATUS=SYNCED"]).testimony(), Statement::Synced);
    }

    #[test]
    fn a_broken_witness_proves_nothing() {
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
            assert!(matches!(statement(lines).testimony(), Statement::Broken(_)), "{lines:?}");
        }
    }
}
