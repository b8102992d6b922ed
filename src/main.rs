//! The story: settings, run, evidence, verdict, payloads, delivery, exit code.

use std::ffi::OsString;
use std::io::BufReader;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use plugin_gitops_status::messages::{self, Line, Surroundings};
use plugin_gitops_status::{
    Client, Ending, Log, Needs, Outcome, Redactor, Run, RunDir, RunInfo, Settings, Signals, clean_up_after, collect,
    deliver, ignored_in_working_directory, install_panic_hook, judge, payload_file, payloads,
};
use time::OffsetDateTime;

type Environment = Vec<(OsString, OsString)>;

fn main() -> ExitCode {
    let environment: Environment = std::env::vars_os().collect();
    let log = Log::new(&environment);
    install_panic_hook(log.clone());
    let outcome = match std::env::args_os().nth(1) {
        Some(argument) => {
            messages::answer(&argument.to_string_lossy()).map(|lines| log.say(lines)).map(|()| Outcome::Done)
        }
        None => check(environment, &log),
    };
    let failed = |lines: Vec<Line>| {
        log.say(lines);
        Outcome::Failed
    };
    outcome.unwrap_or_else(failed).exit_code()
}

fn check(environment: Environment, log: &Log) -> Result<Outcome, Vec<Line>> {
    let today = OffsetDateTime::now_utc().date();
    let settings =
        Settings::read(environment.clone(), today).map_err(|problems| messages::problems(&problems.lines))?;
    step(&settings, environment, log).map_err(|error| messages::error(&error))
}

fn step(settings: &Settings, environment: Environment, log: &Log) -> Result<Outcome> {
    let (started, clock) = (OffsetDateTime::now_utc(), Instant::now());
    let log = &log.without_secrets(Redactor::new(settings.secrets.texts()));
    let mut signals = Signals::listen()?;
    let client = settings.destination.server().map(Client::new).transpose()?;
    let run_dir = RunDir::new(&std::env::temp_dir(), &settings.ansible, Needs::find(std::env::home_dir().as_deref()))?;
    clean_up_after(&run_dir, log.clone());

    let surroundings =
        Surroundings { config_ignored: ignored_in_working_directory(), secrets_on_disk: run_dir.has_secrets_on_disk() };
    log.say(messages::running(settings, surroundings));
    let run =
        Run { ansible: &settings.ansible, run_dir: &run_dir, colour: log.colour, redactor: log.redactor.as_ref() };
    let ending = run.execute(environment, &mut signals)?;
    if let Ending::Cancelled(signal) = ending {
        log.say(messages::cancelled(signal));
        return Ok(Outcome::Cancelled { signal });
    }
    let evidence = collect(BufReader::new(run_dir.events()), run_dir.nonce(), &settings.ignore);
    // What the network does with a status is no reason to keep secrets for it.
    drop(run_dir);
    let mut verdict = judge(settings, &ending, &evidence);
    log.redactor.iter().for_each(|redactor| verdict.hide(redactor));
    log.say(messages::judged(settings, &verdict, &evidence));

    let ansible_version = evidence.ansible_version.as_deref();
    let pipeline = &settings.identity.pipeline;
    let run_info = RunInfo { pipeline, started, duration: clock.elapsed(), ansible_version };
    let payloads = payloads(settings, &verdict, &run_info)?;
    log.say(messages::payloads(&payloads, settings.destination.is_dry_run()));
    if let Some(path) = &settings.report.payload_file {
        payload_file::write(path, &payloads.texts)?;
    }
    log.say([messages::posting(&settings.destination, payloads.texts.len())]);
    let delivery = deliver(client.as_ref(), &payloads, &mut signals, |progress| log.say(messages::progress(progress)))?;
    log.say(messages::delivered(&delivery));
    Ok(Outcome::new(&delivery, &verdict, settings.report.fail_on_drift))
}
