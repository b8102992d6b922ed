//! What the user took out of the verdict, and until when.

use glob::Pattern;
use serde_json::{Map, Value};
use time::{Date, Month};

use crate::settings::read::Reader;
use crate::settings::table::{self, Setting};

/// How many days before its end a waiver is told of.
const NOTICE_DAYS: i64 = 7;

/// What a date looks like, for the sentences about wrong ones.
const DATE: &str = "write a date such as 2026-12-31";

/// What the user took out of the verdict. Waivers that have ended are not among these.
#[derive(Debug, Default)]
pub struct Ignore {
    /// Names of drifted things that do not count.
    pub files: Vec<Waiver>,
    /// Attributes of files that do not count, where nothing else of the file differs.
    pub attributes: Vec<AttributeWaiver>,
    /// Tasks that do not count.
    pub tasks: Vec<Waiver>,
    /// Plays that do not count.
    pub plays: Vec<Waiver>,
}

/// One item of these settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// What it stands for; `*` also crosses `/`.
    pub glob: Pattern,
    /// The last day it holds, in UTC; for ever where there is none.
    pub until: Option<Date>,
    /// Why it was given.
    pub reason: Option<String>,
}

/// An attribute of a file that tasks give it beside its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attribute {
    /// Its permissions.
    Mode,
    /// The user that owns it.
    Owner,
    /// The group that owns it.
    Group,
}

impl Attribute {
    const ALL: [Self; 3] = [Self::Mode, Self::Owner, Self::Group];

    /// Its name in tasks, diffs and settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mode => "mode",
            Self::Owner => "owner",
            Self::Group => "group",
        }
    }

    /// The attribute of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|attribute| attribute.name() == name)
    }
}

/// An item of `ignore` that names one attribute, such as `/etc/motd:mode`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeWaiver {
    /// The files it stands for: what is written before the colon.
    pub files: Pattern,
    /// The attribute.
    pub attribute: Attribute,
}

impl AttributeWaiver {
    fn of(waiver: &Waiver) -> Option<Self> {
        let (files, attribute) = waiver.glob.as_str().rsplit_once(':')?;
        let attribute = Attribute::named(attribute)?;
        (!files.is_empty()).then(|| Pattern::new(files).ok().map(|files| Self { files, attribute }))?
    }

    /// The item as it is written.
    pub fn item(&self) -> String {
        format!("{}:{}", self.files, self.attribute.name())
    }
}

impl Ignore {
    /// Reads what holds on the day `today`, in UTC. What has ended, or ends within a week, becomes a warning.
    pub(super) fn read(reader: &mut Reader, today: Date) -> Self {
        let mut files = waivers(reader, &table::IGNORE, today);
        let attributes = files.iter().filter_map(AttributeWaiver::of).collect();
        // `user:owner` may also be the user of that name; but `*:mode` takes out nothing whose name only ends so.
        files.retain(|waiver| AttributeWaiver::of(waiver).is_none() || is_plain(&waiver.glob));
        Self {
            files,
            attributes,
            tasks: waivers(reader, &table::IGNORE_TASKS, today),
            plays: waivers(reader, &table::IGNORE_PLAYS, today),
        }
    }
}

/// Whether a glob matches nothing but its own text.
fn is_plain(glob: &Pattern) -> bool {
    !glob.as_str().contains(['*', '?', '['])
}

fn waivers(reader: &mut Reader, setting: &Setting, today: Date) -> Vec<Waiver> {
    let mut waivers = Vec::new();
    for item in reader.items(setting) {
        match waiver(&item) {
            Err(problem) => reader.problem(setting, problem),
            Ok(waiver) => {
                let days_left = waiver.until.map(|until| (until - today).whole_days());
                if let Some(days_left) = days_left.filter(|days| *days <= NOTICE_DAYS) {
                    let warning = ending(setting, &waiver, days_left);
                    reader.warnings.push(warning);
                }
                if days_left.is_none_or(|days| days >= 0) {
                    waivers.push(waiver);
                }
            }
        }
    }
    waivers
}

/// The sentence about a waiver that has ended (fewer than no days are left) or will soon.
fn ending(setting: &Setting, waiver: &Waiver, days_left: i64) -> String {
    let (name, glob) = (setting.name, waiver.glob.as_str());
    let until = waiver.until.map(|until| until.to_string()).unwrap_or_default();
    let reason = waiver.reason.as_ref().map(|reason| format!(" (reason: {reason})")).unwrap_or_default();
    match days_left {
        ..0 => format!("`{glob}` in `{name}` ended on {until} and counts again{reason}; renew it, or remove it"),
        0 => format!("`{glob}` in `{name}` ends today and counts again tomorrow{reason}"),
        1 => format!("`{glob}` in `{name}` ends tomorrow, on {until}{reason}"),
        days => format!("`{glob}` in `{name}` ends in {days} days, on {until}{reason}"),
    }
}

/// A glob, or a map of a glob, a date and a reason.
fn waiver(item: &Value) -> Result<Waiver, String> {
    match item {
        Value::Object(map) => from_map(map),
        Value::String(text) => Ok(Waiver { glob: glob(text)?, until: None, reason: None }),
        Value::Number(_) | Value::Bool(_) => Ok(Waiver { glob: glob(&item.to_string())?, until: None, reason: None }),
        Value::Array(_) | Value::Null => {
            Err("contains a list as an item; write a glob, or a map with `match`, `until` and `reason`".to_owned())
        }
    }
}

