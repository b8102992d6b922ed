//! What may be shown: secrets and terminal tricks are taken out.

pub mod redact;
pub mod terminal;
