//! Prints the step's own lines, each in one write.
//!
//! Not here: the sentences ([`messages`]), and what Ansible prints, which the process stage shows while it runs.

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
    /// A log that is coloured where its reader sees colours and `NO_COLOR` is not set.
    pub fn new(environment: &[(OsString, OsString)]) -> Self {
        let value = |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        // Woodpecker gives a step no terminal and shows colours all the same.
        let shows_colour = std::io::stdout().is_terminal() || value("CI").is_some_and(|value| value == "woodpecker");
        Self { colour: shows_colour && value("NO_COLOR").is_none_or(|value| value.is_empty()), redactor: None }
    }

    /// The same log, out of which a redactor takes the secrets.
    #[must_use]
    pub fn without_secrets(&self, redactor: Option<Redactor>) -> Self {
        Self { redactor, ..self.clone() }
    }

    /// Prints lines, errors and hints to stderr.
    pub fn say(&self, lines: impl IntoIterator<Item = Line>) {
        for line in lines {
            let painted = line.painted(self.colour);
            let mut text = match &self.redactor {
                None => painted,
                Some(redactor) => redactor.text(&painted),
            };
            text.push('\n');
            // A log that cannot be written is no reason to keep a status from being delivered.
            let _ = match line.tone {
                Tone::Error | Tone::Remedy => write_at_once(&mut std::io::stderr(), &text),
                Tone::Step | Tone::Plain | Tone::Good | Tone::Warning => write_at_once(&mut std::io::stdout(), &text),
            };
        }
    }
}

/// Whoever reads both streams sees whole lines only if each is one write: stderr is not buffered.
fn write_at_once(stream: &mut impl Write, line: &str) -> std::io::Result<()> {
    stream.write_all(line.as_bytes())?;
    stream.flush()
}
