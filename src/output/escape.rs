//! Characters that could move a cursor, colour a log or turn the direction of writing, shown as escapes.
//!
//! This is for text that is whole: a line of the log, a name in the payload. `terminal` does it for a stream.

use std::fmt::Write;

/// Text with every such character escaped as Rust writes it, such as `\u{1b}`.
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_control(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// JSON text with every such character escaped as JSON does it: `\uXXXX`. Only strings can hold one, and there it means the
/// same to every reader.
pub fn escaped_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if is_control(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Control characters, line separators and the marks that turn the direction of writing.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_cursor_or_turns_the_writing_is_escaped() {
        assert_eq!(escaped("a\x1b[2J\u{202e}é✓"), "a\\u{1b}[2J\\u{202e}é✓");
        assert_eq!(escaped_json("\"a\u{9b}\u{feff}é\""), "\"a\\u009b\\ufeffé\"");
    }
}
