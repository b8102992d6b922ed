//! What is known of the modules of collections, sorted by name.

use super::CheckMode::{Full, NotInFull};
use super::Is::{Answered, Given, Holds, Missing, NotOneOf, NotTrue, OneOf, True, Unlike};
use super::Kind::{Action, Compares, Reads};
use super::Lost::{Both, Changed, Diff, Unchanged};
use super::row::{ALWAYS, PARTLY, SKIPPED, UNSAID, condition, module, no_state};
use super::{CheckMode, Condition, Module};

const RESTARTS: &[&str] = &["restarted", "reloaded"];

/// It has not looked when it says that nothing changed.
const DID_NOT_LOOK: &[Condition] = &[condition(ALWAYS, Unchanged, NOT_LOOKED, "")];
const NOT_LOOKED: &str = "reports \"not changed\" in check mode without looking";

/// It does not look at what it is told of the file itself.
const IGNORES_MODE: &[Condition] = &[condition(
    &[Given(OF_THE_FILE)],
    Unchanged,
    "does not look at the mode and the owner of the file in check mode",
    "give `mode`, `owner` and `group` a task of their own (`file`)",
)];

/// The same of one that tells how it found the file.
const COMPARES_NO_MODE: &[Condition] = &[Condition { when: &[Unlike(OF_THE_FILE)], ..IGNORES_MODE[0] }];
const OF_THE_FILE: &[&str] = &["mode", "owner", "group"];

/// It says "changed" whatever it finds.
const SAYS_CHANGED: &[Condition] =
    &[condition(ALWAYS, Both, "reports \"changed\" in check mode whatever it finds", "")];

/// Its documentation says that its answers in check mode may be wrong.
const GUESSES: &[Condition] =
    &[condition(ALWAYS, Both, "only guesses in check mode, according to its documentation", "")];

/// A capability as `getcap` never writes it.
const PLUS: &str = "says changed whatever the file has, where the capability is written with `+`";
const PLUS_HINT: &str = "write it with `=`, such as `cap_net_bind_service=ep`";

const SENDS: CheckMode = NotInFull("it sends something, and manages nothing");

const MYSQL_DB: &[Condition] = &[
    condition(
        &[Given(&["encoding", "collation"])],
        Unchanged,
        "does not look at the encoding of a database that is there (`encoding`, `collation`)",
        "remove `encoding` and `collation`",
    ),
    condition(&[OneOf("state", &["dump", "import"])], Changed, "says changed whatever is there, with this `state`", ""),
];

