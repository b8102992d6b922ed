//! What the run has shown: its events one by one, then as facts about playbooks, plays and hosts.

pub mod event;
pub mod mentions;
pub mod task;
pub mod task_result;
pub mod event_file;
pub mod connection;
pub mod ignore;
pub mod drift_name;
pub mod difference;
pub mod markers;
pub mod unverified;
mod skipped;
mod command_answer;
mod own_answer;
pub mod source;
mod names;
pub mod provenance;
pub mod task_outcome;
pub mod facts;
mod hosts;
mod pending;
mod batch;
pub mod collect;
