//! The whole environment of Ansible: what the step was given, without its settings, and what this run adds to it.
//!
//! Not here: how ssh is told of keys and host keys ([`super::ssh`]), and what makes a check faster ([`super::tuning`]).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::ansible::config::AnsibleCfg;
use crate::ansible::passwd::{AccountFiles, NSS_WRAPPER};
use crate::ansible::run_dir::RunDir;
use crate::ansible::ssh::{Configured, SshFiles, ssh_args};
use crate::ansible::tuning::{Resources, tuning};
use crate::settings::{AnsibleSettings, HARDENING};

/// The variables of an environment.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// Every variable of `inherited` that is no setting of the step: `PLUGIN_*` may hold secrets, and no playbook has a use
    /// for them.
    fn without_settings(inherited: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let is_setting = |name: &OsStr| name.as_encoded_bytes().starts_with(b"PLUGIN_");
        Self(inherited.into_iter().filter(|(name, _)| !is_setting(name)).collect())
    }

    /// The value of a variable; an empty one counts as not set.
    fn get(&self, name: &str) -> Option<&OsStr> {
        self.get_even_empty(name).filter(|value| !value.is_empty())
    }

    fn get_even_empty(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.0.insert(name.into(), value.into());
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(OsStr::new(name));
    }

    /// The variables by their names.
    pub fn iter(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }
}

/// Builds the environment. `inherited` is the step's own, `colour` says whether Ansible may colour its output.
pub(super) fn environment(
    ansible: &AnsibleSettings,
    run_dir: &RunDir,
    inherited: impl IntoIterator<Item = (OsString, OsString)>,
    colour: bool,
) -> Environment {
    let mut environment = Environment::without_settings(inherited);
    if let Some(config) = &ansible.ansible_config {
        environment.set("ANSIBLE_CONFIG", config);
    }
    for (name, value) in &ansible.environment {
        environment.set(name, value.expose());
    }
    for (name, value) in &ansible.ansible_env {
        environment.set(name, value);
    }
    for (name, value) in HARDENING {
        environment.set(name, value);
    }
    set_account(&mut environment, run_dir.account());
    let home = environment.get("HOME").map(PathBuf::from);
    let config = AnsibleCfg::find(environment.get("ANSIBLE_CONFIG").map(Path::new), home.as_deref());
    let theirs = configured_plugins(&environment, &config, "callback", home.as_deref());
    environment.set("ANSIBLE_CALLBACK_PLUGINS", before(run_dir.callback_dir(), &theirs));
    if let Some(ours) = run_dir.connection_plugins() {
        let theirs = configured_plugins(&environment, &config, "connection", home.as_deref());
        // A plugin of the user's own that is called `ssh` is what connects, with its reasons.
        if !std::env::split_paths(&theirs).any(|dir| dir.join("ssh.py").exists()) {
            environment.set("ANSIBLE_CONNECTION_PLUGINS", before(ours, &theirs));
        }
    }
    environment.set("ANSIBLE_LOCAL_TEMP", run_dir.local_temp());
    // A module on the controller unpacks itself there, and leaves that behind when it is killed.
    environment.set("TMPDIR", run_dir.local_temp());
    for choice in tuning(|name| environment.get(name).is_some(), &config, Resources::left()) {
        environment.set(choice.variable, choice.value);
    }
    set_host_keys(&mut environment, ansible, run_dir);
    set_ssh(&mut environment, &config, run_dir);
    if let Some(password) = run_dir.vault_password() {
        environment.set("ANSIBLE_VAULT_PASSWORD_FILE", password);
    }
    if !has_utf8_locale(&environment) {
        environment.set("LC_ALL", "C.UTF-8");
    }
    let colour_is_set = ["ANSIBLE_NOCOLOR", "ANSIBLE_FORCE_COLOR"].map(|name| environment.get_even_empty(name));
    if colour && colour_is_set == [None, None] {
        environment.set("ANSIBLE_FORCE_COLOR", "1");
    }
    environment
}

/// A home and a name for a process that has none.
fn set_account(environment: &mut Environment, account: &AccountFiles) {
    if let Some(home) = &account.home {
        environment.set("HOME", home);
    }
    if let (Some(passwd), Some(group)) = (&account.passwd, &account.group) {
        let mut preload = OsString::from(NSS_WRAPPER);
        if let Some(others) = environment.get("LD_PRELOAD") {
            preload.push(":");
            preload.push(others);
        }
        environment.set("LD_PRELOAD", preload);
        environment.set("NSS_WRAPPER_PASSWD", passwd);
        environment.set("NSS_WRAPPER_GROUP", group);
    }
}

/// Whether host keys are checked, also for connections that are not ssh's own: an ansible.cfg may have turned it off.
fn set_host_keys(environment: &mut Environment, ansible: &AnsibleSettings, run_dir: &RunDir) {
    let checking = ansible.ssh.host_key_checking.or(run_dir.known_hosts().map(|_| true));
    if let Some(checking) = checking {
        environment.set("ANSIBLE_HOST_KEY_CHECKING", if checking { "1" } else { "0" });
        environment.remove("ANSIBLE_SSH_HOST_KEY_CHECKING");
    }
}

/// The key, the known hosts and control sockets of this run. The key is an ssh option and not `ANSIBLE_PRIVATE_KEY_FILE`:
/// Ansible resolves that path first, and a file in memory has no other name.
fn set_ssh(environment: &mut Environment, config: &AnsibleCfg, run_dir: &RunDir) {
    // A master of an earlier run would vouch for a host key that this run never saw.
    environment.set("ANSIBLE_SSH_CONTROL_PATH_DIR", run_dir.control_path_dir());
    environment.set("ANSIBLE_SSH_CONTROL_PATH", "%(directory)s/%%C");
    let configured = |key: &str| {
        // An empty variable is a value to Ansible: it turns masters off.
        let variable = environment.get_even_empty(&format!("ANSIBLE_{}", key.to_uppercase()));
        variable.map(|value| value.to_string_lossy().into_owned()).or_else(|| config.value("ssh_connection", key))
    };
    let configured = Configured {
        args: configured("ssh_args"),
        common_args: configured("ssh_common_args"),
        extra_args: configured("ssh_extra_args"),
    };
    let files = SshFiles { private_key: run_dir.private_key(), known_hosts: run_dir.known_hosts() };
    if let Some(args) = ssh_args(files, &configured, run_dir.control_path_dir()) {
        environment.set("ANSIBLE_SSH_ARGS", args);
    }
}

/// Where Ansible would look for plugins of this kind without us, as a colon-separated list.
fn configured_plugins(environment: &Environment, config: &AnsibleCfg, kind: &str, home: Option<&Path>) -> OsString {
    let variable = environment.get(&format!("ANSIBLE_{}_PLUGINS", kind.to_uppercase()));
    variable.map_or_else(|| config.plugins(kind, home).into(), OsStr::to_owned)
}

/// Ours first: a plugin of the same name found earlier would be loaded in its place.
fn before(ours: &Path, theirs: &OsStr) -> OsString {
    let mut list = ours.as_os_str().to_owned();
    if !theirs.is_empty() {
        list.push(":");
        list.push(theirs);
    }
    list
}

/// Ansible refuses to start in a locale that is not UTF-8; with none set at all it chooses one itself.
fn has_utf8_locale(environment: &Environment) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| environment.get(name));
    locale.is_none_or(|locale| {
        let locale = locale.to_string_lossy().to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}
