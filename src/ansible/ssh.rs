//! What this run tells every ssh, before anything that the user, the repository or the inventory tells it: the key, the
//! host keys to believe, and a control socket of its own. Of an option that is given twice ssh takes the first.
//!
//! Ansible puts `ssh_args` first on each command line, then its own options, `ssh_common_args` and `ssh_extra_args`. So
//! all of it goes into `ssh_args`, before what the user has there. An inventory whose `ansible_ssh_common_args` says
//! `StrictHostKeyChecking=no` cannot undo `ssh_known_hosts` then. What the inventory sets as `ansible_ssh_args` replaces all of
//! this: the callback tells of it.

use std::path::Path;

/// What Ansible itself has in `ssh_args`.
const DEFAULT: &str = "-C -o ControlMaster=auto -o ControlPersist=60s";

/// Files of the run that ssh is told of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SshFiles<'a> {
    /// The file with the private key.
    pub(super) private_key: Option<&'a Path>,
    /// The file with the only host keys that are believed.
    pub(super) known_hosts: Option<&'a Path>,
}

/// What environment and `ansible.cfg` tell ssh already. `None` where they do not name it.
#[derive(Debug, Clone, Default)]
pub(super) struct Configured {
    /// `ssh_args`.
    pub(super) args: Option<String>,
    /// `ssh_common_args`.
    pub(super) common_args: Option<String>,
    /// `ssh_extra_args`.
    pub(super) extra_args: Option<String>,
}

/// The value of `ssh_args`, with what is configured at its end; `None` where there is nothing to add. `sockets` is the directory
/// of this run's control sockets.
pub(super) fn ssh_args(files: SshFiles<'_>, configured: &Configured, sockets: &Path) -> Option<String> {
    let mut options = Vec::new();
    if let Some(key) = files.private_key {
        options.push("-o IdentitiesOnly=yes".to_owned());
        options.push(format!("-o IdentityFile={}", key.display()));
    }
    if let Some(known_hosts) = files.known_hosts {
        options.push("-o StrictHostKeyChecking=yes -o GlobalKnownHostsFile=/dev/null".to_owned());
        options.push(format!("-o 'UserKnownHostsFile={}'", known_hosts.display()));
    }
    options.extend(control_path(configured, sockets));
    if options.is_empty() {
        return None;
    }
    options.push(configured.args.clone().unwrap_or_else(|| DEFAULT.to_owned()));
    Some(options.join(" "))
}

/// A control socket of this run where Ansible would not see to that itself: it names one only where masters persist and
/// nobody else names one.
fn control_path(configured: &Configured, sockets: &Path) -> Option<String> {
    let args = configured.args.as_deref().unwrap_or(DEFAULT);
    let all = [Some(args), configured.common_args.as_deref(), configured.extra_args.as_deref()];
    let all = all.into_iter().flatten().collect::<Vec<_>>().join(" ").to_lowercase();
    let around = ['=', ' ', '"', '\''];
    match all.split_once("controlpath") {
        Some((_, value)) if value.trim_start_matches(around).split(around).next() == Some("none") => None,
        Some(_) => Some(format!("-o 'ControlPath={}/%C'", sockets.display())),
        // The user's ~/.ssh/config may name one, and its master may be anybody's.
        None if !all.contains("controlpersist") => Some("-o ControlPath=none".to_owned()),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(files: SshFiles<'_>, args: Option<&str>, common_args: &str) -> Option<String> {
        let configured =
            Configured { args: args.map(str::to_owned), common_args: Some(common_args.to_owned()), extra_args: None };
        ssh_args(files, &configured, Path::new("/run/cp"))
    }

    #[test]
    fn the_key_and_the_known_hosts_come_before_what_others_say() {
        let files = SshFiles { private_key: Some(Path::new("/key")), known_hosts: Some(Path::new("/known hosts")) };
        let ours = "-o IdentitiesOnly=yes -o IdentityFile=/key -o StrictHostKeyChecking=yes \
                    -o GlobalKnownHostsFile=/dev/null -o 'UserKnownHostsFile=/known hosts'";
        assert_eq!(told(files, None, ""), Some(format!("{ours} {DEFAULT}")));
        let theirs = "-o ControlPersist=5 -o StrictHostKeyChecking=no";
        assert_eq!(told(files, Some(theirs), ""), Some(format!("{ours} {theirs}")));
        assert_eq!(told(SshFiles::default(), None, ""), None);
        assert_eq!(told(SshFiles::default(), Some("-C -o controlpersist=1h"), "-o ProxyJump=bastion"), None);
    }

    #[test]
    fn a_control_socket_that_others_may_use_is_replaced() {
        let own = "-o 'ControlPath=/run/cp/%C'";
        for path in ["-o ControlPath=~/.ssh/%C", "-o 'controlpath /tmp/x'", "-oControlPath=\"nonesuch\""] {
            assert_eq!(told(SshFiles::default(), Some(path), ""), Some(format!("{own} {path}")), "{path}");
            assert_eq!(told(SshFiles::default(), None, path), Some(format!("{own} {DEFAULT}")), "{path}");
        }
        for none in ["-o ControlPath=none", "-o 'ControlPath none'", "-oControlPath=\"none\""] {
            assert_eq!(told(SshFiles::default(), Some(none), ""), None, "{none}");
        }
        for without_masters in ["", "-o ControlMaster=auto", "-o ServerAliveInterval=30"] {
            let expected = format!("-o ControlPath=none {without_masters}");
            assert_eq!(told(SshFiles::default(), Some(without_masters), ""), Some(expected));
        }
    }
}
