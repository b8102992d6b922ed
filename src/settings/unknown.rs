//! What to say about a setting that does not exist: the name that was meant, where that is really clear.

use crate::settings::table::TABLE;

/// Names of other plugins and of Ansible's options, and the setting that does the same.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("access_token", "status_server_token"),
    ("ansible_args", "args"),
    ("ansible_cfg", "ansible_config"),
    ("ansible_playbook", "playbook"),
    ("api_key", "status_server_token"),
    ("api_token", "status_server_token"),
    ("ask_become_pass", "become_password"),
    ("auth_token", "status_server_token"),
    ("bearer_token", "status_server_token"),
    ("become_pass", "become_password"),
    ("ca", "ca_cert"),
    ("ca_bundle", "ca_cert"),
    ("ca_certificate", "ca_cert"),
    ("ca_file", "ca_cert"),
    ("cacert", "ca_cert"),
    ("certificate", "ssh_certificate"),
    ("check_mode", "check"),
    ("config", "ansible_config"),
    ("debug", "verbosity"),
    ("deploy_key", "ssh_private_key"),
    ("endpoint", "gitops_status_server_url"),
    ("env", "environment"),
    ("env_vars", "environment"),
    ("environment_variables", "environment"),
    ("envs", "environment"),
    ("extra_args", "args"),
    ("flags", "args"),
    ("galaxy", "galaxy_requirements"),
    ("galaxy_file", "galaxy_requirements"),
    ("gitops_status_url", "gitops_status_server_url"),
    ("header", "headers"),
    ("host", "server_name"),
    ("host_key_check", "host_key_checking"),
    ("hostname", "server_name"),
    ("hosts", "inventory"),
    ("ignore_files", "ignore"),
    ("insecure", "insecure_skip_verify"),
    ("inventories", "inventory"),
    ("inventory_file", "inventory"),
    ("key", "ssh_private_key"),
    ("key_file", "ssh_private_key"),
    ("known_hosts", "ssh_known_hosts"),
    ("log_level", "verbosity"),
    ("options", "args"),
    ("playbooks", "playbook"),
    ("private_key", "ssh_private_key"),
    ("private_key_file", "ssh_private_key"),
    ("remote_user", "user"),
    ("repo", "repo_name"),
    ("repository", "repo_name"),
    ("requirements", "galaxy_requirements"),
    ("retries", "retry_for"),
    ("retry", "retry_for"),
    ("server", "server_name"),
    ("server_url", "gitops_status_server_url"),
    ("skip_tls_verify", "insecure_skip_verify"),
    ("skip_verify", "insecure_skip_verify"),
    ("ssh_key", "ssh_private_key"),
    ("ssh_private_key_file", "ssh_private_key"),
    ("ssh_user", "user"),
    ("status_server", "gitops_status_server_url"),
    ("status_server_url", "gitops_status_server_url"),
    ("status_url", "gitops_status_server_url"),
    ("strict_host_key_checking", "host_key_checking"),
    ("sudo", "become"),
    ("sudo_password", "become_password"),
    ("tag", "tags"),
    ("target", "server_name"),
    ("timeout_seconds", "timeout"),
    ("token", "status_server_token"),
    ("url", "gitops_status_server_url"),
    ("user_name", "user"),
    ("username", "user"),
    ("variables", "extra_vars"),
    ("vars", "extra_vars"),
    ("vault_id", "vault_passwords"),
    ("vault_ids", "vault_passwords"),
    ("vault_pass", "vault_password"),
    ("verbose", "verbosity"),
];

