//! How Ansible is called: arguments, environment, private files, and what is looked at before it starts.
//!
//! Not here: starting Ansible, which is the process stage's. What is started here are small programs of the system: the one
//! that cleans up after this program was killed ([`cleanup`]), `ssh -V`, and `ssh-keygen` to be asked.

pub(crate) mod cleanup;
pub mod modules;
pub mod reported;
mod ask;
mod private_files;
mod accelerate;
pub mod passwd;
pub mod run_dir;
pub mod config;
pub(crate) mod tuning;
mod ssh;
mod ssh_files;
mod ssh_setup;
mod environment;
pub mod command;
pub mod host_keys;
pub mod early_end;
pub mod surroundings;
pub mod preflight;
