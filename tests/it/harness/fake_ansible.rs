//! A fake `ansible-playbook`: replays what a real one said in a recorded run.
//!
//! The test binary plays it where it is called by that name (a symbolic link on the step's `PATH`). `FAKE_ANSIBLE`
//! names a directory with what it does: `events` (as in `tests/scenes`), `ending` (`exited CODE`, `killed SIGNAL` or
//! `timed out`) and perhaps `output`. It signs the events anew for the run that it is called by.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use plugin_gitops_status::line;
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};

use super::variable;

/// The variable that names the directory.
pub const FOLDER: &str = "FAKE_ANSIBLE";

/// What stands in recorded events for the directory of the server's files.
pub const TARGET: &str = "/target";

/// What stands in recorded events for the working directory.
pub const REPOSITORY: &str = "/repository";

/// What it does.
pub struct Fake {
    /// The event lines of a run, with whatever checksum.
    pub events: String,
    /// What it prints before it ends.
    pub output: String,
    /// How it ends: `exited CODE`, `killed SIGNAL` or `timed out`, which is not at all.
    pub ending: String,
}

impl Fake {
    /// Reads it from a directory.
    pub fn of(folder: &Path) -> Self {
        let read = |name: &str| fs::read_to_string(folder.join(name));
        let (events, ending) = (read("events"), read("ending"));
        let [events, ending] =
            [events, ending].map(|text| text.unwrap_or_else(|error| panic!("{}: {error}", folder.display())));
        Self { events, output: read("output").unwrap_or_default(), ending }
    }

    pub fn write(&self, folder: &Path) {
        fs::write(folder.join("events"), &self.events).unwrap();
        fs::write(folder.join("output"), &self.output).unwrap();
        fs::write(folder.join("ending"), &self.ending).unwrap();
    }
}

/// What it was called with.
#[derive(Debug, Serialize, Deserialize)]
pub struct Asked {
    pub arguments: Vec<String>,
    pub environment: std::collections::BTreeMap<String, String>,
    /// The text of the file with extra variables.
    pub extra_vars: Option<String>,
}

impl Asked {
    pub fn read(folder: &Path) -> Self {
        serde_json::from_str(&fs::read_to_string(folder.join("asked.json")).unwrap()).unwrap()
    }

    fn here() -> Self {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        let arguments: Vec<String> = std::env::args_os().skip(1).map(text).collect();
        let extra_vars = arguments.iter().find_map(|argument| argument.strip_prefix("--extra-vars=@"));
        Self {
            extra_vars: extra_vars.map(|path| fs::read_to_string(path).unwrap()),
            environment: std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect(),
            arguments,
        }
    }
}

/// Whether this process was started as `ansible-playbook`.
pub fn is_called() -> bool {
    let name = std::env::args_os().next().unwrap_or_default();
    name.to_string_lossy().ends_with("ansible-playbook")
}

/// Replays the recorded run.
pub fn play() -> ExitCode {
    let folder = PathBuf::from(variable(FOLDER).unwrap());
    let fake = Fake::of(&folder);
    let asked = Asked::here();
    fs::write(folder.join("asked.new"), serde_json::to_string(&asked).unwrap()).unwrap();

    let run = PathBuf::from(variable("ANSIBLE_CALLBACK_PLUGINS").unwrap().split(':').next().unwrap());
    let mut plugins = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().path());
    let plugin = plugins.find(|path| path.extension().is_some_and(|extension| extension == "py")).unwrap();
    let nonce = plugin.file_stem().unwrap().to_str().unwrap();
    let here = std::env::current_dir().unwrap().display().to_string();
    let target = variable("TARGET").unwrap();
    let events: String = fake
        .events
        .lines()
        .map(|recorded| line(nonce, &recorded[9..].replace(TARGET, &target).replace(REPOSITORY, &here)))
        .collect();
    let mut file = OpenOptions::new().append(true).open(run.join("events")).unwrap();
    file.write_all(events.as_bytes()).unwrap();
    // Its reader knows by this file that the events are there.
    fs::rename(folder.join("asked.new"), folder.join("asked.json")).unwrap();

    std::io::stdout().write_all(fake.output.as_bytes()).unwrap();
    std::io::stdout().flush().unwrap();
    match fake.ending.trim().split_once(' ') {
        Some(("exited", code)) => ExitCode::from(code.parse::<u8>().unwrap()),
        Some(("killed", signal)) => {
            let signal = Signal::from_named_raw(signal.parse().unwrap()).unwrap();
            kill_process(getpid(), signal).unwrap();
            unreachable!("the signal ends this process")
        }
        _ => loop {
            std::thread::park();
        },
    }
}
