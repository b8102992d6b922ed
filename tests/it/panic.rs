//! A fault of the program itself: this test starts itself again as a process that has one.

use std::fs;
use std::path::Path;
use std::process::Command;

use plugin_gitops_status::{Log, Needs, RunDir, Settings, clean_up_after};

use crate::harness::suite::{Suite, suite};

pub fn suite() -> Suite {
    suite!("panic", [], a_panic_ends_the_run_leaves_nothing_and_quotes_nothing)
}

/// Makes the test binary the process that has a fault, in the directory that this variable names.
pub const FOLDER: &str = "HAVE_A_FAULT_IN";

fn a_panic_ends_the_run_leaves_nothing_and_quotes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ended = Command::new(std::env::current_exe().unwrap()).env(FOLDER, folder.path()).output().unwrap();
    let log = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{log}");
    assert!(log.contains("internal error at tests/it/panic.rs:"), "{log}");
    assert!(!log.contains("hunter2"), "{log}");

    let told = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    for run_dir in told("folders").lines() {
        assert!(!Path::new(run_dir).exists(), "{run_dir} is left");
    }
    // It has ended where there is no such process, or one that nobody has waited for yet.
    let ended =
        |status: &str| status.lines().any(|line| line.starts_with("State:\tZ") || line.starts_with("State:\tX"));
    let status = Path::new("/proc").join(told("pid")).join("status");
    assert!(fs::read_to_string(status).map_or(true, |status| ended(&status)), "the run is still there");
}

/// Has a fault while a run is on.
#[expect(clippy::zombie_processes, reason = "that it is ended all the same is what is tested")]
pub fn have_a_fault(folder: &Path) -> ! {
    let needed = ["PLUGIN_PLAYBOOK", "PLUGIN_REPO_NAME", "PLUGIN_SERVER_NAME"].map(|name| (name.into(), "x".into()));
    let settings =
        Settings::read(needed.into_iter().chain([("PLUGIN_DRY_RUN".into(), "yes".into())]), time::Date::MIN).unwrap();
    let run_dir = RunDir::new(folder, &settings, Needs::default()).unwrap();
    let folders = run_dir.directories().map(|folder| folder.display().to_string());
    assert!(folders.iter().all(|folder| Path::new(folder).is_dir()), "{folders:?}");
    fs::write(folder.join("folders"), folders.join("\n")).unwrap();
    let run = Command::new("sleep").arg("600").spawn().unwrap();
    fs::write(folder.join("pid"), run.id().to_string()).unwrap();
    clean_up_after(&run_dir, Log::new(&[]));
    panic!("{}", "hunter2");
}
