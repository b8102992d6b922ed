//! What the run has shown, event by event.

pub mod event;
pub mod event_file;
pub mod drift_name;
pub mod markers;
pub mod task_outcome;
pub mod ignore;
pub mod facts;
pub mod collect;
