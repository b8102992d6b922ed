//! What this run tells every ssh, before anything that the user, the repository or the inventory tells it: the key, the
//! host keys to believe, and a control socket of its own. Of an option that is given twice ssh takes the first.
//!
//! It is told in three ways, because ssh starts ssh:
//!
//! - `ssh_args`, for the connections that Ansible makes. Ansible puts them first on each command line, then its own options,
//!   `ssh_common_args` and `ssh_extra_args`. An inventory whose `ansible_ssh_common_args` says `StrictHostKeyChecking=no`
//!   cannot undo `ssh_known_hosts` then. What the inventory sets as `ansible_ssh_args` replaces all of this: the callback
//!   tells of it.
//! - A configuration file, which is on that command line too: `ProxyJump` hands it on to the ssh that it starts, and nothing
//!   else. What the user has for a configuration follows in it.
//! - A program called `ssh`, first on `PATH`, for a `ProxyCommand` and for git, which find ssh there.
//!
//! Not here: the text of those files ([`super::ssh_files`]).

use std::path::Path;

use shlex::Quoter;

/// What Ansible itself has in `ssh_args`.
const DEFAULT: &str = "-C -o ControlMaster=auto -o ControlPersist=60s";

/// What the settings say of ssh, as files of the run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Access<'a> {
    /// The file with the private key.
    pub(super) private_key: Option<&'a Path>,
    /// The file with the certificate of that key.
    pub(super) certificate: Option<&'a Path>,
    /// The file with the only host keys that are believed.
    pub(super) known_hosts: Option<&'a Path>,
    /// Whether host keys are checked, where the settings say so.
    pub(super) host_key_checking: Option<bool>,
}

/// An option of `ssh_config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SshOption {
    pub(super) keyword: &'static str,
    /// Its value, quoted as ssh reads it.
    pub(super) value: String,
}

impl SshOption {
    fn new(keyword: &'static str, value: impl Into<String>) -> Self {
        Self { keyword, value: value.into() }
    }

    fn path(keyword: &'static str, path: &Path) -> Self {
        Self::new(keyword, quoted(path))
    }

    /// The option as two words of a shell.
    pub(super) fn words(&self) -> String {
        format!("-o {}", word(&format!("{}={}", self.keyword, self.value)))
    }
}

/// A path as ssh reads it in its configuration, blanks included.
pub(super) fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}

/// One word of a shell, or of what Ansible splits as a shell would.
pub(super) fn word(text: &str) -> String {
    // Neither a path nor a command line of the kernel can hold the NUL bytes that would be refused.
    Quoter::new().allow_nul(true).quote(text).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}

