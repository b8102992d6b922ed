//! The check-mode atlas: its page says what was observed, and what needs no box is observed again.

use std::path::PathBuf;
use std::process::Command;

#[path = "../support/mod.rs"]
mod support;

#[test]
fn the_page_says_what_was_observed() {
    let python = support::ansible_bin().join("python");
    succeeds(Command::new(python).arg(atlas("document.py")).arg("--check"));
}

#[test]
fn modules_that_need_no_box_answer_as_expected() {
    succeeds(Command::new(atlas("run.sh")).args(["--scratch", "--core", &support::ansible_version()]));
}

fn atlas(file: &str) -> PathBuf {
    support::root().join("tests/atlas").join(file)
}

fn succeeds(command: &mut Command) {
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
}
