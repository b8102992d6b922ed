use super::*;

fn map(values: &[(&str, &str)]) -> BTreeMap<String, String> {
    values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Which answers are proof: unchanged, changed.
fn proven(action: &str, args: &[(&str, &str)], answer: &[(&str, &str)]) -> (bool, bool) {
    let (args, answer) = (map(args), map(answer));
    let call = Call { defaults: &BTreeMap::new(), args: &args, answer: Some(&answer) };
    let proof = find(action).proof(&call);
    (proof.unchanged_lost.is_none(), proof.changed_lost.is_none())
}

#[test]
fn the_table_is_sorted_and_each_module_is_found_by_its_name() {
    for table in [ansible_core::CORE, collections::COLLECTIONS] {
        for (before, after) in table.iter().zip(&table[1..]) {
            assert!(before.name < after.name, "{} stands before {}", before.name, after.name);
        }
    }
    for module in all() {
        assert_eq!(find(module.name), module);
    }
    assert_eq!(find("ansible.builtin.copy").name, "copy");
    assert_eq!(find("ansible.legacy.copy").name, "copy");
}

#[test]
fn a_module_that_is_not_in_the_table_compares_or_reads_by_its_name() {
    assert_eq!(find("acme.site.copy").kind, Kind::Compares);
    assert_eq!(find("community.mysql.mysql_info").kind, Kind::Reads);
    assert_eq!(find("acme_facts").kind, Kind::Reads);
}

#[test]
fn arguments_take_proof_away() {
    let there = &[("checksum_dest", "ab")][..];
    for (action, args, answer, unchanged, changed) in [
        ("copy", &[][..], &[][..], true, true),
        ("copy", &[("force", "no")][..], &[], false, true),
        ("copy", &[("force", "{{ x }}")], &[], false, true),
        ("acme.site.key", &[("force", "no")], &[], true, true),
        ("get_url", &[("dest", "/a")], there, false, false),
        ("get_url", &[("dest", "/a")], &[], false, true),
        ("get_url", &[("dest", "/a"), ("checksum", "sha1:1")], there, true, true),
        ("get_url", &[("dest", "/a"), ("checksum", "sha1:1"), ("force", "true")], there, true, false),
        ("get_url", &[("dest", "/a/"), ("checksum", "sha1:1")], there, false, false),
        ("get_url", &[("dest", "/a"), ("checksum", "x")], &[("dest", "/a/b"), ("checksum_dest", "c")], false, false),
        ("git", &[("update", "no")], &[], false, true),
        ("community.general.ini_file", &[("mode", "0640")], &[("mode", "0640")], true, true),
        ("community.general.ini_file", &[("mode", "00640")], &[("mode", "0640")], true, true),
        ("community.general.ini_file", &[("mode", "0640")], &[("mode", "0600")], false, true),
        ("community.general.ini_file", &[("mode", "416")], &[("mode", "0640")], false, true),
        ("community.general.ini_file", &[("mode", "u=rw")], &[("mode", "0640")], false, true),
        ("community.general.ini_file", &[("mode", "0640")], &[], false, true),
        (
            "community.general.ini_file",
            &[("owner", "web"), ("group", "web")],
            &[("owner", "web"), ("group", "web")],
            true,
            true,
        ),
        (
            "community.general.ini_file",
            &[("owner", "web"), ("group", "web")],
            &[("owner", "web"), ("group", "www")],
            false,
            true,
        ),
        ("community.general.ini_file", &[], &[], true, true),
        ("git", &[("force", "true")], &[], false, true),
        ("file", &[("state", "directory"), ("modification_time", "now")], &[], true, false),
        ("file", &[("state", "directory"), ("access_time", "preserve")], &[], true, true),
        ("file", &[("state", "touch"), ("access_time", "now")], &[], true, true),
        ("pip", &[("name", "flask")], &[], true, true),
        ("pip", &[("requirements", "/r.txt")], &[], true, false),
        ("pip", &[("name", "git+https://x/y")], &[], true, false),
        ("pip", &[("name", "x"), ("state", "forcereinstall")], &[], false, false),
    ] {
        assert_eq!(proven(action, args, answer), (unchanged, changed), "{action} {args:?} {answer:?}");
    }
}

#[test]
fn a_module_that_a_template_names_proves_nothing() {
    for action in ["{{ ansible_pkg_mgr }}", "{% if x %}copy{% else %}git{% endif %}"] {
        assert_eq!(proven(action, &[], &[]), (false, false), "{action}");
    }
}

#[test]
fn arguments_turn_a_module_into_an_action() {
    let is_action = |action: &str, args: &[(&str, &str)]| {
        let args = map(args);
        find(action).proof(&Call { defaults: &BTreeMap::new(), args: &args, answer: None }).is_action
    };
    assert!(is_action("apt", &[("update_cache", "true")]));
    assert!(!is_action("apt", &[("update_cache", "true"), ("pkg", "git")]));
    assert!(is_action("package", &[("update_cache", "true")]));
    assert!(is_action("systemd", &[("daemon_reload", "true")]));
    assert!(is_action("service", &[("name", "x"), ("state", "restarted")]));
    assert!(!is_action("service", &[("name", "x"), ("state", "restarted"), ("enabled", "true")]));
    assert!(!is_action("systemd", &[("name", "x"), ("state", "started")]));
}
