//! The check-mode atlas: its page says what was observed, and what is quick and needs no box is observed again.

use std::path::PathBuf;
use std::process::Command;

use crate::harness::suite::{Need, Suite, suite};
use crate::harness::{ansible, root, succeeded};

/// Files of `tests/atlas/modules` whose experiments take seconds in a directory of this machine.
const QUICK: [&str; 12] = [
    "assemble",
    "blockinfile",
    "command",
    "fetch",
    "known_hosts",
    "lineinfile",
    "raw",
    "reads",
    "replace",
    "script",
    "shell",
    "template",
];

pub fn suite() -> Suite {
    suite!("atlas", [Need::Ansible], the_page_says_what_was_observed, modules_that_need_no_box_answer_as_expected,)
}

fn atlas(file: &str) -> PathBuf {
    root().join("tests/atlas").join(file)
}

fn the_page_says_what_was_observed() {
    succeeded(Command::new(ansible::bin().unwrap().join("python3")).arg(atlas("document.py")).arg("--check"));
}

fn modules_that_need_no_box_answer_as_expected() {
    let core = ansible::bin().unwrap();
    succeeded(Command::new(atlas("run.sh")).args(["--scratch", "--core"]).arg(core).args(QUICK));
}
