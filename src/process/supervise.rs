//! Starts `ansible-playbook`, waits for it, ends it when its time is up or the step is cancelled, and leaves no
//! process behind.
//!
//! The process is waited for, never the end of its output: an ssh master can hold that open for a minute. Signals and
//! ended children arrive as bytes on one socket, so waiting costs nothing and wakes at once. Its output passes through
//! here, because it may hold secrets and lines that look like ours.

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write, stderr, stdout};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, wait};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};

use crate::ansible::command::{self, Invocation};
use crate::ansible::run_dir::RunDir;
use crate::output::redact::Redactor;
use crate::output::terminal::TerminalFilter;
use crate::settings::AnsibleSettings;
use crate::settings::ssh_key;

/// How long `ansible-playbook` has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// How a run ended. A playbook that fails is an ending; only what *we* could not do is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It never ran, with the reason and the remedy.
    NotStarted(String),
    /// It exited with this code.
    Exited(i32),
    /// It was ended by this signal, which was not ours.
    Killed(i32),
    /// It was ended because its time was up.
    TimedOut,
    /// The step itself was ended by this signal.
    Cancelled(i32),
}

/// The signals that end the step, and the bell they ring.
#[derive(Debug)]
pub struct Signals {
    latest: Arc<AtomicUsize>,
    bell: UnixStream,
    ringer: UnixStream,
}

impl Signals {
    /// From here on SIGTERM, SIGINT and SIGHUP no longer end the process; [`Signals::cancelled`] tells of them.
    ///
    /// # Errors
    /// When the kernel refuses a handler.
    pub fn listen() -> Result<Self> {
        let latest = Arc::new(AtomicUsize::new(0));
        let (bell, ringer) = UnixStream::pair().context("cannot make a socket pair for signals")?;
        ringer.set_nonblocking(true).context("cannot make a socket non-blocking")?;
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            // The flag first: whoever is woken by the bell must find it set.
            signal_hook::flag::register_usize(signal, Arc::clone(&latest), usize::try_from(signal)?)
                .with_context(|| format!("cannot handle signal {signal}"))?;
        }
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGCHLD] {
            let ringer = ringer.try_clone().context("cannot copy a socket")?;
            signal_hook::low_level::pipe::register(signal, ringer)
                .with_context(|| format!("cannot handle signal {signal}"))?;
        }
        Ok(Self { latest, bell, ringer })
    }

    /// The latest signal that asked the step to end, if any did.
    pub fn cancelled(&self) -> Option<i32> {
        i32::try_from(self.latest.load(Ordering::SeqCst)).ok().filter(|signal| *signal != 0)
    }

    /// Something that ends a [`Signals::sleep`] when a byte is written to it.
    ///
    /// # Errors
    /// When the socket cannot be copied.
    pub fn ringer(&self) -> Result<UnixStream> {
        self.ringer.try_clone().context("cannot copy a socket")
    }

    /// Sleeps until a signal comes, a child ends, somebody rings or `patience` is over.
    pub fn sleep(&mut self, patience: Duration) {
        // A time-out of zero would mean for ever.
        let patience = patience.max(Duration::from_millis(1));
        if self.bell.set_read_timeout(Some(patience)).is_ok() {
            let mut rings = [0; 64];
            let _ = self.bell.read(&mut rings);
        }
    }
}

/// What a run needs.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// What is asked for.
    pub ansible: &'a AnsibleSettings,
    /// The run's private files.
    pub run_dir: &'a RunDir,
    /// Whether Ansible may colour its output.
    pub colour: bool,
    /// What takes secrets out of that output.
    pub redactor: Option<&'a Redactor>,
}

impl Run<'_> {
    /// Installs what `galaxy_requirements` lists, runs the playbook to its end, each within `timeout`, and shows what they
    /// print. `environment` is the step's own.
    ///
    /// # Errors
    /// When the processes of the run cannot be watched. A missing program or playbook is an [`Ending`].
    pub fn play(&self, environment: Vec<(OsString, OsString)>, signals: &mut Signals) -> Result<Ending> {
        let Self { ansible, run_dir, .. } = self;
        if let Some(why) = command::missing(ansible).or_else(|| ssh_key::unusable(run_dir.private_key()?)) {
            return Ok(Ending::NotStarted(why));
        }
        let invocation = command::invocation(ansible, run_dir, environment, self.colour);
        if let Some(installation) = command::installation(ansible, &invocation) {
            let failed = match self.watch(&installation, signals)? {
                Ending::Exited(0) => None,
                Ending::Exited(code) => Some(format!("exited with code {code}")),
                Ending::Killed(signal) => Some(format!("was ended by signal {signal}")),
                Ending::TimedOut => Some("was not over within `timeout`".to_owned()),
                ending @ (Ending::Cancelled(_) | Ending::NotStarted(_)) => return Ok(ending),
            };
            if let Some(failed) = failed {
                return Ok(Ending::NotStarted(not_installed(ansible, &failed)));
            }
        }
        self.watch(&invocation, signals)
    }

    /// Runs one program to its end.
    fn watch(&self, invocation: &Invocation, signals: &mut Signals) -> Result<Ending> {
        // What Ansible leaves behind becomes our child and can be ended, also where we are not PID 1.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .context("cannot adopt orphaned processes")?;
        let mut command = Command::new(invocation.program);
        command
            .args(&invocation.arguments)
            .env_clear()
            .envs(&invocation.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Its own group: a signal from a terminal reaches us alone, and we pass it on.
            .process_group(0);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                end_the_rest(invocation.cleanup);
                return Ok(Ending::NotStarted(not_started(invocation.program, &error)));
            }
        };
        let shown = show(&mut child, self.redactor);
        let pid = Pid::from_child(&child);
        let deadline = Instant::now() + self.ansible.timeout;
        let ending = loop {
            if let Some(ending) = reaped(pid) {
                break ending;
            }
            if let Some(signal) = signals.cancelled() {
                terminate(pid, signals);
                break Ending::Cancelled(signal);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                terminate(pid, signals);
                break Ending::TimedOut;
            }
            signals.sleep(left);
        };
        end_the_rest(invocation.cleanup);
        // Nobody is left who could write, unless somebody of another user could not be ended.
        while shown.recv_timeout(GRACE).is_ok() {}
        // A signal may have reached the whole group at once, and Ansible may have been the quicker of us to end.
        Ok(signals.cancelled().map_or(ending, Ending::Cancelled))
    }
}

