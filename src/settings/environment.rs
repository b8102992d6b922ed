//! The environment of the step, sorted: settings, what Woodpecker says about the pipeline, and how to get out of here.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::settings::proxy::ProxyVariables;
use crate::settings::read::Reader;
use crate::settings::table::{PREFIX, Setting};
use crate::settings::unknown;

/// What Woodpecker puts before the names of its own variables.
const CI: &str = "CI_";

/// Names the file with the system's root certificates, as for OpenSSL.
const ROOT_BUNDLE: &str = "SSL_CERT_FILE";

/// What is not a setting.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    /// `CI_*` that are set, by name.
    ci: BTreeMap<String, String>,
    /// Proxies, and the hosts that need none.
    pub proxies: ProxyVariables,
    /// The file with the system's root certificates, if one is named.
    pub root_bundle: Option<String>,
}

impl Environment {
    /// Sorts the variables; the settings go to `reader`.
    pub fn sort(variables: impl IntoIterator<Item = (OsString, OsString)>, reader: &mut Reader) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            let (Some(name), value) = (name.to_str(), value.into_string()) else { continue };
            match (name.strip_prefix(PREFIX), value) {
                (Some(setting), Ok(value)) => setting_typed(setting, value, reader),
                (Some(_), Err(_)) => {
                    reader.problems.push(format!("{name} is not UTF-8; write its value as UTF-8 text"));
                }
                (None, Ok(value)) => environment.add(name, value),
                (None, Err(_)) => {}
            }
        }
        environment
    }

    fn add(&mut self, name: &str, value: String) {
        if value.is_empty() && !is_proxy(name) {
            return;
        }
        if name.starts_with(CI) {
            self.ci.insert(name.to_owned(), value);
        } else if is_proxy(name) {
            self.proxies.texts.insert(name.to_owned(), value);
        } else if name == ROOT_BUNDLE {
            self.root_bundle = Some(value);
        }
    }

    /// A variable of Woodpecker, such as `CI_REPO_NAME`.
    pub fn ci(&self, name: &str) -> Option<String> {
        self.ci.get(name).cloned()
    }
}

/// An empty proxy variable says something: no proxy.
fn is_proxy(name: &str) -> bool {
    name.to_lowercase().ends_with("_proxy")
}

fn setting_typed(name: &str, value: String, reader: &mut Reader) {
    let name = name.to_lowercase();
    match Setting::named(&name) {
        Some(setting) => drop(reader.typed.insert(setting.name, value)),
        None => reader.problems.push(unknown::problem(&name)),
    }
}
