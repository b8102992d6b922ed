//! What is sent to the status server, and how.
//!
//! Every payload is sent in the order of the servers' names, one after the other over one connection. What happens on the
//! way is told as [`Progress`]; nothing here prints.

pub mod payload;
pub mod payload_file;
pub mod failure;
mod tls;
mod absolute_form;
mod proxy;
pub mod client;
pub mod retry;

use std::time::Duration;

use anyhow::Result;

use crate::delivery::client::Client;
use crate::delivery::failure::Failure;
use crate::delivery::payload::Payloads;
use crate::delivery::retry::Sent;
use crate::process::signals::Signals;

/// What came of all payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Nothing was to be sent.
    DryRun,
    /// Every one arrived.
    All {
        /// The HTTP status of the last one; `None` where there was none to send.
        status: Option<u16>,
    },
    /// At least one did not arrive.
    NotAll,
    /// The step was ended by a signal; nothing more is sent.
    Cancelled {
        /// The signal.
        signal: i32,
        /// How many had arrived by then.
        arrived: usize,
        /// How many there were to send.
        of: usize,
    },
}

/// What happens on the way. `server` is whose payload it is, where there are several.
#[derive(Debug)]
pub enum Progress<'a> {
    /// An attempt failed, and another one follows.
    Retry {
        /// Whose payload it is.
        server: Option<&'a str>,
        /// Which attempt it was, from 1.
        attempt: u32,
        /// Why it failed.
        failure: &'a Failure,
        /// How long is waited before the next one.
        pause: Duration,
    },
    /// A payload did not arrive, and no attempt follows.
    Undelivered {
        /// Whose payload it is.
        server: Option<&'a str>,
        /// Why the last attempt failed.
        failure: &'a Failure,
        /// How many attempts were made.
        attempts: u32,
    },
}

/// Sends every payload; without a client nothing is to be sent. `tell` hears of each failed attempt, and of each payload that did not arrive.
///
/// # Errors
/// When no attempt can be made at all for a reason on this side.
pub fn deliver(
    client: Option<&Client<'_>>,
    payloads: &Payloads,
    signals: &mut Signals,
    mut tell: impl FnMut(&Progress<'_>),
) -> Result<Delivery> {
    let Some(client) = client else { return Ok(Delivery::DryRun) };
    let of = payloads.texts.len();
    let (mut arrived, mut last_status) = (0, None);
    for (server, text) in &payloads.texts {
        let server = Some(server.as_str()).filter(|_| of > 1);
        let sent = retry::send(client, text, signals, |attempt, failure, pause| {
            tell(&Progress::Retry { server, attempt, failure, pause });
        })?;
        match sent {
            Sent::Accepted(status) => {
                arrived += 1;
                last_status = Some(status);
            }
            Sent::Failed { failure, attempts } => {
                tell(&Progress::Undelivered { server, failure: &failure, attempts });
            }
            Sent::Cancelled(signal) => return Ok(Delivery::Cancelled { signal, arrived, of }),
        }
    }
    Ok(if arrived == of { Delivery::All { status: last_status } } else { Delivery::NotAll })
}
