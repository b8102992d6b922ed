//! A fault of the program itself: this test starts itself again as a process that has one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use plugin_gitops_status::{Log, Needs, RunDir, Settings, clean_up_after};

const NAME: &str = "a_panic_ends_the_run_leaves_nothing_and_quotes_nothing";
const TOLD: &str = "HAVE_A_FAULT_IN";

#[test]
fn a_panic_ends_the_run_leaves_nothing_and_quotes_nothing() {
    if let Some((_, folder)) = std::env::vars_os().find(|(name, _)| name == TOLD) {
        have_a_fault(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(TOLD, folder.path())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{log}");
    assert!(log.contains("internal error at tests/panic.rs:"), "{log}");
    assert!(!log.contains("hunter2"), "{log}");

    let told = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    for run_dir in told("folders").lines() {
        assert!(!Path::new(run_dir).exists(), "{run_dir} is left");
    }
    assert!(!PathBuf::from(format!("/proc/{}", told("pid"))).exists(), "the run is still there");
}

#[expect(clippy::zombie_processes, reason = "that it is ended all the same is what is tested")]
fn have_a_fault(folder: &Path) -> ! {
    let needed = ["PLUGIN_PLAYBOOK", "PLUGIN_REPO_NAME", "PLUGIN_SERVER_NAME"].map(|name| (name.into(), "x".into()));
    let settings = Settings::read(needed.into_iter().chain([("PLUGIN_DRY_RUN".into(), "yes".into())])).unwrap();
    let run_dir = RunDir::new(folder, &settings.ansible, Needs::default()).unwrap();
    let folders = run_dir.directories().map(|folder| folder.display().to_string());
    assert!(folders.iter().all(|folder| Path::new(folder).is_dir()), "{folders:?}");
    fs::write(folder.join("folders"), folders.join("\n")).unwrap();
    let run = Command::new("sleep").arg("600").spawn().unwrap();
    fs::write(folder.join("pid"), run.id().to_string()).unwrap();
    clean_up_after(&run_dir, Log::new(&[]));
    panic!("{}", "hunter2");
}
