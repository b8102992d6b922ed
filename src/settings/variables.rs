//! Variables that the user hands to Ansible: extra variables, and those of its environment.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::settings::read::Reader;
use crate::settings::secret::{Secret, Secrets};
use crate::settings::table::{self, Setting};

/// `ANSIBLE_*` variables that the verdict depends on.
pub(crate) const HARDENING: &[(&str, &str)] = &[
    // A pattern or limit that names nothing is judged here: `ignore_plays` may name its play.
    ("ANSIBLE_HOST_PATTERN_MISMATCH", "warning"),
    ("ANSIBLE_INVENTORY_UNPARSED_FAILED", "1"),
    ("ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED", "1"),
];

/// Variables that the plugin sets for Ansible itself, with the setting to use instead.
const SET_BY_PLUGIN: &[(&str, &str)] = &[
    ("ANSIBLE_BECOME_PASSWORD_FILE", "become_password"),
    ("ANSIBLE_CALLBACK_PLUGINS", "ansible_env"),
    ("ANSIBLE_CONFIG", "ansible_config"),
    ("ANSIBLE_CONNECTION_PASSWORD_FILE", "ssh_private_key"),
    ("ANSIBLE_HOST_KEY_CHECKING", "host_key_checking"),
    ("ANSIBLE_LOCAL_TEMP", ""),
    ("ANSIBLE_SSH_ARGS", "ansible_env"),
    ("ANSIBLE_SSH_CONTROL_PATH", ""),
    ("ANSIBLE_SSH_CONTROL_PATH_DIR", ""),
    ("ANSIBLE_SSH_HOST_KEY_CHECKING", "host_key_checking"),
    ("ANSIBLE_VAULT_IDENTITY_LIST", "vault_passwords"),
    ("ANSIBLE_VAULT_PASSWORD_FILE", "vault_password"),
    ("HOME", ""),
    ("LC_ALL", ""),
    ("LD_PRELOAD", ""),
    ("NSS_WRAPPER_GROUP", ""),
    ("NSS_WRAPPER_PASSWD", ""),
    ("PATH", ""),
    ("TMPDIR", ""),
];

/// Parts of a name that say that a value is secret. Most variables are paths and host names.
const SECRET_NAMES: [&str; 6] = ["pass", "secret", "token", "key", "credential", "private"];

/// Extra variables as the text of one JSON object. `Debug` shows their names alone.
pub struct ExtraVars {
    json: String,
    names: Vec<String>,
}

