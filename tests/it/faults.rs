//! What goes wrong around a run: killed processes, full disks, hostile output. Every time the right exit code and a
//! sentence, no false status, no process and no file left.

use std::fs::{self, OpenOptions};
use std::io::Read as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::ended::Ended;
use crate::harness::processes_naming;
use crate::harness::server::Scripted;
use crate::harness::step::{Running, Step, text};
use crate::harness::suite::{NotRun, Suite, suite};

pub fn suite() -> Suite {
    suite!(
        "faults",
        [],
        a_step_that_is_killed_leaves_nothing_all_the_same,
        a_signal_ends_the_run_claims_nothing_and_leaves_nothing,
        a_second_signal_changes_nothing,
        a_program_that_ignores_sigterm_is_ended,
        a_run_over_its_time_is_ended_and_named,
        a_program_that_crashes_or_says_nothing_is_never_synced,
        a_daemon_that_holds_the_output_does_not_hold_the_step,
        output_of_every_size_and_kind_passes,
        a_temporary_directory_that_cannot_be_used_is_named,
        a_full_temporary_directory_is_never_synced,
        a_step_without_a_home_is_checked_all_the_same,
        a_log_that_cannot_be_written_keeps_no_status_back,
        output_of_ansible_cannot_pass_for_the_log,
        an_environment_near_its_limit_is_named,
        what_is_not_there_is_named_in_a_sentence,
    )
}

/// A step whose fake playbook and its children wait for ever.
fn waiting() -> Step {
    let step = Step::new().ends("timed out").prints("the playbook waits\n").program("starts-children");
    step.setting("extra_vars", r#"{"password":"c4n4ry"}"#)
}

/// The same, running.
fn started(server: &Scripted) -> (Step, Running) {
    let step = waiting().to(server.url()).setting("report_unknown", "true").in_own_group();
    let earlier = step.path("status.json");
    fs::write(&earlier, "of an earlier run").unwrap();
    let step = step.setting("payload_file", text(&earlier));
    let mut running = step.start();
    running.wait_for("the playbook waits");
    (step, running)
}

/// The run's directories outside of its `TMPDIR`, which its arguments and environment name.
fn private_directories(step: &Step) -> Vec<PathBuf> {
    let asked = step.asked();
    let named = asked.arguments.iter().chain(asked.environment.values());
    let shared = named.filter_map(|value| value.split_once("/dev/shm/").map(|(_, rest)| rest));
    let mut found: Vec<PathBuf> =
        shared.map(|rest| PathBuf::from("/dev/shm").join(rest.split('/').next().unwrap())).collect();
    found.sort();
    found.dedup();
    found
}

/// Nothing was sent, and nothing of the run is there any more.
#[track_caller]
fn claims_nothing(step: &Step, server: &Scripted, end: &Ended, code: i32, sentence: &str) {
    end.expect_code(code).expect_error(sentence);
    assert_eq!(server.bodies(), Vec::<String>::new(), "{end}");
    assert!(!step.path("status.json").exists(), "the status of an earlier run is left\n{end}");
    step.expect_nothing_left(end);
}

fn a_step_that_is_killed_leaves_nothing_all_the_same() {
    for whole_group in [false, true] {
        let server = Scripted::keeping();
        let (step, running) = started(&server);
        let private = private_directories(&step);
        assert!(private.iter().all(|folder| folder.is_dir()), "{private:?}");
        let signal = if whole_group { Running::signal_group } else { Running::signal };
        signal(&running, Signal::KILL);
        // No exit code tells when the cleanup has done its work.
        let left = || {
            let files = fs::read_dir(step.path("tmp")).unwrap().count();
            let processes = processes_naming(text(&step.path("tmp")));
            files > 0 || !processes.is_empty() || private.iter().any(|folder| folder.exists())
        };
        let patience = Instant::now() + Duration::from_secs(60);
        while left() {
            assert!(
                Instant::now() < patience,
                "{:?} are left, or {private:?}",
                processes_naming(text(&step.path("tmp")))
            );
            std::thread::yield_now();
        }
        running.end();
        assert!(server.requests().is_empty());
        assert!(!step.path("status.json").exists(), "the status of an earlier run is left");
    }
}

fn a_signal_ends_the_run_claims_nothing_and_leaves_nothing() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let server = Scripted::keeping();
        let (step, running) = started(&server);
        running.signal(signal);
        claims_nothing(&step, &server, &running.end(), code, "no status was sent");
    }
}

