//! The settings as one `ansible-playbook` call: its arguments and its whole environment. Starts nothing, and looks at
//! the file system only to tell a path from an inline host list and to name what is missing.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use rustix::process::Pid;

use crate::ansible::config::AnsibleCfg;
use crate::ansible::passwd::NSS_WRAPPER;
use crate::ansible::run_dir::RunDir;
use crate::ansible::ssh::{Configured, SshFiles, ssh_args};
use crate::ansible::tuning;
use crate::settings::{AnsibleSettings, HARDENING, split_commas};

/// What runs the playbook.
pub const PROGRAM: &str = "ansible-playbook";

/// What installs roles and collections.
const GALAXY: &str = "ansible-galaxy";

/// One call of `ansible-playbook`, or of `ansible-galaxy` before it.
#[derive(Debug)]
pub struct Invocation {
    /// The program, found on `PATH`.
    pub program: &'static str,
    /// Its arguments, in order.
    pub arguments: Vec<OsString>,
    /// Its whole environment; nothing else is inherited.
    pub environment: BTreeMap<OsString, OsString>,
    /// The process that is not ended with the run.
    pub cleanup: Pid,
}

/// Builds the call. `inherited` is the step's own environment, `colour` whether Ansible may colour its output.
pub fn invocation(
    ansible: &AnsibleSettings,
    run_dir: &RunDir,
    inherited: impl IntoIterator<Item = (OsString, OsString)>,
    colour: bool,
) -> Invocation {
    let environment = environment(ansible, run_dir, inherited, colour);
    Invocation { program: PROGRAM, arguments: arguments(ansible, run_dir), environment, cleanup: run_dir.cleanup() }
}

/// The call that installs what `galaxy_requirements` lists and is not there yet, in the environment of `main`.
pub fn installation(ansible: &AnsibleSettings, main: &Invocation) -> Option<Invocation> {
    let requirements = ansible.galaxy_requirements.as_ref()?;
    let arguments = vec!["install".into(), "-r".into(), requirements.into()];
    let mut environment = main.environment.clone();
    // It runs no playbook, and a callback that never sees one would leave half a record.
    environment.remove(OsStr::new("ANSIBLE_CALLBACK_PLUGINS"));
    Some(Invocation { program: GALAXY, arguments, environment, cleanup: main.cleanup })
}

fn arguments(ansible: &AnsibleSettings, run_dir: &RunDir) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut option = |name: &str, value: &OsStr| {
        // One word each: a value that begins with a dash must not become an option.
        let mut argument = OsString::from(format!("--{name}="));
        argument.push(value);
        arguments.push(argument);
    };
    for inventory in inventories(&ansible.inventory) {
        option("inventory", inventory.as_ref());
    }
    if let Some(limit) = &ansible.limit {
        option("limit", limit.as_ref());
    }
    if !ansible.tags.is_empty() {
        option("tags", ansible.tags.join(",").as_ref());
    }
    if !ansible.skip_tags.is_empty() {
        option("skip-tags", ansible.skip_tags.join(",").as_ref());
    }
    if let Some(path) = run_dir.extra_vars() {
        option("extra-vars", format!("@{}", path.display()).as_ref());
    }
    if let Some(user) = &ansible.user {
        option("user", user.as_ref());
    }
    if let Some(forks) = ansible.forks {
        option("forks", forks.to_string().as_ref());
    }
    if ansible.check_mode {
        arguments.extend(["--check".into(), "--diff".into()]);
    }
    if ansible.use_become {
        arguments.push("--become".into());
    }
    if ansible.verbosity > 0 {
        arguments.push(format!("-{}", "v".repeat(ansible.verbosity as usize)).into());
    }
    arguments.extend(ansible.args.iter().map(OsString::from));
    arguments.extend(ansible.playbooks.iter().map(OsString::from));
    arguments
}

/// Each path that exists is an inventory of its own; any other value is passed whole (`web01,` is a host list).
pub fn inventories(given: &[String]) -> Vec<String> {
    let [value] = given else { return given.to_vec() };
    let parts = split_commas(value);
    if !parts.is_empty() && parts.iter().all(|part| Path::new(part).exists()) { parts } else { vec![value.clone()] }
}