impl ExtraVars {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
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

/// `ansible_env`: `ANSIBLE_*` variables that may be seen.
pub(super) fn ansible_env(reader: &mut Reader) -> BTreeMap<String, String> {
    let setting = &table::ANSIBLE_ENV;
    let mut variables = BTreeMap::new();
    for (name, value) in reader.flat_map(setting) {
        if !name.starts_with("ANSIBLE_") {
            let name = name.escape_debug();
            reader
                .problem(setting, format!("takes only names that begin with ANSIBLE_; move `{name}` to `environment`"));
        } else if is_carried(reader, setting, &name, &value) && !is_hardened(reader, setting, &name) {
            if looks_secret(&name, &value) {
                reader.warnings.push(format!(
                    "`{name}` in `ansible_env` is not kept secret; if it is a secret, move it to \
                     `environment`"
                ));
            }
            variables.insert(name, value);
        }
    }
    variables
}

/// `environment`: variables whose values are secret. `public` are those of `ansible_env`.
pub(super) fn environment(reader: &mut Reader, public: &BTreeMap<String, String>) -> BTreeMap<String, Secret> {
    let setting = &table::ENVIRONMENT;
    let mut variables = BTreeMap::new();
    for (name, value) in reader.flat_map(setting) {
        let set_by_plugin = SET_BY_PLUGIN.iter().find(|(set, _)| *set == name);
        if ["PLUGIN_", "CI_"].iter().any(|prefix| name.starts_with(prefix)) {
            reader.problem(setting, format!("contains `{name}`; names that begin with PLUGIN_ or CI_ are not allowed"));
        } else if let Some((_, instead)) = set_by_plugin {
            let instead = if instead.is_empty() { "remove it".to_owned() } else { format!("use `{instead}` instead") };
            reader.problem(setting, format!("contains `{name}`, which the plugin sets itself; {instead}"));
        } else if public.contains_key(&name) {
            reader.problem(setting, format!("and `ansible_env` both contain `{name}`; remove one of them"));
        } else if is_carried(reader, setting, &name, &value) && !is_hardened(reader, setting, &name) {
            let value = reader.secrets.keep(value);
            variables.insert(name, value);
        }
    }
    variables
}

/// Whether a process can be given the variable; else a problem.
fn is_carried(reader: &mut Reader, setting: &Setting, name: &str, value: &str) -> bool {
    if name.is_empty() || name.contains(['=', '\0']) {
        reader.problem(setting, format!("contains {name:?}, which is not the name of a variable"));
        return false;
    }
    if value.contains('\0') {
        reader
            .problem(setting, format!("contains a NUL byte in the value of `{name}`, which a variable cannot contain"));
        return false;
    }
    true
}

/// Whether the verdict depends on the variable; then it is a problem.
fn is_hardened(reader: &mut Reader, setting: &Setting, name: &str) -> bool {
    let hardened = HARDENING.iter().any(|(hardened, _)| *hardened == name);
    if hardened {
        reader.problem(setting, format!("contains `{name}`, which the status depends on; remove it"));
    }
    hardened
}

/// Whether name and value look like a secret and not like the path of one or a switch.
fn looks_secret(name: &str, value: &str) -> bool {
    let is_switch = ["", "0", "1", "true", "false", "yes", "no", "on", "off"].contains(&value.to_lowercase().as_str());
    let is_path =
        value.starts_with(['/', '~', '.']) || ["_FILE", "_PATH", "_DIR"].iter().any(|end| name.ends_with(end));
    let last = name.rsplit('_').next().unwrap_or_default();
    let named =
        ["TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "CREDENTIAL"].iter().any(|part| name.contains(part))
            || ["KEY", "PASS"].contains(&last);
    named && !is_switch && !is_path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(setting: &'static str, typed: &str) -> Reader {
        let mut reader = Reader::default();
        reader.typed.insert(setting, typed.to_owned());
        reader
    }

    #[test]
    fn extra_vars_are_secret_by_their_names() {
        let typed = r#"{"etc":"/etc","db":{"Password":"deep"},"tokens":["one","two"],"key":{"a":{"b":"below"}}}"#;
        let mut reader = reader("extra_vars", typed);
        let vars = ExtraVars::read(&mut reader).unwrap();
        assert_eq!(reader.secrets.texts().collect::<Vec<_>>(), ["deep", "below", "one", "two"]);
        assert_eq!(format!("{vars:?}"), r#"{"db", "etc", "key", "tokens"}"#);
    }

    #[test]
    fn every_value_of_environment_is_secret() {
        let mut reader = reader("environment", r#"{"HCLOUD_TOKEN":"t0ken","ANSIBLE_HASHI_VAULT_TOKEN":"v","N":7}"#);
        let variables = environment(&mut reader, &BTreeMap::new());
        assert_eq!(variables.keys().collect::<Vec<_>>(), ["ANSIBLE_HASHI_VAULT_TOKEN", "HCLOUD_TOKEN", "N"]);
        assert_eq!(reader.secrets.texts().collect::<Vec<_>>(), ["v", "t0ken", "7"]);
        assert!(reader.problems.is_empty(), "{:?}", reader.problems);
    }

    #[test]
    fn environment_takes_nothing_that_the_plugin_or_woodpecker_sets() {
        for (name, said) in [
            ("PLUGIN_REPO_NAME", "not allowed"),
            ("CI_COMMIT_SHA", "not allowed"),
            ("ANSIBLE_VAULT_PASSWORD_FILE", "use `vault_password` instead"),
            ("ANSIBLE_HOST_PATTERN_MISMATCH", "the status depends on"),
            ("TMPDIR", "remove it"),
            ("ANSIBLE_FORKS", "both contain"),
            ("", "not the name of a variable"),
            ("A=B", "not the name of a variable"),
        ] {
            let mut reader = reader("environment", &format!(r#"{{"{name}":"c4n4ry"}}"#));
            let public = BTreeMap::from([("ANSIBLE_FORKS".to_owned(), "5".to_owned())]);
            assert!(environment(&mut reader, &public).is_empty(), "{name}");
            let [problem] = &reader.problems[..] else { panic!("{name}: {:?}", reader.problems) };
            assert!(problem.contains(said) && !problem.contains("c4n4ry"), "{problem}");
        }
    }

    #[test]
    fn a_name_in_ansible_env_that_looks_secret_is_told() {
        for (name, value, told) in [
            ("ANSIBLE_GALAXY_SERVER_HUB_TOKEN", "abc", true),
            ("ANSIBLE_HASHI_VAULT_SECRET_ID", "abc", true),
            ("ANSIBLE_SSH_PASSPHRASE", "abc", true),
            ("ANSIBLE_NETCONF_SSH_KEY", "abc", true),
            ("ANSIBLE_HOST_KEY_CHECKING", "false", false),
            ("ANSIBLE_PRIVATE_KEY_FILE", "key", false),
            ("ANSIBLE_HASHI_VAULT_TOKEN_PATH", "x", false),
            ("ANSIBLE_ASK_PASS", "no", false),
            ("ANSIBLE_FORKS", "5", false),
        ] {
            let mut reader = reader("ansible_env", &format!(r#"{{"{name}":"{value}"}}"#));
            assert_eq!(ansible_env(&mut reader).len(), 1);
            assert_eq!(reader.warnings.len(), usize::from(told), "{name}: {:?}", reader.warnings);
        }
    }
}