/// The options that the settings ask for. `command` is told of each host key that a server offers, where ssh has such an
/// option: with `known_hosts`, no other command may make known what they do not.
pub(super) fn options(access: Access<'_>, command: Option<&str>) -> Vec<SshOption> {
    let mut options = Vec::new();
    if let Some(key) = access.private_key {
        options.push(SshOption::new("IdentitiesOnly", "yes"));
        options.push(SshOption::path("IdentityFile", key));
    }
    options.extend(access.certificate.map(|certificate| SshOption::path("CertificateFile", certificate)));
    if let Some(known_hosts) = access.known_hosts {
        options.push(SshOption::new("StrictHostKeyChecking", "yes"));
        options.push(SshOption::new("GlobalKnownHostsFile", "/dev/null"));
        options.push(SshOption::path("UserKnownHostsFile", known_hosts));
        options.extend(command.map(|command| SshOption::new("KnownHostsCommand", command)));
    } else if access.host_key_checking == Some(false) {
        options.push(SshOption::new("StrictHostKeyChecking", "no"));
    }
    options
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

impl Configured {
    /// Takes out the configuration file that they name (`-F`), of several the last one, as ssh does.
    pub(super) fn take_config_file(&mut self) -> Option<String> {
        [&mut self.args, &mut self.common_args, &mut self.extra_args]
            .into_iter()
            .filter_map(|args| take_config_file(args.as_mut()?))
            .last()
    }
}

fn take_config_file(args: &mut String) -> Option<String> {
    let words = shlex::split(args)?;
    let (mut rest, mut file) = (Vec::new(), None);
    let mut words = words.into_iter();
    while let Some(one) = words.next() {
        match one.strip_prefix("-F") {
            None => rest.push(word(&one)),
            Some("") => file = words.next(),
            Some(path) => file = Some(path.to_owned()),
        }
    }
    if file.is_some() {
        *args = rest.join(" ");
    }
    file
}

/// The value of `ssh_args`, with what is configured at its end. `config` is the run's configuration file, `sockets` the
/// directory of its control sockets.
pub(super) fn ssh_args(options: &[SshOption], configured: &Configured, config: &Path, sockets: &Path) -> String {
    let mut args = vec![format!("-F {}", word(&config.display().to_string()))];
    args.extend(options.iter().map(SshOption::words));
    args.extend(control_path(configured, sockets));
    args.push(configured.args.clone().unwrap_or_else(|| DEFAULT.to_owned()));
    args.join(" ")
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

    fn args(options: &[SshOption], args: Option<&str>, common_args: &str) -> String {
        let configured =
            Configured { args: args.map(str::to_owned), common_args: Some(common_args.to_owned()), extra_args: None };
        ssh_args(options, &configured, Path::new("/run/config"), Path::new("/run/cp"))
    }

    #[test]
    fn the_key_and_the_known_hosts_come_before_what_others_say() {
        let access = Access {
            private_key: Some(Path::new("/key")),
            certificate: Some(Path::new("/key-cert.pub")),
            known_hosts: Some(Path::new("/known hosts")),
            host_key_checking: None,
        };
        let options = options(access, Some("none"));
        let ours = "-F /run/config -o 'IdentitiesOnly=yes' -o 'IdentityFile=\"/key\"' \
                    -o 'CertificateFile=\"/key-cert.pub\"' -o 'StrictHostKeyChecking=yes' \
                    -o 'GlobalKnownHostsFile=/dev/null' -o 'UserKnownHostsFile=\"/known hosts\"' \
                    -o 'KnownHostsCommand=none'";
        assert_eq!(args(&options, None, ""), format!("{ours} {DEFAULT}"));
        let theirs = "-o ControlPersist=5 -o StrictHostKeyChecking=no";
        assert_eq!(args(&options, Some(theirs), ""), format!("{ours} {theirs}"));
        assert_eq!(
            args(&[], Some("-C -o controlpersist=1h"), "-o ProxyJump=bastion"),
            "-F /run/config -C -o controlpersist=1h"
        );
    }

    #[test]
    fn host_keys_go_unchecked_only_where_the_settings_say_so() {
        let access = |host_key_checking| Access { host_key_checking, ..Access::default() };
        assert_eq!(options(access(None), Some("x")), []);
        assert_eq!(options(access(Some(true)), Some("x")), []);
        assert_eq!(options(access(Some(false)), Some("x")), [SshOption::new("StrictHostKeyChecking", "no")]);
    }

    #[test]
    fn a_control_socket_that_others_may_use_is_replaced() {
        let own = "-F /run/config -o 'ControlPath=/run/cp/%C'";
        for path in ["-o ControlPath=~/.ssh/%C", "-o 'controlpath /tmp/x'", "-oControlPath=\"nonesuch\""] {
            assert_eq!(args(&[], Some(path), ""), format!("{own} {path}"), "{path}");
            assert_eq!(args(&[], None, path), format!("{own} {DEFAULT}"), "{path}");
        }
        for none in ["-o ControlPath=none", "-o 'ControlPath none'", "-oControlPath=\"none\""] {
            assert_eq!(args(&[], Some(none), ""), format!("-F /run/config {none}"), "{none}");
        }
        for without_masters in ["", "-o ControlMaster=auto", "-o ServerAliveInterval=30"] {
            let expected = format!("-F /run/config -o ControlPath=none {without_masters}");
            assert_eq!(args(&[], Some(without_masters), ""), expected);
        }
    }

    #[test]
    fn the_last_configuration_file_is_taken_out() {
        let mut configured = Configured {
            args: Some("-C -F one -o 'ProxyCommand=ssh -W %h:%p b'".to_owned()),
            common_args: Some("-Ftwo -4".to_owned()),
            extra_args: None,
        };
        assert_eq!(configured.take_config_file().as_deref(), Some("two"));
        assert_eq!(configured.args.as_deref(), Some("-C -o 'ProxyCommand=ssh -W %h:%p b'"));
        assert_eq!(configured.common_args.as_deref(), Some("-4"));
        let mut configured = Configured { args: Some("-o \"unbalanced".to_owned()), ..Configured::default() };
        assert_eq!(configured.take_config_file(), None);
        assert_eq!(configured.args.as_deref(), Some("-o \"unbalanced"));
    }
}
