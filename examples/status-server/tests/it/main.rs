//! The server as a process, asked over HTTP.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;
mod posts;
mod reads;
mod limits;
mod disk;
mod browser;
