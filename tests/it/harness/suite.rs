//! What is run: suites of tests, each with what it needs besides Rust.
//!
//! Plain `cargo test` runs what needs nothing else. A suite that needs more runs when `tests/run.sh` brings it, or when
//! a filter names one of its tests. What did not run is said at the end, with the reason.

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use super::ansible;

/// A test could not run here, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct NotRun(pub String);

/// What a test gives back: nothing, or that it could not run.
pub trait Outcome {
    fn into_result(self) -> Result<(), NotRun>;
}

impl Outcome for () {
    fn into_result(self) -> Result<(), NotRun> {
        Ok(())
    }
}

impl Outcome for Result<(), NotRun> {
    fn into_result(self) -> Result<(), NotRun> {
        self
    }
}

/// What a suite needs besides Rust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A real ansible-core, under `target/` or where `ANSIBLE_CORE` says.
    Ansible,
    /// `ssh`, `ssh-keygen` and `sshd`.
    Ssh,
    /// A `python3` that can make a virtual environment.
    Python,
    /// A container engine and the images that `.ci/image` builds.
    Image,
    /// `woodpecker-cli`.
    Woodpecker,
}

impl Need {
    /// Why it is not here.
    fn missing(self) -> Option<String> {
        let absent = |program: &str| Command::new(program).arg("--version").output().is_err();
        match self {
            // Who names one wants it.
            Self::Ansible if super::variable("ANSIBLE_CORE").is_some() => {
                ansible::bin().unwrap();
                None
            }
            Self::Ansible => ansible::bin().err(),
            Self::Ssh if absent("ssh-keygen") || !ansible::has_sshd() => {
                Some("ssh and sshd are not installed".to_owned())
            }
            Self::Python if absent("python3") => Some("python3 is not installed".to_owned()),
            Self::Image if super::variable("IMAGE").is_none() => Some("it needs the image; run `.ci/image`".to_owned()),
            Self::Woodpecker if absent("woodpecker-cli") => Some("woodpecker-cli is not on PATH".to_owned()),
            Self::Ssh | Self::Python | Self::Image | Self::Woodpecker => None,
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ansible => "ansible-core",
            Self::Ssh => "ssh and sshd",
            Self::Python => "python3",
            Self::Image => "the image",
            Self::Woodpecker => "woodpecker-cli",
        })
    }
}

type Body = Box<dyn Fn() -> Result<(), NotRun> + Send>;

/// Tests that need the same things.
pub struct Suite {
    name: &'static str,
    needs: &'static [Need],
    tests: Vec<(String, Body)>,
}

impl Suite {
    /// A suite without tests.
    pub fn new(name: &'static str, needs: &'static [Need]) -> Self {
        Self { name, needs, tests: Vec::new() }
    }

    /// Adds a test, whose full name begins with the suite's.
    pub fn test<O: Outcome>(mut self, name: &str, body: impl Fn() -> O + Send + 'static) -> Self {
        self.tests.push((format!("{}::{name}", self.name), Box::new(move || body().into_result())));
        self
    }
}

/// A suite of functions: `suite!("delivery", [Need::Ansible], first_test, second_test)`. The compiler names a test that
/// is in no list, as a function that is never used.
macro_rules! suite {
    ($name:literal, [$($need:expr),*], $($test:ident),+ $(,)?) => {
        $crate::harness::suite::Suite::new($name, &[$($need),*])$(.test(stringify!($test), $test))+
    };
}
pub(crate) use suite;

/// Runs the suites as the command line asks, and says what did not run.
pub fn run(suites: Vec<Suite>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    let asked = arguments.filter.is_some()
        || arguments.list
        || arguments.ignored
        || arguments.include_ignored
        || super::variable("ANSIBLE_CORE").is_some();
    let filter = (arguments.filter.clone(), arguments.exact);
    let named = |test: &str| match &filter {
        (Some(filter), true) => test == filter,
        (Some(filter), false) => test.contains(filter.as_str()),
        (None, _) => true,
    };
    let not_run = Arc::new(Mutex::new(Vec::new()));
    let (mut trials, mut left_out, mut real) = (Vec::new(), Vec::new(), false);
    for suite in suites {
        // The image is asked for by `.ci/image` alone, whatever else is brought.
        let brought = !suite.needs.contains(&Need::Image) || arguments.filter.is_some() || arguments.list;
        if !(suite.needs.is_empty() || asked && brought) {
            left_out.push(suite);
            continue;
        }
        let wanted = !arguments.list && suite.tests.iter().any(|(name, _)| named(name));
        real |= wanted && !suite.needs.is_empty();
        let missing = suite.needs.iter().filter(|_| wanted).find_map(|need| need.missing());
        for (name, body) in suite.tests {
            let (missing, not_run, own) = (missing.clone(), Arc::clone(&not_run), name.clone());
            trials.push(Trial::ignorable_test(name, move || {
                match missing.map_or_else(|| caught(&body), |reason| Ok(Err(NotRun(reason))))? {
                    Ok(()) => Ok(Completion::Completed),
                    Err(NotRun(reason)) => {
                        not_run.lock().unwrap().push((own, reason.clone()));
                        Ok(Completion::ignored_with(reason))
                    }
                }
            }));
        }
    }
    // Tests wait for most of their time, and those with a real Ansible for some of it.
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    arguments.test_threads.get_or_insert(if real { 2 * processors } else { 4 * processors });
    remember_where_tests_panic();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        tell(&left_out, &not_run.lock().unwrap());
    }
    conclusion.exit_code()
}

#[expect(clippy::print_stdout, reason = "the end of a test run is read by people")]
fn tell(left_out: &[Suite], not_run: &[(String, String)]) {
    if !left_out.is_empty() {
        println!("Left out, because it needs more than Rust (`tests/run.sh` brings that; or name a test):");
        for suite in left_out {
            let needs: Vec<String> = suite.needs.iter().map(ToString::to_string).collect();
            println!("    {:<11} {:>3} tests  {}", suite.name, suite.tests.len(), needs.join(", "));
        }
        println!();
    }
    if !not_run.is_empty() {
        println!("!!!! NOT TESTED: {} tests could not run here:", not_run.len());
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for (name, reason) in not_run {
            match reasons.iter_mut().find(|(known, _)| known == reason) {
                Some((_, names)) => names.push(name),
                None => reasons.push((reason, vec![name])),
            }
        }
        for (reason, names) in reasons {
            let more = if names.len() > 1 { format!(" and {} more", names.len() - 1) } else { String::new() };
            println!("!!!!     {}{more}: {reason}", names[0]);
        }
        println!();
    }
}

thread_local! {
    /// Where this test panicked. `None` in threads that run no test.
    static PANICKED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes a panic of a test part of its report, instead of a line between those of others.
fn remember_where_tests_panic() {
    let default = take_hook();
    set_hook(Box::new(move |panic| {
        let in_test = PANICKED.with_borrow_mut(|place| match place {
            Some(place) => {
                *place = panic.location().map(ToString::to_string).unwrap_or_default();
                true
            }
            None => false,
        });
        if !in_test {
            default(panic);
        }
    }));
}

fn caught(body: &Body) -> Result<Result<(), NotRun>, Failed> {
    PANICKED.set(Some(String::new()));
    let result = catch_unwind(AssertUnwindSafe(body));
    let place = PANICKED.take().unwrap_or_default();
    result.map_err(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
        Failed::from(format!("{place}: {}", said.unwrap_or_default()))
    })
}
