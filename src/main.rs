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
use plugin_gitops_status::run::{Ending, Run, Signals};
use plugin_gitops_status::scratch::Scratch;
use plugin_gitops_status::settings::Settings;
use plugin_gitops_status::verdict::{Verdict, judge};
use plugin_gitops_status::{ansible_cfg, observe::observe, panic, payload_file, proxy, report};
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
    let proxies = proxy::variables(&environment);
    let log = &log.without_secrets(redactor(settings, &proxy::passwords(&proxies)));
    let mut signals = Signals::listen()?;
    let receiver = settings.receiver.as_ref().filter(|_| !settings.report.dry_run);
    let courier = receiver.map(|receiver| Courier::new(receiver, &proxies)).transpose()?;
    let mut scratch =
        Scratch::new(&std::env::temp_dir(), &settings.check, Lacks::find(std::env::home_dir().as_deref()))?;
    panic::clean_up_after(&scratch, log.clone());

    log.say(report::running(settings, ansible_cfg::ignored_in_working_directory(), scratch.secrets_on_disk()));
    let run = Run { check: &settings.check, scratch: &scratch, colour: log.colour, redactor: log.redactor.as_ref() };
    let ending = run.play(environment, &mut signals)?;
    if let Ending::Cancelled(signal) = ending {
        return Ok(cancelled(signal, None, log));
    }
    let seen = observe(BufReader::new(scratch.take_events()?), scratch.nonce(), &settings.waivers);
    // What the network does with a status is no reason to keep secrets for it.
    drop(scratch);
    let mut judgement = judge(settings, &ending, &seen);
    log.redactor.iter().for_each(|redactor| judgement.hide(redactor));
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
    let round = courier.as_ref().map_or(Ok(Round::All), |courier| deliver(courier, &payloads, &mut signals, log))?;
    Ok(match (round, &judgement.verdict) {
        (Round::Cancelled(signal, arrived), _) => cancelled(signal, Some((arrived, payloads.texts.len())), log),
        (Round::NotAll, _) | (Round::All, Verdict::Unknown) => FAILED,
        (Round::All, _) if !judgement.complete() => FAILED,
        (Round::All, Verdict::OutOfSync { .. }) if settings.report.fail_on_drift && courier.is_some() => DRIFTED,
        (Round::All, Verdict::OutOfSync { .. } | Verdict::Synced) => DONE,
    })
}

/// How many of the payloads arrived.
enum Round {
    All,
    NotAll,
    /// The step was ended by a signal, after so many had arrived.
    Cancelled(i32, usize),
}

/// Sends every payload, in the order of the servers' names.
fn deliver(courier: &Courier, payloads: &Payloads, signals: &mut Signals, log: &Log) -> Result<Round> {
    let mut taken = Vec::new();
    for (server, text) in &payloads.texts {
        let server = Some(server.as_str()).filter(|_| payloads.texts.len() > 1);
        let say = |attempt, failure: &_, pause| log.say([report::attempt(server, attempt, failure, pause)]);
        match courier.deliver(text, signals, say)? {
            Delivery::Delivered(status) => taken.push(status),
            Delivery::Cancelled(signal) => return Ok(Round::Cancelled(signal, taken.len())),
            Delivery::Failed(failure, attempts) => log.say(report::undelivered(server, &failure, attempts)),
        }
    }
    if taken.len() < payloads.texts.len() {
        return Ok(Round::NotAll);
    }
    log.say(taken.last().copied().map(report::delivered));
    Ok(Round::All)
}

fn cancelled(signal: i32, arrived: Option<(usize, usize)>, log: &Log) -> u8 {
    log.say(report::cancelled(signal, arrived));
    SIGNALLED.saturating_add(u8::try_from(signal).unwrap_or_default())
}
