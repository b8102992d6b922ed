//! The environment of the step, sorted: settings, what Woodpecker says about the pipeline, and how to get out of here.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

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
    pub root_bundle: Option<PathBuf>,
}

impl Environment {
    /// Sorts the variables; the settings go to `reader`.
    pub fn sort(variables: impl IntoIterator<Item = (OsString, OsString)>, reader: &mut Reader) -> Self {
        let mut environment = Self::default();
        let mut settings = Vec::new();
        for (name, value) in variables {
            let (Some(name), value) = (name.to_str(), value.into_string()) else { continue };
            match (name.starts_with(PREFIX), value) {
                (true, Ok(value)) => settings.push((name.to_owned(), value)),
                (true, Err(_)) => {
                    reader.problems.push(format!("{name} is not UTF-8; write its value as UTF-8 text"));
                }
                (false, Ok(value)) => environment.add(name, value.into()),
                (false, Err(value)) => environment.add(name, value),
            }
        }
        match envy::prefixed(PREFIX).from_iter::<_, BTreeMap<String, String>>(settings) {
            Ok(typed) => typed.into_iter().for_each(|(name, value)| setting_typed(&name, value, reader)),
            Err(error) => reader.problems.push(format!("cannot read the settings: {error}")),
        }
        environment
    }

    fn add(&mut self, name: &str, value: OsString) {
        if name.starts_with(CI) {
            // What Woodpecker writes is UTF-8, and what is not is of no use here.
            self.ci.extend(value.into_string().ok().map(|value| (name.to_owned(), value)));
        } else if name == ROOT_BUNDLE {
            self.root_bundle = Some(PathBuf::from(value)).filter(|path| !path.as_os_str().is_empty());
        } else {
            // An empty proxy variable says something: no proxy.
            self.proxies.add(name, value);
        }
    }

    /// A variable of Woodpecker, such as `CI_REPO_NAME`.
    pub fn ci(&self, name: &str) -> Option<String> {
        self.ci.get(name).filter(|value| !value.is_empty()).cloned()
    }
}

fn setting_typed(name: &str, value: String, reader: &mut Reader) {
    match Setting::named(name) {
        Some(setting) => drop(reader.typed.insert(setting.name, value)),
        None => reader.problems.push(unknown::problem(name)),
    }
}
