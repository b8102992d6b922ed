//! What is known of the modules of ansible-core, sorted by name.
//!
//! What a module cannot see in no mode at all (a file that it does not manage) is none of this: a condition stands here
//! where the answer of a check would have been the same on a target that differs, or on one that does not.

use super::CheckMode::{Full, NotInFull};
use super::Is::{Answered, DestIsDirectory, False, Given, Holds, Missing, NotOneOf, NotTrue, OneOf, True};
use super::Kind::{Action, Command, Compares, Controller, Include, Reads};
use super::Lost::{Both, Changed, Diff, Unchanged};
use super::row::{PARTLY, REPLACES, SKIPPED, UNSAID, condition, module, no_state};
use super::{CheckMode, Condition, Is, Lost, Module};

const RUNS_HERE: CheckMode = NotInFull("it runs on the controller, in check mode too");

const COMMAND_SKIPPED: CheckMode = NotInFull("check mode skips it, unless `creates` or `removes` decide");

const DEPENDS: CheckMode = NotInFull("it depends on the module that it calls");

const CREATES: &[&str] = &["creates", "removes"];

const RESTARTS: &[&str] = &["restarted", "reloaded"];

/// Without one of them `pause` waits for an answer.
const TIMES: &[&str] = &["minutes", "seconds"];

/// `attributes` of files: they are compared with all flags that a file has, and most files have one that nobody gave them.
const FLAGS_CHANGED: Condition = flags(Changed);
const FLAGS_DIFF: Condition = flags(Diff);
const FLAGS: &[Condition] = &[FLAGS_CHANGED, FLAGS_DIFF];

const fn flags(lost: Lost) -> Condition {
    condition(
        &[Given(&["attributes", "attr"])],
        lost,
        "reports a change of files that have these flags already (`attributes`)",
        "give `attributes` a task of its own (`file`)",
    )
}

/// The answer to `state: touch` is looked at closer.
const MODIFIED_NOW: &[Is] = &[OneOf("modification_time", &["now"]), NotOneOf("state", &["touch"])];
const READ_NOW: &[Is] = &[OneOf("access_time", &["now"]), NotOneOf("state", &["touch"])];

const fn sets_time(when: &'static [Is], lost: Lost) -> Condition {
    condition(
        when,
        lost,
        "sets a time of the file to `now`, which is a change whenever it runs",
        "remove the time, or set it to `preserve`",
    )
}

const FORCE_FALSE: &[Condition] = &[
    condition(
        &[False("force")],
        Unchanged,
        "does not compare existing content (`force: false`)",
        "remove `force: false`",
    ),
    FLAGS_CHANGED,
    FLAGS_DIFF,
];

/// `copy` and `template` show only the content where that differs, and the attributes only where it does not. Of a file
/// that is on the server already they show nothing, and with `force: false` they do not compare the content.
const COPIES_MORE: &[Is] = &[False("force"), True("remote_src")];

const SERVICE: &[Condition] = &[
    no_state(&[OneOf("state", RESTARTS), Missing(&["enabled", "masked"])]),
    no_state(&[Missing(&["state", "enabled", "masked"])]),
    condition(
        &[OneOf("state", RESTARTS)],
        Both,
        "reports a change whenever it is told to restart or reload the service",
        "give `enabled` a task of its own, and let a handler restart the service",
    ),
];

