//! What is sent to the status server, and how.
//!
//! Every payload is sent in the order of the servers' names, one after the other over one connection. What happens on the
//! way is told as [`Progress`]; nothing here prints.

pub mod payload;
pub mod payload_file;
pub mod failure;
pub(crate) mod tls;
mod tls_connector;
mod absolute_form;
mod observe;
mod agent;
pub mod client;
pub mod retry;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;

use crate::delivery::client::Client;
use crate::delivery::failure::Failure;
use crate::delivery::payload::Payloads;
use crate::delivery::retry::{Budget, Sent};
use crate::process::signals::Signals;

/// How many different things a server is heard to say to what it accepts.
const MOST_HEARD: usize = 5;

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
    /// The server accepted a payload and says something that it has not said before.
    Said {
        /// Whose payload it is.
        server: Option<&'a str>,
        /// The first line of what it says.
        line: &'a str,
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
    /// The time was over before these payloads were tried.
    NotTried {
        /// Whose payloads they are.
        servers: Vec<&'a str>,
    },
}

/// Sends every payload; without a client nothing is to be sent. `tell` hears of each failed attempt, of what the server says,
/// and of each payload that did not arrive.
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
    let mut budget = Budget::new(client.status_server());
    let (mut arrived, mut last_status) = (0, None);
    let (mut heard, mut not_tried) = (BTreeSet::new(), Vec::new());
    for (name, text) in &payloads.texts {
        let server = Some(name.as_str()).filter(|_| of > 1);
        let sent = retry::send(client, text, &mut budget, signals, |attempt, failure, pause| {
            tell(&Progress::Retry { server, attempt, failure, pause });
        })?;
        match sent {
            Sent::Accepted(accepted) => {
                arrived += 1;
                last_status = Some(accepted.status);
                // A fleet hears the same for each of its hosts, and a talkative server is cut short.
                if let Some(line) = accepted.said.filter(|line| heard.len() < MOST_HEARD && !heard.contains(line)) {
                    tell(&Progress::Said { server, line: &line });
                    heard.insert(line);
                }
            }
            Sent::Failed { failure, attempts } => {
                tell(&Progress::Undelivered { server, failure: &failure, attempts });
            }
            Sent::TimeOver => not_tried.push(name.as_str()),
            Sent::Cancelled(signal) => return Ok(Delivery::Cancelled { signal, arrived, of }),
        }
    }
    if !not_tried.is_empty() {
        tell(&Progress::NotTried { servers: not_tried });
    }
    Ok(if arrived == of { Delivery::All { status: last_status } } else { Delivery::NotAll })
}
