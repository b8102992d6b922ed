//! The event file: one line per event, numbered and signed.
//!
//! A line is `CRC32 [SEQUENCE, {"KIND": {...}}]`: eight hexadecimal digits over the run's nonce and the JSON text.
//! A line with another checksum was damaged or is not ours; either way nothing from there on can be trusted.

use std::io::{BufRead, Read as _};

use crate::evidence::event::Event;

/// The longest line that is read, in bytes. The callback cuts its texts far below it.
pub const LONGEST_LINE: usize = 4 << 20;

/// Why reading stopped before the end. What was read before can be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// There is not one line.
    Empty,
    /// The last line has no end: its writer was killed, or the disk is full.
    Cut,
    /// A line has another number than the one that was due.
    Gap,
    /// A line is too long, has a wrong checksum, or is no event.
    Unreadable,
    /// The file itself cannot be read.
    Io(String),
}

/// Reads events to the end or to the first damage, handing each to `each` in turn.
///
/// Memory is bounded by [`LONGEST_LINE`], whatever the input.
pub fn read(mut input: impl BufRead, nonce: &str, mut each: impl FnMut(Event<'_>)) -> Option<Damage> {
    let mut seed = crc32fast::Hasher::new();
    seed.update(nonce.as_bytes());
    let mut line = Vec::new();
    for expected in 0u64.. {
        line.clear();
        match next_line(&mut input, &mut line) {
            Ok(Line::Whole) => {}
            Ok(Line::End) => return (expected == 0).then_some(Damage::Empty),
            Ok(Line::Cut) => return Some(Damage::Cut),
            Ok(Line::TooLong) => return Some(Damage::Unreadable),
            Err(error) => return Some(Damage::Io(error.to_string())),
        }
        match parsed(&line, seed.clone()) {
            Some((number, event)) if number == expected => each(event),
            Some(_) => return Some(Damage::Gap),
            None => return Some(Damage::Unreadable),
        }
    }
    None
}

enum Line {
    Whole,
    Cut,
    TooLong,
    End,
}

/// Reads up to the next line feed, which is left out, and never much more than [`LONGEST_LINE`].
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<Line> {
    input.by_ref().take(LONGEST_LINE as u64 + 1).read_until(b'\n', line)?;
    Ok(match line.pop() {
        None => Line::End,
        Some(b'\n') => Line::Whole,
        Some(_) if line.len() == LONGEST_LINE => Line::TooLong,
        Some(_) => Line::Cut,
    })
}

fn parsed(line: &[u8], mut checksum: crc32fast::Hasher) -> Option<(u64, Event<'_>)> {
    let (digits, json) = std::str::from_utf8(line).ok()?.split_at_checked(8)?;
    let json = json.strip_prefix(' ')?;
    // As the callback writes them: a sign, which the parser below would take, or a capital is not ours.
    if digits.bytes().any(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    checksum.update(json.as_bytes());
    if u32::from_str_radix(digits, 16).ok()? != checksum.finalize() {
        return None;
    }
    serde_json::from_str(json).ok()
}

/// One line as the callback would write it; for tests and benches.
pub fn line(nonce: &str, json: &str) -> String {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(nonce.as_bytes());
    checksum.update(json.as_bytes());
    format!("{:08x} {json}\n", checksum.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: &str = r#"[0,{"open":{"ansible":"2.19.0"}}]"#;

    fn damage(text: &[u8]) -> (usize, Option<Damage>) {
        let mut count = 0;
        let damage = read(text, "n", |_| count += 1);
        (count, damage)
    }

    #[test]
    fn whole_lines_in_sequence_are_read() {
        let text = line("n", OPEN) + &line("n", r#"[1,{"start":{"task":0}}]"#);
        assert_eq!(damage(text.as_bytes()), (2, None));
    }

    #[test]
    fn each_kind_of_damage_is_told() {
        let open = line("n", OPEN);
        assert_eq!(damage(b""), (0, Some(Damage::Empty)));
        assert_eq!(damage(&open.as_bytes()[..open.len() - 1]), (0, Some(Damage::Cut)));
        assert_eq!(damage((open.clone() + &open).as_bytes()), (1, Some(Damage::Gap)));
        assert_eq!(damage(line("other", OPEN).as_bytes()), (0, Some(Damage::Unreadable)));
        assert_eq!(damage(open.replace("2.19", "2.18").as_bytes()), (0, Some(Damage::Unreadable)));
        assert_eq!(
            damage(line("n", r#"[0,{"open":{"ansible":"2","x":1}}]"#).as_bytes()),
            (0, Some(Damage::Unreadable))
        );
        assert_eq!(damage(line("n", r#"[0,{"nonsense":{}}]"#).as_bytes()), (0, Some(Damage::Unreadable)));
        assert_eq!(damage(b"\xff\xfe\0 x\n"), (0, Some(Damage::Unreadable)));
        assert_eq!(damage(b"+2345678 []\n"), (0, Some(Damage::Unreadable)));
        assert_eq!(damage(line("n", &"[".repeat(100_000)).as_bytes()), (0, Some(Damage::Unreadable)));
        assert_eq!(
            damage(line("n", "[0,{\"open\":{\"ansible\":\"\\ud800\"}}]").as_bytes()),
            (0, Some(Damage::Unreadable))
        );
        let long = line("n", &format!(r#"[0,{{"open":{{"ansible":"{}"}}}}]"#, "x".repeat(10 << 20)));
        assert_eq!(damage(long.as_bytes()), (0, Some(Damage::Unreadable)));
    }
}
