//! The batch of hosts that is at work, and which host a result is about.

use std::collections::BTreeSet;

use crate::evidence::facts::PlaybookFacts;
use crate::evidence::hosts::Hosts;
use crate::evidence::task::Task;
use crate::evidence::task_result::TaskResult;

/// What Ansible calls the controller where it stands in no inventory.
const LOCALHOST: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

/// The batch of hosts that is at work.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Its hosts.
    pub hosts: Vec<String>,
    /// Those of them that stand in no inventory.
    pub implicit: BTreeSet<String>,
}

/// The host that a result is about.
pub(super) struct Subject<'r> {
    pub host: &'r str,
    /// It is the controller, and nobody listed that as a server.
    pub on_controller: bool,
}

impl Batch {
    /// The host that a result is about. `hosts` are those met so far.
    pub fn subject<'r>(&self, result: &'r TaskResult<'_>, hosts: &Hosts) -> Subject<'r> {
        let Some(host) = result.delegated_to.as_deref() else {
            return Subject { host: &result.host, on_controller: self.implicit.contains(result.host.as_ref()) };
        };
        let is_a_server = hosts.get(host).is_some_and(|facts| facts.to_check);
        let on_controller = LOCALHOST.contains(&host) && !is_a_server;
        Subject { host: if on_controller { &result.host } else { host }, on_controller }
    }

    /// Notes whom a statement is for: a `run_once` task speaks for its batch and for the plays before, and so does a play on
    /// localhost alone.
    pub fn speaks_for(&self, playbook: &mut PlaybookFacts, task: &Task, speaker: &str) {
        let localhost_alone = matches!(&self.hosts[..], [host] if LOCALHOST.contains(&host.as_str()));
        if !task.run_once && !localhost_alone {
            return;
        }
        let Some((_, earlier)) = playbook.plays.split_last() else { return };
        let hosts = earlier.iter().flat_map(|play| play.named.keys()).chain(&self.hosts).cloned();
        playbook.summaries.entry(speaker.to_owned()).or_default().extend(hosts);
    }
}
