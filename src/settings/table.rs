//! The settings table: one row for each setting, from which `--help`, the documentation and the reading are made.
//!
//! What is not here: how a value is read (`read`) and what it means (the modules of the groups).

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// The setting's name in a pipeline file, lower case.
    pub name: &'static str,
    /// Where a person looks for it.
    pub group: Group,
    /// What kind of value it takes, as the documentation words it.
    pub kind: &'static str,
    /// What holds where it is not set.
    pub default: DefaultValue,
    /// What of its value must not be seen.
    pub secrecy: Secrecy,
    /// What it does, in full sentences.
    pub help: &'static str,
}

/// The groups of the table, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// What is checked.
    Check,
    /// How the servers are reached, and what opens vaults.
    Access,
    /// Where the status is sent, and how the status server is reached.
    Delivery,
    /// Which results count.
    Counting,
    /// What happens with the result.
    Result,
    /// How Ansible runs.
    Ansible,
}

/// What holds where a setting is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultValue {
    /// Nothing.
    Nothing,
    /// The step fails without it.
    Required,
    /// The step fails without it, unless these words are true.
    RequiredUnless(&'static str),
    /// This value, in the form it would be typed in.
    Value(&'static str),
    /// What these words say.
    Words(&'static str),
}

/// What of a setting's value must not be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// Nothing.
    Public,
    /// The password in a URL.
    Password,
    /// All of it.
    Whole,
    /// The values of a map.
    Values,
    /// Those values of a map whose names say that they are secret; none is shown in an error.
    NamedValues,
}

impl Setting {
    /// The environment variable Woodpecker passes the setting in.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_uppercase())
    }

    /// The row of a name, if it is a setting's.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        TABLE.iter().copied().find(|setting| setting.name == name)
    }
}

impl Group {
    /// The heading of the group.
    pub fn title(self) -> &'static str {
        match self {
            Self::Check => "What to check",
            Self::Access => "How to reach the servers",
            Self::Delivery => "Where to send the status",
            Self::Counting => "What counts",
            Self::Result => "What happens with the result",
            Self::Ansible => "How Ansible runs",
        }
    }
}

impl DefaultValue {
    /// The default as the table words it; empty when there is none.
    pub fn words(self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Required => "required".to_owned(),
            Self::RequiredUnless(condition) => format!("required, unless {condition}"),
            Self::Value(text) | Self::Words(text) => text.to_owned(),
        }
    }
}

/// What Woodpecker puts before a setting's name.
pub(crate) const PREFIX: &str = "PLUGIN_";

/// Declares each setting once, as a constant of its own and as a row of [`TABLE`].
macro_rules! settings {
    ($($group:ident { $($constant:ident $name:literal, $kind:literal, $default:expr, $secrecy:ident, $help:literal;)* })*) => {
        $($(
            pub(crate) static $constant: Setting = Setting {
                name: $name,
                group: Group::$group,
                kind: $kind,
                default: $default,
                secrecy: Secrecy::$secrecy,
                help: $help,
            };
        )*)*

        /// Every setting, in the order the documentation lists them: group by group.
        pub static TABLE: &[&Setting] = &[$($(&$constant,)*)*];
    };
}

use DefaultValue::{Nothing, Required, RequiredUnless, Value, Words};

