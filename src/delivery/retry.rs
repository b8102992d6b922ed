//! Sends one payload until it is accepted, cannot be, or the time is up: with the same body and the same key each time.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail};

use crate::delivery::client::{Accepted, Answer, Client};
use crate::delivery::failure::Failure;
use crate::process::signals::Signals;
use crate::random;
use crate::settings::StatusServer;

/// The first pause between two attempts, before jitter; each further one is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause that is not the server's own wish.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// The most attempts that failures may cause in [`WINDOW`], the first one included, whatever a server asks for.
const MOST_ATTEMPTS: usize = 20;

/// See [`MOST_ATTEMPTS`].
const WINDOW: Duration = Duration::from_secs(60);

/// The time that all payloads of the step have together, and how often they were tried again.
#[derive(Debug)]
pub struct Budget {
    deadline: Instant,
    /// What is kept for the last attempt, or waiting for it would be in vain.
    reserve: Duration,
    /// When each attempt of the last minute that followed a failure began.
    retries: VecDeque<Instant>,
    /// A payload was given up for want of time.
    is_over: bool,
}

/// What came of one payload.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// The server accepted it.
    Accepted(Accepted),
    /// It did not arrive.
    Failed {
        /// Why the last attempt failed.
        failure: Failure,
        /// How many there were.
        attempts: u32,
    },
    /// The time was over before the first attempt.
    TimeOver,
    /// The step was ended by this signal.
    Cancelled(i32),
}

impl Budget {
    /// The time begins now.
    pub fn new(server: &StatusServer) -> Self {
        Self {
            deadline: Instant::now() + server.retry_for,
            reserve: server.http_timeout.min(server.retry_for / 10),
            retries: VecDeque::new(),
            is_over: false,
        }
    }

    fn left(&self, now: Instant) -> Duration {
        self.deadline.saturating_duration_since(now)
    }

    /// How long to wait after a failed attempt: the backoff, or longer where the server wishes that or has been asked too
    /// often. `None` when the time is over by then.
    fn pause(&mut self, now: Instant, backoff: Duration, retry_after: Option<Duration>) -> Option<Duration> {
        let spare = self.left(now).saturating_sub(self.reserve);
        while self.retries.front().is_some_and(|began| now.duration_since(*began) >= WINDOW) {
            self.retries.pop_front();
        }
        let is_full = self.retries.len() >= MOST_ATTEMPTS - 1;
        let crowded =
            self.retries.front().filter(|_| is_full).map(|began| WINDOW.saturating_sub(now.duration_since(*began)));
        if spare.is_zero() || crowded.is_some_and(|wait| wait > spare) {
            return None;
        }
        // A server's wish is cut to what is left: it may be back sooner than it thinks.
        let wait = backoff.max(retry_after.unwrap_or_default()).min(spare);
        Some(wait.max(crowded.unwrap_or_default()))
    }
}

/// Sends one payload. `tell` hears of each failed attempt that another one follows, and of the pause between them.
///
/// # Errors
/// When no attempt can be made at all for a reason on this side.
pub fn send(
    client: &Client<'_>,
    body: &str,
    budget: &mut Budget,
    signals: &mut Signals,
    mut tell: impl FnMut(u32, &Failure, Duration),
) -> Result<Sent> {
    let key = random::hex_128()?;
    let mut backoff = FIRST_PAUSE;
    for attempt in 1.. {
        if let Some(signal) = signals.cancelled() {
            return Ok(Sent::Cancelled(signal));
        }
        let left = budget.left(Instant::now());
        if attempt == 1 && (budget.is_over || left.is_zero()) {
            return Ok(Sent::TimeOver);
        }
        let failure = match client.post(body, &key, left.min(client.status_server().http_timeout), signals)? {
            Answer::Accepted(accepted) => return Ok(Sent::Accepted(accepted)),
            Answer::Cancelled(signal) => return Ok(Sent::Cancelled(signal)),
            Answer::Failed(failure) => failure,
        };
        if !failure.kind.is_transient() {
            return Ok(Sent::Failed { failure, attempts: attempt });
        }
        let Some(pause) = budget.pause(Instant::now(), jittered(backoff), failure.retry_after) else {
            budget.is_over = true;
            return Ok(Sent::Failed { failure, attempts: attempt });
        };
        tell(attempt, &failure, pause);
        backoff = (backoff * 2).min(LONGEST_PAUSE);
        let until = Instant::now() + pause;
        while signals.cancelled().is_none() && Instant::now() < until {
            signals.sleep(until.saturating_duration_since(Instant::now()));
        }
        budget.retries.push_back(Instant::now());
    }
    bail!("there were more attempts than can be counted")
}

/// Half to all of a pause, so that a fleet's steps do not come back at the same moment.
fn jittered(pause: Duration) -> Duration {
    // Without randomness every step waits the whole pause, which is only less kind.
    pause.mul_f64(0.5 + random::fraction().unwrap_or(1.0) / 2.0)
}

/// `Retry-After` as seconds or as a date.
pub fn retry_after_in(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms() {
        // 21 April 2026, 10:30:00 UTC.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_776_767_400);
        assert_eq!(retry_after_in("7", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after_in("Tue, 21 Apr 2026 10:31:00 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(retry_after_in("Tuesday, 21-Apr-26 10:31:00 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(retry_after_in("Tue Apr 21 10:31:00 2026", now), Some(Duration::from_secs(60)));
        assert_eq!(retry_after_in("Tue, 21 Apr 2026 10:29:00 GMT", now), Some(Duration::ZERO));
        for wrong in ["soon", "-1", "", "1.5", "Tue, 31 Feb 2026 10:31:00 GMT", "((((((((((((((((((((((((("] {
            assert_eq!(retry_after_in(wrong, now), None, "{wrong}");
        }
    }

    /// The pause after a failure, where so many seconds are left and retries began so many seconds ago.
    fn pause(left: u64, retries: &[u64], wish: Option<u64>) -> Option<u64> {
        let began = Instant::now();
        let at = |second: u64| began + Duration::from_secs(second);
        let retries = retries.iter().map(|ago| at(100 - ago)).collect();
        let mut budget = Budget { deadline: at(100 + left), reserve: Duration::from_secs(1), retries, is_over: false };
        budget.pause(at(100), Duration::from_secs(2), wish.map(Duration::from_secs)).map(|pause| pause.as_secs())
    }

    #[test]
    fn a_server_can_only_lengthen_a_pause() {
        assert_eq!(pause(60, &[], None), Some(2));
        assert_eq!(pause(60, &[], Some(0)), Some(2));
        assert_eq!(pause(60, &[], Some(7)), Some(7));
        // A wish for an hour is cut to what is left, less what the attempt needs.
        assert_eq!(pause(60, &[], Some(3600)), Some(59));
    }

    #[test]
    fn no_more_than_twenty_attempts_are_made_in_a_minute() {
        assert_eq!(pause(600, &[30; 18], None), Some(2));
        assert_eq!(pause(600, &[30; 19], None), Some(30));
        assert_eq!(pause(600, &[30; 19], Some(40)), Some(40));
        assert_eq!(pause(600, &[70; 19], None), Some(2));
        // Where the time is over by then, there is nothing to wait for.
        assert_eq!(pause(20, &[30; 19], None), None);
        assert_eq!(pause(1, &[], None), None);
    }
}
