//! Values as Woodpecker passes them, read one by one: text, booleans, numbers, durations, both list forms, maps.
//!
//! What cannot be read is kept as a problem, so that one run of the step shows all of them. In its place the [`Reader`]
//! returns something empty, which nobody uses: with a problem there are no settings.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::settings::secret::{Secret, Secrets};
use crate::settings::table::{DefaultValue, Secrecy, Setting};

/// Turns text into meaning.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// The settings as typed, by name.
    pub typed: BTreeMap<&'static str, String>,
    /// What is wrong, one line each, in the order it was met.
    pub problems: Vec<String>,
    /// What the user should know, one sentence each.
    pub warnings: Vec<String>,
    /// Every secret that was read.
    pub secrets: Secrets,
}

impl Reader {
    /// Adds what is wrong with a setting: the end of a sentence that begins with its name.
    pub fn problem(&mut self, setting: &Setting, what: impl AsRef<str>) {
        self.problems.push(format!("`{}` {}", setting.name, what.as_ref()));
    }

    /// Adds that a value is wrong, and shows it unless it is secret.
    fn wrong(&mut self, setting: &Setting, value: &str, remedy: &str) {
        let shown = match setting.secrecy {
            Secrecy::Public => format!("{value:?}"),
            Secrecy::Password | Secrecy::Whole | Secrecy::Values | Secrecy::NamedValues => "***".to_owned(),
        };
        self.problem(setting, format!("is {shown}; {remedy}"));
    }

    /// What was typed, without spaces around it; nothing where only spaces are left.
    pub fn text(&self, setting: &Setting) -> Option<String> {
        let typed = self.typed.get(setting.name).map(|value| value.trim());
        typed.filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// What was typed, or else the default of the table.
    fn text_or_default(&self, setting: &Setting) -> Option<String> {
        self.text(setting).or(match setting.default {
            DefaultValue::Value(value) => Some(value.to_owned()),
            DefaultValue::Nothing
            | DefaultValue::Required
            | DefaultValue::RequiredUnless(_)
            | DefaultValue::Words(_) => None,
        })
    }

    /// `value`, which must be there. `remedy` says what to write.
    pub fn required(&mut self, setting: &Setting, value: Option<String>, remedy: &str) -> String {
        value.unwrap_or_else(|| {
            self.problem(setting, format!("is not set; {remedy}"));
            String::new()
        })
    }

    /// A secret as typed: spaces in it are part of it, and one of spaces alone was not set.
    pub fn secret(&mut self, setting: &Setting) -> Option<Secret> {
        let typed = self.typed.get(setting.name).filter(|value| !value.trim().is_empty())?;
        Some(self.secrets.keep(typed.as_str()))
    }

    /// `true` or `false`, or one of their other names.
    pub fn flag(&mut self, setting: &Setting) -> bool {
        self.optional_flag(setting).unwrap_or_default()
    }

    /// The same where no default is ours to choose.
    pub fn optional_flag(&mut self, setting: &Setting) -> Option<bool> {
        let value = self.text_or_default(setting)?;
        match value.to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => {
                self.wrong(setting, &value, "write true or false");
                None
            }
        }
    }

    /// A whole number within limits.
    pub fn number(&mut self, setting: &Setting, least: u32, most: u32) -> Option<u32> {
        let value = self.text_or_default(setting)?;
        let number = value.parse().ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.wrong(setting, &value, &format!("write a whole number from {least} to {most}"));
        }
        number
    }

    /// A duration with units, more than zero.
    pub fn duration(&mut self, setting: &Setting) -> Duration {
        let Some(value) = self.text_or_default(setting) else { return Duration::ZERO };
        duration(&value).unwrap_or_else(|| {
            self.wrong(setting, &value, "write a duration with its unit, such as 90s, 2m or 1h30m");
            Duration::ZERO
        })
    }

    /// A comma-separated list or a JSON array, as Woodpecker writes either; empty items are dropped.
    pub fn list(&mut self, setting: &Setting) -> Vec<String> {
        let mut texts = Vec::new();
        for item in self.items(setting) {
            match scalar(&item) {
                Some(text) => texts.push(text.trim().to_owned()),
                None => self.problem(setting, "contains a list or a map as an item; write plain items"),
            }
        }
        texts
    }

    /// The items of a list, which may be maps; a map alone is a list of one. That nothing is left of what was written is a
    /// problem.
    pub fn items(&mut self, setting: &Setting) -> Vec<Value> {
        let Some(value) = self.text(setting) else { return Vec::new() };
        let mut items = match serde_json::from_str(&value) {
            Ok(Value::Array(items)) => items,
            Ok(Value::Object(map)) => vec![Value::Object(map)],
            Err(_) if ["[\"", "[{", "{\""].iter().any(|start| value.starts_with(start)) => {
                self.wrong(setting, &value, "write a list, or JSON such as [\"a\", \"b\"]");
                return Vec::new();
            }
            // Text that happens to be JSON, such as a number, is an item like any other.
            Ok(_) | Err(_) => texts(&value),
        };
        items.retain(|item| !scalar(item).is_some_and(|text| text.trim().is_empty()));
        if items.is_empty() {
            self.wrong(setting, &value, "the list is empty; write an item, or remove the setting");
        }
        items
    }

    /// A map with values of any shape.
    pub fn map(&mut self, setting: &Setting) -> Map<String, Value> {
        let Some(value) = self.text(setting) else { return Map::new() };
        if let Ok(Value::Object(map)) = serde_json::from_str(&value) {
            return map;
        }
        self.wrong(setting, &value, "write a map");
        Map::new()
    }

    /// A map of plain values, each as text.
    pub fn flat_map(&mut self, setting: &Setting) -> Vec<(String, String)> {
        let mut texts = Vec::new();
        for (name, value) in self.map(setting) {
            match scalar(&value) {
                Some(text) => texts.push((name, text)),
                None => {
                    self.problem(
                        setting,
                        format!("contains a list or a map as the value of {name:?}; write plain text"),
                    );
                }
            }
        }
        texts
    }
}

/// Whether a header can carry the text.
pub(crate) fn is_header_value(value: &str) -> bool {
    value.chars().all(|c| c == '\t' || (' '..='~').contains(&c))
}

/// The items of a comma-separated value, without spaces around them and without empty ones.
pub(crate) fn split_commas(value: &str) -> Vec<String> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn texts(value: &str) -> Vec<Value> {
    split_commas(value).into_iter().map(Value::String).collect()
}

/// A plain value as text; `None` for a list or a map.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// `90s`, `2m`, `1h30m`: whole numbers with a unit, the larger unit first, more than zero in all.
fn duration(value: &str) -> Option<Duration> {
    let mut seconds: u64 = 0;
    let mut rest = value;
    let mut units = [('h', 3600), ('m', 60), ('s', 1)].iter();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].chars().next()?;
        let (_, scale) = units.find(|(name, _)| *name == unit)?;
        seconds = seconds.checked_add(number.checked_mul(*scale)?)?;
        rest = &rest[digits + 1..];
    }
    // A hundred years is more than any clock arithmetic here has to bear.
    (1..=3_153_600_000).contains(&seconds).then(|| Duration::from_secs(seconds))
}
