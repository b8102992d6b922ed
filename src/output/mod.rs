//! What may be shown: secrets and control sequences are taken out of everything that is printed or sent.

pub mod escape;
pub mod redact;
pub mod terminal;
