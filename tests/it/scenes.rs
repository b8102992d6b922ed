//! Scenes: what a real Ansible said in a situation, and what is made of it, as files under `tests/scenes`.
//!
//! A scene is a directory, and a test by its name: `scenes::files_differed`. It holds `case`, the name of the case it is
//! recorded from; `events`, the event lines of that run; `ending`, how the run ended; and `log`, the whole log and the exit code of
//! a step whose fake `ansible-playbook` replays this. With `RECORD=all` (or scenes by name, with commas) a scene is recorded
//! anew from the real Ansible; with `RECORD=logs` only the logs are written anew. The other tests here bend the events in every way a damaged file could be.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use plugin_gitops_status::{Ending, Settings, SyncStatus, collect, judge, line};

use crate::cases::{self, Ready};
use crate::harness::fake_ansible::TARGET;
use crate::harness::step::Step;
use crate::harness::suite::{NotRun, Suite, suite};
use crate::harness::{ansible, golden, read, recording, root};

pub fn suite() -> Suite {
    let suite = suite!(
        "scenes",
        [],
        no_truncated_record_is_synced,
        no_reordered_or_repeated_record_is_synced,
        no_corrupted_record_is_synced,
        nothing_of_another_run_is_believed,
        a_record_without_its_beginning_or_with_an_unknown_meta_is_not_synced,
        an_added_drift_never_leaves_a_run_synced,
        what_hangs_on_an_unknown_value_is_neither_synced_nor_drift,
        one_task_that_hangs_on_an_unknown_value_takes_only_its_own_names_away,
        an_unknown_value_that_nothing_hangs_on_changes_nothing,
        scenes_hold_every_verdict,
    );
    names().into_iter().fold(suite, |suite, name| suite.test(&name.clone(), move || is_told_as_it_was(&name)))
}

/// The nonce of every recorded scene.
const NONCE: &str = "scene";

