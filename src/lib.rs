//! The rooms of plugin-gitops-status, in the order data flows through them.
//!
//! A room may name only rooms above it. The binary, the tests and the benches link this list; the story itself is
//! told in `main.rs`.

// Read it from top to bottom: sorted by name it would tell nothing.
mod value;
pub mod ssh_key;
mod table;
pub mod settings;
pub mod proxy;
pub mod redact;
pub mod tame;
pub mod account;
pub mod janitor;
pub mod scratch;
pub mod ansible_cfg;
pub mod quick;
pub mod ssh_args;
pub mod playbook;
pub mod run;
pub mod event;
pub mod event_file;
pub mod drift_name;
pub mod marker;
pub mod evidence;
pub mod waiver;
pub mod facts;
pub mod observe;
pub mod reason;
pub mod judgement;
pub mod verdict;
pub mod remedy;
pub mod payload;
pub mod payload_file;
mod forward;
pub mod deliver;
pub mod report;
pub mod log;
pub mod panic;