fn from_map(map: &Map<String, Value>) -> Result<Waiver, String> {
    if let Some(other) = map.keys().find(|key| !["match", "until", "reason"].contains(&key.as_str())) {
        return Err(format!("contains a map with the key {other:?}; write `match`, `until` and `reason`"));
    }
    let text = |key: &str| match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim())),
        Some(other) => Err(format!("contains a map whose `{key}` is {other}; write text")),
    };
    let Some(wanted) = text("match")? else {
        return Err("contains a map without `match`; write the glob there".to_owned());
    };
    let until = match text("until")? {
        None => None,
        Some(typed) => Some(date(typed).ok_or_else(|| format!("contains `until: {typed}`; {DATE}"))?),
    };
    Ok(Waiver { glob: glob(wanted)?, until, reason: text("reason")?.map(str::to_owned) })
}

fn glob(typed: &str) -> Result<Pattern, String> {
    // `**` means nothing more than `*` here, where `*` crosses `/` already.
    let mut plain = typed.to_owned();
    while plain.contains("**") {
        plain = plain.replace("**", "*");
    }
    Pattern::new(&plain).map_err(|error| format!("is {typed:?}, which is not a shell glob: {error}"))
}

/// `2026-12-31`; a date that YAML has read as one arrives with a time behind it.
fn date(typed: &str) -> Option<Date> {
    let day = typed.strip_suffix("T00:00:00Z").unwrap_or(typed);
    let (year, rest) = day.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let number = |text: &str, digits: usize| {
        (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse::<u16>().ok())?
    };
    let month = Month::try_from(u8::try_from(number(month, 2)?).ok()?).ok()?;
    Date::from_calendar_date(i32::from(number(year, 4)?), month, u8::try_from(number(day, 2)?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    const TODAY: Date = date!(2026 - 06 - 15);

    fn read(typed: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
        let mut reader = Reader::default();
        reader.typed.insert("ignore", typed.to_owned());
        let ignore = Ignore::read(&mut reader, TODAY);
        let globs = ignore.files.iter().map(|waiver| waiver.glob.as_str().to_owned()).collect();
        (globs, reader.warnings, reader.problems)
    }

    #[test]
    fn a_waiver_counts_until_its_day_is_over() {
        for (until, in_force, told) in [
            ("2026-06-14", false, Some("ended on 2026-06-14 and counts again (reason: r)")),
            ("2025-12-31", false, Some("ended on 2025-12-31")),
            ("2026-06-15", true, Some("ends today")),
            ("2026-06-16", true, Some("ends tomorrow, on 2026-06-16")),
            ("2026-06-22", true, Some("ends in 7 days, on 2026-06-22")),
            ("2026-06-22T00:00:00Z", true, Some("ends in 7 days, on 2026-06-22")),
            ("2026-06-23", true, None),
            ("9999-12-31", true, None),
        ] {
            let (globs, warnings, problems) =
                read(&format!(r#"[{{"match":"/etc/motd","until":"{until}","reason":"r"}}]"#));
            assert_eq!(problems, Vec::<String>::new());
            assert_eq!(!globs.is_empty(), in_force, "{until}");
            assert_eq!(!warnings.is_empty(), told.is_some(), "{until}: {warnings:?}");
            assert!(warnings.iter().all(|warning| warning.contains(told.unwrap())), "{until}: {warnings:?}");
        }
    }

    #[test]
    fn an_item_may_name_one_attribute() {
        let mut reader = Reader::default();
        let typed = r#"["/etc/motd:mode",{"match":"*.conf:owner","until":"2026-06-14"},"x*:group","user:owner",":mode","/a:mod"]"#;
        reader.typed.insert("ignore", typed.to_owned());
        let ignore = Ignore::read(&mut reader, TODAY);
        let attributes: Vec<String> = ignore.attributes.iter().map(AttributeWaiver::item).collect();
        assert_eq!(attributes, ["/etc/motd:mode", "x*:group", "user:owner"]);
        let files: Vec<&str> = ignore.files.iter().map(|waiver| waiver.glob.as_str()).collect();
        assert_eq!(files, ["/etc/motd:mode", "user:owner", ":mode", "/a:mod"]);
        assert!(reader.warnings[0].starts_with("`*.conf:owner` in `ignore` ended"), "{:?}", reader.warnings);
    }

    #[test]
    fn maps_and_globs_stand_side_by_side() {
        let (globs, warnings, problems) = read(r#"["a/**/b", {"match": " c ", "until": null}, 7, null, ""]"#);
        assert_eq!((globs, warnings, problems), (vec!["a/*/b".into(), "c".into(), "7".into()], vec![], vec![]));
        assert_eq!(read(r#"{"match":"x","reason":"y"}"#).0, ["x"]);
    }

    #[test]
    fn what_is_wrong_with_a_waiver_is_said() {
        for (typed, said) in [
            (r#"[{"until":"2026-12-31"}]"#, "without `match`"),
            (r#"[{"match":"x","untill":"2026-12-31"}]"#, "the key \"untill\""),
            (r#"[{"match":"x","until":"31.12.2026"}]"#, "`until: 31.12.2026`; write a date such as 2026-12-31"),
            (r#"[{"match":"x","until":"2026-02-30"}]"#, "`until: 2026-02-30`"),
            (r#"[{"match":"x","until":"2026-1-1"}]"#, "`until: 2026-1-1`"),
            (r#"[{"match":"x","until":20261231}]"#, "`until` is 20261231"),
            (r#"[{"match":["x"]}]"#, "`match` is [\"x\"]"),
            (r#"[{"match":"[x"}]"#, "not a shell glob"),
            (r#"[["x"]]"#, "a list as an item"),
        ] {
            let (_, _, problems) = read(typed);
            assert_eq!(problems.len(), 1, "{typed}: {problems:?}");
            assert!(problems[0].starts_with("`ignore` ") && problems[0].contains(said), "{typed}: {problems:?}");
        }
    }
}
