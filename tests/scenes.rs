//! Scenes: what a real Ansible said in a situation, and what is made of it, both as files under `tests/scenes`.
//!
//! `events` holds the recorded event lines, `ending` how the run ended, `log` the result as the log tells it and the
//! payload. `RECORD=all cargo test --test scenes recorded` (or scenes by name, with commas) records them anew from the cases they are named for; without it the
//! recorded events are judged again, and bent in every way a damaged file could be.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use plugin_gitops_status::{
    Ending, Evidence, Needs, Run, RunDir, RunInfo, Settings, Signals, SyncStatus, Verdict, collect, judge, line,
    messages, payloads,
};
use support::{ansible_bin, copy, root, surroundings, variable};
use time::macros::datetime;

/// What happened, and the case that makes it happen.
const SCENES: [(&str, &str); 30] = [
    ("a_check_started_in_the_middle", "start-at-notfound"),
    ("a_command_was_skipped_in_check_mode", "command-skipped"),
    ("a_failure_was_ignored", "ignore-errors"),
    ("a_failure_was_rescued", "rescued"),
    ("a_failure_was_hidden", "failed-when-hides"),
    ("a_glob_matched_nothing", "glob-empty"),
    ("a_job_was_not_awaited", "job-not-awaited"),
    ("a_probe_was_skipped_on_many_hosts", "probe-on-many-hosts"),
    ("a_host_had_no_statement", "hosts-some-print"),
    ("a_host_was_reached_its_own_way", "ssh-own-args"),
    ("a_host_was_unreachable", "unreachable-one"),
    ("a_hidden_result_differed", "no-log"),
    ("a_limit_was_sneaked_in", "limit-sneaked-in"),
    ("a_play_ended_early", "end-play"),
    ("a_play_left_check_mode", "play-check-false"),
    ("a_play_matched_no_host", "second-play-no-hosts"),
    ("a_statement_contradicted_itself", "synced-but-list"),
    ("a_task_was_waived", "waived-command"),
    ("drift_and_an_unreachable_host", "drift-and-unreachable"),
    ("drift_then_the_run_was_killed", "drift-then-killed"),
    ("everything_was_as_it_should_be", "facts-synced"),
    ("existing_content_was_never_compared", "force-false"),
    ("files_differed", "drift-content"),
    ("nothing_was_verified", "facts-only"),
    ("one_host_of_three_stated_drift", "hosts-one-drifted"),
    ("one_play_spoke_for_all", "summary-on-localhost"),
    ("the_playbook_stated_sync", "hosts-all-synced"),
    ("the_run_was_over_its_time", "timeout"),
    ("two_playbooks_were_in_sync", "two-playbooks"),
    ("what_differed_was_ignored", "ignored-one-of-two"),
];

/// The nonce of every recorded scene.
const NONCE: &str = "scene";

struct Scene {
    name: &'static str,
    settings: Settings,
    ending: Ending,
    events: String,
}

impl Scene {
    fn load(name: &'static str, case: &str) -> Self {
        let folder = folder(name);
        let read = |file: &str| {
            fs::read_to_string(folder.join(file))
                .unwrap_or_else(|error| panic!("{name}/{file}: {error}; set RECORD={name}"))
        };
        let settings = settings(&case_json(case), "/target");
        Self { name, settings, ending: ending(read("ending").trim()), events: read("events") }
    }

    fn judge(&self, events: &[u8]) -> (Evidence, Verdict) {
        let seen = collect(events, NONCE, &self.settings.ignore);
        let verdict = judge(&self.settings, &self.ending, &seen);
        (seen, verdict)
    }

    fn log(&self) -> String {
        let (seen, verdict) = self.judge(self.events.as_bytes());
        let run_info = RunInfo {
            pipeline: &self.settings.identity.pipeline,
            started: datetime!(2026-04-21 10:30 UTC),
            duration: Duration::ZERO,
            ansible_version: seen.ansible_version.as_deref(),
        };
        let payloads = payloads(&self.settings, &verdict, &run_info).unwrap();
        let lines =
            messages::judged(&self.settings, &verdict, &seen).into_iter().chain(messages::payloads(&payloads, false));
        lines.map(|line| line.text + "\n").collect()
    }
}

fn scenes() -> Vec<Scene> {
    SCENES.iter().map(|(name, case)| Scene::load(name, case)).collect()
}

fn folder(name: &str) -> PathBuf {
    root().join("tests/scenes").join(name)
}

fn case_json(case: &str) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(root().join("tests/cases").join(case).join("case.json")).unwrap()).unwrap()
}

fn strings(case: &serde_json::Value, key: &str) -> BTreeMap<String, String> {
    case.get(key).map(|map| serde_json::from_value(map.clone()).unwrap()).unwrap_or_default()
}