pub(super) const CORE: &[Module] = &[
    module("add_host", Controller, RUNS_HERE),
    module("apt", Compares, Full).named_by_name().when(&[no_state(&[Missing(&[
        "name",
        "pkg",
        "package",
        "deb",
        "upgrade",
        "autoremove",
    ])])]),
    module("apt_key", Compares, Full),
    module("apt_repository", Compares, Full),
    module("assemble", Compares, NotInFull("check mode skips it before ansible-core 2.19"))
        .when(FLAGS)
        .for_changes(REPLACES)
        .shows_what_it_replaces(),
    module("assert", Controller, Full),
    module("async_status", Action, Full),
    module("async_wrapper", Action, NotInFull("Ansible calls it for a task that is `async`")),
    module("blockinfile", Compares, Full).when(FLAGS).for_changes(REPLACES).tells_attributes_unless(&[]),
    module("command", Command, COMMAND_SKIPPED).needs(CREATES).answers(&["delta"]),
    module("copy", Compares, Full)
        .when(FORCE_FALSE)
        .for_changes(REPLACES)
        .tells_attributes_unless(COPIES_MORE)
        .shows_what_it_replaces(),
    module("cron", Compares, Full).named_by_name(),
    module("deb822_repository", Compares, UNSAID).when(FLAGS),
    module("debconf", Compares, Full),
    module("debug", Controller, Full),
    module("dnf", Compares, Full).named_by_name().when(&[no_state(&[Missing(&["name", "pkg", "list", "autoremove"])])]),
    module("dnf5", Compares, Full).named_by_name().when(&[no_state(&[Missing(&[
        "name",
        "pkg",
        "list",
        "autoremove",
    ])])]),
    module("dpkg_selections", Compares, Full),
    module("expect", Command, SKIPPED).needs(CREATES).answers(&["delta"]),
    module("fail", Controller, Full),
    module("fetch", Action, SKIPPED),
    module("file", Compares, Full)
        .when(&[
            FLAGS_CHANGED,
            FLAGS_DIFF,
            sets_time(MODIFIED_NOW, Changed),
            sets_time(MODIFIED_NOW, Diff),
            sets_time(READ_NOW, Changed),
            sets_time(READ_NOW, Diff),
        ])
        .needs(&["state", "modification_time", "access_time"])
        .answers(&["state"])
        // What stands in the way of a link or a file.
        .for_changes(&["force", "unsafe_writes"])
        // What differs below a directory, or which file a hard link leads to, is in no diff.
        .tells_attributes_unless(&[True("recurse"), OneOf("state", &["link", "hard", "absent"])]),
    module("find", Reads, Full),
    module("gather_facts", Action, Full),
    module("get_url", Compares, PARTLY)
        .when(&[
            FLAGS_CHANGED,
            FLAGS_DIFF,
            condition(
                &[NotTrue("force"), Missing(&["checksum"])],
                Unchanged,
                "compares the age of a file, not its content, without `checksum`",
                "set `checksum`",
            ),
            condition(
                &[Missing(&["checksum"]), Answered("checksum_dest")],
                Changed,
                "cannot compare the content of a file in check mode, without `checksum`",
                "set `checksum`",
            ),
            condition(
                &[True("force"), Answered("checksum_dest")],
                Changed,
                "reports every existing file as changed (`force: true`)",
                "remove `force: true` and set `checksum`",
            ),
            condition(
                &[DestIsDirectory],
                Unchanged,
                "compares the age of a file, not its content, where `dest` is a directory",
                "name the file in `dest`",
            ),
            condition(
                &[DestIsDirectory, Answered("checksum_dest")],
                Changed,
                "reports every existing file as changed, where `dest` is a directory",
                "name the file in `dest`",
            ),
        ])
        .answers(&["dest", "state", "checksum_dest"]),
    module("getent", Reads, Full),
    module("git", Compares, Full)
        .when(&[
            condition(
                &[False("update")],
                Unchanged,
                "does not look at what is already checked out (`update: false`)",
                "remove `update: false`",
            ),
            condition(
                &[True("force")],
                Unchanged,
                "does not look at local changes (`force: true`)",
                "remove `force: true`",
            ),
            condition(
                &[False("clone")],
                Changed,
                "reports a change where nothing was checked out (`clone: false`)",
                "",
            ),
            condition(&[Given(&["archive"])], Both, "does not look at the archive in check mode (`archive`)", ""),
        ])
        .answers(&["before", "after"]),
    module("group", Compares, Full).named_by_name(),
    module("group_by", Controller, RUNS_HERE),
    module("hostname", Compares, Full),
    module("import_playbook", Include, Full),
    module("import_role", Include, Full),
    module("import_tasks", Include, RUNS_HERE),
    module("include", Include, RUNS_HERE),
    module("include_role", Include, Full),
    module("include_tasks", Include, RUNS_HERE),
    module("include_vars", Controller, Full),
    module("iptables", Compares, Full).when(&[condition(
        &[True("flush")],
        Changed,
        "reports a change whenever it is told to flush a chain",
        "",
    )]),
    module("known_hosts", Compares, Full),
    module("lineinfile", Compares, Full).when(FLAGS).for_changes(REPLACES).tells_attributes_unless(&[]),
    module("meta", Controller, RUNS_HERE),
    module("mount_facts", Reads, Full),
    module("package", Compares, DEPENDS).named_by_name().when(&[no_state(&[Missing(&[
        "name",
        "pkg",
        "package",
        "deb",
        "list",
        "upgrade",
        "autoremove",
    ])])]),
    module("package_facts", Reads, Full),
    module("pause", Controller, Full).needs(TIMES),
    module("ping", Action, Full),
    module("pip", Compares, Full).named_by_name().when(&[
        condition(
            &[Given(&["requirements"])],
            Changed,
            "reports a change whatever is installed (`requirements`)",
            "list the packages in `name`",
        ),
        condition(
            &[OneOf("state", &["latest"])],
            Both,
            "reports a change whatever is installed (`state: latest`)",
            "pin a version in `name`",
        ),
        condition(
            &[OneOf("state", &["forcereinstall"])],
            Both,
            "does not look at what is installed (`state: forcereinstall`)",
            "use `state: present`",
        ),
        condition(
            &[Given(&["extra_args"])],
            Changed,
            "reports a change whatever is installed (`extra_args`)",
            "put the options into a pip.conf, or into `environment`",
        ),
        condition(
            &[True("editable")],
            Changed,
            "reports a change whatever is installed (`editable`)",
            "install a released version",
        ),
        condition(
            &[Holds("name", &["://", "/"])],
            Changed,
            "reports a change whatever is installed (`name` is an address or a path)",
            "name the package and its version",
        ),
    ]),
    module("raw", Command, SKIPPED),
    module("reboot", Action, Full),
    module("replace", Compares, Full).when(FLAGS).for_changes(REPLACES),
    module("rpm_key", Compares, Full),
    module("script", Command, COMMAND_SKIPPED).needs(CREATES),
    module("service", Compares, DEPENDS).named_by_name().when(SERVICE),
    module("service_facts", Reads, Full),
    module("set_fact", Controller, Full),
    module("set_stats", Controller, Full),
    module("setup", Action, Full),
    module("shell", Command, COMMAND_SKIPPED).needs(CREATES).answers(&["delta"]),
    module("slurp", Reads, Full),
    module("stat", Reads, Full),
    module("subversion", Compares, Full).when(&[
        condition(
            &[False("update")],
            Unchanged,
            "does not look at what is already checked out (`update: false`)",
            "remove `update: false`",
        ),
        condition(&[True("export")], Changed, "reports a change whatever is there (`export: true`)", ""),
        condition(
            &[True("force")],
            Unchanged,
            "does not look at local changes (`force: true`)",
            "remove `force: true`",
        ),
        condition(&[], Unchanged, "does not compare which repository is checked out, in check mode", ""),
    ]),
    module("systemd", Compares, Full).named_by_name().when(SERVICE).disclaims(&["systemd is offline"]),
    module("systemd_service", Compares, Full).named_by_name().when(SERVICE).disclaims(&["systemd is offline"]),
    module("sysvinit", Compares, Full).named_by_name().when(SERVICE),
    module("tempfile", Action, SKIPPED),
    module("template", Compares, Full)
        .when(FORCE_FALSE)
        .for_changes(REPLACES)
        .tells_attributes_unless(COPIES_MORE)
        .shows_what_it_replaces(),
    module("unarchive", Compares, NotInFull("check mode skips it for archives of tar")).when(FLAGS).needs(CREATES),
    module("uri", Reads, SKIPPED),
    module("user", Compares, Full).named_by_name(),
    module("validate_argument_spec", Controller, Full),
    module("wait_for", Action, SKIPPED),
    module("wait_for_connection", Action, SKIPPED),
    module("yum", Compares, Full).named_by_name().when(&[no_state(&[Missing(&["name", "pkg", "list", "autoremove"])])]),
    module("yum_repository", Compares, Full).when(FLAGS),
];
