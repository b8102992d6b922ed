//! The story: settings, run, verdict, payload, delivery, exit code.

use std::ffi::OsString;
use std::io::BufReader;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use plugin_gitops_status::account::Lacks;
use plugin_gitops_status::deliver::{Courier, Delivery};
use plugin_gitops_status::log::Log;
use plugin_gitops_status::payload::{Circumstances, Payloads, payloads};
use plugin_gitops_status::redact::redactor;
use plugin_gitops_status::run::{Ending, Signals};
use plugin_gitops_status::scratch::Scratch;
use plugin_gitops_status::settings::{Check, Settings};
use plugin_gitops_status::verdict::{Verdict, judge};
use plugin_gitops_status::{ansible_cfg, observe::observe, panic, payload_file, playbook, proxy, report, run, ssh_key};
use time::OffsetDateTime;

/// The exit codes a pipeline may rely on; a step that is ended by a signal adds the signal's number to the last one.
const DONE: u8 = 0;
const FAILED: u8 = 1;
const DRIFTED: u8 = 2;
const SIGNALLED: u8 = 128;

type Environment = Vec<(OsString, OsString)>;

fn main() -> ExitCode {
    let environment: Environment = std::env::vars_os().collect();
    let log = Log::new(&environment);
    let code = match std::env::args_os().nth(1) {
        Some(argument) => match report::answer(&argument.to_string_lossy()) {
            Ok(lines) => (DONE, lines),
            Err(lines) => (FAILED, lines),
        },
        None => match Settings::read(environment.clone()) {
            Err(problems) => (FAILED, report::problems(&problems.0)),
            Ok(settings) => match step(&settings, environment, &log) {
                Ok(code) => (code, Vec::new()),
                Err(error) => (FAILED, report::error(&error)),
            },
        },
    };
    log.say(code.1);
    ExitCode::from(code.0)
}

fn step(settings: &Settings, environment: Environment, log: &Log) -> Result<u8> {
    let (started, clock) = (OffsetDateTime::now_utc(), Instant::now());
    let log = &log.without_secrets(redactor(settings));
    let mut signals = Signals::listen()?;
    let receiver = settings.receiver.as_ref().filter(|_| !settings.report.dry_run);
    let courier = receiver.map(|receiver| Courier::new(receiver, &proxy::variables(&environment))).transpose()?;
    let mut scratch =
        Scratch::new(&std::env::temp_dir(), &settings.check, Lacks::find(std::env::home_dir().as_deref()))?;
    panic::clean_up_after(&scratch, log.clone());

    log.say(report::running(settings, ansible_cfg::ignored_in_working_directory(), scratch.secrets_on_disk()));
    let ending = play(&settings.check, &scratch, environment, log, &mut signals)?;
    if let Ending::Cancelled(signal) = ending {
        return Ok(cancelled(signal, log));
    }
    let seen = observe(BufReader::new(scratch.take_events()?), scratch.nonce(), &settings.waivers);
    // What the network does with a status is no reason to keep secrets for it.
    drop(scratch);
    let judgement = judge(settings, &ending, &seen);
    log.say(report::judged(settings, &judgement, &seen));

    let ansible_version = seen.ansible_version.as_deref();
    let pipeline = &settings.identity.pipeline;
    let circumstances = Circumstances { pipeline, started, duration: clock.elapsed(), ansible_version };
    let payloads = payloads(settings, &judgement, &circumstances)?;
    log.say(report::payloads(&payloads, settings.report.dry_run));
    if let Some(path) = &settings.report.payload_file {
        payload_file::write(path, &payloads.texts)?;
    }
    log.say([report::posting(receiver, payloads.texts.len())]);
    let arrived = match &courier {
        Some(courier) => deliver(courier, &payloads, &mut signals, log)?,
        None => true,
    };
    if let Some(signal) = signals.cancelled() {
        return Ok(cancelled(signal, log));
    }
    Ok(match judgement.verdict {
        _ if !arrived || !judgement.complete() => FAILED,
        Verdict::OutOfSync { .. } if settings.report.fail_on_drift && courier.is_some() => DRIFTED,
        Verdict::OutOfSync { .. } | Verdict::Synced => DONE,
        Verdict::Unknown => FAILED,
    })
}

/// Installs what is asked for, runs the playbook, and tells how that ended.
fn play(
    check: &Check,
    scratch: &Scratch,
    environment: Environment,
    log: &Log,
    signals: &mut Signals,
) -> Result<Ending> {
    if let Some(why) = playbook::missing(check).or_else(|| ssh_key::unusable(scratch.private_key()?)) {
        return Ok(Ending::NotStarted(why));
    }
    let invocation = playbook::invocation(check, scratch, environment, log.colour);
    if let Some(installation) = playbook::installation(check, &invocation) {
        match run::run(&installation, log.redactor.as_ref(), check.timeout, signals)? {
            Ending::Exited(0) => {}
            cancelled @ Ending::Cancelled(_) => return Ok(cancelled),
            failed => return Ok(Ending::NotStarted(report::not_installed(check, &failed))),
        }
    }
    run::run(&invocation, log.redactor.as_ref(), check.timeout, signals)
}

/// Sends every payload, in the order of the servers' names; whether all of them arrived.
fn deliver(courier: &Courier, payloads: &Payloads, signals: &mut Signals, log: &Log) -> Result<bool> {
    let (mut taken, mut lost) = (None, 0);
    for (server, text) in &payloads.texts {
        let server = Some(server.as_str()).filter(|_| payloads.texts.len() > 1);
        let say = |attempt, failure: &_, pause| log.say([report::attempt(server, attempt, failure, pause)]);
        match courier.deliver(text, signals, say)? {
            Delivery::Delivered(status) => taken = Some(status),
            Delivery::Cancelled(_) => return Ok(false),
            Delivery::Failed(failure, attempts) => {
                lost += 1;
                log.say(report::undelivered(server, &failure, attempts));
            }
        }
    }
    log.say(taken.filter(|_| lost == 0).map(report::delivered));
    Ok(lost == 0)
}

fn cancelled(signal: i32, log: &Log) -> u8 {
    log.say(report::cancelled(signal));
    SIGNALLED.saturating_add(u8::try_from(signal).unwrap_or_default())
}
