//! Any event file: no panic, no claim without proof.
//!
//! Each line's checksum is made right, or the reader would see nothing but damage; with an even number of bytes its
//! number is made right too. Seeds are the recorded scenes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plugin_gitops_status::{Ending, Settings, SyncStatus, collect, judge, line, messages::judged};
use serde_json::Value;

fn settings() -> Settings {
    let given = [
        ("PLAYBOOK", "deploy.yml"),
        ("REPO_NAME", "r"),
        ("SERVER_NAME", "s"),
        ("DRY_RUN", "yes"),
        ("DETAILS", "yes"),
        ("IGNORE_TASKS", "*waived*"),
    ];
    let given = given.map(|(name, value)| (format!("PLUGIN_{name}").into(), value.into()));
    Settings::read(given, time::Date::MIN).unwrap_or_else(|problems| panic!("{:?}", problems.lines))
}

/// The JSON of each line, with or without a checksum before it.
fn texts(data: &str) -> Vec<String> {
    let renumber = data.len() % 2 == 0;
    data.lines()
        .enumerate()
        .map(|(number, text)| {
            let json = if text.get(8..9) == Some(" ") { &text[9..] } else { text };
            match json.strip_prefix('[').and_then(|rest| rest.split_once(',')) {
                Some((_, rest)) if renumber => format!("[{number},{rest}"),
                _ => json.to_owned(),
            }
        })
        .collect()
}

/// What no stream may lack that is called in sync, read without the code under test.
fn proven(texts: &[String]) -> bool {
    let events: Vec<Value> = texts.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok()).collect();
    let of = |kind: &'static str| events.iter().filter_map(move |event| event[1].get(kind));
    let good = |result: &Value| result["status"] == "ok" && result["changed"] != true;
    let bad = |result: &Value| result["status"] == "failed" || result["status"] == "unreachable";
    events.len() == texts.len()
        && of("open").count() > 0
        && of("playbook").count() == of("stats").count()
        && of("error").count() == 0
        && of("result").any(good)
        && !of("result").any(bad)
}

fuzz_target!(|data: &[u8]| {
    let settings = settings();
    let judged_as = |stream: &[u8]| {
        let seen = collect(stream, "n", &settings);
        let verdict = judge(&settings, &Ending::Exited(0), &seen);
        for line in judged(&settings, &verdict, &seen) {
            let shown = line.painted(false);
            assert!(!shown.chars().any(|c| c.is_control()), "{shown:?}");
        }
        verdict.status
    };
    assert_eq!(judged_as(data), SyncStatus::Unknown, "unsigned lines were believed");
    let Ok(data) = std::str::from_utf8(data) else { return };
    let texts = texts(data);
    let stream: String = texts.iter().map(|text| line("n", text)).collect();
    if judged_as(stream.as_bytes()) == SyncStatus::Synced {
        assert!(proven(&texts), "in sync without proof:\n{stream}");
        for end in [stream.len() - 1, stream.len() / 2] {
            let cut = &stream.as_bytes()[..end];
            assert!(cut.ends_with(b"\n") || judged_as(cut) != SyncStatus::Synced, "in sync though cut at {end}:\n{stream}");
        }
    }
});
