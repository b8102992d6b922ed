//! Shows what a child prints, live: without secrets, and without anything that could pass for the step's own lines.
//!
//! Not here: waiting for the child. Its end is the end of the process and never that of its output, which an ssh master
//! can hold open for a minute.

use std::io::{ErrorKind, Read, Write, stderr, stdout};
use std::process::Child;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crate::output::redact::Redactor;
use crate::output::terminal::TerminalFilter;

/// The streams of one child that are being shown.
pub(super) struct Shown {
    /// Hears of each stream that ended, then of its own end.
    ended: Receiver<()>,
}

impl Shown {
    /// Waits until everything that was printed is shown, for each stream no longer than `longest`: a process that could
    /// not be ended may hold it open.
    pub(super) fn wait(self, longest: Duration) {
        while self.ended.recv_timeout(longest).is_ok() {}
    }
}

/// Shows both streams of `child` on ours, each in a thread of its own.
///
/// # Errors
/// When a thread cannot be started.
pub(super) fn show(child: &mut Child, redactor: Option<&Redactor>) -> std::io::Result<Shown> {
    let (sender, ended) = channel();
    if let Some(output) = child.stdout.take() {
        start_thread(output, stdout(), redactor.cloned(), sender.clone())?;
    }
    if let Some(errors) = child.stderr.take() {
        start_thread(errors, stderr(), redactor.cloned(), sender)?;
    }
    Ok(Shown { ended })
}

fn start_thread(
    from: impl Read + Send + 'static,
    to: impl Write + Send + 'static,
    redactor: Option<Redactor>,
    ended: Sender<()>,
) -> std::io::Result<()> {
    let relay = move || {
        relay(from, to, redactor);
        // Nobody may be waiting any more.
        let _ = ended.send(());
    };
    std::thread::Builder::new().name("output".to_owned()).spawn(relay).map(drop)
}

/// Shows everything that is read from one stream.
fn relay(mut from: impl Read, mut to: impl Write, mut redactor: Option<Redactor>) {
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
            return;
        }
    }
}
