//! What the system allows a step: as PID 1 of a container, with few processes, with small files, and one line at a time.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::ended::Ended;
use crate::harness::server::Scripted;
use crate::harness::step::Step;
use crate::harness::suite::{NotRun, Suite, suite};
use crate::harness::{root, succeeded};

pub fn suite() -> Suite {
    suite!(
        "limits",
        [],
        every_signal_that_ends_a_container_ends_the_step_with_a_sentence,
        a_signal_ends_a_step_that_asks_a_program,
        few_processes_end_the_step_with_a_sentence,
        small_files_end_the_step_with_a_sentence,
        each_line_of_the_log_is_one_write,
        no_program_that_is_asked_something_is_told_a_secret,
    )
}

/// A user that has no other process.
const NOBODY_ELSE: u32 = 54321;

/// A command that starts the step's in another way.
fn started_by(step: &Step, words: &[&str]) -> Command {
    let plugin = step.command();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(plugin.get_program()).current_dir(step.repository()).stdin(Stdio::null());
    command.env_clear().envs(plugin.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

/// What such a command needs is not here.
fn not_here(words: &[&str]) -> Option<NotRun> {
    let tried = Command::new(words[0]).args(&words[1..]).arg("true").output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(NotRun(format!("`{}`: {}", words[0], String::from_utf8_lossy(&output.stderr).trim()))),
        Err(error) => Some(NotRun(format!("cannot run `{}`: {error}", words[0]))),
    }
}

/// Ended with a sentence of its own, and not by the kernel or by a panic.
#[track_caller]
fn ended_with_a_sentence(step: &Step, end: &Ended) {
    assert!(end.code.is_some(), "a signal ended the step\n{end}");
    end.expect_no("internal error").expect_no("panicked");
    assert!(end.code == Some(0) || end.stderr.contains("cannot") || end.stderr.contains("- "), "no sentence\n{end}");
    step.expect_nothing_left(end);
}

fn every_signal_that_ends_a_container_ends_the_step_with_a_sentence() -> Result<(), NotRun> {
    let waiting = || Step::new().dry().ends("timed out").prints("the playbook waits\n");
    for (signal, code, name) in [
        (Signal::TERM, 143, "SIGTERM"),
        (Signal::INT, 130, "SIGINT"),
        (Signal::HUP, 129, "SIGHUP"),
        (Signal::QUIT, 131, "SIGQUIT"),
    ] {
        let step = waiting();
        let mut running = step.start();
        running.wait_for("the playbook waits").signal(signal);
        let end = running.end();
        end.expect_code(code).expect_error(&format!("cancelled by {name} ({})", code - 128));
        step.expect_nothing_left(&end);
    }

    // The same as PID 1, to which the kernel gives no signal that it does not handle.
    let words = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--map-root-user"];
    if let Some(not_run) = not_here(&words) {
        return Err(not_run);
    }
    for (signal, code) in [(Signal::TERM, 143), (Signal::QUIT, 131)] {
        let step = waiting();
        let unshare = started_by(&step, &words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let asked = step.path("fake/asked.json");
        while !asked.exists() {
            std::thread::yield_now();
        }
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        let child = fs::read_to_string(children).unwrap().trim().parse().unwrap();
        kill_process(Pid::from_raw(child).unwrap(), signal).unwrap();
        let end: Ended = unshare.wait_with_output().unwrap().into();
        end.expect_code(code).expect_error("no status was sent");
        step.expect_nothing_left(&end);
    }
    Ok(())
}

fn a_signal_ends_a_step_that_asks_a_program() -> Result<(), NotRun> {
    if Command::new("ssh-keygen").arg("--version").output().is_err() {
        return Err(NotRun("ssh-keygen is not installed".to_owned()));
    }
    let step = Step::new().dry();
    let key = step.path("key");
    succeeded(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key));
    let step = step.setting("ssh_private_key", fs::read_to_string(&key).unwrap());
    let program = step.path("bin").join("ssh-keygen");
    std::os::unix::fs::symlink(root().join("tests/programs/never-answers"), &program).unwrap();
    let mut running = step.start();
    running.wait_for("[1/4]");
    while !program.with_extension("asked").exists() {
        std::thread::yield_now();
    }
    running.signal(Signal::TERM);
    let end = running.end();
    step.expect_nothing_left(end.expect_code(143).expect_error("cancelled by SIGTERM (15): no status was sent"));
    assert!(!step.path("fake/asked.json").exists(), "the playbook was run\n{end}");
    Ok(())
}

fn few_processes_end_the_step_with_a_sentence() -> Result<(), NotRun> {
    let (user, group) = (format!("--reuid={NOBODY_ELSE}"), format!("--regid={NOBODY_ELSE}"));
    for most in 1..8 {
        let server = Scripted::keeping();
        let step = Step::new().to(server.url());
        let limit = format!("--nproc={most}");
        let words = ["setpriv", &user, &group, "--clear-groups", "prlimit", &limit];
        if let Some(not_run) = not_here(&words) {
            return Err(not_run);
        }
        give_away(&step.path(""));
        let plugin = env!("CARGO_BIN_EXE_plugin-gitops-status");
        let visible = Command::new(words[0]).args(&words[1..4]).args(["test", "-x", plugin]).status();
        if !visible.is_ok_and(|status| status.success()) {
            return Err(NotRun("another user cannot reach the directory where the plugin was built".to_owned()));
        }
        let end: Ended = started_by(&step, &words).output().unwrap().into();
        ended_with_a_sentence(&step, &end);
        assert_eq!(end.code == Some(0), !server.requests().is_empty(), "{end}");
    }
    Ok(())
}

/// Gives a directory with everything in it to the user that has no other process.
fn give_away(folder: &Path) {
    succeeded(Command::new("chown").arg("-R").arg(format!("{NOBODY_ELSE}:{NOBODY_ELSE}")).arg(folder));
}

fn small_files_end_the_step_with_a_sentence() -> Result<(), NotRun> {
    let key = fs::read_to_string(root().join("tests/it/limits.rs")).unwrap();
    for bytes in [0, 100, 1000, 40_000, 300_000] {
        let server = Scripted::keeping();
        let step = Step::new().to(server.url()).repeats_events(200).setting("payload_file", "status.json");
        let limit = format!("--fsize={bytes}");
        let words = ["prlimit", &limit];
        if let Some(not_run) = not_here(&words) {
            return Err(not_run);
        }
        let step = step.setting("extra_vars", format!(r#"{{"text":{}}}"#, serde_json::to_string(&key).unwrap()));
        let end: Ended = started_by(&step, &words).output().unwrap().into();
        ended_with_a_sentence(&step, &end);
        assert_eq!(end.code == Some(0), !server.requests().is_empty(), "{end}");
        assert!(bytes > 40_000 || end.code == Some(1), "{bytes}: {end}");
    }
    Ok(())
}

fn each_line_of_the_log_is_one_write() {
    // A datagram for each write.
    let stream = || {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        (ours, Stdio::from(OwnedFd::from(theirs)))
    };
    let (log, stdout) = stream();
    let (errors, stderr) = stream();
    let step = Step::new().dry().replay("a_probe_was_skipped_on_many_hosts");
    let mut command = step.command();
    let status = command.stdout(stdout).stderr(stderr).status().unwrap();
    drop(command);
    assert_eq!(status.code(), Some(1));
    for (stream, least) in [(log, 3), (errors, 3)] {
        let mut lines = 0;
        let mut line = vec![0; 1 << 16];
        stream.set_nonblocking(true).unwrap();
        while let Ok(length @ 1..) = stream.recv(&mut line) {
            let line = String::from_utf8_lossy(&line[..length]);
            assert!(line.ends_with('\n') && line.matches('\n').count() == 1, "{line:?}");
            lines += 1;
        }
        assert!(lines >= least, "only {lines} lines");
    }
}

fn no_program_that_is_asked_something_is_told_a_secret() -> Result<(), NotRun> {
    if Command::new("ssh-keygen").arg("--version").output().is_err() {
        return Err(NotRun("ssh-keygen is not installed".to_owned()));
    }
    let step = Step::new().dry().env("AGENT_SECRET", "c4n4ry-agent").setting("status_server_token", "c4n4ry-token");
    let key = step.path("key");
    succeeded(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key));
    let step = step.setting("ssh_private_key", fs::read_to_string(&key).unwrap());
    for program in ["ssh", "ssh-keygen"] {
        std::os::unix::fs::symlink(root().join("tests/programs/tells-its-environment"), step.path("bin").join(program))
            .unwrap();
    }
    step.run().expect_code(0);
    for program in ["ssh", "ssh-keygen"] {
        let told = fs::read_to_string(step.path("bin").join(program).with_extension("told")).unwrap();
        let names: Vec<&str> = told.lines().filter_map(|line| line.split_once('=').map(|(name, _)| name)).collect();
        // A shell sets the others itself.
        let unexpected: Vec<_> =
            names.iter().filter(|name| !["PATH", "PWD", "SHLVL", "_", "OLDPWD"].contains(name)).collect();
        assert!(names.contains(&"PATH") && unexpected.is_empty(), "{program} is told {unexpected:?}");
    }
    Ok(())
}
