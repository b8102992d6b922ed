//! What opens servers, sudo and vaults.

use std::collections::BTreeMap;

use crate::settings::read::Reader;
use crate::settings::secret::Secret;
use crate::settings::{ssh_key, table};

/// The vault id of `vault_password`.
const DEFAULT_VAULT_ID: &str = "default";

/// How servers are reached over ssh.
#[derive(Debug, Default)]
pub struct Ssh {
    /// The private key, repaired, with its last line end.
    pub private_key: Option<Secret>,
    /// The certificate that belongs to the key: one line, with its line end.
    pub certificate: Option<String>,
    /// The `known_hosts` lines, with their last line end; host keys are then checked strictly.
    pub known_hosts: Option<String>,
    /// Whether Ansible checks host keys; its own default where it is not set.
    pub host_key_checking: Option<bool>,
}

/// The passwords of vaults.
#[derive(Debug, Default)]
pub struct Vaults {
    /// `vault_password`, which has the id `default`.
    pub default: Option<Secret>,
    /// `vault_passwords`, by their ids.
    pub by_id: BTreeMap<String, Secret>,
}

impl Ssh {
    pub(super) fn read(reader: &mut Reader) -> Self {
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
                "is set and `host_key_checking` is false: these contradict each other; remove one of them",
            );
        }
        Self { private_key, certificate: certificate(reader), known_hosts, host_key_checking }
    }
}

impl Vaults {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let setting = &table::VAULT_PASSWORDS;
        let default = reader.secret(&table::VAULT_PASSWORD);
        let mut by_id = BTreeMap::new();
        for (id, password) in reader.flat_map(setting) {
            let password = reader.secrets.keep(password);
            if id.is_empty() || id.contains(|c: char| c == '@' || c == ',' || c.is_whitespace() || c.is_control()) {
                reader.problem(setting, format!("contains {id:?}, which is not a vault id; write one such as prod"));
            } else if id == DEFAULT_VAULT_ID && default.is_some() {
                reader.problem(
                    setting,
                    "contains the id `default`, which belongs to `vault_password`; remove one of them",
                );
            } else if password.expose().trim().is_empty() {
                reader.problem(setting, format!("has no password for the id `{id}`; check that its secret is set"));
            } else {
                by_id.insert(id, password);
            }
        }
        Self { default, by_id }
    }
}

fn certificate(reader: &mut Reader) -> Option<String> {
    let setting = &table::SSH_CERTIFICATE;
    let text = reader.text(setting)?;
    if reader.text(&table::SSH_PRIVATE_KEY).is_none() {
        reader.problem(setting, "is set without `ssh_private_key`; set the key that it belongs to");
    }
    let is_certificate = text.split(' ').next().is_some_and(|kind| kind.ends_with("-cert-v01@openssh.com"));
    if !is_certificate || text.contains(['\n', '\r']) {
        reader
            .problem(setting, "is not an SSH certificate; write the single line of the file that ends with -cert.pub");
        return None;
    }
    Some(text + "\n")
}
