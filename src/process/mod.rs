//! Runs a child process to its end.

pub mod supervise;
