//! How `ansible-playbook` is called: arguments, environment, private files.

pub mod passwd;
pub mod cleanup;
pub mod run_dir;
pub mod config;
pub mod tuning;
pub mod ssh;
pub mod command;
