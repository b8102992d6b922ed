//! `--help`, `--version`, and what is wrong with the settings.

use std::fmt::Write;

use super::{Line, Tone};
use crate::settings::TABLE;

/// The answer to a command line argument: help, version, or that there is no such argument.
///
/// # Errors
/// The lines that say so.
pub fn answer(argument: &str) -> Result<Vec<Line>, Vec<Line>> {
    let plain = |text: &str| text.lines().map(|line| Line::new(Tone::Plain, line)).collect();
    match argument {
        "--help" | "-h" => Ok(plain(&help())),
        "--version" | "-V" => Ok(plain(concat!("plugin-gitops-status ", env!("CARGO_PKG_VERSION")))),
        other => Err(vec![Line::new(
            Tone::Error,
            format!("`{other}` is not understood; everything is set by PLUGIN_* variables, which --help lists"),
        )]),
    }
}

fn help() -> String {
    let mut text = format!(
        "plugin-gitops-status {}\n\
         Runs an Ansible playbook that compares servers with their Git repository and reports SYNCED or OUT_OF_SYNC to a\n\
         gitops-status-server. Everything is set by environment variables; lists are separated by commas or JSON arrays.\n\n",
        env!("CARGO_PKG_VERSION")
    );
    let width = TABLE.iter().map(|setting| setting.variable().len()).max().unwrap_or_default();
    for setting in TABLE {
        let default = match setting.default.replace('`', "") {
            default if default.is_empty() => String::new(),
            default if default.starts_with("required") => format!("; {default}"),
            default => format!("; default: {default}"),
        };
        let help = setting.help.replace('`', "");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:width$}  {help} ({}{default})", setting.variable(), setting.kind);
    }
    text.push_str(
        "\nExit codes: 0 delivered; 1 nothing can be claimed or delivered; 2 OUT_OF_SYNC with fail_on_drift;\n\
         128+n ended by signal n.\n",
    );
    text
}

/// Everything that is wrong with the settings.
pub fn problems(problems: &[String]) -> Vec<Line> {
    let mut lines = vec![Line::new(Tone::Error, "invalid settings:")];
    lines.extend(problems.iter().map(|problem| Line::new(Tone::Error, format!("  {problem}"))));
    lines.push(Line::new(Tone::Error, "nothing was run and nothing was sent"));
    lines
}

/// What stopped the step, with its whole chain of causes.
pub fn error(error: &anyhow::Error) -> Vec<Line> {
    vec![Line::new(Tone::Error, format!("error: {error:#}"))]
}

/// This program panicked, at a place in its code.
pub fn internal_error(place: Option<String>) -> Vec<Line> {
    let place = place.unwrap_or_else(|| "an unknown place".to_owned());
    vec![
        Line::new(Tone::Error, format!("error: internal error at {place}")),
        Line::new(
            Tone::Remedy,
            "  hint: this is a bug of plugin-gitops-status, please report the place; the run was ended and nothing is claimed",
        ),
    ]
}
