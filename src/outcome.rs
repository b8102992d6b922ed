//! How the step ends, and the exit code that tells the pipeline.
//!
//! Not here: what the log says at the end.

use std::process::ExitCode;

use crate::delivery::Delivery;
use crate::verdict::judge::{SyncStatus, Verdict};

/// How the step ended. Pipelines rely on the exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Exit code 0: the status was delivered (`SYNCED` or `OUT_OF_SYNC`), or printed in a dry run; or the command line asked
    /// for help or the version.
    Done,
    /// Exit code 1: nothing can be claimed, the check is not complete, or not every status was delivered.
    Failed,
    /// Exit code 2: the check is complete, `OUT_OF_SYNC` was delivered, and `fail_on_drift` is set.
    Drifted,
    /// Exit code 128+n: the step was ended by signal n.
    Cancelled {
        /// The signal's number.
        signal: i32,
    },
}

impl Outcome {
    /// The outcome of a step whose payloads were sent, or were to be sent.
    pub fn new(delivery: &Delivery, verdict: &Verdict, fail_on_drift: bool) -> Self {
        let claimed = match verdict.status {
            SyncStatus::Unknown => false,
            SyncStatus::Synced | SyncStatus::OutOfSync { .. } => verdict.complete(),
        };
        let drifted = matches!(verdict.status, SyncStatus::OutOfSync { .. });
        match delivery {
            Delivery::Cancelled { signal, .. } => Self::Cancelled { signal: *signal },
            Delivery::NotAll => Self::Failed,
            Delivery::All { .. } | Delivery::DryRun if !claimed => Self::Failed,
            Delivery::All { .. } if drifted && fail_on_drift => Self::Drifted,
            Delivery::All { .. } | Delivery::DryRun => Self::Done,
        }
    }

    /// The code that the process ends with.
    pub fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Drifted => 2,
            // The kernel has 64 signals.
            Self::Cancelled { signal } => 128u8.saturating_add(u8::try_from(signal).unwrap_or_default()),
        })
    }
}
