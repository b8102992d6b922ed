//! Sends one payload until it is accepted, cannot be, or the time is up: with the same body and the same key each time.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::delivery::client::{Answer, Client};
use crate::delivery::failure::Failure;
use crate::process::signals::Signals;
use crate::random;

/// The first pause between two attempts, before jitter; each further one is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause that is not the server's own wish.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// What came of one payload.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// The server accepted it, with this status.
    Accepted(u16),
    /// It did not arrive.
    Failed {
        /// Why the last attempt failed.
        failure: Failure,
        /// How many there were.
        attempts: u32,
    },
    /// The step was ended by this signal.
    Cancelled(i32),
}

/// Sends one payload. `tell` hears of each failed attempt that another one follows, and of the pause between them.
///
/// # Errors
/// When no attempt can be made at all for a reason on this side.
pub fn send(
    client: &Client<'_>,
    body: &str,
    signals: &mut Signals,
    mut tell: impl FnMut(u32, &Failure, Duration),
) -> Result<Sent> {
    let server = client.status_server();
    let key = random::hex_128()?;
    let deadline = Instant::now() + server.retry_for;
    // The last attempt needs some of the time, or waiting for it would be in vain.
    let reserve = server.http_timeout.min(server.retry_for / 10);
    let mut pause = FIRST_PAUSE;
    for attempt in 1.. {
        if let Some(signal) = signals.cancelled() {
            return Ok(Sent::Cancelled(signal));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let failure = match client.post(body, &key, left.min(server.http_timeout), signals)? {
            Answer::Accepted(status) => return Ok(Sent::Accepted(status)),
            Answer::Cancelled(signal) => return Ok(Sent::Cancelled(signal)),
            Answer::Failed(failure) => failure,
        };
        let spare = deadline.saturating_duration_since(Instant::now()).saturating_sub(reserve);
        if !failure.kind.is_transient() || spare.is_zero() {
            return Ok(Sent::Failed { failure, attempts: attempt });
        }
        let wait = failure.retry_after.unwrap_or_else(|| jittered(pause)).min(spare);
        tell(attempt, &failure, wait);
        pause = (pause * 2).min(LONGEST_PAUSE);
        let until = Instant::now() + wait;
        while signals.cancelled().is_none() && Instant::now() < until {
            signals.sleep(until.saturating_duration_since(Instant::now()));
        }
    }
    bail!("there were more attempts than can be counted")
}

/// Half to all of a pause, so that a fleet's steps do not come back at the same moment.
fn jittered(pause: Duration) -> Duration {
    // Without randomness every step waits the whole pause, which is only less kind.
    let share = random::fraction().unwrap_or(1.0);
    pause.mul_f64(0.5 + share / 2.0)
}

/// `Retry-After` as seconds or as a date.
pub fn retry_after_in(value: &str, now: OffsetDateTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = OffsetDateTime::parse(value, &Rfc2822).ok()?;
    Some(Duration::try_from(date - now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now = datetime!(2026-04-21 10:30:00 UTC);
        assert_eq!(retry_after_in("7", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after_in("Tue, 21 Apr 2026 10:31:00 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(retry_after_in("Tue, 21 Apr 2026 10:29:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after_in("soon", now), None);
        assert_eq!(retry_after_in("-1", now), None);
    }
}
