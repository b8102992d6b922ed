//! What the callback may report of a run: names of arguments and variables, beginnings of markers, limits of length. It
//! reads them from the file `reported.json` beside it, so that both languages know the same.
//!
//! No other argument of a task and no other variable of a host leaves Ansible: they may be secret.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::ansible::modules::{self, Kind, Module};
use crate::settings::Ignore;

/// Arguments that hold a path on the target, the usual one first.
pub const PATH_ARGUMENTS: [&str; 3] = ["dest", "path", "destfile"];

/// Arguments that name a thing that is no file, the usual one first.
pub const NAME_ARGUMENTS: [&str; 8] = ["name", "pkg", "package", "unit", "service", "user", "repo", "key"];

/// The argument that holds a path on the controller.
pub const SOURCE_ARGUMENT: &str = "src";

/// Where inventory and plays tell ssh things, in the order of its command line.
pub const SSH_ARGS: [&str; 3] = ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"];

/// Where they name a control socket otherwise.
pub const CONTROL_PATHS: [&str; 2] = ["ansible_control_path", "ansible_control_path_dir"];

/// What a line with the status begins with.
pub const STATUS_MARKER: &str = "SYNC_STATUS";

/// What a line with the drifted files begins with.
pub const FILES_MARKER: &str = "DRIFTED_FILES";

/// How many characters of a name or a message are reported.
const TEXT_LIMIT: usize = 4096;

/// How many of a line with markers: a list of files may be long.
const MARKER_LIMIT: usize = 1 << 20;

#[derive(Serialize)]
struct Reported<'a> {
    text_limit: usize,
    marker_limit: usize,
    markers: [&'static str; 2],
    naming_arguments: Vec<&'static str>,
    connection_variables: Vec<&'static str>,
    modules: BTreeMap<&'static str, OfModule>,
    ignored: Ignored<'a>,
}

/// The patterns of what the user took out of the verdict: what such tasks set is followed from the start.
#[derive(Serialize)]
struct Ignored<'a> {
    tasks: Vec<&'a str>,
    plays: Vec<&'a str>,
}

/// What is reported of the answers of one module beyond what is reported of all.
#[derive(Serialize)]
struct OfModule {
    arguments: BTreeSet<&'static str>,
    answers: &'static [&'static str],
    disclaimers: &'static [&'static str],
    message: bool,
    /// Arguments that may make its answer no proof, where they are given; `None` where it may be none without any.
    doubtful: Option<BTreeSet<&'static str>>,
    /// Arguments that say only how a difference is put right.
    for_changes: &'static [&'static str],
}

impl OfModule {
    fn new(module: &'static Module) -> Self {
        Self {
            arguments: module.deciding_arguments(),
            answers: module.answers,
            disclaimers: module.disclaimers,
            // Only its message says whether a command was held back.
            message: module.kind == Kind::Command,
            doubtful: module.doubtful_arguments(),
            for_changes: module.for_changes,
        }
    }

    fn is_empty(&self) -> bool {
        let proves = self.doubtful.as_ref().is_some_and(BTreeSet::is_empty);
        let names_nothing = self.arguments.is_empty() && self.answers.is_empty() && self.for_changes.is_empty();
        names_nothing && self.disclaimers.is_empty() && !self.message && proves
    }
}

/// The text of `reported.json`.
///
/// # Errors
/// Never for the type above; serde's signature allows for it.
pub fn json(ignore: &Ignore) -> serde_json::Result<String> {
    let modules = modules::all().map(|module| (module.name, OfModule::new(module)));
    serde_json::to_string(&Reported {
        text_limit: TEXT_LIMIT,
        marker_limit: MARKER_LIMIT,
        markers: [STATUS_MARKER, FILES_MARKER],
        naming_arguments: PATH_ARGUMENTS.into_iter().chain([SOURCE_ARGUMENT]).chain(NAME_ARGUMENTS).collect(),
        connection_variables: SSH_ARGS.into_iter().chain(CONTROL_PATHS).collect(),
        modules: modules.filter(|(_, reported)| !reported.is_empty()).collect(),
        ignored: Ignored {
            tasks: ignore.tasks.iter().map(|waiver| waiver.glob.as_str()).collect(),
            plays: ignore.plays.iter().map(|waiver| waiver.glob.as_str()).collect(),
        },
    })
}
