//! A big fleet's events: 1,000 hosts and 1,000 tasks, a million answers, read from a file and judged.
//!
//! `cargo bench --bench events` prints the speed of reading and the most memory the process ever held.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails by panicking and prints its figures")]

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use plugin_gitops_status::event_file::line;
use plugin_gitops_status::observe::observe;
use plugin_gitops_status::run::Ending;
use plugin_gitops_status::settings::Settings;
use plugin_gitops_status::verdict::{Verdict, judge};

const HOSTS: usize = 1000;
const TASKS: usize = 1000;
const NONCE: &str = "bench";

/// Writes the events of a fleet in sync; the length of the file in bytes.
fn fleet(path: &Path) -> u32 {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let mut number = 0;
    let mut event = |json: &str| {
        file.write_all(line(NONCE, &format!("[{number},{json}]")).as_bytes()).unwrap();
        number += 1;
    };
    let host = |number: usize| format!("web{number:04}.example.net");
    let names: Vec<String> = (0..HOSTS).map(|number| format!("\"{}\"", host(number))).collect();
    let names = names.join(",");
    event(r#"{"open":{"ansible":"2.19.0"}}"#);
    event(
        r#"{"playbook":{"file":"site.yml","check":true,"limit":null,"tags":["all"],"skip_tags":[],"start_at_task":null,"step":false}}"#,
    );
    event(&format!(r#"{{"play":{{"name":"all","check":true,"hosts":[{names}],"named":[{names}]}}}}"#));
    for task in 0..TASKS {
        event(&format!(
            r#"{{"task":{{"task":{task},"name":"manage {task}","action":"ansible.builtin.copy","place":"site.yml:{task}"}}}}"#
        ));
        event(&format!(r#"{{"start":{{"task":{task}}}}}"#));
        for number in 0..HOSTS {
            event(&format!(r#"{{"result":{{"task":{task},"host":"{}","status":"ok"}}}}"#, host(number)));
        }
    }
    let mut recap = String::new();
    for number in 0..HOSTS {
        let comma = if number > 0 { "," } else { "" };
        write!(recap, r#"{comma}"{}":{{"ok":{TASKS},"failures":0,"unreachable":0,"changed":0,"skipped":0,"rescued":0,"ignored":0}}"#, host(number)).unwrap();
    }
    event(&format!(r#"{{"stats":{{"hosts":{{{recap}}}}}}}"#));
    file.flush().unwrap();
    u32::try_from(path.metadata().unwrap().len()).unwrap()
}

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim().to_owned()
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    let length = fleet(&path);
    let settings = [("PLAYBOOK", "site.yml"), ("REPO_NAME", "r"), ("SERVER_NAME", "s"), ("DRY_RUN", "yes")];
    let settings = settings.map(|(name, value)| (format!("PLUGIN_{name}").into(), value.into()));
    let settings = Settings::read(settings).unwrap();
    let mut seconds: Vec<f64> = (0..5)
        .map(|_| {
            let began = Instant::now();
            let seen =
                observe(BufReader::with_capacity(64 << 10, File::open(&path).unwrap()), NONCE, &settings.waivers);
            let judgement = judge(&settings, &Ending::Exited(0), &seen);
            assert_eq!(judgement.verdict, Verdict::Synced, "{:?}", judgement.reasons);
            assert_eq!(judgement.hosts.len(), HOSTS);
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
