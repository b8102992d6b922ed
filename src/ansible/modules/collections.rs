//! What is known of the modules of collections, sorted by name.

use super::CheckMode::{Full, NotInFull};
use super::Is::{Given, NotOneOf, NotTrue, OneOf, True};
use super::Kind::{Action, Compares, Reads};
use super::Lost::{Both, Changed, Diff, Unchanged};
use super::row::{ALWAYS, PARTLY, SKIPPED, UNSAID, condition, module, no_state};
use super::{CheckMode, Condition, Module};

const RESTARTS: &[&str] = &["restarted", "reloaded"];

/// It has not looked when it says that nothing changed.
const DID_NOT_LOOK: &[Condition] =
    &[condition(ALWAYS, Unchanged, "says \"not changed\" in check mode without having looked", "")];

/// It says "changed" whatever it finds.
const SAYS_CHANGED: &[Condition] = &[condition(ALWAYS, Both, "says \"changed\" in check mode whatever it finds", "")];

/// Its documentation says that its answers in check mode may be wrong.
const GUESSES: &[Condition] = &[condition(ALWAYS, Both, "only guesses in check mode, by its own documentation", "")];

const SENDS: CheckMode = NotInFull("it sends something, and manages nothing");

pub(super) const COLLECTIONS: &[Module] = &[
    module("ansible.posix.at", Action, SKIPPED),
    module("ansible.posix.synchronize", Compares, UNSAID).when(&[
        no_state(&[OneOf("mode", &["pull"])]),
        condition(
            &[NotTrue("checksum")],
            Unchanged,
            "compares size and time of files and not their content, without `checksum`",
            "set `checksum: true`",
        ),
    ]),
    module("community.crypto.openssl_csr_pipe", Reads, NotInFull("it makes a text, in check mode too")),
    module("community.crypto.openssl_privatekey_pipe", Reads, NotInFull("it makes a text, in check mode too")),
    module("community.crypto.x509_certificate_pipe", Reads, NotInFull("it makes a text, in check mode too")),
    module("community.docker.docker_compose_v2", Compares, Full).when(&[condition(
        &[OneOf("pull", &["always"])],
        Unchanged,
        "does not look whether a newer image is there, in check mode (`pull: always`)",
        "name the image by its digest",
    )]),
    module("community.docker.docker_container", Compares, PARTLY).named_by_name().when(&[condition(
        &[OneOf("pull", &["always", "True", "true", "yes"])],
        Both,
        "does not look whether a newer image is there, in check mode (`pull`)",
        "name the image by its digest, and remove `pull`",
    )]),
    module("community.docker.docker_image", Compares, PARTLY).named_by_name().when(&[condition(
        &[True("force_source")],
        Changed,
        "says changed whatever image is there (`force_source`)",
        "name the image by its digest, and remove `force_source`",
    )]),
    module("community.docker.docker_image_pull", Compares, PARTLY).named_by_name().when(&[condition(
        &[NotOneOf("pull", &["not_present"])],
        Both,
        "says changed whatever image is there (`pull: always`)",
        "name the image by its digest, with `pull: not_present`",
    )]),
    module("community.general.airbrake_deployment", Action, SENDS),
    module("community.general.alternatives", Compares, Full).named_by_name().when(&[condition(
        &[],
        Diff,
        "shows a difference where nothing differs",
        "",
    )]),
    module("community.general.bigpanda", Action, SENDS),
    module("community.general.btrfs_subvolume", Compares, PARTLY).when(GUESSES),
    module("community.general.discord", Action, SENDS),
    module("community.general.dnf_versionlock", Compares, PARTLY).when(GUESSES),
    module("community.general.filesystem", Compares, Full).when(&[condition(
        &[Given(&["uuid"])],
        Unchanged,
        "does not look at the UUID in check mode (`uuid`)",
        "",
    )]),
    module("community.general.flatpak", Compares, PARTLY).named_by_name().when(&[condition(
        &[OneOf("state", &["latest"])],
        Both,
        "says changed whatever is installed (`state: latest`)",
        "use `state: present`",
    )]),
    module("community.general.honeybadger_deployment", Action, SENDS),
    module("community.general.icinga2_host", Compares, Full).named_by_name().when(DID_NOT_LOOK),
    module("community.general.ini_file", Compares, Full).when(&[condition(
        &[Given(&["mode", "owner", "group"])],
        Unchanged,
        "does not look at the mode and the owner of the file in check mode",
        "give `mode`, `owner` and `group` a task of their own (`file`)",
    )]),
    module("community.general.jabber", Action, SENDS),
    module(
        "community.general.jenkins_node",
        Compares,
        NotInFull("it cannot show the configuration of a node that is not there yet"),
    ),
    module("community.general.locale_gen", Compares, Full).named_by_name().when(DID_NOT_LOOK),
    module("community.general.lvg", Compares, Full).when(&[condition(
        &[Given(&["reset_pv_uuid", "reset_vg_uuid"])],
        Changed,
        "says changed whenever it is to make a new UUID",
        "",
    )]),
    module("community.general.mail", Action, SENDS),
    module("community.general.matrix", Action, SENDS),
    module("community.general.mattermost", Action, SENDS),
    module("community.general.mksysb", Action, Full),
    module("community.general.monit", Compares, Full).named_by_name().when(&[no_state(&[OneOf("state", RESTARTS)])]),
    module("community.general.mqtt", Action, SENDS),
    module("community.general.mssql_script", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.general.newrelic_deployment", Action, SENDS),
    module("community.general.nexmo", Action, SENDS),
    module("community.general.nmcli", Compares, Full).named_by_name().when(&[condition(
        &[OneOf("state", &["up", "down"])],
        Changed,
        "says changed of every connection that is there (`state: up`, `state: down`)",
        "use `state: present` with `autoconnect`",
    )]),
    module("community.general.one_template", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.general.one_vnet", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.general.pacemaker_cluster", Compares, Full).named_by_name().when(DID_NOT_LOOK),
    module("community.general.pacemaker_resource", Compares, Full).named_by_name().when(DID_NOT_LOOK),
    module("community.general.pacemaker_stonith", Compares, Full).named_by_name().when(DID_NOT_LOOK),
    module("community.general.pagerduty_alert", Action, SENDS),
    module("community.general.pagerduty_change", Action, SENDS),
    module("community.general.pipx", Compares, Full).named_by_name().when(&[condition(
        &[Given(&["state"]), NotOneOf("state", &["install", "present"])],
        Unchanged,
        "says \"not changed\" in check mode without having looked, with this `state`",
        "use `state: present`",
    )]),
    module("community.general.portage", Compares, Full).named_by_name().when(&[condition(
        &[Given(&["sync"])],
        Unchanged,
        "does not look at packages in check mode (`sync`)",
        "give `sync` a task of its own",
    )]),
    module("community.general.pushbullet", Action, SENDS),
    module("community.general.pushover", Action, SENDS),
    module("community.general.redis_data_incr", Action, NotInFull("it only works out the next value")),
    module("community.general.rocketchat", Action, SENDS),
    module("community.general.rollbar_deployment", Action, SENDS),
    module("community.general.say", Action, SENDS),
    module("community.general.sendgrid", Action, SENDS),
    module("community.general.shutdown", Action, SENDS),
    module("community.general.slack", Action, SENDS),
    module("community.general.statusio_maintenance", Action, SENDS),
    module("community.general.supervisorctl", Compares, Full)
        .named_by_name()
        .when(&[no_state(&[OneOf("state", &["restarted", "signalled"])])]),
    module("community.general.syslogger", Action, SENDS),
    module("community.general.telegram", Action, SENDS),
    module("community.general.twilio", Action, SENDS),
    module("community.general.wakeonlan", Action, SENDS),
    module("community.general.zfs", Compares, PARTLY).when(&[condition(
        &[],
        Changed,
        "may say changed of what is as it should be, by its own documentation",
        "",
    )]),
    module("community.general.zpool", Compares, NotInFull("it runs only those subcommands that can run dry")),
    module("community.hashi_vault.vault_database_connection_configure", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_database_connection_delete", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_database_connection_reset", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_database_role_create", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_database_role_delete", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_database_rotate_root_credentials", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_database_static_role_create", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_database_static_role_rotate_credentials", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_kv2_delete", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_kv2_write", Compares, PARTLY).when(&[condition(
        &[NotTrue("read_before_write")],
        Both,
        "says changed without having looked, in check mode",
        "set `read_before_write: true`",
    )]),
    module("community.hashi_vault.vault_login", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_pki_generate_certificate", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_token_create", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_write", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.postgresql.postgresql_copy", Compares, PARTLY).when(GUESSES),
    module("community.postgresql.postgresql_query", Reads, Full).when(&[condition(
        ALWAYS,
        Changed,
        "would change rows, and nothing tells whether they are as they should be",
        "",
    )]),
    module("community.postgresql.postgresql_tablespace", Compares, PARTLY).when(GUESSES),
];
