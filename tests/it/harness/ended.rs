//! How a program ended, and what a test expects of it.

use std::fmt;
use std::process::Output;

/// What a program printed and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {:?}\n--- stdout\n{}--- stderr\n{}---", self.code, self.stdout, self.stderr)
    }
}

impl Ended {
    #[track_caller]
    pub fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// The status arrived, and the log ends with that.
    #[track_caller]
    pub fn expect_delivered(&self) -> &Self {
        assert!(self.stdout.ends_with("✓ Status update successful (HTTP 200)\n"), "{self}");
        self.expect_code(0)
    }

    /// A text stands on stdout.
    #[track_caller]
    pub fn expect_log(&self, text: &str) -> &Self {
        assert!(self.stdout.contains(text), "{text:?} is missing on stdout\n{self}");
        self
    }

    /// A text stands on stderr.
    #[track_caller]
    pub fn expect_error(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "{text:?} is missing on stderr\n{self}");
        self
    }

    /// A text stands nowhere.
    #[track_caller]
    pub fn expect_no(&self, text: &str) -> &Self {
        assert!(!self.stdout.contains(text) && !self.stderr.contains(text), "{text:?} is printed\n{self}");
        self
    }

    /// The payload that the log shows.
    #[track_caller]
    pub fn payload(&self) -> &str {
        let shown = self.stdout.lines().find_map(|line| line.strip_prefix("[3/4] Payload: "));
        shown.unwrap_or_else(|| panic!("no payload\n{self}"))
    }
}

/// A payload, or a list of one, without the times in it, which are checked to be some.
#[track_caller]
pub fn timeless(json: &str) -> String {
    let mut timeless = json.to_owned();
    for key in ["last_check", "since"] {
        let Some((before, rest)) = timeless.split_once(&format!(r#""{key}":""#)) else { continue };
        let (time, after) = rest.split_once('"').unwrap();
        let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00Z");
        timeless = format!(r#"{before}"{key}":"TIME"{after}"#);
    }
    assert!(timeless.contains(r#""last_check":"TIME""#), "{json}");
    timeless
}