fn environment(
    ansible: &AnsibleSettings,
    run_dir: &RunDir,
    inherited: impl IntoIterator<Item = (OsString, OsString)>,
    colour: bool,
) -> BTreeMap<OsString, OsString> {
    // PLUGIN_* may hold secrets, and no playbook has a use for them.
    let mut environment: BTreeMap<OsString, OsString> =
        inherited.into_iter().filter(|(name, _)| !name.as_encoded_bytes().starts_with(b"PLUGIN_")).collect();
    if let Some(config) = &ansible.ansible_config {
        environment.insert("ANSIBLE_CONFIG".into(), config.into());
    }
    for (name, value) in &ansible.ansible_env {
        environment.insert(name.into(), value.into());
    }
    for (name, value) in HARDENING {
        environment.insert(name.into(), value.into());
    }
    person(&mut environment, run_dir);
    let home = variable(&environment, "HOME").map(PathBuf::from);
    let config = AnsibleCfg::find(variable(&environment, "ANSIBLE_CONFIG").map(Path::new), home.as_deref());
    let callbacks = callback_plugins(&environment, &config, home.as_deref(), run_dir);
    environment.insert("ANSIBLE_CALLBACK_PLUGINS".into(), callbacks);
    environment.insert("ANSIBLE_LOCAL_TEMP".into(), run_dir.local_temp().into());
    // A module on the controller unpacks itself there, and leaves that behind when it is killed.
    environment.insert("TMPDIR".into(), run_dir.local_temp().into());
    for (name, value) in
        tuning::tuning(|name| variable(&environment, name).is_some(), &config, tuning::Resources::left())
    {
        environment.insert(name.into(), value.into());
    }
    reach(&mut environment, &config, ansible, run_dir);
    if let Some(password) = run_dir.vault_password() {
        environment.insert("ANSIBLE_VAULT_PASSWORD_FILE".into(), password.into());
    }
    if !utf8_locale(&environment) {
        environment.insert("LC_ALL".into(), "C.UTF-8".into());
    }
    if colour && !environment.contains_key(OsStr::new("ANSIBLE_NOCOLOR")) {
        environment.entry("ANSIBLE_FORCE_COLOR".into()).or_insert_with(|| "1".into());
    }
    environment
}

/// A home and a name for a process that has none.
fn person(environment: &mut BTreeMap<OsString, OsString>, run_dir: &RunDir) {
    if let Some(home) = run_dir.home() {
        environment.insert("HOME".into(), home.into());
    }
    if let Some(passwd) = run_dir.passwd() {
        let mut preloaded = OsString::from(NSS_WRAPPER);
        if let Some(theirs) = variable(environment, "LD_PRELOAD") {
            preloaded.push(":");
            preloaded.push(theirs);
        }
        environment.insert("LD_PRELOAD".into(), preloaded);
        environment.insert("NSS_WRAPPER_PASSWD".into(), passwd.into());
        environment.insert("NSS_WRAPPER_GROUP".into(), passwd.with_file_name("group").into());
    }
}

/// How servers are reached. The key is an ssh option and not `ANSIBLE_PRIVATE_KEY_FILE`: Ansible resolves that path first,
/// and a file in memory has no other name.
fn reach(
    environment: &mut BTreeMap<OsString, OsString>,
    config: &AnsibleCfg,
    ansible: &AnsibleSettings,
    run_dir: &RunDir,
) {
    // A master of an earlier run would vouch for a host key that this run never saw.
    environment.insert("ANSIBLE_SSH_CONTROL_PATH_DIR".into(), run_dir.control_path_dir().into());
    environment.insert("ANSIBLE_SSH_CONTROL_PATH".into(), "%(directory)s/%%C".into());
    // Also for connections that are not ssh's own: an ansible.cfg may have turned it off.
    let checking = ansible.ssh.host_key_checking.or(run_dir.known_hosts().map(|_| true));
    if let Some(checking) = checking {
        environment.insert("ANSIBLE_HOST_KEY_CHECKING".into(), if checking { "1" } else { "0" }.into());
        environment.remove(OsStr::new("ANSIBLE_SSH_HOST_KEY_CHECKING"));
    }
    let said = |name: &str| {
        let variable = environment.get(OsStr::new(&format!("ANSIBLE_{}", name.to_uppercase())));
        // An empty variable is a value to Ansible: it turns masters off.
        variable.map(|value| value.to_string_lossy().into_owned()).or_else(|| config.value("ssh_connection", name))
    };
    let theirs =
        Configured { args: said("ssh_args"), common_args: said("ssh_common_args"), extra_args: said("ssh_extra_args") };
    let ours = SshFiles { private_key: run_dir.private_key(), known_hosts: run_dir.known_hosts() };
    if let Some(args) = ssh_args(ours, &theirs, &run_dir.control_path_dir()) {
        environment.insert("ANSIBLE_SSH_ARGS".into(), args.into());
    }
}

