//! Prints the log's lines. Nothing else in this program does.

pub mod messages;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};

use crate::log::messages::{Line, Tone};
use crate::output::redact::Redactor;

/// The step's log.
#[derive(Debug, Clone)]
pub struct Log {
    /// Whether its reader sees colours.
    pub colour: bool,
    /// What takes secrets out of it, where there are any.
    pub redactor: Option<Redactor>,
}

impl Log {
    /// A log that is coloured where colours are seen and `NO_COLOR` is not set.
    pub fn new(environment: &[(OsString, OsString)]) -> Self {
        let value = |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        // Woodpecker gives a step no terminal and shows colours all the same.
        let seen = std::io::stdout().is_terminal() || value("CI").is_some_and(|value| value == "woodpecker");
        Self { colour: seen && value("NO_COLOR").is_none_or(|value| value.is_empty()), redactor: None }
    }

    /// The same log, out of which a redactor takes the secrets.
    #[must_use]
    pub fn without_secrets(&self, redactor: Option<Redactor>) -> Self {
        Self { redactor, ..self.clone() }
    }

    /// Prints lines, errors to stderr. A log that cannot be written is no reason to keep a status from being delivered.
    pub fn say(&self, lines: impl IntoIterator<Item = Line>) {
        for line in lines {
            let painted = line.painted(self.colour);
            let text = match &self.redactor {
                None => painted,
                Some(redactor) => redactor.text(&painted),
            };
            let _ = match line.tone {
                Tone::Error | Tone::Remedy => writeln!(std::io::stderr(), "{text}"),
                Tone::Step | Tone::Plain | Tone::Good | Tone::Warning => writeln!(std::io::stdout(), "{text}"),
            };
        }
    }
}
