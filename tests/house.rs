//! The repository itself: the order of the rooms, and words that have to agree with the code.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use plugin_gitops_status::deliver::{Failure, FailureKind};
use plugin_gitops_status::report::undelivered;
use plugin_gitops_status::settings::TABLE;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The rooms as `lib.rs` lists them, from left to right.
fn rooms() -> Vec<String> {
    let list = read("src/lib.rs");
    let names = list.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "));
    names.map(|name| name.trim_end_matches(';').to_owned()).collect()
}

/// The rooms that a room's code names, tests included.
fn named(code: &str) -> Vec<String> {
    code.split("crate::")
        .skip(1)
        .flat_map(|rest| {
            let end = |list: &str| list.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(list.len());
            match rest.strip_prefix('{') {
                None => vec![rest[..end(rest)].to_owned()],
                Some(list) => list[..list.find("};").unwrap()]
                    .split(',')
                    .map(|part| part.trim()[..end(part.trim())].to_owned())
                    .collect(),
            }
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn a_room_names_only_rooms_to_its_left() {
    let rooms = rooms();
    assert!(rooms.len() > 15, "{rooms:?}");
    let mut arrows = 0;
    for (place, room) in rooms.iter().enumerate() {
        for other in named(&read(&format!("src/{room}.rs"))) {
            let known = rooms.iter().position(|name| *name == other);
            assert!(known.is_some_and(|at| at < place), "{room} names {other}, which is not to its left");
            arrows += 1;
        }
    }
    assert!(arrows > 30, "only {arrows} arrows were found");
}

#[test]
fn every_source_file_is_a_room() {
    let mut files: Vec<String> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.retain(|name| !["lib.rs", "main.rs", "drift_events.py"].contains(&name.as_str()));
    files.sort();
    let mut rooms: Vec<String> = rooms().iter().map(|room| format!("{room}.rs")).collect();
    rooms.sort();
    assert_eq!(files, rooms);
}

#[test]
fn the_settings_table_of_plugin_md_is_the_one_of_the_code() {
    let text = read("plugin.md");
    let rows: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("| setting |"))
        .take_while(|line| line.starts_with('|'))
        .collect();
    let expected: Vec<String> = ["| setting | type | default | meaning |".to_owned(), "|---|---|---|---|".to_owned()]
        .into_iter()
        .chain(TABLE.iter().map(|setting| {
            format!("| `{}` | {} | {} | {} |", setting.name, setting.kind, setting.default, setting.help)
        }))
        .collect();
    assert_eq!(rows, expected);
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
        let lines: Vec<String> = undelivered(None, &failure, 1).iter().map(|line| line.painted(false)).collect();
        let said = lines[0].strip_prefix("cannot deliver the status: ").unwrap();
        let symptom = said.split([':', '(']).next().unwrap().trim();
        let row = format!("| `{symptom}` | {} |", lines[1].trim().strip_prefix("check ").unwrap());
        assert!(readme.contains(&row), "README lacks {row}");
    }
}
