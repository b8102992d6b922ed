//! The repository itself: the order of the rooms, and words that have to agree with the code.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use plugin_gitops_status::{Failure, FailureKind, Progress, TABLE, messages::progress};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The stages as `lib.rs` lists them, from left to right.
fn stages() -> Vec<String> {
    let list = read("src/lib.rs");
    let names = list.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "));
    names.map(|name| name.trim_end_matches(';').to_owned()).collect()
}

/// The source files of a stage.
fn sources(stage: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(stage);
    if !folder.is_dir() {
        return vec![folder.with_extension("rs")];
    }
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .collect()
}

#[test]
fn a_stage_names_only_stages_to_its_left() {
    let stages = stages();
    assert!(stages.len() > 7, "{stages:?}");
    let mut arrows = std::collections::BTreeSet::new();
    for (place, stage) in stages.iter().enumerate() {
        for file in sources(stage) {
            let code = fs::read_to_string(&file).unwrap();
            for rest in code.split("crate::").skip(1) {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                let other = &rest[..end];
                let known = stages.iter().position(|name| name == other);
                assert!(known.is_some_and(|at| at <= place), "{} names {other}", file.display());
                if other != stage {
                    arrows.insert((other.to_owned(), stage.clone()));
                }
            }
        }
    }
    assert!(arrows.len() > 10, "only {arrows:?} were found");
}

#[test]
fn the_settings_table_of_plugin_md_is_the_one_of_the_code() {
    let text = read("plugin.md");
    let (_, section) = text.split_once("\n## Settings\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let is_row = |line: &&str| line.starts_with(['|', '#']);
    let rows: Vec<&str> = section.lines().filter(is_row).collect();
    let mut expected = Vec::new();
    let mut group = None;
    for setting in TABLE {
        if group != Some(setting.group) {
            expected.push(format!("### {}", setting.group.title()));
            expected.extend(["| setting | type | default | meaning |", "|---|---|---|---|"].map(str::to_owned));
            group = Some(setting.group);
        }
        let default = setting.default.words();
        expected.push(format!("| `{}` | {} | {default} | {} |", setting.name, setting.kind, setting.help));
    }
    assert_eq!(rows, expected, "plugin.md needs:\n{}", expected.join("\n"));
}

#[test]
fn the_documents_stay_short_enough_to_be_read() {
    for (file, lines) in [("README.md", 350), ("plugin.md", 250)] {
        let length = read(file).lines().count();
        assert!(length <= lines, "{file} has {length} lines");
    }
}

#[test]
fn what_readme_says_of_a_failed_delivery_is_what_the_log_says() {
    use FailureKind::{Certificate, Connection, Dns, Protocol, Status, Timeout};
    let readme = read("README.md");
    for kind in [
        Dns,
        Connection,
        Timeout,
        Certificate,
        Protocol,
        Status(302),
        Status(400),
        Status(401),
        Status(404),
        Status(503),
    ] {
        let failure = Failure { kind, cause: "why".to_owned(), retry_after: None };
        let undelivered = Progress::Undelivered { server: None, failure: &failure, attempts: 1 };
        let lines: Vec<String> = progress(&undelivered).iter().map(|line| line.painted(false)).collect();
        let said = lines[0].strip_prefix("cannot deliver the status: ").unwrap();
        let symptom = said.split([':', '(']).next().unwrap().trim();
        let row = format!("| `{symptom}` | {} |", lines[1].trim().strip_prefix("check ").unwrap());
        assert!(readme.contains(&row), "README needs {row}");
    }
}
