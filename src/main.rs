//! The story: settings, run, verdict, payload, delivery, exit code.

use std::ffi::OsString;
use std::io::BufReader;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use plugin_gitops_status::ansible::config;
use plugin_gitops_status::ansible::passwd::Needs;
use plugin_gitops_status::ansible::run_dir::RunDir;
use plugin_gitops_status::delivery::client::Client;
use plugin_gitops_status::delivery::payload::{RunInfo, payloads};
use plugin_gitops_status::delivery::{Delivery, deliver, payload_file};
use plugin_gitops_status::evidence::collect::collect;
use plugin_gitops_status::log::Log;
use plugin_gitops_status::log::messages;
use plugin_gitops_status::output::redact::Redactor;
use plugin_gitops_status::panic_hook;
use plugin_gitops_status::process::supervise::{Ending, Run, Signals};
use plugin_gitops_status::settings::Settings;
use plugin_gitops_status::verdict::judge::{SyncStatus, judge};
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
        Some(argument) => match messages::answer(&argument.to_string_lossy()) {
            Ok(lines) => (DONE, lines),
            Err(lines) => (FAILED, lines),
        },
        None => match Settings::read(environment.clone()) {
            Err(problems) => (FAILED, messages::problems(&problems.lines)),
            Ok(settings) => match step(&settings, environment, &log) {
                Ok(code) => (code, Vec::new()),
                Err(error) => (FAILED, messages::error(&error)),
            },
        },
    };
    log.say(code.1);
    ExitCode::from(code.0)
}

fn step(settings: &Settings, environment: Environment, log: &Log) -> Result<u8> {
    let (started, clock) = (OffsetDateTime::now_utc(), Instant::now());
    let log = &log.without_secrets(Redactor::new(settings.secrets.texts()));
    let mut signals = Signals::listen()?;
    let client = settings.destination.server().map(Client::new).transpose()?;
    let mut run_dir =
        RunDir::new(&std::env::temp_dir(), &settings.ansible, Needs::find(std::env::home_dir().as_deref()))?;
    panic_hook::clean_up_after(&run_dir, log.clone());

    log.say(messages::running(settings, config::ignored_in_working_directory(), run_dir.secrets_on_disk()));
    let run =
        Run { ansible: &settings.ansible, run_dir: &run_dir, colour: log.colour, redactor: log.redactor.as_ref() };
    let ending = run.play(environment, &mut signals)?;
    if let Ending::Cancelled(signal) = ending {
        return Ok(cancelled(signal, None, log));
    }
    let seen = collect(BufReader::new(run_dir.take_events()?), run_dir.nonce(), &settings.ignore);
    // What the network does with a status is no reason to keep secrets for it.
    drop(run_dir);
    let mut verdict = judge(settings, &ending, &seen);
    log.redactor.iter().for_each(|redactor| verdict.hide(redactor));
    log.say(messages::judged(settings, &verdict, &seen));

    let ansible_version = seen.ansible_version.as_deref();
    let pipeline = &settings.identity.pipeline;
    let run_info = RunInfo { pipeline, started, duration: clock.elapsed(), ansible_version };
    let payloads = payloads(settings, &verdict, &run_info)?;
    log.say(messages::payloads(&payloads, settings.destination.is_dry_run()));
    if let Some(path) = &settings.report.payload_file {
        payload_file::write(path, &payloads.texts)?;
    }
    log.say([messages::posting(&settings.destination, payloads.texts.len())]);
    let sent = match &client {
        None => Delivery::All { status: None },
        Some(client) => deliver(client, &payloads, &mut signals, |progress| log.say(messages::progress(progress)))?,
    };
    if let Delivery::All { status: Some(status) } = sent {
        log.say([messages::delivered(status)]);
    }
    Ok(match (sent, &verdict.status) {
        (Delivery::Cancelled { signal, arrived }, _) => cancelled(signal, Some((arrived, payloads.texts.len())), log),
        (Delivery::NotAll, _) | (Delivery::All { .. }, SyncStatus::Unknown) => FAILED,
        (Delivery::All { .. }, _) if !verdict.complete() => FAILED,
        (Delivery::All { .. }, SyncStatus::OutOfSync { .. }) if settings.report.fail_on_drift && client.is_some() => {
            DRIFTED
        }
        (Delivery::All { .. }, SyncStatus::OutOfSync { .. } | SyncStatus::Synced) => DONE,
    })
}

fn cancelled(signal: i32, arrived: Option<(usize, usize)>, log: &Log) -> u8 {
    log.say(messages::cancelled(signal, arrived));
    SIGNALLED.saturating_add(u8::try_from(signal).unwrap_or_default())
}