fn settings(case: &serde_json::Value, target: &str) -> Settings {
    let given = strings(case, "settings");
    let always = [("repo_name", "rsyslog"), ("server_name", "rsyslog-lab"), ("dry_run", "true")];
    let always = always.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let variables = always.chain(given.into_iter().map(|(name, value)| (name, value.replace("$CASE_TMP", target))));
    let variables = variables.map(|(name, value)| (format!("PLUGIN_{}", name.to_uppercase()).into(), value.into()));
    Settings::read(variables, time::Date::MIN).unwrap()
}

fn ending(text: &str) -> Ending {
    match text.split_once(' ') {
        Some(("exited", code)) => Ending::Exited(code.parse().unwrap()),
        Some(("killed", signal)) => Ending::Killed(signal.parse().unwrap()),
        _ => Ending::TimedOut,
    }
}

/// Runs a case for real and keeps what was said, with the paths of this machine taken out.
fn record(name: &str, case_name: &str) {
    let case = case_json(case_name);
    let folder = tempfile::tempdir().unwrap();
    let (work, target) = (folder.path().join("work"), folder.path().join("target"));
    copy(&root().join("tests/cases").join(case_name), &work);
    fs::create_dir(&target).unwrap();
    let target_text = target.display().to_string();
    let mut setup = Command::new("bash");
    surroundings(&mut setup).args(["-ec", case["setup"].as_str().unwrap_or_default()]).current_dir(&work);
    assert!(setup.env("CASE_TMP", &target).env("TESTS", root().join("tests")).status().unwrap().success());

    let path = format!("{}:{}", ansible_bin().display(), variable("PATH").unwrap());
    let settings = settings(&case, &target_text);
    let mut environment: Vec<(OsString, OsString)> =
        [("PATH", path.as_str()), ("LC_ALL", "C.UTF-8"), ("CASE_TMP", &target_text)]
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
    environment.push(("HOME".into(), folder.path().into()));
    environment.extend(strings(&case, "environment").into_iter().map(|(name, value)| (name.into(), value.into())));
    let run_dir = RunDir::new(folder.path(), &settings.ansible, Needs::default()).unwrap();
    std::env::set_current_dir(&work).unwrap();
    let run = Run { ansible: &settings.ansible, run_dir: &run_dir, colour: false, redactor: None };
    let ended = run.execute(&environment, &mut Signals::listen().unwrap()).unwrap();
    let events = fs::read_to_string(run_dir.callback_dir().join("events")).unwrap();
    std::env::set_current_dir(root()).unwrap();

    let clean = |text: &str| text.replace(&target_text, "/target").replace(&work.display().to_string(), "/repository");
    let resigned: String = events.lines().map(|text| line(NONCE, &clean(&text[9..]))).collect();
    let ending = match ended {
        Ending::Exited(code) => format!("exited {code}\n"),
        Ending::Killed(signal) => format!("killed {signal}\n"),
        Ending::TimedOut => "timed out\n".to_owned(),
        other => panic!("{name}: {other:?}"),
    };
    let scene = self::folder(name);
    fs::create_dir_all(&scene).unwrap();
    fs::write(scene.join("events"), resigned).unwrap();
    fs::write(scene.join("ending"), ending).unwrap();
}

#[test]
fn recorded_scenes_are_told_as_they_were() {
    let wanted = variable("RECORD");
    for (name, case) in SCENES {
        let recording =
            wanted.as_ref().is_some_and(|wanted| wanted == "all" || wanted.split(',').any(|part| part == name));
        if recording {
            record(name, case);
        }
        let scene = Scene::load(name, case);
        let file = folder(name).join("log");
        if recording {
            fs::write(&file, scene.log()).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap();
        assert_eq!(scene.log(), expected, "{name}: if this is right, record it anew with RECORD={name}");
    }
}

#[test]
fn every_recorded_scene_is_listed() {
    let mut found: Vec<_> =
        fs::read_dir(root().join("tests/scenes")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    found.sort();
    let mut listed: Vec<OsString> = SCENES.iter().map(|(name, _)| name.into()).collect();
    listed.sort();
    assert_eq!(found, listed);
}

/// A bent copy of a scene's events must never be called in sync.
fn never_synced(scene: &Scene, events: &[u8], how: &str) {
    let (_, verdict) = scene.judge(events);
    assert_ne!(verdict.status, SyncStatus::Synced, "{} is SYNCED after {how}", scene.name);
}

#[test]
fn no_truncated_record_is_synced() {
    for scene in scenes() {
        for length in 0..scene.events.len() {
            never_synced(&scene, &scene.events.as_bytes()[..length], &format!("a cut at byte {length}"));
        }
    }
}

#[test]
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

#[test]
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

#[test]
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

#[test]
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

#[test]
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

#[test]
fn scenes_hold_every_verdict() {
    let verdicts: Vec<SyncStatus> =
        scenes().iter().map(|scene| scene.judge(scene.events.as_bytes()).1.status).collect();
    assert!(verdicts.contains(&SyncStatus::Synced) && verdicts.contains(&SyncStatus::Unknown));
    assert!(verdicts.iter().any(|verdict| matches!(verdict, SyncStatus::OutOfSync { .. })));
    assert!(Path::new(&folder("files_differed")).exists());
}
