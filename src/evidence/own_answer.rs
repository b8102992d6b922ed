//! What the answer of a module proves that manages something and compares it: its own `changed`, or where the playbook
//! replaces that, the diff it shows.

use crate::evidence::difference::differences;
use crate::evidence::task::KnownTask;
use crate::evidence::task_outcome::{TaskOutcome, unverified};
use crate::evidence::task_result::{Diff, ModuleResult, Sides, TaskResult};
use crate::evidence::unverified::WhyUnverified;

/// The times of a file, which every touch changes unless they are preserved.
const TIMES: [(&str, &str); 2] = [("mtime", "modification_time"), ("atime", "access_time")];

/// What an answer proves. The task has not failed, and nobody hides whether it has. `nonce` is the name of the run.
pub(super) fn own_answer(known: &KnownTask, result: &TaskResult<'_>, nonce: &str) -> TaskOutcome {
    let answer = result.answer();
    let because = |why| unverified(why, answer.said());
    let really_ran = !result.check_mode;
    if answer.empty_source {
        return because(WhyUnverified::NothingToCopy);
    }
    if answer.lone_file && !result.changed && !really_ran {
        return because(WhyUnverified::LoneFile);
    }
    if answer.disclaimed && !result.changed {
        return because(WhyUnverified::Disclaimed);
    }
    let drifted = || TaskOutcome::Drifted { differences: differences(known, result, nonce), repaired: really_ran };
    let proof = known.proof(answer);
    if known.task.replaces_changed() {
        return match shown(known, answer) {
            // The author says so, and may know.
            _ if result.changed => drifted(),
            // What it has made so is so, and its diff is its own work.
            _ if really_ran => TaskOutcome::Verified,
            Some(Sides::Differ) if proof.diff_lost.is_none() => drifted(),
            Some(Sides::Equal) if proof.unchanged_lost.is_none() => TaskOutcome::Verified,
            Some(_) | None => because(WhyUnverified::ChangeHidden),
        };
    }
    if !result.changed {
        return match proof.unchanged_lost {
            Some(condition) => because(WhyUnverified::AnswerNoProof(condition)),
            None => TaskOutcome::Verified,
        };
    }
    match proof.changed_lost {
        Some(condition) => because(WhyUnverified::AnswerNoProof(condition)),
        None if is_touch(known, answer) && only_touched(result) => because(WhyUnverified::TouchedAgain),
        None if is_same_commit(known, answer) => TaskOutcome::Verified,
        None => drifted(),
    }
}

/// Whether the sides of what it shows differ; `None` where it shows nothing with two sides.
fn shown(known: &KnownTask, answer: &ModuleResult) -> Option<Sides> {
    let sides = answer.diff.iter().filter_map(|diff| match diff.sides? {
        // An empty text is what stands for a file that is not there, too.
        Sides::Equal if diff.empty && diff.before_header.is_none() => Some(Sides::Differ),
        Sides::Equal if known.module.shows_what_it_replaces && diff.path.is_none() => None,
        Sides::Differ if is_touch(known, answer) && touches_only(diff, answer) => Some(Sides::Equal),
        sides => Some(sides),
    });
    sides.reduce(|one, other| if other == Sides::Differ { other } else { one })
}

pub(super) fn is_touch(known: &KnownTask, answer: &ModuleResult) -> bool {
    known.module.name == "file" && answer.arg("state") == Some("touch")
}

/// Whether a touch found the file and would change nothing of it but its times.
fn only_touched(result: &TaskResult<'_>) -> bool {
    let answer = result.answer();
    // The module tells of a file what it is, and of one that is not there nothing; `no_log` hides which it is.
    let was_there = result.censored || answer.fields.get("state").is_some_and(|state| state != "absent");
    was_there && answer.diff.iter().all(|diff| touches_only(diff, answer))
}

/// Whether a difference is nothing but what each touch of an existing file brings.
fn touches_only(diff: &Diff, answer: &ModuleResult) -> bool {
    diff.keys.iter().all(|key| match TIMES.iter().find(|(time, _)| time == key) {
        Some((_, argument)) => answer.arg(argument).is_none_or(|value| value == "now"),
        None => key == "state" && diff.states == ["file", "touch"],
    })
}

/// Whether `git` only compared the short form of a commit with its long one.
fn is_same_commit(known: &KnownTask, answer: &ModuleResult) -> bool {
    let commit = |name: &str| answer.fields.get(name).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let (Some(before), Some(after)) = (commit("before"), commit("after")) else { return false };
    known.module.name == "git" && after.len() >= 7 && before.starts_with(after.as_str())
}
