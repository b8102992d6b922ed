//! What is known of modules: what kind of module each is, and on which of its arguments it depends whether an answer of
//! it is proof.
//!
//! A module that is not in the table manages something, compares it, and may or may not support check mode.

/// What an answer of a module means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It runs on the controller, whatever host it runs for, and says nothing about a target.
    Controller,
    /// The same, and it brings in further tasks: a skip of it skips all of them.
    Include,
    /// It reaches the target and describes no state of it.
    Action,
    /// It reads the target and manages nothing.
    Reads,
    /// It runs what it is given: its exit code and its `changed` mean what the playbook says they mean.
    Command,
    /// It manages something on the target and compares it first.
    Compares,
}

/// What is known of one module.
#[derive(Debug, PartialEq, Eq)]
pub struct Module {
    /// Its name without its collection.
    pub name: &'static str,
    /// What an answer of it means.
    pub kind: Kind,
    /// It supports check mode in full, by its documentation.
    pub supports_check_mode: bool,
    /// Its path arguments say where something is kept, not what it is: it is named by its name.
    pub named_by_name: bool,
    /// `force: false` means that content which is there already is never compared.
    pub force_replaces_content: bool,
    /// Without `force: true` it compares by age, and only a `checksum` proves that the content is the same.
    pub needs_checksum: bool,
}

/// Modules of any collection that are not in [`TABLE`].
const OTHER: Module = module("", Kind::Compares);

/// Those of them whose name says that they only read.
const OTHER_READS: Module = module("", Kind::Reads);

/// Endings of the names of modules that read.
const READS: [&str; 2] = ["_facts", "_info"];

const TABLE: &[Module] = &[
    module("add_host", Kind::Controller),
    module("apt", Kind::Compares).checks(),
    module("apt_key", Kind::Compares).checks(),
    module("apt_repository", Kind::Compares).checks(),
    module("assert", Kind::Controller),
    module("async_status", Kind::Action),
    module("blockinfile", Kind::Compares).checks(),
    module("command", Kind::Command),
    module("copy", Kind::Compares).checks().force_replaces_content(),
    module("cron", Kind::Compares).checks().named_by_name(),
    module("deb822_repository", Kind::Compares).checks(),
    module("debconf", Kind::Compares).checks(),
    module("debug", Kind::Controller),
    module("dnf", Kind::Compares).checks(),
    module("dnf5", Kind::Compares).checks(),
    module("dpkg_selections", Kind::Compares).checks(),
    module("expect", Kind::Command),
    module("fail", Kind::Controller),
    module("fetch", Kind::Reads).checks(),
    module("file", Kind::Compares).checks(),
    module("find", Kind::Reads).checks(),
    module("gather_facts", Kind::Action).checks(),
    module("get_url", Kind::Compares).checks().force_replaces_content().needs_checksum(),
    module("getent", Kind::Reads).checks(),
    module("git", Kind::Compares).checks(),
    module("group", Kind::Compares).checks().named_by_name(),
    module("group_by", Kind::Controller),
    module("hostname", Kind::Compares).checks(),
    module("import_playbook", Kind::Include),
    module("import_role", Kind::Include),
    module("import_tasks", Kind::Include),
    module("include", Kind::Include),
    module("include_role", Kind::Include),
    module("include_tasks", Kind::Include),
    module("include_vars", Kind::Controller),
    module("iptables", Kind::Compares).checks(),
    module("known_hosts", Kind::Compares).checks(),
    module("lineinfile", Kind::Compares).checks(),
    module("meta", Kind::Controller),
    module("mount_facts", Kind::Reads).checks(),
    module("package", Kind::Compares).checks().named_by_name(),
    module("package_facts", Kind::Reads).checks(),
    module("pause", Kind::Controller),
    module("ping", Kind::Action).checks(),
    module("pip", Kind::Compares).checks().named_by_name(),
    module("raw", Kind::Command),
    module("replace", Kind::Compares).checks(),
    module("rpm_key", Kind::Compares).checks(),
    module("script", Kind::Command),
    module("service", Kind::Compares).checks().named_by_name(),
    module("service_facts", Kind::Reads).checks(),
    module("set_fact", Kind::Controller),
    module("set_stats", Kind::Controller),
    module("setup", Kind::Action).checks(),
    module("shell", Kind::Command),
    module("slurp", Kind::Reads).checks(),
    module("stat", Kind::Reads).checks(),
    module("subversion", Kind::Compares).checks(),
    module("systemd", Kind::Compares).checks().named_by_name(),
    module("systemd_service", Kind::Compares).checks().named_by_name(),
    module("sysvinit", Kind::Compares).named_by_name(),
    module("template", Kind::Compares).checks().force_replaces_content(),
    module("uri", Kind::Reads),
    module("user", Kind::Compares).checks().named_by_name(),
    module("validate_argument_spec", Kind::Controller),
    module("wait_for", Kind::Action),
    module("wait_for_connection", Kind::Action),
    module("yum", Kind::Compares).checks(),
    module("yum_repository", Kind::Compares).checks(),
];

const fn module(name: &'static str, kind: Kind) -> Module {
    Module {
        name,
        kind,
        supports_check_mode: false,
        named_by_name: false,
        force_replaces_content: false,
        needs_checksum: false,
    }
}

impl Module {
    const fn checks(mut self) -> Self {
        self.supports_check_mode = true;
        self
    }

    const fn named_by_name(mut self) -> Self {
        self.named_by_name = true;
        self
    }

    const fn force_replaces_content(mut self) -> Self {
        self.force_replaces_content = true;
        self
    }

    const fn needs_checksum(mut self) -> Self {
        self.needs_checksum = true;
        self
    }
}

/// The arguments that decide whether an answer is proof, over all modules.
pub const DECIDING_ARGUMENTS: [&str; 2] = ["force", "checksum"];

/// What is known of the module of an action, such as `ansible.builtin.copy`.
pub fn find(action: &str) -> &'static Module {
    let name = short_name(action);
    match TABLE.binary_search_by(|module| module.name.cmp(name)) {
        Ok(place) => &TABLE[place],
        Err(_) if READS.iter().any(|ending| name.ends_with(ending)) => &OTHER_READS,
        Err(_) => &OTHER,
    }
}

/// The last part of an action's name: `copy` of `ansible.builtin.copy`.
pub fn short_name(action: &str) -> &str {
    action.rsplit('.').next().unwrap_or(action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_module_of_the_table_is_found_by_its_name() {
        for module in TABLE {
            assert_eq!(find(&format!("ansible.builtin.{}", module.name)), module);
        }
    }

    #[test]
    fn a_module_that_is_not_in_the_table_compares_or_reads_by_its_name() {
        assert_eq!(find("acme.site.push").kind, Kind::Compares);
        assert_eq!(find("community.mysql.mysql_info").kind, Kind::Reads);
        assert_eq!(find("acme_facts").kind, Kind::Reads);
    }
}