pub(super) const COLLECTIONS: &[Module] = &[
    module("amazon.aws.lambda_execute", Action, Full),
    module("ansible.mariadb.mariadb_db", Compares, Full).when(MYSQL_DB),
    module("ansible.mysql.mysql_clone", Compares, PARTLY).when(GUESSES),
    module("ansible.mysql.mysql_db", Compares, Full).when(MYSQL_DB),
    module("ansible.netcommon.cli_command", Reads, Full),
    module("ansible.netcommon.grpc_get", Reads, Full),
    module("ansible.netcommon.netconf_get", Reads, Full),
    module("ansible.netcommon.netconf_rpc", Reads, Full),
    module("ansible.netcommon.restconf_get", Reads, Full),
    module("ansible.posix.at", Action, SKIPPED),
    module("ansible.posix.synchronize", Compares, UNSAID).when(&[
        no_state(&[OneOf("mode", &["pull"])]),
        condition(
            &[NotTrue("checksum")],
            Unchanged,
            "compares size and time of files, not their content, without `checksum`",
            "set `checksum: true`",
        ),
    ]),
    module("ansible.utils.cli_parse", Reads, Full),
    module("ansible.utils.validate", Reads, Full),
    module("arista.eos.eos_command", Reads, Full),
    module("cisco.ios.ios_command", Reads, Full),
    module("cisco.iosxr.iosxr_command", Reads, Full),
    module("cisco.nxos.nxos_command", Reads, Full),
    module("cisco.nxos.nxos_ping", Reads, Full),
    module("community.aws.route53_wait", Action, Full),
    module("community.crypto.get_certificate", Reads, Full),
    module("community.crypto.openssl_csr_pipe", Reads, NotInFull("it makes a text, in check mode too")),
    module("community.crypto.openssl_privatekey_pipe", Reads, NotInFull("it makes a text, in check mode too")),
    module("community.crypto.x509_certificate_pipe", Reads, NotInFull("it makes a text, in check mode too")),
    module("community.dns.wait_for_txt", Action, Full),
    module("community.docker.docker_compose_v2", Compares, Full).when(&[condition(
        &[OneOf("pull", &["always"])],
        Unchanged,
        "does not look for a newer image in check mode (`pull: always`)",
        "name the image by its digest",
    )]),
    module("community.docker.docker_container", Compares, PARTLY).named_by_name().when(&[condition(
        &[OneOf("pull", &["always", "True", "true", "yes"])],
        Both,
        "does not look for a newer image in check mode (`pull`)",
        "name the image by its digest, and remove `pull`",
    )]),
    module("community.docker.docker_image", Compares, PARTLY).named_by_name().when(&[condition(
        &[True("force_source")],
        Changed,
        "reports a change whatever image is there (`force_source`)",
        "name the image by its digest, and remove `force_source`",
    )]),
    module("community.docker.docker_image_pull", Compares, PARTLY).named_by_name().when(&[condition(
        &[NotOneOf("pull", &["not_present"])],
        Both,
        "reports a change whatever image is there (`pull: always`)",
        "name the image by its digest, with `pull: not_present`",
    )]),
    module("community.general.aerospike_migrations", Reads, Full),
    module("community.general.airbrake_deployment", Action, SENDS),
    module("community.general.alternatives", Compares, Full).named_by_name().when(&[condition(
        &[],
        Diff,
        "shows a difference where nothing differs",
        "",
    )]),
    module("community.general.apk", Compares, Full).named_by_name().when(&[no_state(&[Missing(&["name", "upgrade"])])]),
    module("community.general.archive", Compares, Full).when(SAYS_CHANGED),
    module("community.general.bigpanda", Action, SENDS),
    module("community.general.btrfs_subvolume", Compares, PARTLY).when(GUESSES),
    module("community.general.capabilities", Compares, Full).when(&[
        condition(&[Holds("capability", &["+"])], Changed, PLUS, PLUS_HINT),
        condition(&[Holds("cap", &["+"])], Changed, PLUS, PLUS_HINT),
    ]),
    module("community.general.cisco_webex", Action, Full),
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
        "reports a change whatever is installed (`state: latest`)",
        "use `state: present`",
    )]),
    module("community.general.google_chat", Action, Full),
    module("community.general.honeybadger_deployment", Action, SENDS),
    module("community.general.icinga2_host", Compares, Full).named_by_name().when(DID_NOT_LOOK),
    module("community.general.influxdb_query", Reads, Full),
    module("community.general.ini_file", Compares, Full).when(COMPARES_NO_MODE).answers(OF_THE_FILE),
    module("community.general.interfaces_file", Compares, Full).when(COMPARES_NO_MODE).answers(OF_THE_FILE),
    module("community.general.irc", Action, Full),
    module("community.general.jabber", Action, SENDS),
    module(
        "community.general.jenkins_node",
        Compares,
        NotInFull("it cannot show the configuration of a node that is not there yet"),
    ),
    module("community.general.keycloak_user_execute_actions_email", Action, Full),
    module("community.general.ldap_search", Reads, Full),
    // Its first answers without a comparison are also the first that name the locale.
    module("community.general.locale_gen", Compares, Full)
        .named_by_name()
        .when(&[condition(&[Answered("name")], Unchanged, NOT_LOOKED, "")])
        .answers(&["name"]),
    module("community.general.logentries_msg", Action, Full),
    module("community.general.lvg", Compares, Full).when(&[condition(
        &[Given(&["reset_pv_uuid", "reset_vg_uuid"])],
        Changed,
        "reports a change whenever it is told to make a new UUID",
        "",
    )]),
    module("community.general.lvm_pv", Compares, Full).when(&[condition(
        &[True("resize")],
        Changed,
        "says changed whatever size it has (`resize`)",
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
        "reports every existing connection as changed (`state: up`, `state: down`)",
        "use `state: present` with `autoconnect`",
    )]),
    module("community.general.one_template", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.general.one_vnet", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.general.pacemaker_cluster", Compares, Full).named_by_name().when(DID_NOT_LOOK),
    module("community.general.pacemaker_resource", Compares, Full).named_by_name().when(DID_NOT_LOOK),
    module("community.general.pacemaker_stonith", Compares, Full).named_by_name().when(DID_NOT_LOOK),
    module("community.general.packer", Compares, PARTLY).when(GUESSES),
    module("community.general.packet_project", Compares, Full).when(DID_NOT_LOOK),
    module("community.general.packet_volume", Compares, Full).when(DID_NOT_LOOK),
    module("community.general.packet_volume_attachment", Compares, Full).when(DID_NOT_LOOK),
    module("community.general.pacman", Compares, Full).named_by_name().when(&[
        no_state(&[Missing(&["name", "package", "pkg", "upgrade"])]),
        condition(
            &[True("update_cache")],
            Changed,
            "says changed whatever is installed (`update_cache`)",
            "give `update_cache` a task of its own",
        ),
    ]),
    module("community.general.pagerduty_alert", Action, SENDS),
    module("community.general.pagerduty_change", Action, SENDS),
    module("community.general.pids", Reads, Full),
    module("community.general.pipx", Compares, Full).named_by_name().when(&[condition(
        &[Given(&["state"]), NotOneOf("state", &["install", "present"])],
        Unchanged,
        "reports \"not changed\" in check mode without looking, with this `state`",
        "use `state: present`",
    )]),
    module("community.general.pkgin", Compares, Full).named_by_name().when(&[no_state(&[Missing(&[
        "name",
        "upgrade",
        "full_upgrade",
        "clean",
    ])])]),
    module("community.general.portage", Compares, Full).named_by_name().when(&[condition(
        &[Given(&["sync"])],
        Unchanged,
        "does not look at packages in check mode (`sync`)",
        "give `sync` a task of its own",
    )]),
    module("community.general.pushbullet", Action, SENDS),
    module("community.general.pushover", Action, SENDS),
    module("community.general.read_csv", Reads, Full),
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
    module("community.general.xbps", Compares, Full)
        .named_by_name()
        .when(&[no_state(&[Missing(&["name", "pkg", "package", "upgrade"])])]),
    module("community.general.zfs", Compares, PARTLY).when(&[condition(
        &[],
        Changed,
        "may report a change where nothing differs, according to its documentation",
        "",
    )]),
    module("community.general.zpool", Compares, NotInFull("it runs only those subcommands that can run dry")),
    module("community.hashi_vault.vault_database_connection_configure", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_database_connection_delete", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_database_connection_read", Reads, Full),
    module("community.hashi_vault.vault_database_connection_reset", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_database_connections_list", Reads, Full),
    module("community.hashi_vault.vault_database_role_create", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_database_role_delete", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_database_role_read", Reads, Full),
    module("community.hashi_vault.vault_database_roles_list", Reads, Full),
    module("community.hashi_vault.vault_database_rotate_root_credentials", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_database_static_role_create", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_database_static_role_get_credentials", Reads, Full),
    module("community.hashi_vault.vault_database_static_role_read", Reads, Full),
    module("community.hashi_vault.vault_database_static_role_rotate_credentials", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_database_static_roles_list", Reads, Full),
    module("community.hashi_vault.vault_kv1_get", Reads, Full),
    module("community.hashi_vault.vault_kv2_delete", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_kv2_get", Reads, Full),
    module("community.hashi_vault.vault_kv2_write", Compares, PARTLY).when(&[condition(
        &[NotTrue("read_before_write")],
        Both,
        "reports a change in check mode without looking",
        "set `read_before_write: true`",
    )]),
    module("community.hashi_vault.vault_list", Reads, Full),
    module("community.hashi_vault.vault_login", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_pki_generate_certificate", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_read", Reads, Full),
    module("community.hashi_vault.vault_token_create", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.hashi_vault.vault_write", Compares, PARTLY).when(SAYS_CHANGED),
    module("community.mysql.mysql_db", Compares, Full).when(MYSQL_DB),
    module("community.postgresql.postgresql_copy", Compares, PARTLY).when(GUESSES),
    module("community.postgresql.postgresql_db", Compares, Full).when(&[condition(
        &[OneOf("state", &["dump", "restore"])],
        Unchanged,
        "says \"not changed\" in check mode without having looked, with this `state`",
        "",
    )]),
    module("community.postgresql.postgresql_idx", Compares, Full).when(&[condition(
        &[Given(&["columns", "column", "idxtype", "cond"])],
        Unchanged,
        "looks only whether there is an index of this name",
        "",
    )]),
    module("community.postgresql.postgresql_pg_hba", Compares, Full).when(IGNORES_MODE),
    module("community.postgresql.postgresql_ping", Reads, Full),
    module("community.postgresql.postgresql_query", Reads, Full).when(&[condition(
        ALWAYS,
        Changed,
        "would change rows, and nothing tells whether they are as they should be",
        "",
    )]),
    module("community.postgresql.postgresql_sequence", Compares, Full).when(&[condition(
        &[Given(&["data_type", "increment", "minvalue", "min", "maxvalue", "max", "start", "cache", "cycle"])],
        Unchanged,
        "looks at the name, the owner and the schema of a sequence that is there, and at nothing else",
        "",
    )]),
    module("community.postgresql.postgresql_table", Compares, Full).when(&[condition(
        &[Given(&["columns", "like", "including", "unlogged"])],
        Unchanged,
        "does not look at the columns of a table that is there",
        "",
    )]),
    module("community.postgresql.postgresql_tablespace", Compares, PARTLY).when(GUESSES),
    module("containers.podman.podman_container_exec", Action, Full),
    module("containers.podman.podman_search", Reads, Full),
    module("dellemc.enterprise_sonic.sonic_command", Reads, Full),
    module("graphiant.naas.graphiant_device_config", Compares, PARTLY).when(GUESSES),
    module("kubernetes.core.helm_template", Reads, Full),
    module("kubernetes.core.k8s_exec", Action, Full),
    module("kubernetes.core.k8s_log", Reads, Full),
    module("vyos.vyos.vyos_command", Reads, Full),
];
