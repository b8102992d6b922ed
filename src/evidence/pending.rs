//! What a task has begun and not ended on a host: items of a loop before its summary, jobs before they have finished.

use std::collections::{BTreeMap, HashMap};

use crate::evidence::task_outcome::TaskOutcome;
use crate::evidence::task_result::{Status, TaskResult};
use crate::evidence::unverified::WhyUnverified;

/// A task on one host.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct TaskOnHost {
    pub task: usize,
    pub host: String,
}

impl TaskOnHost {
    fn of(result: &TaskResult<'_>) -> Self {
        Self { task: result.task, host: result.host.as_ref().to_owned() }
    }
}

/// What a result is to a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InLoop {
    /// It speaks for itself.
    Speaks,
    /// It sums up items which have answered for themselves.
    SumsUp,
    /// It sums up items whose failures the waiver and `ignore_errors` accept.
    SumsUpAccepted,
    /// It sums up other items than have answered.
    Missing,
}

/// Items of one loop on one host, as far as they have answered.
#[derive(Debug, Default)]
struct Items {
    count: usize,
    /// One failed, and nobody accepts that.
    failed: bool,
}

/// What is pending in a run.
#[derive(Debug, Default)]
pub(super) struct Pending {
    items: HashMap<TaskOnHost, Items>,
    jobs: BTreeMap<String, TaskOnHost>,
}

impl Pending {
    /// Notes an item, or says what a summary is worth. `outcome` is that of the result alone.
    pub fn in_loop(&mut self, result: &TaskResult<'_>, outcome: &TaskOutcome) -> InLoop {
        if result.item {
            let items = self.items.entry(TaskOnHost::of(result)).or_default();
            items.count += 1;
            items.failed |= result.failed() && *outcome != TaskOutcome::Waived;
        }
        if result.item || !result.summary {
            return InLoop::Speaks;
        }
        let seen = self.items.remove(&TaskOnHost::of(result)).unwrap_or_default();
        if result.items.is_some_and(|items| items != seen.count) {
            return InLoop::Missing;
        }
        match (seen.count, result.failed()) {
            (0, _) => InLoop::Speaks,
            (_, false) => InLoop::SumsUp,
            (_, true) if result.ignored && !seen.failed => InLoop::SumsUpAccepted,
            // A loop can fail as such, before or after its items.
            (_, true) => InLoop::Speaks,
        }
    }

    /// Whether a result only says that a job was started; what becomes of it is told when it has finished.
    pub fn starts_job(&mut self, result: &TaskResult<'_>, waived: bool) -> bool {
        let answer = result.answer();
        let (Some(job), Status::Ok) = (&answer.job, result.status) else { return false };
        if !answer.is_unfinished_job() {
            self.jobs.remove(job);
            return false;
        }
        if !waived {
            self.jobs.insert(job.clone(), TaskOnHost::of(result));
        }
        !waived
    }

    /// What never came to its end, and what that is called.
    pub fn unfinished(self) -> impl Iterator<Item = (WhyUnverified, TaskOnHost)> {
        let jobs = self.jobs.into_values().map(|job| (WhyUnverified::JobNotAwaited, job));
        jobs.chain(self.items.into_keys().map(|items| (WhyUnverified::ItemsMissing, items)))
    }
}
