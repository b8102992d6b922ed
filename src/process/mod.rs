//! Runs a child process to its end and leaves no process behind.

pub mod signals;
pub(crate) mod descendants;
mod output;
pub mod supervise;
pub mod run;
