//! The command lines of Ansible's programs.
//!
//! Not here: their environment ([`super::environment`]), and starting them, which is the process stage's. The file system is
//! looked at only to tell a path from an inline host list.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;

use crate::ansible::environment::{Environment, environment};
use crate::ansible::run_dir::RunDir;
use crate::settings::{AnsibleSettings, Secret, split_commas};

/// Runs the playbook.
pub const ANSIBLE_PLAYBOOK: &str = "ansible-playbook";

/// Installs roles and collections.
pub const ANSIBLE_GALAXY: &str = "ansible-galaxy";

/// One call of one of Ansible's programs.
#[derive(Debug)]
pub struct Invocation {
    /// The program, found on `PATH`.
    pub program: &'static str,
    /// Its arguments, in order.
    pub arguments: Vec<OsString>,
    /// Its whole environment; nothing else is inherited.
    pub environment: Environment,
    /// What it reads from its standard input, if anything.
    pub input: Option<Secret>,
}

/// The call that runs the playbook. `inherited` is the step's own environment, `colour` says whether Ansible may colour its
/// output.
///
/// # Errors
/// When a file that ssh needs cannot be written.
pub fn playbook(
    ansible: &AnsibleSettings,
    run_dir: &RunDir,
    inherited: impl IntoIterator<Item = (OsString, OsString)>,
    colour: bool,
) -> Result<Invocation> {
    Ok(Invocation {
        program: ANSIBLE_PLAYBOOK,
        arguments: playbook_arguments(ansible, run_dir.extra_vars()),
        environment: environment(ansible, run_dir, inherited, colour)?,
        input: ansible.become_password.clone(),
    })
}

/// The call that installs what `galaxy_requirements` lists and is not there yet, in the environment of `playbook`.
pub fn installation(ansible: &AnsibleSettings, playbook: &Invocation) -> Option<Invocation> {
    let requirements = ansible.galaxy_requirements.as_ref()?;
    let mut environment = playbook.environment.clone();
    // It runs no playbook, and a callback that never sees one would leave half a record.
    environment.remove("ANSIBLE_CALLBACK_PLUGINS");
    let arguments = vec!["install".into(), "-r".into(), requirements.into()];
    Some(Invocation { program: ANSIBLE_GALAXY, arguments, environment, input: None })
}

fn playbook_arguments(ansible: &AnsibleSettings, extra_vars: Option<&Path>) -> Vec<OsString> {
    let joined = |list: &[String]| (!list.is_empty()).then(|| list.join(","));
    let flag = |name: &str, is_set: bool| is_set.then(|| OsString::from(name));
    let verbosity = ansible.verbosity as usize;

    let mut arguments: Vec<OsString> = Vec::new();
    arguments.extend(inventories(&ansible.inventory).iter().map(|inventory| option("--inventory", inventory)));
    arguments.extend(ansible.limit.as_ref().map(|limit| option("--limit", limit)));
    arguments.extend(joined(&ansible.tags).map(|tags| option("--tags", &tags)));
    arguments.extend(joined(&ansible.skip_tags).map(|tags| option("--skip-tags", &tags)));
    arguments.extend(extra_vars.map(|file| option("--extra-vars", &format!("@{}", file.display()))));
    arguments.extend(ansible.user.as_ref().map(|user| option("--user", user)));
    arguments.extend(ansible.forks.map(|forks| option("--forks", &forks.to_string())));
    arguments.extend(flag("--check", ansible.check_mode));
    arguments.extend(flag("--diff", ansible.check_mode));
    arguments.extend(flag("--become", ansible.use_become));
    // From standard input: a file in memory has no path that Ansible would not resolve first.
    arguments.extend(flag("--become-password-file=-", ansible.become_password.is_some()));
    arguments.extend(flag(&format!("-{}", "v".repeat(verbosity)), verbosity > 0));
    arguments.extend(ansible.args.iter().map(OsString::from));
    arguments.extend(ansible.playbooks.iter().map(OsString::from));
    arguments
}

/// One word: a value that begins with a dash must not become an option of its own.
fn option(name: &str, value: &str) -> OsString {
    format!("{name}={value}").into()
}

/// Each path that exists is an inventory of its own; any other value is passed whole (`web01,` is a host list).
pub fn inventories(given: &[String]) -> Vec<String> {
    let [value] = given else { return given.to_vec() };
    let parts = split_commas(value);
    if !parts.is_empty() && parts.iter().all(|part| Path::new(part).exists()) { parts } else { vec![value.clone()] }
}