settings! {
    Check {
    PLAYBOOK "playbook", "list", Required, Public,
        "The playbooks to run, all in one call of ansible-playbook. Paths are relative to the repository.";
    INVENTORY "inventory", "list", Words("Ansible's own"), Public,
        "The paths of inventories. Host names work too, if there is a comma: a single name needs one at its end.";
    CHECK "check", "bool", Value("true"), Public,
        "Runs the playbook with --check --diff. Set false if the playbook changes nothing and prints its result.";
    LIMIT "limit", "list", Nothing, Public, "Checks only these hosts and groups, as --limit does.";
    TAGS "tags", "list", Nothing, Public, "Runs only the tasks with these tags, as --tags does.";
    SKIP_TAGS "skip_tags", "list", Nothing, Public, "Skips the tasks with these tags, as --skip-tags does.";
    EXTRA_VARS "extra_vars", "map or list", Nothing, NamedValues,
        "Extra variables, as a map or as a list of key=value items. They are passed in a private file.";
    GALAXY_REQUIREMENTS "galaxy_requirements", "path", Nothing, Public,
        "The file of roles and collections to install before the run. Only missing ones are installed.";
    }

    Access {
    USER "user", "text", Words("Ansible's own"), Public, "The user to log in as.";
    SSH_PRIVATE_KEY "ssh_private_key", "secret", Nothing, Whole,
        "The text of the private key. It must have no passphrase.";
    SSH_KNOWN_HOSTS "ssh_known_hosts", "text", Nothing, Public,
        "The lines of a known_hosts file. If this is set, a server is accepted only if its key is listed.";
    SSH_CERTIFICATE "ssh_certificate", "text", Nothing, Public, "The certificate that belongs to ssh_private_key.";
    HOST_KEY_CHECKING "host_key_checking", "bool", Words("Ansible's own (true)"), Public,
        "Set this to false to accept any host key. The log then warns about it.";
    BECOME "become", "bool", Value("false"), Public, "Runs tasks as root, or as the become_user of the playbook.";
    BECOME_PASSWORD "become_password", "secret", Nothing, Whole, "The password for sudo or another become method.";
    VAULT_PASSWORD "vault_password", "secret", Nothing, Whole, "The password for encrypted variables and files.";
    VAULT_PASSWORDS "vault_passwords", "map", Nothing, Values,
        "The passwords of several vault ids, as a map from id to password, in addition to vault_password.";
    }

    Delivery {
    GITOPS_STATUS_SERVER_URL "gitops_status_server_url", "URL", RequiredUnless("dry_run is set"), Password,
        "The base URL of the status server. The payload is posted to /api/status below it.";
    SERVER_NAME "server_name", "text", RequiredUnless("per_host is set"), Public,
        "The name of the server in the payload and on the dashboard.";
    REPO_NAME "repo_name", "text", Words("$CI_REPO_NAME"), Public,
        "The name of the repository in the payload and on the dashboard.";
    STATUS_SERVER_TOKEN "status_server_token", "secret", Nothing, Whole,
        "The token for the status server, sent as Authorization: Bearer.";
    HEADERS "headers", "map", Nothing, Values, "Further request headers. Their values are kept secret.";
    CA_CERT "ca_cert", "PEM text or path", Words("the system's certificates"), Public,
        "A certificate authority to trust as well, or the self-signed certificate of the status server.";
    INSECURE_SKIP_VERIFY "insecure_skip_verify", "bool", Value("false"), Public,
        "Accepts any certificate of the status server. The log then warns about it.";
    HTTP_TIMEOUT "http_timeout", "duration", Value("10s"), Public, "The timeout of one request.";
    RETRY_FOR "retry_for", "duration", Value("60s"), Public,
        "The total time for delivery, retries included. All payloads of a step share it.";
    }

    Counting {
    RELATIVE_TO "relative_to", "path", Nothing, Public,
        "Shows file names relative to this directory. With /etc, the file /etc/rsyslog.conf is shown as rsyslog.conf.";
    IGNORE "ignore", "list of globs", Nothing, Public,
        "Files whose drift does not count. /etc/motd:mode stands for one attribute alone: mode, owner or group. \
         An item may be a map {match, until, reason} that holds until a date.";
    IGNORE_TASKS "ignore_tasks", "list of globs", Nothing, Public,
        "Tasks that count neither as drift nor as unverified. A failure still counts. Items are written as in ignore.";
    IGNORE_PLAYS "ignore_plays", "list of globs", Nothing, Public,
        "Plays that do not count, even if they match no host. Items are written as in ignore.";
    }

    Result {
    PER_HOST "per_host", "bool", Value("false"), Public,
        "Sends one payload for each host, with its inventory name as the name of the server.";
    DETAILS "details", "bool", Value("false"), Public,
        "Adds details to the payload: the result of each host, reasons, commit, pipeline and versions.";
    REPORT_UNKNOWN "report_unknown", "bool", Value("false"), Public,
        "Sends a payload also if the status is UNKNOWN. Otherwise nothing is sent then.";
    FAIL_ON_DRIFT "fail_on_drift", "bool", Value("false"), Public,
        "Exits with code 2 on OUT_OF_SYNC, after the status was delivered.";
    DRY_RUN "dry_run", "bool", Value("false"), Public, "Prints the payload and sends nothing.";
    PAYLOAD_FILE "payload_file", "path", Nothing, Public,
        "Also writes the payload to this file. The file of an earlier run is removed when a run begins.";
    }

    Ansible {
    TIMEOUT "timeout", "duration", Value("10m"), Public, "The maximum duration of the playbook run.";
    FORKS "forks", "number", Words("depends on cores and memory"), Public,
        "The number of hosts that Ansible works on at the same time.";
    ACCELERATE "accelerate", "bool", Value("false"), Public,
        "Keeps a Python running on each server during the check, instead of starting one for every task.";
    VERBOSITY "verbosity", "number", Value("0"), Public, "How much Ansible prints: 0 to 6, as -v to -vvvvvv.";
    ANSIBLE_CONFIG "ansible_config", "path", Words("found by Ansible"), Public,
        "The ansible.cfg to use. Ansible does not read one from a directory that every user can write to.";
    ANSIBLE_ENV "ansible_env", "map", Nothing, Public, "Further ANSIBLE_* variables. Their values are not secret.";
    ENVIRONMENT "environment", "map", Nothing, Values,
        "Further environment variables for Ansible, such as tokens for inventories. Their values are kept secret.";
    ARGS "args", "list", Nothing, Public, "Further arguments for ansible-playbook, one for each item.";
    }
}
