//! The story: settings, run, evidence, verdict, payloads, delivery, exit code.

use std::ffi::OsString;
use std::io::BufReader;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use plugin_gitops_status::messages::{self, Line};
use plugin_gitops_status::{
    Client, Ending, Log, Needs, Outcome, PayloadFile, Redactor, Run, RunDir, RunInfo, Settings, Signals, Surroundings,
    clean_up_after, collect, deliver, install_panic_hook, judge, payloads, read_settings, suspects, unknown_host_keys,
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
        None => check(&environment, &log),
    };
    outcome.map_err(|lines| log.say(lines)).unwrap_or(Outcome::Failed).exit_code()
}

fn check(environment: &Environment, log: &Log) -> Result<Outcome, Vec<Line>> {
    let today = OffsetDateTime::now_utc().date();
    let settings = read_settings(environment.clone(), today).map_err(|problems| messages::problems(&problems))?;
    step(&settings, environment, log).map_err(|error| messages::error(&error))
}

fn step(settings: &Settings, environment: &Environment, log: &Log) -> Result<Outcome> {
    let (started, clock) = (OffsetDateTime::now_utc(), Instant::now());
    let log = &log.without_secrets(Redactor::new(settings.secrets.texts()));
    let payload_file = settings.report.payload_file.as_ref().map(PayloadFile::new).transpose()?;
    let mut signals = Signals::listen()?;
    let client = settings.destination.server().map(Client::new).transpose()?;
    let run_dir = RunDir::new(&std::env::temp_dir(), settings, Needs::find(environment))?;
    clean_up_after(&run_dir, log.clone());

    log.say(messages::running(settings, Surroundings::of(&run_dir)));
    let run =
        Run { ansible: &settings.ansible, run_dir: &run_dir, colour: log.colour, redactor: log.redactor.as_ref() };
    let ending = run.execute(environment, &mut signals)?;
    if let Ending::Cancelled(signal) = ending {
        log.say(messages::cancelled(signal));
        return Ok(Outcome::Cancelled { signal });
    }
    let evidence = collect(BufReader::new(run_dir.events()), run_dir.nonce(), settings);
    let mut verdict = judge(settings, &ending, &evidence);
    log.redactor.iter().for_each(|redactor| verdict.hide(redactor));
    log.say(messages::judged(settings, &verdict, &evidence));
    if verdict.may_lack_host_key(settings) {
        log.say(messages::unknown_host_keys(&unknown_host_keys(&run_dir, environment)));
    }
    if evidence.is_empty() && matches!(ending, Ending::Exited(_)) {
        log.say(messages::suspects(&suspects(&settings.ansible, environment)));
    }
    // What the network does with a status is no reason to keep secrets for it.
    drop(run_dir);

    let ansible_version = evidence.ansible_version.as_deref();
    let run_info =
        RunInfo { pipeline: &settings.identity.pipeline, started, duration: clock.elapsed(), ansible_version };
    let payloads = payloads(settings, &verdict, &run_info)?;
    log.say(messages::payloads(&payloads, settings.destination.is_dry_run()));
    payload_file.map(|file| file.write(&payloads.texts)).transpose()?;
    log.say([messages::posting(&settings.destination, payloads.texts.len())]);
    let delivery = deliver(client.as_ref(), &payloads, &mut signals, |progress| log.say(messages::progress(progress)))?;
    log.say(messages::delivered(&delivery));
    Ok(Outcome::new(&delivery, &verdict, settings.report.fail_on_drift))
}
