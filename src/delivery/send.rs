//! Sends every payload of the step, in the order of the servers' names.
//!
//! Not here: how one payload is sent and tried again, which is [`super::client`]'s, and what the log says of it.

use std::time::Duration;

use anyhow::Result;

use crate::delivery::client::{Client, Delivery, Failure};
use crate::delivery::payload::Payloads;
use crate::process::signals::Signals;

/// What became of the payloads.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// Nothing was to be sent: a dry run.
    DryRun,
    /// Each one was taken by the status server.
    All {
        /// The HTTP status of the last answer; `None` where there was nothing to send.
        status: Option<u16>,
    },
    /// At least one was not taken.
    NotAll,
    /// The step was ended by a signal.
    Cancelled {
        /// The signal's number.
        signal: i32,
        /// How many payloads had been taken by then.
        delivered: usize,
        /// How many there were to send.
        of: usize,
    },
}

/// Something that went wrong on the way. `server` is the payload's, where there are several.
#[derive(Debug)]
pub enum Problem<'a> {
    /// An attempt failed and another one follows.
    Retrying {
        /// Whose payload it is.
        server: Option<&'a str>,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// Why it failed.
        failure: &'a Failure,
        /// How long it takes until the next one.
        pause: Duration,
    },
    /// A payload was given up.
    Undelivered {
        /// Whose payload it is.
        server: Option<&'a str>,
        /// Why the last attempt failed.
        failure: &'a Failure,
        /// How many attempts were made.
        attempts: u32,
    },
}

/// Sends the payloads; without a client nothing is to be sent. `on_problem` hears of each problem when it happens. After a
/// signal nothing more is sent.
///
/// # Errors
/// When no attempt can be made for a reason on this side.
pub fn send(
    client: Option<&Client<'_>>,
    payloads: &Payloads,
    signals: &mut Signals,
    mut on_problem: impl FnMut(&Problem<'_>),
) -> Result<Sent> {
    let Some(client) = client else { return Ok(Sent::DryRun) };
    let mut statuses = Vec::new();
    let of = payloads.texts.len();
    for (server, text) in &payloads.texts {
        let server = Some(server.as_str()).filter(|_| of > 1);
        let retrying = |attempt, failure: &Failure, pause| {
            on_problem(&Problem::Retrying { server, attempt, failure, pause });
        };
        match client.deliver(text, signals, retrying)? {
            Delivery::Delivered(status) => statuses.push(status),
            Delivery::Cancelled(signal) => return Ok(Sent::Cancelled { signal, delivered: statuses.len(), of }),
            Delivery::Failed(failure, attempts) => {
                on_problem(&Problem::Undelivered { server, failure: &failure, attempts });
            }
        }
    }
    Ok(if statuses.len() == of { Sent::All { status: statuses.last().copied() } } else { Sent::NotAll })
}