fn names() -> Vec<String> {
    let entries = fs::read_dir(root().join("tests/scenes")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn folder(name: &str) -> PathBuf {
    root().join("tests/scenes").join(name)
}

/// The name of the case that a scene is recorded from.
fn case(name: &str) -> String {
    read(folder(name).join("case")).trim().to_owned()
}

/// Replays a scene through the step, whose whole log has to be the recorded one.
fn is_told_as_it_was(name: &str) -> Result<(), NotRun> {
    if recording(name) {
        record(name)?;
    }
    let step = cases::not_set_up(&case(name)).dry().replay(name);
    let (code, log) = if read(folder(name).join("ending")) == "timed out\n" {
        let asked = step.path("fake/asked.json");
        let run = |step: &Step| {
            let _ = fs::remove_file(&asked);
            step.run_in_order()
        };
        step.again().with_enough_time(&[2, 8, 30, 120], run, || asked.exists())
    } else {
        step.run_in_order()
    };
    let log = with_fixed_time(&step.without_paths(&log));
    golden(name, folder(name).join("log"), &format!("{log}exit code {}\n", code.unwrap()));
    Ok(())
}

/// The log with the same time in each payload.
fn with_fixed_time(log: &str) -> String {
    let mut parts = log.split(r#""last_check":""#);
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| {
        text + r#""last_check":"2026-04-21T10:30:00Z"# + &part["2026-04-21T10:30:00Z".len()..]
    })
}

/// Runs the case with the real Ansible and keeps what it said, with the paths of this machine taken out.
fn record(name: &str) -> Result<(), NotRun> {
    let real = ansible::bin().map_err(NotRun)?;
    let ready = Ready::new(&case(name))?;
    let step = ready.step.again().dry().program("records-ansible").env("REAL", real);
    let recorded = step.path("recorded");
    fs::create_dir(&recorded).unwrap();
    let step = step.env("RECORDED", &recorded);
    let ended = ready.run_as(&step, || ());
    let kept = |file: &str| fs::read_to_string(recorded.join(file));
    let events = kept("events").unwrap_or_else(|error| panic!("no events were recorded: {error}\n{ended}"));
    let signed = step.without_paths(&events).lines().map(|text| line(NONCE, &text[9..])).collect::<String>();
    fs::write(folder(name).join("events"), signed).unwrap();
    fs::write(folder(name).join("ending"), kept("ending").unwrap_or_else(|_| "timed out\n".to_owned())).unwrap();
    Ok(())
}

/// A scene as the library reads it.
struct Scene {
    name: String,
    settings: Settings,
    ending: Ending,
    events: String,
}

impl Scene {
    fn load(name: &str) -> Self {
        let read = |file: &str| read(folder(name).join(file));
        let settings = cases::settings(&case(name), TARGET).into_iter();
        let variables = settings.map(|(name, value)| (format!("PLUGIN_{}", name.to_uppercase()).into(), value.into()));
        let settings =
            Settings::read(variables.chain([("PLUGIN_DRY_RUN".into(), "yes".into())]), time::Date::MIN).unwrap();
        let ending = match read("ending").trim().split_once(' ') {
            Some(("exited", code)) => Ending::Exited(code.parse().unwrap()),
            Some(("killed", signal)) => Ending::Killed(signal.parse().unwrap()),
            _ => Ending::TimedOut,
        };
        Self { name: name.to_owned(), settings, ending, events: read("events") }
    }

    fn status(&self, events: &[u8]) -> SyncStatus {
        let seen = collect(events, NONCE, &self.settings);
        judge(&self.settings, &self.ending, &seen).status
    }
}

fn scenes() -> Vec<Scene> {
    names().iter().map(|name| Scene::load(name)).collect()
}

/// A bent copy of a scene's events must never be called in sync.
fn never_synced(scene: &Scene, events: &[u8], how: &str) {
    assert_ne!(scene.status(events), SyncStatus::Synced, "{} is SYNCED after {how}", scene.name);
}

fn no_truncated_record_is_synced() {
    for scene in scenes() {
        for length in 0..scene.events.len() {
            never_synced(&scene, &scene.events.as_bytes()[..length], &format!("a cut at byte {length}"));
        }
    }
}

fn no_reordered_or_repeated_record_is_synced() {
    for scene in scenes() {
        let lines: Vec<&str> = scene.events.split_inclusive('\n').collect();
        for first in 0..lines.len() {
            let mut repeated = lines.clone();
            repeated.insert(first, lines[first]);
            never_synced(&scene, repeated.concat().as_bytes(), &format!("line {first} came twice"));
            let mut dropped = lines.clone();
            dropped.remove(first);
            never_synced(&scene, dropped.concat().as_bytes(), &format!("line {first} was lost"));
            for second in first + 1..lines.len() {
                let mut swapped = lines.clone();
                swapped.swap(first, second);
                never_synced(
                    &scene,
                    swapped.concat().as_bytes(),
                    &format!("lines {first} and {second} changed places"),
                );
            }
        }
    }
}

fn no_corrupted_record_is_synced() {
    for scene in scenes() {
        let mut bytes = scene.events.clone().into_bytes();
        for place in 0..bytes.len() {
            for bit in [0x01, 0x20, 0x80] {
                bytes[place] ^= bit;
                never_synced(&scene, &bytes, &format!("bit {bit:#x} of byte {place} flipped"));
                bytes[place] ^= bit;
            }
        }
    }
}

fn nothing_of_another_run_is_believed() {
    for scene in scenes() {
        let foreign: String = scene.events.lines().map(|text| line("another", &text[9..])).collect();
        never_synced(&scene, foreign.as_bytes(), "every line came from another run");
        never_synced(&scene, format!("{}{foreign}", scene.events).as_bytes(), "another run's lines followed");
    }
}

/// The events as numbers and JSON, to be put together again after an honest change.
fn opened(events: &str) -> Vec<serde_json::Value> {
    events.lines().map(|text| serde_json::from_str::<(u64, serde_json::Value)>(&text[9..]).unwrap().1).collect()
}

fn signed(events: &[serde_json::Value]) -> String {
    let numbered = events.iter().enumerate().map(|(number, event)| serde_json::to_string(&(number, event)).unwrap());
    numbered.map(|json| line(NONCE, &json)).collect()
}

fn a_record_without_its_beginning_or_with_an_unknown_meta_is_not_synced() {
    for scene in scenes() {
        let events = opened(&scene.events);
        never_synced(&scene, signed(&events[1..]).as_bytes(), "its first event was left out");
        let twice = [&events[..], &events[..1]].concat();
        never_synced(&scene, signed(&twice).as_bytes(), "its first event came again");
        let Some(recap) = events.iter().rposition(|event| event.get("stats").is_some()) else { continue };
        let number = events.iter().filter(|event| event.get("task").is_some()).count();
        let meta = [
            serde_json::json!({"task": {"number": number, "name": "meta", "action": "ansible.builtin.meta"}}),
            serde_json::json!({"start": {"task": number, "meta": "end_something"}}),
        ];
        let with = [&events[..recap], &meta, &events[recap..]].concat();
        never_synced(&scene, signed(&with).as_bytes(), "an unknown meta task ran");
    }
}

fn an_added_drift_never_leaves_a_run_synced() {
    let mut added = 0;
    for scene in scenes() {
        let events = opened(&scene.events);
        assert_eq!(
            signed(&events).len(),
            scene.events.len(),
            "{}: the events are not put together as they were",
            scene.name
        );
        for (place, event) in events.iter().enumerate() {
            let Some(result) =
                event.get("result").filter(|result| result["status"] == "ok" && result.get("delegated_to").is_none())
            else {
                continue;
            };
            let waived = scene.settings.ignore.tasks.len() + scene.settings.ignore.files.len() > 0;
            let acts = events.iter().any(|event| {
                let task = &event["task"];
                let compares = ["copy", "file", "template"]
                    .iter()
                    .any(|name| task["action"].as_str().is_some_and(|action| action.ends_with(name)));
                task["number"] == result["task"] && compares && task.get("handler").is_none()
            });
            if !acts || waived {
                continue;
            }
            let mut drift = result.clone();
            drift["changed"] = true.into();
            drift.as_object_mut().unwrap().retain(|key, _| !["summary", "items", "check_mode"].contains(&key.as_str()));
            let mut with = events.clone();
            with.insert(place, serde_json::json!({ "result": drift }));
            never_synced(&scene, signed(&with).as_bytes(), &format!("drift was added at line {place}"));
            added += 1;
        }
    }
    assert!(added > 20, "only {added} places were tried");
}

fn scenes_hold_every_verdict() {
    let verdicts: Vec<SyncStatus> = scenes().iter().map(|scene| scene.status(scene.events.as_bytes())).collect();
    assert!(verdicts.contains(&SyncStatus::Synced) && verdicts.contains(&SyncStatus::Unknown));
    assert!(verdicts.iter().any(|verdict| matches!(verdict, SyncStatus::OutOfSync { .. })));
}

/// What a task does with the value `x`, which is unknown.
const USES_OF_X: [&str; 6] = [
    r#"{"args":{"names":["x"]}}"#,
    r#"{"when":[{"names":["x"]}]}"#,
    r#"{"loop":{"names":["x"]},"when":[{"names":["item"]}],"loop_vars":["item"]}"#,
    r#"{"other":{"names":["y"]},"variables":{"y":{"names":["z"]},"z":{"names":["x","y"]}}}"#,
    r#"{"changed_when":{"hostvars":[[null,"x"]]}}"#,
    r#"{"unreadable":"`when`: unexpected end"}"#,
];

/// The events with a command on the controller put in front of the tasks, which check mode skips, and whose answer `x` is
/// unknown on each host from then on. Those tasks for which `hangs` holds mention it.
fn with_an_unknown_value(events: &[Value], mentions: &str, hangs: impl Fn(u64) -> bool) -> Vec<Value> {
    let Some(play) = events.iter().position(|event| event.get("play").is_some()) else { return events.to_vec() };
    let mut hosts: Vec<&Value> =
        events.iter().filter_map(|event| event["play"]["hosts"].as_array()).flatten().collect();
    hosts.sort_by_key(|host| host.as_str());
    hosts.dedup();
    let mut with = events[..=play].to_vec();
    with.push(json!({"task": {"number": 0, "name": "ask", "action": "ansible.builtin.command"}}));
    with.push(json!({"start": {"task": 0}}));
    with.extend(hosts.iter().map(|host| {
        json!({"result": {"task": 0, "host": host, "status": "skipped", "delegated_to": "localhost", "sets": {"names": ["x"]}}})
    }));
    let mentions: Value = serde_json::from_str(mentions).unwrap();
    for event in &events[play + 1..] {
        let mut event = event.clone();
        for (kind, field) in [("task", "number"), ("start", "task"), ("uses", "task"), ("result", "task")] {
            if let Some(number) = event.get(kind).and_then(|fields| fields[field].as_u64()) {
                event[kind][field] = (number + 1).into();
            }
        }
        if let Some(number) = event["result"]["task"].as_u64().filter(|number| hangs(number - 1)) {
            with.push(json!({"uses": {"task": number, "mentions": mentions}}));
            let result = event["result"].as_object_mut().unwrap();
            result.insert("uses".to_owned(), true.into());
            result.entry("sets").or_insert(json!({}));
            // What was skipped by a condition that is known would not run in a real run either.
            result.entry("answer").and_modify(|answer| {
                answer.as_object_mut().unwrap().remove("false_condition");
            });
        }
        with.push(event);
    }
    with
}

fn named(status: &SyncStatus) -> BTreeSet<String> {
    status.files().map(|name| name.as_str().to_owned()).collect()
}

fn what_hangs_on_an_unknown_value_is_neither_synced_nor_drift() {
    for scene in scenes() {
        let events = opened(&scene.events);
        for mentions in USES_OF_X {
            let status = scene.status(signed(&with_an_unknown_value(&events, mentions, |_| true)).as_bytes());
            assert_eq!(status, SyncStatus::Unknown, "{} where every task hangs on {mentions}", scene.name);
        }
    }
}

fn one_task_that_hangs_on_an_unknown_value_takes_only_its_own_names_away() {
    let mut tried = 0;
    for scene in scenes() {
        let events = opened(&scene.events);
        let judged = |mentions: &str, hangs: &dyn Fn(u64) -> bool| {
            scene.status(signed(&with_an_unknown_value(&events, mentions, hangs)).as_bytes())
        };
        let tasks: Vec<&Value> = events.iter().filter_map(|event| event.get("task")).collect();
        for (number, task) in (0_u64..).zip(&tasks) {
            let compares = task["action"].as_str().is_some_and(|action| action.rsplit('.').next() == Some("copy"));
            let answered =
                events.iter().any(|event| event["result"]["task"] == number && event["result"]["status"] == "ok");
            if !compares || !answered || task.get("handler").is_some() {
                continue;
            }
            for mentions in USES_OF_X {
                let status = judged(mentions, &|task| task == number);
                assert_ne!(status, SyncStatus::Synced, "{} where task {number} hangs on {mentions}", scene.name);
                if stated(&events) {
                    continue;
                }
                let others: BTreeSet<String> = (0..tasks.len() as u64)
                    .filter(|other| *other != number)
                    .flat_map(|alone| named(&judged(mentions, &|task| task != alone)))
                    .collect();
                assert_eq!(named(&status), others, "{} where task {number} hangs on {mentions}", scene.name);
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "only {tried} were tried");
}

/// Whether the playbook states its own result: then that names the files.
fn stated(events: &[Value]) -> bool {
    events.iter().any(|event| event["result"]["answer"].get("markers").is_some())
}

fn an_unknown_value_that_nothing_hangs_on_changes_nothing() {
    for scene in scenes() {
        let events = opened(&scene.events);
        let status = scene.status(signed(&with_an_unknown_value(&events, "{}", |_| false)).as_bytes());
        assert_eq!(status, scene.status(scene.events.as_bytes()), "{}", scene.name);
    }
}
