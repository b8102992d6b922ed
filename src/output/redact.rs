//! Takes every secret out of what is about to be printed: as it is, line by line, in JSON, in a URL, and in base64.
//!
//! Woodpecker masks secrets too, but only as they are: a key in a traceback or a token in a Basic header passes. Nothing
//! here waits for the end of a line, and a line that is whole is never held back.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// What stands in the place of a secret.
pub const MASK: &[u8] = b"********";

/// The shortest secret that is looked for, in bytes: what is shorter is found in ordinary words.
pub const SHORTEST: usize = 4;

/// The shortest line of a secret with several lines that is looked for on its own, in bytes.
const SHORTEST_LINE: usize = 8;

/// What RFC 3986 encodes everywhere, in the path and the query of a URL.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What programs encode: everything reserved, or that without a slash (Python), without marks (JavaScript), or without
/// what may stand in a user.
const ENCODED: [&AsciiSet; 4] = [
    RESERVED,
    &RESERVED.remove(b'/'),
    &RESERVED.remove(b'!').remove(b'\'').remove(b'(').remove(b')').remove(b'*'),
    &RESERVED
        .remove(b'!')
        .remove(b'$')
        .remove(b'&')
        .remove(b'\'')
        .remove(b'(')
        .remove(b')')
        .remove(b'*')
        .remove(b'+')
        .remove(b','),
];

/// How many bits of [`hash`] are kept.
const BITS: u32 = 12;

const NONE: u32 = u32::MAX;

/// One stream, from which every secret is taken out. A clone costs next to nothing: what is looked for is shared.
#[derive(Clone)]
pub struct Redactor {
    wanted: Arc<Wanted>,
    /// What may yet turn out to be the beginning of a secret.
    held: Vec<u8>,
    /// How many bytes of `held` belong to a secret whose mask was written.
    covered: usize,
}

/// What is looked for, in a form that is found quickly.
struct Wanted {
    /// What is looked for: by the [`hash`] of its beginning, then the longest first. None holds a line feed.
    forms: Vec<Box<[u8]>>,
    /// Where in `forms` those of a hash begin; [`NONE`] where there are none.
    beginnings: Box<[u32; 1 << BITS]>,
    /// The length of the longest form.
    longest: usize,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

impl Redactor {
    /// A redactor of these secrets; `None` where none of them can be looked for.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut forms: Vec<Box<[u8]>> = secrets.into_iter().flat_map(forms).collect();
        forms.sort_by(|one, other| (hash(one), other.len(), one).cmp(&(hash(other), one.len(), other)));
        forms.dedup();
        let mut beginnings = Box::new([NONE; 1 << BITS]);
        for (place, form) in (0..).zip(&forms) {
            let first = &mut beginnings[hash(form)];
            *first = place.min(*first);
        }
        let longest = forms.iter().map(|form| form.len()).max()?;
        Some(Self::stream(&Arc::new(Wanted { forms, beginnings, longest })))
    }

    fn stream(wanted: &Arc<Wanted>) -> Self {
        Self { wanted: Arc::clone(wanted), held: Vec::new(), covered: 0 }
    }

