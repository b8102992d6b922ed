//! What the callback may report of a run: names of arguments and variables, beginnings of markers, limits of length. It
//! reads them from the file `reported.json` beside it, so that both languages know the same.
//!
//! No other argument of a task and no other variable of a host leaves Ansible: they may be secret.

use serde::Serialize;

use crate::ansible::modules;

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
struct Reported {
    text_limit: usize,
    marker_limit: usize,
    markers: [&'static str; 2],
    naming_arguments: Vec<&'static str>,
    deciding_arguments: Vec<&'static str>,
    connection_variables: Vec<&'static str>,
}

/// The text of `reported.json`.
///
/// # Errors
/// Never for the type above; serde's signature allows for it.
pub fn json() -> serde_json::Result<String> {
    serde_json::to_string(&Reported {
        text_limit: TEXT_LIMIT,
        marker_limit: MARKER_LIMIT,
        markers: [STATUS_MARKER, FILES_MARKER],
        naming_arguments: PATH_ARGUMENTS.into_iter().chain([SOURCE_ARGUMENT]).chain(NAME_ARGUMENTS).collect(),
        deciding_arguments: modules::DECIDING_ARGUMENTS.to_vec(),
        connection_variables: SSH_ARGS.into_iter().chain(CONTROL_PATHS).collect(),
    })
}
