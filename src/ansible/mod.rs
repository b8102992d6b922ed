//! How Ansible is called: arguments, environment, private files, and what is looked at before it starts.
//!
//! Not here: starting a process, which is the process stage's, with one exception: the small one that cleans up after this
//! program was killed ([`cleanup`]).

pub(crate) mod cleanup;
pub mod modules;
pub mod reported;
mod private_files;
mod accelerate;
pub mod passwd;
pub mod run_dir;
pub mod config;
pub(crate) mod tuning;
mod ssh;
mod environment;
pub mod command;
pub mod preflight;
