//! The host keys that servers offered and that ssh did not know, in the form that `known_hosts` has.
//!
//! Nothing here trusts a key: whoever reads the log compares its fingerprint with the server's own first.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use ring::digest::{SHA256, digest};

use crate::ansible::ask::ask;
use crate::ansible::environment::Environment;
use crate::ansible::run_dir::RunDir;
use crate::settings::ssh_string;

/// Most hosts whose keys are shown; the rest of a fleet is asked for in the same way.
const MOST: usize = 20;

/// A host key that a server offered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OfferedKey {
    /// The host as `known_hosts` names it, such as `web1` or `[web1]:2222`.
    pub host: String,
    /// The kind of the key, such as `ssh-ed25519`.
    kind: String,
    /// The key in base64.
    key: String,
    /// The fingerprint as ssh shows it: `SHA256:` and the hash in base64.
    pub fingerprint: String,
}

impl OfferedKey {
    /// Reads a line that the recorder wrote. What is no host key is left out: anybody on this machine who runs as the same
    /// user may have written there.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (host, kind, key) = (words.next()?, words.next()?, words.next()?);
        let is_host = |c: char| c.is_ascii_alphanumeric() || "[].:-_%".contains(c);
        if words.next().is_some() || host.is_empty() || !host.chars().all(is_host) {
            return None;
        }
        let blob = BASE64_STANDARD.decode(key).ok()?;
        // A key is its kind and then its numbers. A certificate is no line of known_hosts.
        let mut rest = blob.as_slice();
        let begins_with_kind = ssh_string(&mut rest)? == kind.as_bytes();
        let mut numbers = 0;
        while !rest.is_empty() {
            ssh_string(&mut rest)?;
            numbers += 1;
        }
        if !begins_with_kind || numbers == 0 || kind.contains("-cert-") {
            return None;
        }
        let hash = BASE64_STANDARD_NO_PAD.encode(digest(&SHA256, &blob));
        Some(Self {
            host: host.to_owned(),
            kind: kind.to_owned(),
            key: key.to_owned(),
            fingerprint: format!("SHA256:{hash}"),
        })
    }

    /// The line for `known_hosts`.
    pub fn line(&self) -> String {
        format!("{} {} {}", self.host, self.kind, self.key)
    }
}

/// The keys that servers offered in this run and that the known hosts do not name, by host. `inherited` is the environment
/// of this process, for `ssh-keygen`.
pub fn unknown_host_keys(run_dir: &RunDir, inherited: &[(OsString, OsString)]) -> Vec<OfferedKey> {
    let offered = fs::read(run_dir.offered_host_keys()).unwrap_or_default();
    let offered: BTreeSet<OfferedKey> =
        String::from_utf8_lossy(&offered).lines().filter_map(OfferedKey::parse).collect();
    let inherited = inherited.iter().map(|(name, value)| (name, value));
    let environment = Environment::minimal(inherited, run_dir.account());
    let is_unknown = |key: &OfferedKey| !is_known(&key.host, run_dir.known_hosts(), &environment);
    offered.into_iter().filter(is_unknown).take(MOST).collect()
}

/// Whether the file names the host, or without one whether the user's own known hosts do.
fn is_known(host: &str, known_hosts: Option<&Path>, environment: &Environment) -> bool {
    let mut command = Command::new("ssh-keygen");
    command.args(["-F", host]);
    if let Some(file) = known_hosts {
        command.arg("-f").arg(file);
    }
    environment.replace_in(&mut command);
    ask(&mut command, || false).is_some_and(|answer| answer.success)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIALFNVdKNYTltm6ZxeclgGDNaUOjIIM05pxd3mn6GbNx";

    #[test]
    fn an_offered_key_has_its_line_and_its_fingerprint() {
        let line = format!("[127.0.0.1]:42863 ssh-ed25519 {KEY}");
        let key = OfferedKey::parse(&line).unwrap();
        assert_eq!(key.line(), line);
        // As ssh itself tells it.
        assert_eq!(key.fingerprint, "SHA256:1W5Ftiqo58Ga8vIlwvCTCSE8eKuEA2sHlJAGSRd3VFg");
    }

    #[test]
    fn what_is_no_host_key_is_left_out() {
        for line in [
            "127.0.0.1 NONE NONE".to_owned(),
            format!("web1 ssh-rsa {KEY}"),
            format!("web1,*.example ssh-ed25519 {KEY}"),
            format!("@cert-authority * ssh-ed25519 {KEY}"),
            format!("web\x1b[2J ssh-ed25519 {KEY}"),
            format!("web1 ssh-ed25519 {KEY} comment"),
            format!("web1 ssh-ed25519 {}", &KEY[..20]),
            format!(" ssh-ed25519 {KEY}"),
            "web1 ssh-ed25519".to_owned(),
        ] {
            assert_eq!(OfferedKey::parse(&line), None, "{line:?}");
        }
    }
}