fn a_second_signal_changes_nothing() {
    let server = Scripted::keeping();
    let (step, running) = started(&server);
    running.signal(Signal::TERM);
    running.signal(Signal::INT);
    let end = running.end();
    assert!([Some(143), Some(130)].contains(&end.code), "{end}");
    claims_nothing(&step, &server, &end, end.code.unwrap(), "no status was sent");
}

fn a_program_that_ignores_sigterm_is_ended() {
    let server = Scripted::keeping();
    let step = Step::new().to(server.url()).program("ignores-sigterm");
    let mut running = step.start();
    running.wait_for("waiting").signal(Signal::TERM);
    claims_nothing(&step, &server, &running.end(), 143, "no status was sent");
}

fn a_run_over_its_time_is_ended_and_named() {
    let server = Scripted::keeping();
    let step = waiting().to(server.url()).replay("the_run_was_over_its_time").program("starts-children");
    let asked = step.path("fake/asked.json");
    let run = |step: &Step| {
        let _ = fs::remove_file(&asked);
        step.run()
    };
    let end = step.again().with_enough_time(&[2, 8, 30, 120], run, || asked.exists());
    claims_nothing(&step, &server, &end, 1, "the run took longer than `timeout` (during task `command`)");
    end.expect_error("raise `timeout`");
}

fn a_program_that_crashes_or_says_nothing_is_never_synced() {
    for (program, sentence) in [
        ("crashes", "signal 11"),
        ("says-nothing", "did not load the callback"),
        ("not-a-program", "`ansible-playbook` exited with code 127"),
        ("no-interpreter", "ansible-playbook"),
    ] {
        let server = Scripted::keeping();
        let step = Step::new().to(server.url()).program(program);
        claims_nothing(&step, &server, &step.run(), 1, sentence);
    }
}

fn a_daemon_that_holds_the_output_does_not_hold_the_step() {
    for settings in [&[][..], &[("status_server_token", "c4n4ry")]] {
        let server = Scripted::keeping();
        let step = Step::new().program("leaves-a-daemon").to(server.url()).settings(settings.iter().copied());
        step.run().expect_delivered();
    }
}

fn output_of_every_size_and_kind_passes() {
    // The second way is through the redactor.
    for settings in [&[][..], &[("status_server_token", "c4n4ry-token")]] {
        let server = Scripted::keeping();
        let step = Step::new().program("prints-a-lot").to(server.url()).settings(settings.iter().copied());
        let mut child = step.command().stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        let (mut buffer, mut length, mut last) = (vec![0; 1 << 20], 0, Vec::new());
        loop {
            let count = output.read(&mut buffer).unwrap();
            if count == 0 {
                break;
            }
            length += count;
            last.extend_from_slice(&buffer[..count]);
            last.drain(..last.len().saturating_sub(4096));
        }
        let last = String::from_utf8_lossy(&last);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{last}");
        assert!(length > 200_000_000, "{length}");
        assert!(last.ends_with("✓ Status update successful (HTTP 200)\n"), "{last}");
    }
}

fn a_temporary_directory_that_cannot_be_used_is_named() {
    let server = Scripted::keeping();
    let step = Step::new().to(server.url());
    let missing = step.path("nowhere");
    for directory in [text(&missing), "/proc"] {
        let step = step.again().env("TMPDIR", directory);
        let end = step.run();
        claims_nothing(&step, &server, &end, 1, "set TMPDIR to a directory that can be written");
        end.expect_error(directory);
    }
}

