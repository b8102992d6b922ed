//! The whole step without Ansible: the built binary on a playbook run that was decided before it began.
//!
//! `cargo bench --bench step` prints medians of whole processes, the machine's noise beside them. This program also plays
//! `ansible-playbook`: it writes the events of a run, signed as the callback would, and ends.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails by panicking and prints its figures")]

mod fleet;
#[path = "../tests/it/harness/server.rs"]
#[expect(dead_code, reason = "a bench needs part of it")]
mod scripted;

use std::env::{current_exe, vars_os};
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use scripted::{Authority, Scripted, ok};

/// How often each way is run.
const TIMES: usize = 100;

/// Says how many hosts the played run has.
const HOSTS: &str = "BENCH_HOSTS";

/// Says how many bytes the played run prints.
const OUTPUT: &str = "BENCH_OUTPUT";

/// So many bytes does a noisy run print.
const NOISY: usize = 200 << 20;

/// The bundle that the image has, and most systems.
const ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

fn main() {
    let name = std::env::args().next().unwrap_or_default();
    if Path::new(&name).file_name().is_some_and(|name| name == "ansible-playbook") {
        play();
    } else {
        measure();
    }
}

fn variable(name: &str) -> Option<String> {
    vars_os().find(|(key, _)| key == name).map(|(_, value)| value.into_string().unwrap())
}

/// What the real one would leave behind. Without a callback directory it is the script that asks.
fn play() {
    let Some(folders) = variable("ANSIBLE_CALLBACK_PLUGINS") else {
        println!("    \"msg\": \"DRIFTED_FILES=\"\n    \"msg\": \"SYNC_STATUS=SYNCED\"");
        return;
    };
    let folder = Path::new(folders.split(':').next().unwrap());
    let callback = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|it| it == "py"));
    let callback = callback.unwrap();
    let nonce = callback.file_stem().unwrap().to_str().unwrap();
    let line = [b"ok: [web1] => (item=".as_slice(), &[b'x'; 100], b")\n"].concat();
    let output = variable(OUTPUT).map_or(0, |bytes| bytes.parse().unwrap());
    let mut stdout = std::io::stdout().lock();
    (0..output / line.len()).for_each(|_| stdout.write_all(&line).unwrap());
    // Into the very file: the reader holds it open.
    let events = folder.join("bench");
    fleet::in_sync(&events, nonce, variable(HOSTS).unwrap().parse().unwrap(), 1);
    fs::write(folder.join("events"), fs::read(events).unwrap()).unwrap();
}

/// A directory with a playbook and, as `bin`, this program under Ansible's name.
fn surroundings() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("site.yml"), "").unwrap();
    fs::create_dir(folder.path().join("bin")).unwrap();
    symlink(current_exe().unwrap(), folder.path().join("bin/ansible-playbook")).unwrap();
    folder
}

fn step(program: &Path, folder: &Path, hosts: usize) -> Command {
    let mut step = Command::new(program);
    step.env_clear().current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
    step.env("PATH", format!("{}:{}", folder.join("bin").display(), variable("PATH").unwrap()));
    step.env("HOME", folder).env("LC_ALL", "C.UTF-8").env(HOSTS, hosts.to_string());
    for (name, value) in [("PLAYBOOK", "site.yml"), ("REPO_NAME", "r"), ("SERVER_NAME", "s"), ("RETRY_FOR", "30s")] {
        step.env(format!("PLUGIN_{name}"), value);
    }
    step
}

/// The median of whole processes, in milliseconds.
fn median(times: usize, mut command: impl FnMut() -> Command) -> f64 {
    let mut all: Vec<f64> = (0..times)
        .map(|_| {
            let mut command = command();
            let began = Instant::now();
            let status = command.status().unwrap();
            let elapsed = began.elapsed().as_secs_f64() * 1e3;
            assert!(status.success(), "{command:?}: {status}");
            elapsed
        })
        .collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// The most memory that a process had of its own while it ran (`VmHWM`), in kB, and how long it took, in seconds.
fn memory(command: &mut Command) -> (u64, f64) {
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let file = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        let told = fs::read_to_string(&file).unwrap_or_default();
        let line = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.map_or(0, |rest| rest.trim().trim_end_matches(" kB").parse().unwrap());
        most = kilobytes.max(most);
        std::thread::sleep(Duration::from_millis(1));
    };
    assert!(status.success(), "{command:?}: {status}");
    (most, began.elapsed().as_secs_f64())
}

fn measure() {
    let plugin = PathBuf::from(env!("CARGO_BIN_EXE_plugin-gitops-status"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/script.sh");
    let folder = surroundings();
    let plain = Scripted::http((0..TIMES * 3 + 10_000).map(|_| ok()));
    let authority = Authority::new("bench");
    let secure = Scripted::https((0..TIMES).map(|_| ok()), authority.server("localhost", 2100));
    let http = format!("http://{}", plain.address);
    let https = format!("https://localhost:{}", secure.address.port());
    let to = |program: &Path, url: &str, hosts| {
        let mut step = step(program, folder.path(), hosts);
        step.env("PLUGIN_GITOPS_STATUS_SERVER_URL", url);
        step
    };

    let nothing = median(TIMES, || Command::new("/bin/true"));
    let played = median(TIMES, || {
        let mut playbook = step(&folder.path().join("bin/ansible-playbook"), folder.path(), 1);
        playbook.stdout(Stdio::null());
        playbook
    });
    let dry = median(TIMES, || {
        let mut step = step(&plugin, folder.path(), 1);
        step.env("PLUGIN_DRY_RUN", "true");
        step
    });
    let one = median(TIMES, || to(&plugin, &http, 1));
    let one_secure = median(TIMES, || {
        let mut step = to(&plugin, &https, 1);
        step.env("PLUGIN_CA_CERT", authority.pem());
        step
    });
    let thousand = median(5, || {
        let mut step = to(&plugin, &http, 1000);
        step.env("PLUGIN_PER_HOST", "true").env_remove("PLUGIN_SERVER_NAME");
        step
    });
    let noisy = |token: Option<&str>| {
        let mut step = to(&plugin, &http, 1);
        step.env(OUTPUT, NOISY.to_string()).envs(token.map(|token| ("PLUGIN_STATUS_SERVER_TOKEN", token)));
        memory(&mut step)
    };
    let (quiet_memory, _) = memory(&mut to(&plugin, &http, 1));
    let (noisy_memory, noisy_time) = noisy(None);
    let (redacted_memory, redacted_time) = noisy(Some("bench-token"));
    let scripted = median(20, || to(&script, &http, 1));
    println!("/bin/true                                  {nothing:8.1} ms");
    println!("the played ansible-playbook                {played:8.1} ms");
    println!("the step, dry run                          {dry:8.1} ms");
    println!("the step, one POST over http               {one:8.1} ms");
    println!(
        "the step, one POST over https, {:>3} kB roots {one_secure:8.1} ms",
        fs::metadata(ROOTS).map_or(0, |file| file.len() / 1000)
    );
    println!("the step, 1,000 hosts per_host over http   {thousand:8.1} ms");
    println!("memory of the step                         {quiet_memory:8} kB");
    println!("... while Ansible prints 200 MB            {noisy_memory:8} kB, {noisy_time:.2} s");
    println!("... and a secret is looked for in it       {redacted_memory:8} kB, {redacted_time:.2} s");
    println!("the same job by bash, jq and curl          {scripted:8.1} ms, {:.1} x", scripted / one);
}