/// Names that need no setting here, and why.
const NOT_NEEDED: &[(&str, &str)] = &[
    ("become_method", "write `become_method` in the playbook, or set `ansible_env: {ANSIBLE_BECOME_METHOD: ...}`"),
    ("become_user", "write `become_user` in the playbook, or set `ansible_env: {ANSIBLE_BECOME_USER: ...}`"),
    ("connection", "set `ansible_connection` in the inventory, or `args: [\"--connection=...\"]`"),
    ("diff", "a check always runs with --diff; remove it"),
    ("flush_cache", "set `args: [\"--flush-cache\"]`"),
    ("force_handlers", "set `args: [\"--force-handlers\"]`"),
    ("http_proxy", "set the variable HTTP_PROXY or HTTPS_PROXY, which the agent passes to each step"),
    ("https_proxy", "set the variable HTTP_PROXY or HTTPS_PROXY, which the agent passes to each step"),
    ("list_hosts", "this plugin checks servers and lists nothing; remove it"),
    ("list_tags", "this plugin checks servers and lists nothing; remove it"),
    ("list_tasks", "this plugin checks servers and lists nothing; remove it"),
    ("mode", "the run is always in check mode, unless `check` is false; remove it"),
    ("module_path", "set `ansible_env: {ANSIBLE_LIBRARY: ...}`"),
    ("no_proxy", "set the variable NO_PROXY, which the agent passes to each step"),
    (
        "password",
        "write the password of the URL into `gitops_status_server_url`, or the one for sudo into `become_password`",
    ),
    ("proxy", "set the variable HTTP_PROXY or HTTPS_PROXY, which the agent passes to each step"),
    ("python_requirements", "install Python packages in an image of your own, built from this one"),
    ("scp_extra_args", "set `ansible_env: {ANSIBLE_SCP_EXTRA_ARGS: ...}`"),
    ("sftp_extra_args", "set `ansible_env: {ANSIBLE_SFTP_EXTRA_ARGS: ...}`"),
    ("ssh_common_args", "set `ansible_env: {ANSIBLE_SSH_COMMON_ARGS: ...}`"),
    ("ssh_extra_args", "set `ansible_env: {ANSIBLE_SSH_EXTRA_ARGS: ...}`"),
    ("ssh_key_passphrase", "a key with a passphrase cannot be used; store one without"),
    ("ssh_passphrase", "a key with a passphrase cannot be used; store one without"),
    ("ssl_verify", "certificates are verified, unless `insecure_skip_verify` is true"),
    ("start_at_task", "a check that starts in the middle proves nothing; remove it"),
    ("strategy", "set `strategy` in the playbook or in ansible.cfg"),
    ("syntax_check", "the run itself finds errors of syntax; remove it"),
    ("tls_verify", "certificates are verified, unless `insecure_skip_verify` is true"),
    ("verify", "certificates are verified, unless `insecure_skip_verify` is true"),
];

/// Mistyped letters that still leave no doubt about what was meant: one, or two in a long name.
fn most_mistakes(name: &str) -> usize {
    if name.len() < 8 { 1 } else { 2 }
}

/// The sentence about an unknown setting.
pub(super) fn problem(name: &str) -> String {
    let of = |list: &[(&str, &'static str)]| list.iter().find(|(other, _)| *other == name).map(|(_, answer)| *answer);
    if let Some(setting) = of(OTHER_NAMES) {
        return format!("`{name}` is not a setting; use `{setting}`");
    }
    if let Some(instead) = of(NOT_NEEDED) {
        return format!("`{name}` is not a setting; {instead}");
    }
    let distance = |setting: &str| strsim::osa_distance(setting, name);
    let closest = TABLE.iter().map(|setting| setting.name).min_by_key(|setting| distance(setting));
    match closest.filter(|setting| distance(setting) <= most_mistakes(name)) {
        Some(setting) => format!("`{name}` is not a setting; did you mean `{setting}`?"),
        None => format!("`{name}` is not a setting; --help and plugin.md list all of them"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::table::Setting;

    #[test]
    fn hints_name_settings_that_exist_for_names_that_do_not() {
        for (other, setting) in OTHER_NAMES {
            assert!(Setting::named(setting).is_some(), "{other}: {setting}");
        }
        for (other, _) in OTHER_NAMES.iter().chain(NOT_NEEDED) {
            assert!(Setting::named(other).is_none(), "{other} is a setting");
        }
    }

    #[test]
    fn hints_are_close_or_not_given() {
        for (name, said) in [
            ("playbok", "did you mean `playbook`?"),
            ("sever_name", "did you mean `server_name`?"),
            ("ssh_know_host", "did you mean `ssh_known_hosts`?"),
            ("ignore_task", "did you mean `ignore_tasks`?"),
            ("private_key", "use `ssh_private_key`"),
            ("ssh_key", "use `ssh_private_key`"),
            ("token", "use `status_server_token`"),
            ("diff", "always runs with --diff"),
            ("user_name", "use `user`"),
            ("private_key_file", "use `ssh_private_key`"),
            ("api_key", "use `status_server_token`"),
            ("server_url", "use `gitops_status_server_url`"),
            ("ssh_passphrase", "store one without"),
            ("http_proxy", "which the agent passes"),
            ("verify", "unless `insecure_skip_verify`"),
            ("xyz", "list all of them"),
            ("usr", "did you mean `user`?"),
            ("report", "list all of them"),
        ] {
            assert!(problem(name).ends_with(said) || problem(name).contains(said), "{}", problem(name));
        }
    }
}