    /// Takes the next bytes of the stream and appends what may be shown to `out`.
    pub fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.held.is_empty() {
            self.shown(bytes, self.wanted.undecided(bytes), out);
        } else {
            let mut text = std::mem::take(&mut self.held);
            text.extend_from_slice(bytes);
            self.shown(&text, self.wanted.undecided(&text), out);
        }
    }

    /// Ends the stream: what was held back turned out to be no secret.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let text = std::mem::take(&mut self.held);
        self.shown(&text, text.len(), out);
    }

    /// A whole text.
    pub fn text(&self, text: &str) -> String {
        let mut out = Vec::with_capacity(text.len());
        let mut stream = Self::stream(&self.wanted);
        stream.pass(text.as_bytes(), &mut out);
        stream.finish(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Shows `text` up to `end`, holds the rest.
    fn shown(&mut self, text: &[u8], end: usize, out: &mut Vec<u8>) {
        // Secrets may overlap: all of them are covered, and a mask stands for each stretch.
        let (mut covered, mut plain) = (self.covered, self.covered.min(end));
        for (at, beginning) in text.windows(SHORTEST).take(end).enumerate() {
            let hashed = hash(beginning);
            if self.wanted.beginnings[hashed] == NONE {
                continue;
            }
            let Some(form) = self.wanted.beginning(hashed).find(|form| text[at..].starts_with(form)) else { continue };
            if at >= covered {
                out.extend_from_slice(&text[plain..at]);
                out.extend_from_slice(MASK);
            }
            covered = covered.max(at + form.len());
            plain = covered.min(end);
        }
        out.extend_from_slice(&text[plain..end]);
        self.covered = covered.saturating_sub(end);
        self.held = text[end..].to_vec();
    }
}

impl Wanted {
    /// The forms that begin with four bytes of this hash, the longest first.
    fn beginning(&self, hashed: usize) -> impl Iterator<Item = &[u8]> {
        let place = self.beginnings[hashed];
        let those = self.forms.get(place as usize..).unwrap_or_default();
        those.iter().map(|form| &**form).take_while(move |form| hash(form) == hashed)
    }

    /// Where the first bytes begin that are the beginning of a secret and not yet all of it.
    fn undecided(&self, text: &[u8]) -> usize {
        let line = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let more = |form: &[u8], rest: &[u8]| form.len() > rest.len() && form.starts_with(rest);
        let candidate = |rest: &[u8]| {
            if rest.len() < SHORTEST {
                self.forms.iter().any(|form| more(form, rest))
            } else {
                self.beginning(hash(rest)).any(|form| more(form, rest))
            }
        };
        (line.max(text.len().saturating_sub(self.longest))..text.len())
            .find(|at| candidate(&text[*at..]))
            .unwrap_or(text.len())
    }
}

/// Of the first four bytes.
fn hash(bytes: &[u8]) -> usize {
    let first = bytes.first_chunk::<SHORTEST>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    (first.wrapping_mul(0x9E37_79B1) >> (u32::BITS - BITS)) as usize
}

/// Every form in which a secret is looked for.
fn forms(secret: &str) -> Vec<Box<[u8]>> {
    let whole = secret.trim();
    if whole.len() < SHORTEST {
        return Vec::new();
    }
    let several = whole.lines().count() > 1;
    let lines = whole.lines().map(str::trim).filter(|line| {
        // The first and last line of a key are no secret, and many keys share them.
        !several || (line.len() >= SHORTEST_LINE && !line.starts_with("-----"))
    });
    let mut forms: Vec<Vec<u8>> = Vec::new();
    for line in lines {
        forms.push(line.into());
        let json = Value::from(line).to_string();
        let json = &json[1..json.len() - 1];
        forms.push(json.into());
        if !json.is_ascii() {
            forms.push(ascii(json).into());
        }
        forms.extend(in_urls(line).map(String::into_bytes));
    }
    for text in [secret, whole] {
        for shift in 0..3 {
            // Base64 turns three bytes into four characters. Of a secret in the midst of other bytes it shows those that
            // depend on it alone.
            let padded = [&[0; 2][..shift], text.as_bytes()].concat();
            let (first, bits) = ([0, 2, 3][shift], padded.len() * 8);
            for encoded in [BASE64_STANDARD_NO_PAD.encode(&padded), BASE64_URL_SAFE_NO_PAD.encode(&padded)] {
                forms.push(encoded.as_bytes().get(first..bits / 6).unwrap_or_default().to_vec());
            }
        }
    }
    forms.retain(|form| form.len() >= SHORTEST && !form.contains(&b'\n'));
    forms.into_iter().map(Vec::into_boxed_slice).collect()
}

/// JSON as Python writes it: in ASCII alone.
fn ascii(json: &str) -> String {
    let escaped = |unit: u16| match u8::try_from(unit) {
        Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
        Ok(_) | Err(_) => format!("\\u{unit:04x}"),
    };
    json.encode_utf16().map(escaped).collect::<Vec<_>>().concat()
}

/// A line in percent-encoding, if that changes it: in the ways of several programs, with digits in both cases, and with a
/// plus sign for a space.
fn in_urls(line: &str) -> impl Iterator<Item = String> {
    let encoded = ENCODED.into_iter().flat_map(move |set| {
        let parts = || utf8_percent_encode(line, set);
        let lower = |part: &str| if part.starts_with('%') { part.to_lowercase() } else { part.to_owned() };
        let encoded = parts().to_string();
        [encoded.replace("%20", "+"), encoded, parts().map(lower).collect()]
    });
    encoded.filter(move |encoded| encoded != line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(secrets: &[&str], text: &str) -> String {
        let redactor = Redactor::new(secrets.iter().copied()).unwrap();
        let whole = redactor.text(text);
        // However the stream is split, the same comes out.
        for size in 1..text.len().min(9) {
            let (mut stream, mut out) = (redactor.clone(), Vec::new());
            text.as_bytes().chunks(size).for_each(|chunk| stream.pass(chunk, &mut out));
            stream.finish(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), whole, "in chunks of {size}");
        }
        whole
    }

    #[test]
    fn a_secret_is_masked_and_nothing_else() {
        assert_eq!(redacted(&["hunter2"], "a hunter2, b hunter"), "a ********, b hunter");
        assert_eq!(redacted(&["hunter2"], "hunter hunter2hunter2"), "hunter ****************");
        assert_eq!(redacted(&["hunter2"], "hunhunter2\n"), "hun********\n");
        assert_eq!(redacted(&["hunter2"], "nothing here\n"), "nothing here\n");
    }

    #[test]
    fn secrets_that_overlap_are_masked_to_their_ends() {
        assert_eq!(redacted(&["abcdef", "defghi"], "-abcdefghi-"), "-********-");
        assert_eq!(redacted(&["abcd", "abcdefgh"], "abcdef abcdefgh"), "********ef ********");
        assert_eq!(redacted(&["abcdefgh", "cdef"], "abcdefgh"), "********");
    }

    #[test]
    fn each_line_of_a_key_is_masked_but_not_its_ends() {
        let key = "-----BEGIN KEY-----\nb3BlbnNzaC1rZXk\nAAAAB3NzaC1yc2E\nshort\n-----END KEY-----\n";
        let shown = redacted(&[key], key);
        assert_eq!(shown, "-----BEGIN KEY-----\n********\n********\nshort\n-----END KEY-----\n");
        assert_eq!(redacted(&[key], "x\\nb3BlbnNzaC1rZXk\\nAAAAB3NzaC1yc2E\\n"), "x\\n********\\n********\\n");
    }

    #[test]
    fn a_secret_is_found_in_base64_wherever_it_stands() {
        let secret = "correct horse battery";
        for before in ["", "u", "us", "user:", "user1:"] {
            let header = BASE64_STANDARD_NO_PAD.encode(format!("{before}{secret} and more"));
            let shown = redacted(&[secret], &header);
            assert!(shown.contains("********") && shown.len() < header.len(), "{shown}");
            assert!(!shown.contains(&BASE64_STANDARD_NO_PAD.encode(secret)[4..20]), "{shown}");
        }
        let odd = "~~~~????>>>>";
        assert_eq!(redacted(&[odd], &format!("{}=", BASE64_URL_SAFE_NO_PAD.encode(odd))), "********=");
    }

    #[test]
    fn a_secret_is_found_in_json() {
        let secret = "quo\"te\\and\ttab";
        assert_eq!(redacted(&[secret], &format!("{{\"a\": {}}}", Value::from(secret))), "{\"a\": \"********\"}");
    }

    #[test]
    fn a_secret_is_found_in_json_of_ascii() {
        assert_eq!(
            redacted(&["pässwörd\u{1f511}"], r#"{"a": "p\u00e4ssw\u00f6rd\ud83d\udd11"}"#),
            r#"{"a": "********"}"#
        );
        assert_eq!(redacted(&["\"quoted\""], r#"{"a": "\"quoted\""}"#), r#"{"a": "********"}"#);
    }

    #[test]
    fn a_secret_is_found_in_percent_encoding() {
        for (secret, shown) in [
            ("p@ss/w:rd", &["p%40ss%2Fw%3Ard", "p%40ss%2fw%3ard", "p%40ss/w%3Ard"][..]),
            ("passé wörd", &["pass%C3%A9%20w%C3%B6rd", "pass%c3%a9%20w%c3%b6rd", "pass%C3%A9+w%C3%B6rd"]),
            ("it's(100%)", &["it%27s%28100%25%29", "it's(100%25)"]),
            ("a+b=c&d$e", &["a%2Bb%3Dc%26d%24e", "a+b%3Dc&d$e"]),
        ] {
            for form in shown {
                assert_eq!(redacted(&[secret], &format!("http://me:{form}@x")), "http://me:********@x", "{form}");
            }
        }
    }

    #[test]
    fn what_is_too_short_is_not_looked_for() {
        assert!(Redactor::new(["", "abc", " \n"]).is_none());
    }

    #[test]
    fn a_whole_line_is_never_held_back() {
        let mut redactor = Redactor::new(["hunter2"]).unwrap();
        let mut out = Vec::new();
        redactor.pass(b"hunter\n", &mut out);
        assert_eq!(out, b"hunter\n");
        redactor.pass(b"prompt: h", &mut out);
        assert_eq!(out, b"hunter\nprompt: ");
    }
}
