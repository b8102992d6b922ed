//! What the run has shown: its events one by one, then as facts about playbooks, plays and hosts.

pub mod event;
pub mod task;
pub mod task_result;
pub mod event_file;
pub mod connection;
pub mod ignore;
pub mod drift_name;
pub mod markers;
pub mod unverified;
pub mod task_outcome;
pub mod facts;
pub mod collect;
