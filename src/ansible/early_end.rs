//! What often ends Ansible before it has run anything: a callback plugin that it cannot load, and files in an inventory
//! directory that are no inventories.
//!
//! Ansible says itself which of them it was. Not here: reading that; what is found here is only what may be behind it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::ansible::command::inventories;
use crate::ansible::config::AnsibleCfg;
use crate::settings::AnsibleSettings;

/// The callbacks for standard output that ansible-core brings itself.
const OF_ANSIBLE_CORE: [&str; 5] = ["default", "minimal", "oneline", "tree", "junit"];

/// Something in the settings or the configuration that may have kept Ansible from starting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suspect {
    /// A callback for standard output that ansible-core alone does not have, by its name.
    StdoutCallback(String),
    /// An inventory that is a directory, every file of which Ansible reads, by its path.
    InventoryDirectory(String),
}

/// What may have ended a run that never began. `inherited` is the step's own environment.
pub fn suspects(ansible: &AnsibleSettings, inherited: &[(OsString, OsString)]) -> Vec<Suspect> {
    let variable = |name: &str| inherited.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let config = ansible.ansible_config.as_ref().map(PathBuf::from);
    let config = config.or_else(|| variable("ANSIBLE_CONFIG").map(PathBuf::from));
    let config = AnsibleCfg::find(config.as_deref(), variable("HOME").map(Path::new));
    let callback = ansible.ansible_env.get("ANSIBLE_STDOUT_CALLBACK").cloned();
    let callback = callback.or_else(|| variable("ANSIBLE_STDOUT_CALLBACK")?.to_str().map(str::to_owned));
    let callback = callback.or_else(|| config.value("defaults", "stdout_callback"));
    let callback = callback.filter(|name| !is_of_ansible_core(name)).map(Suspect::StdoutCallback);
    let directories = inventories(&ansible.inventory).into_iter().filter(|path| Path::new(path).is_dir());
    callback.into_iter().chain(directories.map(Suspect::InventoryDirectory)).collect()
}

fn is_of_ansible_core(callback: &str) -> bool {
    let name = callback.strip_prefix("ansible.builtin.").unwrap_or(callback);
    OF_ANSIBLE_CORE.contains(&name)
}
