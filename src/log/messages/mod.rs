//! The sentences of the log, by the part of the step they belong to. Nothing here prints.

pub mod line;
pub mod help;
pub mod run;
pub mod result;
pub mod delivery;

pub use self::{delivery::*, help::*, line::*, result::*, run::*};

/// Most entries a list in the log has before the rest is only counted.
const LONGEST_LIST: usize = 20;

pub(super) fn warning(text: &str) -> Line {
    Line::new(Tone::Warning, format!("warning: {text}"))
}

pub(super) fn listed(label: &str, entries: &[String]) -> Vec<Line> {
    let mut lines: Vec<Line> = entries
        .iter()
        .take(LONGEST_LIST)
        .map(|entry| Line::new(Tone::Plain, format!("        {label}{entry}")))
        .collect();
    if entries.len() > LONGEST_LIST {
        lines.push(Line::new(Tone::Plain, format!("        … and {} more", entries.len() - LONGEST_LIST)));
    }
    lines
}

pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
