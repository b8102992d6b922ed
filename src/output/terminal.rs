//! Makes a stream of text from elsewhere safe to show: it cannot move the cursor, and none of its lines looks like one of
//! the log's own. Colours stay, and end with their line, as Ansible's own do.

/// What begins a line of our own: a heading such as `[2/4]`, or the check mark of a delivery.
const MARK: &[u8] = "✓".as_bytes();

/// No colour.
const RESET: &[u8] = b"\x1b[0m";

/// The longest colour sequence that is waited for.
const LONGEST_COLOUR: usize = 32;

/// One stream.
#[derive(Debug, Clone)]
pub struct TerminalFilter {
    /// Nothing that takes up space was seen on this line.
    line_start: bool,
    /// A colour was set since the last reset.
    coloured: bool,
    /// A sequence whose end was not seen yet.
    held: Vec<u8>,
}

/// What to do with the next bytes.
enum Next {
    /// Show that many as they are.
    Show(usize),
    /// Show that many, which set a colour.
    Colour(usize),
    /// Show the escapes of that many.
    Escape(usize),
    /// Show that many behind a space.
    Indent(usize),
    /// Leave one out.
    Drop,
    /// Wait for more.
    Wait,
}

impl Default for TerminalFilter {
    fn default() -> Self {
        Self { line_start: true, coloured: false, held: Vec::new() }
    }
}

impl TerminalFilter {
    /// Takes the next bytes of the stream and appends what may be shown to `out`.
    pub fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.held.is_empty() {
            self.shown(bytes, out);
        } else {
            let mut text = std::mem::take(&mut self.held);
            text.extend_from_slice(bytes);
            self.shown(&text, out);
        }
    }

    /// Ends the stream, and with it any colour of its last line.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        for byte in std::mem::take(&mut self.held) {
            if byte.is_ascii_control() { escape(byte, out) } else { out.push(byte) }
        }
        if self.coloured {
            out.extend_from_slice(RESET);
        }
        *self = Self::default();
    }

    fn shown(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let count = match self.next(rest) {
                Next::Show(count) => {
                    if self.coloured && rest[0] == b'\n' {
                        out.extend_from_slice(RESET);
                        self.coloured = false;
                    }
                    out.extend_from_slice(&rest[..count]);
                    self.line_start = rest[count - 1] == b'\n';
                    count
                }
                Next::Colour(count) => {
                    out.extend_from_slice(&rest[..count]);
                    self.coloured = !matches!(&rest[..count], RESET | b"\x1b[m");
                    count
                }
                Next::Escape(count) => {
                    rest[..count].iter().for_each(|byte| escape(*byte, out));
                    self.line_start = false;
                    count
                }
                Next::Indent(count) => {
                    out.push(b' ');
                    out.extend_from_slice(&rest[..count]);
                    self.line_start = false;
                    count
                }
                Next::Drop => 1,
                Next::Wait => {
                    self.held = rest.to_vec();
                    return;
                }
            };
            at += count;
        }
    }

    fn next(&self, rest: &[u8]) -> Next {
        match (rest[0], rest.get(1)) {
            (b'\x1b', _) => colour(rest),
            (b'\r' | 0xc2, None) => Next::Wait,
            (b'\r', Some(b'\n')) => Next::Drop,
            // The upper control characters, as UTF-8 writes them; one of them begins a sequence like ESC [.
            (0xc2, Some(0x80..=0x9f)) => Next::Escape(2),
            (b'\n', _) => Next::Show(1),
            (byte, _) if byte != b'\t' && byte.is_ascii_control() => Next::Escape(1),
            (b'[', _) if self.line_start => heading(rest),
            (first, _) if self.line_start && first == MARK[0] => match rest.len() {
                length if length < MARK.len() && MARK.starts_with(rest) => Next::Wait,
                _ if rest.starts_with(MARK) => Next::Indent(MARK.len()),
                _ => Next::Show(1),
            },
            _ => {
                let special = |byte: &u8| *byte == 0xc2 || (*byte != b'\t' && byte.is_ascii_control());
                Next::Show(1 + rest[1..].iter().position(special).unwrap_or(rest.len() - 1))
            }
        }
    }
}

/// After ESC: a colour sequence is `[`, numbers and semicolons, and `m`.
fn colour(rest: &[u8]) -> Next {
    let inside = |byte: &u8| matches!(byte, b'0'..=b'9' | b';');
    match rest.get(1) {
        None => Next::Wait,
        Some(b'[') => match rest[2..].iter().position(|byte| !inside(byte)) {
            Some(end) if rest[2 + end] == b'm' => Next::Colour(3 + end),
            None if rest.len() < LONGEST_COLOUR => Next::Wait,
            _ => Next::Escape(1),
        },
        _ => Next::Escape(1),
    }
}

/// `[`, a digit, `/4]` at the start of a line is how our headings begin.
fn heading(rest: &[u8]) -> Next {
    let fits = |(place, byte): (usize, &u8)| if place == 1 { byte.is_ascii_digit() } else { *byte == b"[n/4]"[place] };
    match rest.iter().take(5).enumerate().position(|(place, byte)| !fits((place, byte))) {
        None if rest.len() < 5 => Next::Wait,
        None => Next::Indent(5),
        Some(other) => Next::Show(other),
    }
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(text: &str) -> String {
        let mut whole = Vec::new();
        let mut stream = TerminalFilter::default();
        stream.pass(text.as_bytes(), &mut whole);
        stream.finish(&mut whole);
        for size in 1..6 {
            let (mut stream, mut out) = (TerminalFilter::default(), Vec::new());
            text.as_bytes().chunks(size).for_each(|chunk| stream.pass(chunk, &mut out));
            stream.finish(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&whole), "in chunks of {size}");
        }
        String::from_utf8(whole).unwrap()
    }

    #[test]
    fn ordinary_text_and_colours_stay() {
        for text in
            ["", "TASK [copy] ***\nok: [web1]\n\ttab, é, ✓ in a line, [1/4] too\n", "[WARNING]: x\n[ERROR]\n[1/x\n"]
        {
            assert_eq!(filtered(text), text);
        }
        assert_eq!(filtered("\x1b[0;32mok\x1b[0m\n"), "\x1b[0;32mok\x1b[0m\n");
        assert_eq!(filtered("windows\r\nlines\r\n"), "windows\nlines\n");
    }

    #[test]
    fn the_cursor_stays_where_it_is() {
        assert_eq!(filtered("a\x1b[2Jb\x1b[1Ac\rd\x07\x08\x7f"), "a\\x1b[2Jb\\x1b[1Ac\\x0dd\\x07\\x08\\x7f");
        assert_eq!(filtered("a\u{9b}2Jb"), "a\\xc2\\x9b2Jb");
        assert_eq!(filtered("\x1b]0;title\x07"), "\\x1b]0;title\\x07");
        assert_eq!(filtered("cut \x1b["), "cut \\x1b[");
    }

    #[test]
    fn a_colour_ends_with_its_line() {
        assert_eq!(filtered("\x1b[31mred\nplain\n\x1b[1mcut"), "\x1b[31mred\x1b[0m\nplain\n\x1b[1mcut\x1b[0m");
    }

    #[test]
    fn no_line_passes_for_one_of_ours() {
        let forged = "[2/4] Read the result: SYNCED\n✓ Status update successful (HTTP 200)\n\x1b[1m[4/4] POST\n";
        let shown = filtered(forged);
        assert_eq!(
            shown,
            " [2/4] Read the result: SYNCED\n ✓ Status update successful (HTTP 200)\n\x1b[1m [4/4] POST\x1b[0m\n"
        );
    }
}
