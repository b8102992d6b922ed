//! Text that must not be seen, and the register of all of it.
//!
//! A [`Secret`] can be made only by [`Secrets::keep`], so whatever the settings keep as a secret is also what the log and
//! the payload are searched for. Nobody has to list the secrets a second time.

use std::fmt;
use std::sync::Arc;

/// Text that must not be seen. `Debug` prints `***`; there is no `Display` and no `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// The only way out: search for this name to see who reads secrets.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Every secret that was read, in the order of reading.
#[derive(Debug, Default)]
pub struct Secrets {
    kept: Vec<Secret>,
}

impl Secrets {
    /// Makes a secret and remembers it.
    pub(crate) fn keep(&mut self, text: impl Into<Arc<str>>) -> Secret {
        let secret = Secret(text.into());
        self.kept.push(secret.clone());
        secret
    }

    /// The text of each secret.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.kept.iter().map(Secret::expose)
    }
}
