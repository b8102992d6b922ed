//! The stages of plugin-gitops-status, in the order data flows through them.
//!
//! A stage may name only stages above it. The story itself is told in `main.rs`.

// Read it from top to bottom: sorted by name it would tell nothing.
mod random;
pub mod settings;
pub mod output;
pub mod ansible;
pub mod process;
pub mod evidence;
pub mod verdict;
pub mod delivery;
pub mod outcome;
pub mod log;
pub mod panic_hook;