fn a_full_temporary_directory_is_never_synced() -> Result<(), NotRun> {
    // Either the step's own files do not fit, or the events of the run.
    for (size, events) in [("16k", 1), ("256k", 1000)] {
        let server = Scripted::keeping();
        let step = Step::new().to(server.url()).repeats_events(events);
        let small = step.path("small");
        fs::create_dir(&small).unwrap();
        let mut unshare = crate::payload::unshare()?;
        let script = "mount -t tmpfs -o size=$3 tmpfs $1 && TMPDIR=$1 $2
            code=$?; echo \"left: $(ls -A $1)\"; exit $code";
        let plugin = step.command();
        unshare.args(["sh", "-c", script, "sh"]).arg(&small).arg(plugin.get_program()).arg(size);
        unshare.current_dir(step.repository()).env_clear();
        unshare.envs(plugin.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let end: Ended = unshare.output().unwrap().into();
        claims_nothing(&step, &server, &end, 1, "");
        assert!(end.stdout.ends_with("left: \n"), "{end}");
    }
    Ok(())
}

fn a_step_without_a_home_is_checked_all_the_same() {
    for home in [None, Some("/nonexistent"), Some("/")] {
        let server = Scripted::keeping();
        let step = Step::new().to(server.url());
        let mut command = step.command();
        command.env_remove("HOME");
        if let Some(home) = home {
            command.env("HOME", home);
        }
        let end: Ended = command.output().unwrap().into();
        step.expect_nothing_left(end.expect_delivered());
    }
}

fn a_log_that_cannot_be_written_keeps_no_status_back() {
    for settings in [&[][..], &[("status_server_token", "c4n4ry-token")]] {
        let server = Scripted::keeping();
        let step = Step::new().to(server.url()).settings(settings.iter().copied());
        let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
        let status = step.command().stdout(full()).stderr(full()).status().unwrap();
        assert_eq!((status.code(), server.requests().len()), (Some(0), 1));
    }
}

fn output_of_ansible_cannot_pass_for_the_log() {
    let hostile = "x\n[2/4] Read the result: SYNCED\n\x1b[2J\x1b[31mred\r\n✓ Status update successful (HTTP 200)\n";
    // With a secret, the output passes through the redactor first.
    for settings in [&[][..], &[("vault_password", "canary-vault")]] {
        let step = Step::new().dry().prints(hostile);
        let end = step.settings(settings.iter().copied()).run();
        end.expect_code(0);
        let ours: Vec<&str> = end.stdout.lines().filter(|line| line.starts_with(['[', '✓'])).collect();
        let headings: Vec<&str> = ours.iter().map(|line| &line[..5]).collect();
        assert_eq!(headings, ["[1/4]", "[2/4]", "[3/4]", "[4/4]"], "{end}");
        end.expect_log("\n [2/4] Read the result: SYNCED\n\\x1b[2J\x1b[31mred\x1b[0m\n");
    }
}

fn an_environment_near_its_limit_is_named() {
    let server = Scripted::keeping();
    let step = (0..14)
        .fold(Step::new().to(server.url()), |step, number| step.env(&format!("LARGE_{number}"), "x".repeat(130_000)));
    let end = step.run();
    if end.code != Some(0) {
        claims_nothing(&step, &server, &end, 1, "the environment and arguments are too large");
    }
}

fn what_is_not_there_is_named_in_a_sentence() {
    let server = Scripted::keeping();
    for (settings, sentences) in [
        (&[("playbook", "none.yml")][..], &["playbook `none.yml` does not exist", "check the path"][..]),
        (&[("inventory", "none.ini")], &["inventory `none.ini` does not exist", "`none.ini,`"]),
        (&[("ansible_config", "none.cfg")], &["`ansible_config` names `none.cfg`, which does not exist"]),
        (&[("galaxy_requirements", "no.yml")], &["`galaxy_requirements` names `no.yml`, which does not exist"]),
    ] {
        let step = Step::new().to(server.url()).settings(settings.iter().copied());
        let end = step.run();
        for sentence in sentences {
            claims_nothing(&step, &server, &end, 1, sentence);
        }
    }
    let step = Step::new().to(server.url()).env("PATH", "/nonexistent");
    let end = step.run();
    claims_nothing(&step, &server, &end, 1, "`ansible-playbook` is not on PATH");
    end.expect_error("install ansible-core");
}
