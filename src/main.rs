//! The story: settings, run, evidence, verdict, payloads, delivery, exit code.

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
use plugin_gitops_status::delivery::send::send;
use plugin_gitops_status::delivery::{payload_file, proxy};
use plugin_gitops_status::evidence::collect::collect;
use plugin_gitops_status::log::Log;
use plugin_gitops_status::log::messages::{self, Line, Surroundings};
use plugin_gitops_status::outcome::Outcome;
use plugin_gitops_status::output::redact::redactor;
use plugin_gitops_status::panic_hook;
use plugin_gitops_status::process::signals::Signals;
use plugin_gitops_status::process::supervise::{Ending, Run};
use plugin_gitops_status::settings::Settings;
use plugin_gitops_status::verdict::judge::judge;
use time::OffsetDateTime;

type Environment = Vec<(OsString, OsString)>;

fn main() -> ExitCode {
    let environment: Environment = std::env::vars_os().collect();
    let log = Log::new(&environment);
    panic_hook::install(log.clone());
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
    let settings = Settings::read(environment.clone()).map_err(|problems| messages::problems(&problems.0))?;
    step(&settings, environment, log).map_err(|error| messages::error(&error))
}

fn step(settings: &Settings, environment: Environment, log: &Log) -> Result<Outcome> {
    let (started, clock) = (OffsetDateTime::now_utc(), Instant::now());
    let proxies = proxy::variables(&environment);
    let log = &log.without_secrets(redactor(settings, &proxy::passwords(&proxies)));
    let mut signals = Signals::listen()?;
    let status_server = settings.status_server.as_ref().filter(|_| !settings.report.dry_run);
    let client = status_server.map(|status_server| Client::new(status_server, &proxies)).transpose()?;
    let needs = Needs::find(std::env::home_dir().as_deref());
    let run_dir = RunDir::new(&std::env::temp_dir(), &settings.ansible, &settings.ignore, needs)?;
    panic_hook::clean_up_after(&run_dir, log.clone());

    let surroundings = Surroundings {
        config_ignored: config::ignored_in_working_directory(),
        secrets_on_disk: run_dir.has_secrets_on_disk(),
    };
    log.say(messages::running(settings, surroundings));
    let run =
        Run { ansible: &settings.ansible, run_dir: &run_dir, colour: log.colour, redactor: log.redactor.as_ref() };
    let ending = run.play(environment, &mut signals)?;
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
    log.say(messages::payloads(&payloads, settings.report.dry_run));
    if let Some(path) = &settings.report.payload_file {
        payload_file::write(path, &payloads.texts)?;
    }
    log.say([messages::posting(status_server, payloads.texts.len())]);
    let sent = send(client.as_ref(), &payloads, &mut signals, |problem| log.say(messages::delivery_problem(problem)))?;
    log.say(messages::sent(&sent));
    Ok(Outcome::new(&sent, &verdict, settings.report.fail_on_drift))
}
