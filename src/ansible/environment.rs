//! The whole environment of Ansible: what the step was given, without its settings, and what this run adds to it.
//!
//! Not here: how ssh is told of keys and host keys ([`super::ssh_setup`]), and what makes a check faster ([`super::tuning`]).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::ansible::config::AnsibleCfg;
use crate::ansible::passwd::{AccountFiles, NSS_WRAPPER};
use crate::ansible::run_dir::RunDir;
use crate::ansible::ssh_setup;
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

    /// What a program of the system needs that serves Ansible's run and is none of its processes: where programs are, and an
    /// account. Nothing else of ours, which may be secret.
    pub(super) fn minimal<'a>(
        inherited: impl IntoIterator<Item = (&'a OsString, &'a OsString)>,
        account: &AccountFiles,
    ) -> Self {
        let path = inherited.into_iter().filter(|(name, _)| *name == "PATH");
        let mut environment = Self(path.map(|(name, value)| (name.clone(), value.clone())).collect());
        set_account(&mut environment, account);
        environment
    }

    /// Makes it the whole environment of a command.
    pub(super) fn replace_in(&self, command: &mut Command) {
        command.env_clear().envs(&self.0);
    }

    /// The value of a variable; an empty one counts as not set.
    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        self.get_even_empty(name).filter(|value| !value.is_empty())
    }

    pub(super) fn get_even_empty(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<OsString>) {
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

/// Builds the environment, and the files that ssh needs. `inherited` is the step's own, `colour` says whether Ansible may
/// colour its output.
///
/// # Errors
/// When a file cannot be written.
pub(super) fn environment(
    ansible: &AnsibleSettings,
    run_dir: &RunDir,
    inherited: impl IntoIterator<Item = (OsString, OsString)>,
    colour: bool,
) -> Result<Environment> {
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
    let callback_plugins = plugin_path(&environment, &config, "callback", run_dir.callback_dir());
    environment.set("ANSIBLE_CALLBACK_PLUGINS", callback_plugins);
    if let Some(dir) = run_dir.connection_plugins() {
        let connection_plugins = plugin_path(&environment, &config, "connection", dir);
        environment.set("ANSIBLE_CONNECTION_PLUGINS", connection_plugins);
    }
    environment.set("ANSIBLE_LOCAL_TEMP", run_dir.local_temp());
    // A module on the controller unpacks itself there, and leaves that behind when it is killed.
    environment.set("TMPDIR", run_dir.local_temp());
    for choice in tuning(|name| environment.get(name).is_some(), &config, Resources::left()) {
        environment.set(choice.variable, choice.value);
    }
    set_host_keys(&mut environment, ansible, run_dir);
    ssh_setup::set_up(&mut environment, &config, ansible.ssh.host_key_checking, run_dir)?;
    set_vaults(&mut environment, &config, run_dir);
    if !has_utf8_locale(&environment) {
        environment.set("LC_ALL", "C.UTF-8");
    }
    let colour_is_set = ["ANSIBLE_NOCOLOR", "ANSIBLE_FORCE_COLOR"].map(|name| environment.get_even_empty(name));
    if colour && colour_is_set == [None, None] {
        environment.set("ANSIBLE_FORCE_COLOR", "1");
    }
    Ok(environment)
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

/// The password files of the vaults. Ansible asks those of ids before the one of `vault_password`.
fn set_vaults(environment: &mut Environment, config: &AnsibleCfg, run_dir: &RunDir) {
    if let Some(password) = run_dir.vault_password() {
        environment.set("ANSIBLE_VAULT_PASSWORD_FILE", password);
    }
    let mut ids: Vec<String> = run_dir.vault_ids().collect();
    if !ids.is_empty() {
        let variable = environment.get("ANSIBLE_VAULT_IDENTITY_LIST").and_then(OsStr::to_str).map(str::to_owned);
        ids.extend(variable.or_else(|| config.value("defaults", "vault_identity_list")));
        environment.set("ANSIBLE_VAULT_IDENTITY_LIST", ids.join(","));
    }
}

/// Ours first: a plugin of the same name found earlier would be loaded in its place.
fn plugin_path(environment: &Environment, config: &AnsibleCfg, kind: &str, ours: &Path) -> OsString {
    let mut list = ours.as_os_str().to_owned();
    let configured = environment.get(&format!("ANSIBLE_{}_PLUGINS", kind.to_uppercase())).map_or_else(
        || config.plugins(kind, environment.get("ANSIBLE_HOME").and_then(OsStr::to_str)).into(),
        OsStr::to_owned,
    );
    if !configured.is_empty() {
        list.push(":");
        list.push(configured);
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
