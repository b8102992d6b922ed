//! What is sent to the status server, and how.

pub mod payload;
pub mod payload_file;
mod absolute_form;
pub mod proxy;
pub mod client;
pub mod send;
