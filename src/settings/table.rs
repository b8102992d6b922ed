//! The settings table: each setting once, as the field that holds it and the row that explains it.

use serde::Deserialize;

/// One row of the settings table: the source of `--help`, and what the documentation is checked against.
#[derive(Debug)]
pub struct Setting {
    /// The setting's name in a pipeline file, lower case.
    pub name: &'static str,
    /// What kind of value it takes, as the table words it.
    pub kind: &'static str,
    /// The default as the table words it; empty when there is none.
    pub default: &'static str,
    /// What it does, in one sentence.
    pub help: &'static str,
}

impl Setting {
    /// The environment variable Woodpecker passes the setting in.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_uppercase())
    }
}

/// What Woodpecker puts before a setting's name.
pub(crate) const PREFIX: &str = "PLUGIN_";

/// Declares each setting once: the field that holds it as typed, and its row in the table.
macro_rules! settings {
    ($($field:ident $name:literal $kind:literal $default:literal $help:literal;)*) => {
        /// The settings as typed: text, or nothing where the variable is missing.
        #[derive(Debug, Default, Deserialize)]
        #[serde(default)]
        pub(crate) struct RawSettings {
            $(#[serde(rename = $name)] pub $field: Option<String>,)*
        }

        /// Every setting, in the order the documentation lists them.
        pub const TABLE: &[Setting] = &[
            $(Setting { name: $name, kind: $kind, default: $default, help: $help },)*
        ];
    };
}

settings! {
    gitops_status_server_url "gitops_status_server_url" "URL" "required, but for `dry_run`"
        "base URL of the status server; the payload goes to `<url>/api/status`";
    repo_name "repo_name" "string" "`$CI_REPO_NAME`" "`repo` in the payload";
    server_name "server_name" "string" "required, but for `per_host`" "`server` in the payload";
    playbook "playbook" "list" "required" "playbooks, run in one `ansible-playbook` call";
    inventory "inventory" "list" "Ansible's own" "inventory paths, or an inline host list such as `web01,`";
    check "check" "bool" "`true`"
        "run with `--check --diff`; `false`: the playbook is a read-only drift check and prints markers";
    limit "limit" "list" "" "Ansible's `--limit`";
    tags "tags" "list" "" "Ansible's `--tags`";
    skip_tags "skip_tags" "list" "" "Ansible's `--skip-tags`";
    extra_vars "extra_vars" "map or list" "" "extra variables, a map or `key=value` items; passed in a private file";
    user "user" "string" "" "the remote user";
    use_become "become" "bool" "`false`" "become root (or the playbook's become user) on the servers";
    forks "forks" "number" "Ansible's own" "how many hosts Ansible talks to at once";
    verbosity "verbosity" "number" "`0`" "0 to 6, Ansible's `-v` to `-vvvvvv`";
    ansible_config "ansible_config" "path" "Ansible's search"
        "the `ansible.cfg` to use; Ansible ignores one it finds in a world-writable workspace";
    ansible_env "ansible_env" "map" "" "further `ANSIBLE_*` variables";
    args "args" "list" "" "further `ansible-playbook` arguments, as typed";
    galaxy_requirements "galaxy_requirements" "path" "" "roles and collections to install before the run, only what is missing";
    timeout "timeout" "duration" "`10m`" "of the whole playbook run";
    ssh_private_key "ssh_private_key" "secret" "" "text of the private key";
    ssh_known_hosts "ssh_known_hosts" "text" "" "known_hosts lines; with it, host keys are checked strictly";
    host_key_checking "host_key_checking" "bool" "Ansible's own" "`false` accepts any host key, with a warning";
    vault_password "vault_password" "secret" "" "password of vaulted variables";
    status_server_token "status_server_token" "secret" "" "sent as `Authorization: Bearer ...`";
    headers "headers" "map" "" "further request headers; their values are kept secret";
    ca_cert "ca_cert" "PEM text or path" "system roots" "certificate authority to trust besides the system's";
    insecure_skip_verify "insecure_skip_verify" "bool" "`false`" "do not verify the status server's certificate, with a warning";
    http_timeout "http_timeout" "duration" "`10s`" "of one attempt to deliver";
    retry_for "retry_for" "duration" "`60s`" "of all attempts to deliver together";
    relative_to "relative_to" "path" "" "`/etc` turns `/etc/rsyslog.d/30-lab.conf` into `rsyslog.d/30-lab.conf`";
    ignore "ignore" "list of globs" "" "drifted files that do not count";
    ignore_tasks "ignore_tasks" "list of globs" "" "tasks that count neither as drift nor as unverified";
    ignore_plays "ignore_plays" "list of globs" "" "the same for whole plays, also ones that match no host";
    fail_on_drift "fail_on_drift" "bool" "`false`" "exit 2 on `OUT_OF_SYNC`, after delivery";
    report_unknown "report_unknown" "bool" "`false`" "also deliver `UNKNOWN`";
    per_host "per_host" "bool" "`false`" "one payload per inventory host, `server` is its inventory name";
    details "details" "bool" "`false`" "add `details` to the payload";
    dry_run "dry_run" "bool" "`false`" "print the payload, send nothing";
    payload_file "payload_file" "path" "" "also write the payload there, whole or not at all";
}
