//! The signals that end the step, and sleeping until one of them comes.
//!
//! Not here: what is done about a signal; [`super::supervise`] ends the run and delivery stops sending.
//!
//! There is no race between looking for a signal and going to sleep: a handler first stores the signal's number, then
//! writes a byte to a socket, and [`Signals::sleep`] waits for that byte. A signal that comes between the look and the
//! sleep has left its byte in the socket, so the sleep ends at once. Many signals may share one byte; that is enough,
//! because who wakes looks at everything again.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU, SIGXFSZ};

/// The signals that ask the step to end. As PID 1 this process gets those alone that it handles; elsewhere the others would
/// end it without a sentence.
const ENDING: [i32; 5] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGXCPU];

/// What the handlers of this process's signals tell it.
#[derive(Debug)]
pub struct Signals {
    /// The number of the latest signal that asked the step to end; 0 before there was one.
    latest: Arc<AtomicUsize>,
    /// Holds a byte after each signal; sleeping is reading it.
    wakeups: UnixStream,
    /// The other end of `wakeups`.
    waker: UnixStream,
}

impl Signals {
    /// From here on no signal that asks the step to end ends the process at once; [`Signals::cancelled`] tells of them. A file
    /// that grows over its limit is an error of the write, and not the end of the process (SIGXFSZ).
    ///
    /// # Errors
    /// When the kernel refuses a handler.
    pub fn listen() -> Result<Self> {
        let latest = Arc::new(AtomicUsize::new(0));
        let (wakeups, waker) = UnixStream::pair().context("cannot make a socket pair for signals")?;
        waker.set_nonblocking(true).context("cannot make a socket non-blocking")?;
        for signal in ENDING {
            // Before the socket: who is woken must find the number.
            signal_hook::flag::register_usize(signal, Arc::clone(&latest), usize::try_from(signal)?)
                .with_context(|| format!("cannot handle signal {signal}"))?;
        }
        for signal in ENDING.into_iter().chain([SIGCHLD]) {
            let waker = waker.try_clone().context("cannot copy a socket")?;
            signal_hook::low_level::pipe::register(signal, waker)
                .with_context(|| format!("cannot handle signal {signal}"))?;
        }
        // A handler that does nothing but be there; a signal that is ignored would be ignored in every child too.
        signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))
            .with_context(|| format!("cannot handle signal {SIGXFSZ}"))?;
        Ok(Self { latest, wakeups, waker })
    }

    /// The latest signal that asked the step to end, if any did.
    pub fn cancelled(&self) -> Option<i32> {
        i32::try_from(self.latest.load(Ordering::SeqCst)).ok().filter(|signal| *signal != 0)
    }

    /// Something that ends a [`Signals::sleep`] when a byte is written to it.
    ///
    /// # Errors
    /// When the socket cannot be copied.
    pub fn waker(&self) -> Result<UnixStream> {
        self.waker.try_clone().context("cannot copy a socket")
    }

    /// Sleeps until a signal comes, a child ends, somebody writes to a [`Signals::waker`], or `longest` is over.
    pub fn sleep(&mut self, longest: Duration) {
        // A time-out of zero would mean for ever.
        let longest = longest.max(Duration::from_millis(1));
        if self.wakeups.set_read_timeout(Some(longest)).is_ok() {
            let mut bytes = [0; 64];
            let _ = self.wakeups.read(&mut bytes);
        }
    }
}
