//! What `ansible-playbook` is asked to do, and how it reaches the servers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::settings::read::Reader;
use crate::settings::secret::{Secret, Secrets};
use crate::settings::{ssh_key, table};

/// `ANSIBLE_*` variables that the verdict depends on.
pub(crate) const HARDENING: &[(&str, &str)] = &[
    // A pattern or limit that names nothing is only a warning to Ansible, and exit 0.
    ("ANSIBLE_HOST_PATTERN_MISMATCH", "error"),
    ("ANSIBLE_INVENTORY_UNPARSED_FAILED", "1"),
    ("ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED", "1"),
];

/// Extra variables are secret where their name says so: most of them are paths and host names.
const SECRET_NAMES: [&str; 6] = ["pass", "secret", "token", "key", "credential", "private"];

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
    /// Further arguments, each as typed.
    pub args: Vec<String>,
    /// How long the whole run may take.
    pub timeout: Duration,
    /// The file that lists the roles and collections to install first.
    pub galaxy_requirements: Option<String>,
    /// How servers are reached.
    pub ssh: Ssh,
    /// The password of vaulted variables.
    pub vault_password: Option<Secret>,
}

/// How servers are reached over ssh.
#[derive(Debug, Default)]
pub struct Ssh {
    /// The private key, repaired, with its last line end.
    pub private_key: Option<Secret>,
    /// The `known_hosts` lines, with their last line end; host keys are then checked strictly.
    pub known_hosts: Option<String>,
    /// Whether Ansible checks host keys; its own default where it is not set.
    pub host_key_checking: Option<bool>,
}

/// Extra variables as the text of one JSON object. `Debug` shows their names alone.
pub struct ExtraVars {
    json: String,
    names: Vec<String>,
}

impl AnsibleSettings {
    /// Reads them from what was typed.
    pub(super) fn read(reader: &mut Reader) -> Self {
        let playbooks = reader.list(&table::PLAYBOOK);
        if playbooks.is_empty() && reader.text(&table::PLAYBOOK).is_none() {
            reader.problem(&table::PLAYBOOK, "is not set; name the playbook to run, such as ansible/site.yml");
        }
        let limit = reader.list(&table::LIMIT);
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
            ansible_env: ansible_env(reader),
            args: arguments(reader),
            timeout: reader.duration(&table::TIMEOUT),
            galaxy_requirements: reader.text(&table::GALAXY_REQUIREMENTS),
            ssh: Ssh::read(reader),
            vault_password: reader.secret(&table::VAULT_PASSWORD),
        }
    }
}

impl Ssh {
    fn read(reader: &mut Reader) -> Self {
        let private_key =
            reader.secret(&table::SSH_PRIVATE_KEY).and_then(|typed| match ssh_key::repaired(typed.expose()) {
                Ok(key) => Some(reader.secrets.keep(key)),
                Err(problem) => {
                    reader.problem(&table::SSH_PRIVATE_KEY, problem);
                    None
                }
            });
        let known_hosts = reader.text(&table::SSH_KNOWN_HOSTS).map(|lines| lines.replace("\r\n", "\n") + "\n");
        let host_key_checking = reader.optional_flag(&table::HOST_KEY_CHECKING);
        if known_hosts.is_some() && host_key_checking == Some(false) {
            reader.problem(
                &table::SSH_KNOWN_HOSTS,
                "is set and `host_key_checking` is false: one asks for strict checking, the other for none; remove one",
            );
        }
        Self { private_key, known_hosts, host_key_checking }
    }
}

impl ExtraVars {
    fn read(reader: &mut Reader) -> Option<Self> {
        let typed = reader.text(&table::EXTRA_VARS)?;
        let map = if typed.starts_with('{') { reader.map(&table::EXTRA_VARS) } else { key_value_items(reader) };
        for (name, value) in &map {
            keep_secrets(&mut reader.secrets, value, is_secret_name(name));
        }
        Some(Self { names: map.keys().cloned().collect(), json: Value::Object(map).to_string() })
    }

    /// The text of one JSON object.
    pub fn json(&self) -> &str {
        &self.json
    }
}

impl fmt::Debug for ExtraVars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.names).finish()
    }
}

fn key_value_items(reader: &mut Reader) -> Map<String, Value> {
    let mut map = Map::new();
    for item in reader.list(&table::EXTRA_VARS) {
        match item.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                map.insert(name.trim().to_owned(), Value::String(value.to_owned()));
            }
            _ => reader.problem(&table::EXTRA_VARS, "is ***; write a map, or items such as key=value"),
        }
    }
    map
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// Keeps every text below a secret name, at any depth.
fn keep_secrets(secrets: &mut Secrets, value: &Value, secret: bool) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                keep_secrets(secrets, value, secret || is_secret_name(name));
            }
        }
        Value::Array(list) => list.iter().for_each(|value| keep_secrets(secrets, value, secret)),
        Value::String(text) if secret => drop(secrets.keep(text.as_str())),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
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
            format!("is {value:?}; quotes are not read here; write a list with one argument per item"),
        );
        return Vec::new();
    }
    value.split_whitespace().map(str::to_owned).collect()
}

fn ansible_env(reader: &mut Reader) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for (name, value) in reader.flat_map(&table::ANSIBLE_ENV) {
        let problem = if !name.starts_with("ANSIBLE_") || name.contains(['=', '\0']) {
            "takes only names that begin with ANSIBLE_"
        } else if HARDENING.iter().any(|(hardened, _)| *hardened == name) {
            "would switch off what the verdict depends on"
        } else if value.contains('\0') {
            "holds a NUL byte, which no variable can carry"
        } else {
            variables.insert(name, value);
            continue;
        };
        reader.problem(&table::ANSIBLE_ENV, format!("{problem}: `{name}`; remove it"));
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_vars_are_secret_by_their_names() {
        let mut reader = Reader::default();
        let typed = r#"{"etc":"/etc","db":{"Password":"deep"},"tokens":["one","two"],"key":{"a":{"b":"below"}}}"#;
        reader.typed.insert("extra_vars", typed.to_owned());
        let vars = ExtraVars::read(&mut reader).unwrap();
        assert_eq!(reader.secrets.texts().collect::<Vec<_>>(), ["deep", "below", "one", "two"]);
        assert_eq!(format!("{vars:?}"), r#"{"db", "etc", "key", "tokens"}"#);
    }
}
