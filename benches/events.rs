//! A big fleet's events: 1,000 hosts and 1,000 tasks, a million answers, read from a file and judged.
//!
//! `cargo bench --bench events` prints the speed of reading and the most memory the process ever held.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails by panicking and prints its figures")]

mod fleet;

use std::fs::File;
use std::io::BufReader;
use std::time::Instant;

use plugin_gitops_status::{Ending, Settings, SyncStatus, collect, judge};

const HOSTS: usize = 1000;
const TASKS: usize = 1000;
const NONCE: &str = "bench";

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim().to_owned()
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    let length = fleet::in_sync(&path, NONCE, HOSTS, TASKS);
    let settings = [("PLAYBOOK", "site.yml"), ("REPO_NAME", "r"), ("SERVER_NAME", "s"), ("DRY_RUN", "yes")];
    let settings = settings.map(|(name, value)| (format!("PLUGIN_{name}").into(), value.into()));
    let settings = Settings::read(settings, time::Date::MIN).unwrap();
    let mut seconds: Vec<f64> = (0..5)
        .map(|_| {
            let began = Instant::now();
            let seen = collect(BufReader::with_capacity(64 << 10, File::open(&path).unwrap()), NONCE, &settings);
            let verdict = judge(&settings, &Ending::Exited(0), &seen);
            assert_eq!(verdict.status, SyncStatus::Synced, "{:?}", verdict.findings);
            assert_eq!(verdict.hosts.len(), HOSTS);
            began.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    println!(
        "{} events, {} MB: {:.2} s, {:.0} MB/s (median of 5), peak memory {}",
        HOSTS * TASKS,
        length / 1_000_000,
        seconds[2],
        f64::from(length) / 1e6 / seconds[2],
        peak_memory()
    );
}
