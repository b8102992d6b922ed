//! Private keys as `ssh-keygen` makes them: repaired where a secret store bent them, refused where they cannot work.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use plugin_gitops_status::repaired;
use tempfile::TempDir;

use crate::harness::step::Step;
use crate::harness::succeeded;
use crate::harness::suite::{Need, Suite, suite};

pub fn suite() -> Suite {
    suite!(
        "keys",
        [Need::Ssh],
        keys_of_every_format_are_repaired,
        keys_that_cannot_work_are_refused_with_the_reason,
        a_key_that_ssh_cannot_use_is_damaged,
    )
}

const PASSPHRASE: &str = "is protected by a passphrase";
const TRUNCATED: &str = "is cut off or damaged";

/// A key of `ssh-keygen` itself.
fn made(arguments: &[&str]) -> (TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    succeeded(Command::new("ssh-keygen").args(["-q", "-f"]).arg(&path).args(arguments));
    let text = fs::read_to_string(&path).unwrap();
    (folder, path, text)
}

fn keys_of_every_format_are_repaired() {
    for arguments in [
        &["-t", "ed25519", "-N", ""][..],
        &["-t", "rsa", "-b", "2048", "-N", ""],
        &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""],
        &["-t", "ecdsa", "-m", "PKCS8", "-N", ""],
    ] {
        let (_folder, _, text) = made(arguments);
        for bent in [
            text.replace('\n', "\r\n"),
            text.replace('\n', "\r"),
            text.trim_end().to_owned(),
            text.replace('\n', "\\n"),
            format!("\n  {text}\n"),
        ] {
            assert_eq!(repaired(&bent).unwrap(), text, "{arguments:?}");
        }
    }
}

#[track_caller]
fn refused(text: &str, said: &str) {
    let why = repaired(text).unwrap_err();
    assert!(why.contains(said), "{why}");
}

fn keys_that_cannot_work_are_refused_with_the_reason() {
    let (_folder, path, text) = made(&["-t", "ed25519", "-N", "secret"]);
    refused(&text, PASSPHRASE);
    refused(&fs::read_to_string(path.with_extension("pub")).unwrap(), "public key");
    let (_folder, _, text) = made(&["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "secret"]);
    refused(&text, PASSPHRASE);
    for arguments in [&["-t", "ed25519", "-N", ""][..], &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""]] {
        let (_folder, _, text) = made(arguments);
        let lines: Vec<&str> = text.lines().collect();
        refused(&lines[..lines.len() - 1].join("\n"), TRUNCATED);
        let hole: Vec<&str> =
            lines.iter().enumerate().filter(|(index, _)| *index != 2).map(|(_, line)| *line).collect();
        refused(&hole.join("\n"), TRUNCATED);
        let mut foreign = lines.clone();
        foreign.insert(3, "Comment: none of the key's");
        refused(&foreign.join("\n"), TRUNCATED);
    }
}

/// What only ssh itself can tell is asked before the run.
fn a_key_that_ssh_cannot_use_is_damaged() {
    let (_folder, _, text) = made(&["-t", "ed25519", "-N", ""]);
    let step = Step::new().dry();
    step.again().setting("ssh_private_key", &text).run().expect_code(0);
    // The third line of the text holds numbers that only ssh compares.
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let flipped = if lines[3].starts_with('A') { "B" } else { "A" };
    lines[3].replace_range(..1, flipped);
    let damaged = lines.join("\n");
    step.again().setting("ssh_private_key", damaged).run().expect_code(1).expect_error("`ssh_private_key` is damaged");
}
