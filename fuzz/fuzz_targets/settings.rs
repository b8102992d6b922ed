//! Any environment: no panic, every problem on one line, and no secret in what is said of it.
//!
//! The data is one `NAME=value` per line; `\n` in a value is a line feed. Seeds are in `seeds/settings`.
#![no_main]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use libfuzzer_sys::fuzz_target;
use plugin_gitops_status::Settings;

/// Stands before every secret value, so that its appearance anywhere is no accident.
const CANARY: &str = "c4n4ry-";
const SECRET: [&str; 7] = [
    "PLUGIN_ENVIRONMENT",
    "PLUGIN_HEADERS",
    "PLUGIN_VAULT_PASSWORDS",
    "PLUGIN_SSH_PRIVATE_KEY",
    "PLUGIN_VAULT_PASSWORD",
    "PLUGIN_BECOME_PASSWORD",
    "PLUGIN_STATUS_SERVER_TOKEN",
];

/// The day on which settings are read.
const TODAY: time::Date = time::macros::date!(2026 - 06 - 15);

fn variable(line: &[u8]) -> Option<(OsString, OsString)> {
    let equals = line.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (&line[..equals], &line[equals + 1..]);
    let mut value = value.to_vec();
    while let Some(at) = value.windows(2).position(|pair| pair == b"\\n") {
        value.splice(at..at + 2, [b'\n']);
    }
    if std::str::from_utf8(name).is_ok_and(|name| SECRET.contains(&name)) {
        value.splice(0..0, CANARY.bytes());
    }
    Some((OsString::from_vec(name.to_vec()), OsString::from_vec(value)))
}

fuzz_target!(|data: &[u8]| {
    // The fuzzer learns the canary and writes it into names, which are no secret and are told in lower case.
    if data.to_ascii_lowercase().windows(CANARY.len()).any(|window| window == CANARY.as_bytes()) {
        return;
    }
    let said = match Settings::read(data.split(|byte| *byte == b'\n').filter_map(variable), TODAY) {
        Ok(settings) => vec![format!("{settings:?}")],
        Err(problems) => {
            assert!(!problems.lines.is_empty(), "refused without a word");
            problems.lines
        }
    };
    for sentence in said {
        assert!(!sentence.contains(CANARY), "a secret was told: {sentence}");
        assert!(!sentence.contains('\n'), "a problem of more than one line: {sentence}");
    }
});
