//! What variables say of how a host is reached, where that leaves open whom the run has spoken to: a host key that
//! `ssh_known_hosts` was not asked about, or a connection that another run may have made.

use crate::ansible::reported::{CONTROL_PATHS, SSH_ARGS};
use crate::evidence::event::Connection;

/// Connection plugins that start ssh.
const STARTS_SSH: [&str; 2] = ["ssh", "smart"];

/// Connection plugins that speak ssh without ssh.
const SPEAKS_SSH: [&str; 5] = ["paramiko", "paramiko_ssh", "libssh", "network_cli", "netconf"];

/// The option that names a control socket.
const CONTROL_PATH: &str = "controlpath";

/// What kept `ssh_known_hosts` from being asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyCheckBypass {
    /// `ansible_ssh_args`, which replaces what this run tells ssh.
    SshArgs,
    /// A connection plugin that is not ssh.
    ConnectionPlugin(String),
}

impl KeyCheckBypass {
    /// What of a connection keeps `ssh_known_hosts` from being asked, if anything does.
    pub fn of(connection: &Connection) -> Option<Self> {
        let plugin = short(&connection.plugin);
        if SPEAKS_SSH.contains(&plugin) {
            return Some(Self::ConnectionPlugin(connection.plugin.clone()));
        }
        let replaced = may_start_ssh(connection) && connection.variables.contains_key(SSH_ARGS[0]);
        replaced.then_some(Self::SshArgs)
    }
}

/// The variable by which the connection may be another run's, if there is one. `ssh_args` is what the environment tells
/// every ssh of the run: of an option that is given twice ssh takes the first, and it comes first unless
/// `ansible_ssh_args` replaces it.
pub fn shared_by(connection: &Connection, ssh_args: &str) -> Option<&'static str> {
    let variable = |name: &str| connection.variables.get(name).map(String::as_str);
    if !may_start_ssh(connection) || (variable(SSH_ARGS[0]).is_none() && names_control_path(ssh_args)) {
        return None;
    }
    let in_arguments = SSH_ARGS.iter().filter_map(|name| Some((*name, control_path(variable(name)?)?)));
    let named = CONTROL_PATHS.iter().filter_map(|name| Some((*name, variable(name)?)));
    let (name, value) = in_arguments.chain(named).next()?;
    (!value.eq_ignore_ascii_case("none")).then_some(name)
}

/// A template that cannot be read yet may turn out to be ssh.
fn may_start_ssh(connection: &Connection) -> bool {
    connection.plugin.contains("{{") || STARTS_SSH.contains(&short(&connection.plugin))
}

fn short(plugin: &str) -> &str {
    plugin.rsplit('.').next().unwrap_or(plugin)
}

fn names_control_path(ssh_args: &str) -> bool {
    ssh_args.to_ascii_lowercase().contains(CONTROL_PATH)
}

/// The control socket that arguments of ssh name: `-o ControlPath=~/.ssh/%C`.
fn control_path(ssh_args: &str) -> Option<&str> {
    let lowercase = ssh_args.to_ascii_lowercase();
    let ends = lowercase.match_indices(CONTROL_PATH).map(|(place, word)| place + word.len());
    ends.filter_map(|end| {
        let rest = &ssh_args[end..];
        let value = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '=');
        // `ControlPathX` is another option.
        (value.len() < rest.len()).then_some(value)
    })
    .filter_map(|value| value.trim_start_matches(['"', '\'']).split(['"', '\'', ' ', '\t', '\n']).next())
    .find(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(plugin: &str, variables: &[(&str, &str)]) -> Connection {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Connection { host: "web1".to_owned(), plugin: plugin.to_owned(), variables }
    }

    #[test]
    fn a_connection_that_does_not_ask_known_hosts_is_told() {
        let of = |plugin, variables: &[(&str, &str)]| KeyCheckBypass::of(&connection(plugin, variables));
        let own_args = &[("ansible_ssh_args", "-4")][..];
        assert_eq!(of("ssh", own_args), Some(KeyCheckBypass::SshArgs));
        assert_eq!(of("{{ how }}", own_args), Some(KeyCheckBypass::SshArgs));
        assert_eq!(of("local", own_args), None);
        assert_eq!(of("ssh", &[("ansible_ssh_common_args", "-4")]), None);
        let libssh = "ansible.netcommon.libssh";
        assert_eq!(of(libssh, &[]), Some(KeyCheckBypass::ConnectionPlugin(libssh.to_owned())));
    }

    #[test]
    fn a_connection_of_another_run_is_told() {
        let by = |variables: &[(&str, &str)], ssh_args| shared_by(&connection("ssh", variables), ssh_args);
        for socket in ["-o ControlPath=~/.ssh/%C", "-o 'controlpath /tmp/x'", "-oControlPath=\"a b\""] {
            let variables = &[("ansible_ssh_common_args", socket)][..];
            assert_eq!(by(variables, ""), Some("ansible_ssh_common_args"), "{socket}");
            assert_eq!(by(variables, "-o ControlPath=/run/cp/%C"), None, "{socket}");
        }
        let none = &[("ansible_ssh_extra_args", "-o ControlPath=none"), ("ansible_control_path", "/tmp/x")][..];
        assert_eq!(by(none, ""), None);
        assert_eq!(by(&[("ansible_control_path_dir", "/tmp")], ""), Some("ansible_control_path_dir"));
        let replaced = &[("ansible_ssh_args", "-4"), ("ansible_control_path", "/tmp/x")][..];
        assert_eq!(by(replaced, "-o ControlPath=/run/cp/%C"), Some("ansible_control_path"));
        assert_eq!(by(&[], ""), None);
        assert_eq!(shared_by(&connection("local", none), ""), None);
    }
}