fn variable<'a>(environment: &'a BTreeMap<OsString, OsString>, name: &str) -> Option<&'a OsString> {
    environment.get(OsStr::new(name)).filter(|value| !value.is_empty())
}

/// Ours first: a plugin of the same name found earlier would be loaded in its place.
fn callback_plugins(
    environment: &BTreeMap<OsString, OsString>,
    config: &AnsibleCfg,
    home: Option<&Path>,
    run_dir: &RunDir,
) -> OsString {
    let mut list = run_dir.callback_dir().as_os_str().to_owned();
    let theirs = variable(environment, "ANSIBLE_CALLBACK_PLUGINS").cloned();
    let theirs = theirs.unwrap_or_else(|| config.callback_plugins(home).into());
    if !theirs.is_empty() {
        list.push(":");
        list.push(theirs);
    }
    list
}

/// Ansible refuses to start in a locale that is not UTF-8; with none set at all it chooses one itself.
fn utf8_locale(environment: &BTreeMap<OsString, OsString>) -> bool {
    let set = |name: &str| variable(environment, name);
    match set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")) {
        None => true,
        Some(locale) => {
            let locale = locale.to_string_lossy().to_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        }
    }
}

/// What is named in the settings and not there, as a sentence; looked at before anything is started.
pub fn missing(ansible: &AnsibleSettings) -> Option<String> {
    for playbook in &ansible.playbooks {
        let path = Path::new(playbook);
        if path.is_dir() {
            return Some(format!("playbook `{playbook}` is a directory; name the .yml file in it"));
        }
        if !path.exists() && !in_a_collection(playbook) {
            return Some(format!(
                "playbook `{playbook}` does not exist in {}; check the path, which is relative to the repository",
                working_directory()
            ));
        }
    }
    for inventory in inventories(&ansible.inventory) {
        let path = Path::new(&inventory);
        if !inventory.contains(',') && !path.exists() {
            return Some(format!(
                "inventory `{inventory}` does not exist in {}; check the path, or write `{inventory},` for a host of that name",
                working_directory()
            ));
        }
        if path.is_file() {
            if let Err(error) = std::fs::File::open(path) {
                return Some(format!("inventory `{inventory}` cannot be read: {error}; check its owner and mode"));
            }
        }
    }
    if let Some(requirements) = ansible.galaxy_requirements.as_ref().filter(|path| !Path::new(path).exists()) {
        return Some(format!(
            "`galaxy_requirements` names `{requirements}`, which does not exist in {}",
            working_directory()
        ));
    }
    match &ansible.ansible_config {
        Some(config) if !Path::new(config).exists() => {
            Some(format!("`ansible_config` names `{config}`, which does not exist in {}", working_directory()))
        }
        _ => None,
    }
}

/// `namespace.collection.playbook`, which Ansible finds among the installed collections.
fn in_a_collection(playbook: &str) -> bool {
    let parts: Vec<_> = playbook.split('.').collect();
    let word = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_');
    parts.len() >= 3 && parts.iter().all(word) && !["yml", "yaml"].contains(&parts[parts.len() - 1])
}

fn working_directory() -> String {
    std::env::current_dir().map_or_else(|_| "the working directory".to_owned(), |path| format!("`{}`", path.display()))
}
