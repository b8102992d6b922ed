//! `--help`, `--version`, and what is wrong with the settings.

use super::{Line, Tone};
use crate::settings::TABLE;
use crate::settings::table::DefaultValue;

/// The longest line of a setting's help, in characters, without its indentation.
const WIDTH: usize = 94;

/// The answer to a command line argument: help, version, or that there is no such argument.
///
/// # Errors
/// The lines that say so.
pub fn answer(argument: &str) -> Result<Vec<Line>, Vec<Line>> {
    match argument {
        "--help" | "-h" => Ok(help().iter().map(|line| Line::new(Tone::Plain, line)).collect()),
        "--version" | "-V" => {
            Ok(vec![Line::new(Tone::Plain, concat!("plugin-gitops-status ", env!("CARGO_PKG_VERSION")))])
        }
        other => Err(vec![Line::new(
            Tone::Error,
            format!("unknown argument `{other}`; the settings are PLUGIN_* variables, which --help lists"),
        )]),
    }
}

fn help() -> Vec<String> {
    let mut lines = vec![
        concat!("plugin-gitops-status ", env!("CARGO_PKG_VERSION")).to_owned(),
        "Runs an Ansible playbook in check mode, decides whether the servers match their Git repository".to_owned(),
        "(SYNCED or OUT_OF_SYNC), and posts the status to a gitops-status-server.".to_owned(),
        String::new(),
        "The settings are read from environment variables, which Woodpecker sets from the settings of the".to_owned(),
        "step. A list is text with commas or a JSON array. A map is a JSON object.".to_owned(),
    ];
    let mut group = None;
    for setting in TABLE {
        if group != Some(setting.group) {
            lines.extend([String::new(), format!("{}:", setting.group.title())]);
            group = Some(setting.group);
        }
        let default = match setting.default {
            DefaultValue::Nothing => String::new(),
            DefaultValue::Required | DefaultValue::RequiredUnless(_) => format!("; {}", setting.default.words()),
            DefaultValue::Value(_) | DefaultValue::Words(_) => format!("; default: {}", setting.default.words()),
        };
        lines.push(format!("  {} ({}{default})", setting.variable(), setting.kind));
        lines.extend(wrapped(setting.help, WIDTH).iter().map(|line| format!("      {line}")));
    }
    lines.extend([
        String::new(),
        "Exit codes:".to_owned(),
        "  0      The status was delivered, or printed in a dry run.".to_owned(),
        "  1      The status is unknown, the check is incomplete, or the status could not be delivered.".to_owned(),
        "  2      OUT_OF_SYNC was delivered, and fail_on_drift is set.".to_owned(),
        "  128+n  The step was ended by signal n.".to_owned(),
    ]);
    lines
}

/// The words of a text in lines of at most `width` characters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Everything that is wrong with the settings.
pub fn problems(problems: &[String]) -> Vec<Line> {
    let mut lines = vec![Line::new(Tone::Error, "invalid settings:")];
    lines.extend(problems.iter().map(|problem| Line::new(Tone::Error, format!("  {problem}"))));
    lines.push(Line::new(Tone::Error, "nothing was run, and nothing was sent"));
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
            "  hint: this is a bug in plugin-gitops-status, please report it; the run was ended, and no status was sent",
        ),
    ]
}
