//! One line of the log, and what it is for.

use crate::output::escape::escaped;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is for, which decides where it goes and its colour.
    pub tone: Tone,
    /// Its text, which holds no line break and nothing that moves a cursor.
    pub text: String,
}

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A step's heading.
    Step,
    /// Plain information.
    Plain,
    /// It went well.
    Good,
    /// Something to look at.
    Warning,
    /// What is wrong; to stderr.
    Error,
    /// What can be done about it; to stderr too.
    Remedy,
}

impl Line {
    /// A line; control characters in `text` are shown escaped.
    pub fn new(tone: Tone, text: impl AsRef<str>) -> Self {
        Self { tone, text: escaped(text.as_ref()) }
    }

    /// The line as it is printed, with or without ANSI colour.
    pub fn painted(&self, colour: bool) -> String {
        let code = match self.tone {
            _ if !colour => return self.text.clone(),
            Tone::Plain | Tone::Remedy => return self.text.clone(),
            Tone::Step => "1",
            Tone::Good => "32",
            Tone::Warning => "33",
            Tone::Error => "31",
        };
        format!("\x1b[{code}m{}\x1b[0m", self.text)
    }
}