/// Shows a child's output without secrets and without tricks; the receiver hears of each stream that ended, then of its
/// own end.
fn show(child: &mut Child, redactor: Option<&Redactor>) -> Receiver<()> {
    let (ended, shown) = channel();
    if let Some(output) = child.stdout.take() {
        relay(output, stdout(), redactor.cloned(), ended.clone());
    }
    if let Some(errors) = child.stderr.take() {
        relay(errors, stderr(), redactor.cloned(), ended);
    }
    shown
}

fn relay(
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    mut redactor: Option<Redactor>,
    ended: Sender<()>,
) {
    std::thread::spawn(move || {
        let (mut bytes, mut clean, mut shown) = (vec![0; 64 << 10], Vec::new(), Vec::new());
        let mut filter = TerminalFilter::default();
        loop {
            let count = match from.read(&mut bytes) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => 0,
            };
            clean.clear();
            shown.clear();
            match &mut redactor {
                None => filter.pass(&bytes[..count], &mut shown),
                Some(redactor) if count == 0 => redactor.finish(&mut clean),
                Some(redactor) => redactor.pass(&bytes[..count], &mut clean),
            }
            filter.pass(&clean, &mut shown);
            if count == 0 {
                filter.finish(&mut shown);
            }
            // A log that cannot be written is no reason to stop Ansible: it is read on all the same.
            let _ = to.write_all(&shown).and_then(|()| to.flush());
            if count == 0 {
                break;
            }
        }
        let _ = ended.send(());
    });
}

fn not_installed(ansible: &AnsibleSettings, why: &str) -> String {
    let requirements = ansible.galaxy_requirements.as_deref().unwrap_or_default();
    format!("`ansible-galaxy` {why} while it installed what `{requirements}` lists; see its own error above")
}

fn not_started(program: &str, error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => {
            format!("`{program}` is not on PATH; use the plugin's image, or install ansible-core where this step runs")
        }
        ErrorKind::PermissionDenied => format!("`{program}` on PATH may not be executed; check its mode and owner"),
        ErrorKind::ArgumentListTooLong => {
            format!(
                "`{program}` cannot be started: the environment and arguments are too large; pass fewer or shorter variables"
            )
        }
        _ => format!("`{program}` cannot be started: {error}"),
    }
}

/// Collects every child that has ended; `Some` when `main` is among them.
fn reaped(main: Pid) -> Option<Ending> {
    let mut ending = None;
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid == main {
            ending = Some(ended(status));
        }
    }
    ending
}

fn ended(status: WaitStatus) -> Ending {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Ending::Exited(code),
        (None, Some(signal)) => Ending::Killed(signal),
        (None, None) => Ending::Killed(0),
    }
}

/// SIGTERM to the group; what is left after [`GRACE`] is killed by [`end_the_rest`].
fn terminate(main: Pid, signals: &mut Signals) {
    // An error means that nothing is there to be ended.
    let _ = kill_process_group(main, Signal::TERM);
    let deadline = Instant::now() + GRACE;
    while reaped(main).is_none() && Instant::now() < deadline {
        signals.sleep(deadline.saturating_duration_since(Instant::now()));
    }
}

/// Ends every process that descends from us, but the cleanup. Ansible's workers and ssh masters have sessions of their
/// own, so no process group holds them all.
pub(crate) fn end_the_rest(cleanup: Pid) {
    let deadline = Instant::now() + GRACE;
    loop {
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        let mut rest = descendants();
        rest.retain(|pid| *pid != cleanup);
        if rest.is_empty() || Instant::now() > deadline {
            return;
        }
        for pid in rest {
            let _ = kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Every living process below us, from the process table.
fn descendants() -> Vec<Pid> {
    let mut parents: Vec<(i32, i32)> = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // The command's name stands in parentheses and may hold anything, parentheses included.
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        let (state, parent) = (fields.next(), fields.next().and_then(|parent| parent.parse().ok()));
        if let (Some(state), Some(parent)) = (state, parent) {
            if state != "Z" {
                parents.push((pid, parent));
            }
        }
    }
    let mut family = vec![rustix::process::getpid().as_raw_nonzero().get()];
    let mut next = 0;
    while next < family.len() {
        let parent = family[next];
        family.extend(parents.iter().filter(|(_, above)| *above == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    family.into_iter().skip(1).filter_map(Pid::from_raw).collect()
}
