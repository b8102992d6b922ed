//! The one harness: a step in a workspace of its own, a fake `ansible-playbook`, a server that does what a script says.

pub mod ansible;
pub mod container;
pub mod ended;
pub mod fake_ansible;
pub mod picture;
pub mod server;
pub mod socks;
pub mod sshd;
pub mod status_server;
pub mod step;
pub mod suite;

use std::fs;
use std::path::Path;
use std::process::Command;

use self::ended::Ended;

/// The project's directory.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the project.
#[track_caller]
pub fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A variable of the test run itself; an empty one counts as not set.
pub fn variable(name: &str) -> Option<String> {
    let value = std::env::vars_os().find(|(key, _)| key == name).map(|(_, value)| value.into_string().unwrap());
    value.filter(|value| !value.is_empty())
}

/// Whether what a real program did is to be recorded anew: `RECORD=all`, or some by name, with commas.
pub fn recording(name: &str) -> bool {
    variable("RECORD").is_some_and(|wanted| wanted == "all" || wanted.split(',').any(|part| part == name))
}

/// Compares a text with the one in a file of the project, and writes it there where it is to be recorded; `RECORD=logs`
/// does that alone, without any real program.
#[track_caller]
pub fn golden(name: &str, file: impl AsRef<Path>, text: &str) {
    let file = root().join(file);
    if recording(name) || recording("logs") {
        fs::write(&file, text).unwrap();
    }
    let known = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        known == text,
        "{} holds\n{known}\nand this is\n{text}\nIf that is right, run the test with RECORD=logs",
        file.display()
    );
}

/// Runs what must succeed.
#[track_caller]
pub fn succeeded(command: &mut Command) -> Ended {
    let end: Ended = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}")).into();
    assert_eq!(end.code, Some(0), "{command:?}: {end}");
    end
}

/// Copies a directory with everything in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The processes with this text in their environment, by their numbers.
pub fn processes_naming(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if String::from_utf8_lossy(&environment).contains(text) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}
