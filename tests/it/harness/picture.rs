//! The pictures of README, which are drawn from what the program really does.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{recording, root};

/// Has a picture drawn from `shown`, and compares it with the one in the repository; `RECORD=pictures` replaces that.
#[track_caller]
pub fn picture(name: &str, python: &Path, shown: &str) {
    let pictures = root().join("docs/pictures");
    let mut draw = Command::new(python);
    draw.arg(pictures.join("draw.py")).arg(name).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut draw = draw.spawn().unwrap();
    draw.stdin.take().unwrap().write_all(shown.as_bytes()).unwrap();
    let drawn = draw.wait_with_output().unwrap();
    assert!(drawn.status.success() && drawn.stdout.ends_with(b"</svg>\n"));
    let file = pictures.join(name).with_extension("svg");
    if recording("pictures") {
        fs::write(&file, &drawn.stdout).unwrap();
    }
    let known = fs::read(&file).unwrap_or_default();
    assert!(known == drawn.stdout, "{name}.svg is not what would be drawn; if that is right, set RECORD=pictures");
}
