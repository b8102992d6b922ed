//! What `ansible-playbook` is asked to do.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::settings::access::{Ssh, Vaults};
use crate::settings::read::Reader;
use crate::settings::secret::Secret;
use crate::settings::table;
use crate::settings::variables::{self, ExtraVars};

/// What `ansible-playbook` is asked to do.
#[derive(Debug)]
pub struct AnsibleSettings {
    /// Playbooks, at least one, as typed.
    pub playbooks: Vec<String>,
    /// Where the hosts are listed; empty means Ansible's own default.
    pub inventory: Vec<String>,
    /// Whether Ansible runs with `--check --diff`.
    pub check_mode: bool,
    /// Ansible's `--limit`, its parts joined by commas.
    pub limit: Option<String>,
    /// Ansible's `--tags`.
    pub tags: Vec<String>,
    /// Ansible's `--skip-tags`.
    pub skip_tags: Vec<String>,
    /// Extra variables.
    pub extra_vars: Option<ExtraVars>,
    /// The remote user.
    pub user: Option<String>,
    /// Whether to pass `--become`.
    pub use_become: bool,
    /// Ansible's `--forks`.
    pub forks: Option<u32>,
    /// How many `-v` to pass.
    pub verbosity: u32,
    /// Path of the `ansible.cfg` to use.
    pub ansible_config: Option<String>,
    /// Further `ANSIBLE_*` variables.
    pub ansible_env: BTreeMap<String, String>,
    /// Further variables of Ansible's environment, whose values are secret.
    pub environment: BTreeMap<String, Secret>,
    /// Whether one Python stays on each server for the length of the check.
    pub accelerate: bool,
    /// Further arguments, each as typed.
    pub args: Vec<String>,
    /// How long the whole run may take.
    pub timeout: Duration,
    /// The file that lists the roles and collections to install first.
    pub galaxy_requirements: Option<String>,
    /// How servers are reached.
    pub ssh: Ssh,
    /// The password that sudo and the like ask for.
    pub become_password: Option<Secret>,
    /// The passwords of vaults.
    pub vaults: Vaults,
}

impl AnsibleSettings {
    /// Reads them from what was typed.
    pub(super) fn read(reader: &mut Reader) -> Self {
        let playbooks = reader.list(&table::PLAYBOOK);
        if reader.text(&table::PLAYBOOK).is_none() {
            reader.problem(&table::PLAYBOOK, "is not set; name the playbook to run, such as ansible/site.yml");
        }
        let limit = reader.list(&table::LIMIT);
        let ansible_env = variables::ansible_env(reader);
        Self {
            playbooks,
            inventory: inventory(reader),
            check_mode: reader.flag(&table::CHECK),
            limit: (!limit.is_empty()).then(|| limit.join(",")),
            tags: reader.list(&table::TAGS),
            skip_tags: reader.list(&table::SKIP_TAGS),
            extra_vars: ExtraVars::read(reader),
            user: reader.text(&table::USER),
            use_become: reader.flag(&table::BECOME),
            forks: reader.number(&table::FORKS, 1, 10_000),
            verbosity: reader.number(&table::VERBOSITY, 0, 6).unwrap_or_default(),
            ansible_config: reader.text(&table::ANSIBLE_CONFIG),
            environment: variables::environment(reader, &ansible_env),
            ansible_env,
            accelerate: reader.flag(&table::ACCELERATE),
            args: arguments(reader),
            timeout: reader.duration(&table::TIMEOUT),
            galaxy_requirements: reader.text(&table::GALAXY_REQUIREMENTS),
            ssh: Ssh::read(reader),
            become_password: reader.secret(&table::BECOME_PASSWORD),
            vaults: Vaults::read(reader),
        }
    }
}

/// Kept in both readings: where the parts are no paths, the whole value is Ansible's to read.
fn inventory(reader: &mut Reader) -> Vec<String> {
    match reader.text(&table::INVENTORY) {
        Some(value) if !value.starts_with('[') => vec![value],
        _ => reader.list(&table::INVENTORY),
    }
}

/// One item is one argument. A value without a comma is words, as on a command line.
fn arguments(reader: &mut Reader) -> Vec<String> {
    let Some(value) = reader.text(&table::ARGS) else { return Vec::new() };
    if value.starts_with('[') || value.contains(',') {
        return reader.list(&table::ARGS);
    }
    if value.contains(['"', '\'', '\\']) && value.contains(char::is_whitespace) {
        reader.problem(
            &table::ARGS,
            format!("is {value:?}; quotes are not supported here; write a list with one argument per item"),
        );
        return Vec::new();
    }
    value.split_whitespace().map(str::to_owned).collect()
}
