//! What is read from `PLUGIN_*` and `CI_*`: every form Woodpecker writes, and a sentence for everything that is wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use plugin_gitops_status::{Settings, TABLE};

const NEEDED: [(&str, &str); 4] = [
    ("playbook", "site.yml"),
    ("repo_name", "rsyslog"),
    ("server_name", "rsyslog-lab"),
    ("gitops_status_server_url", "http://status"),
];

fn variables(settings: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    let given = |name: &str| settings.iter().any(|(given, _)| *given == name);
    let needed = NEEDED.iter().filter(|(name, _)| !given(name)).chain(settings);
    needed.map(|(name, value)| (format!("PLUGIN_{}", name.to_uppercase()).into(), (*value).into())).collect()
}

fn read(settings: &[(&str, &str)]) -> Settings {
    Settings::read(variables(settings)).unwrap()
}

fn problems(settings: &[(&str, &str)]) -> Vec<String> {
    Settings::read(variables(settings)).unwrap_err().lines
}

#[test]
fn each_wrong_setting_gets_one_line_with_its_name_its_value_and_the_remedy() {
    for (name, value, parts) in [
        ("gitops_status_server_url", "", &["not set", "http://gitops-status-server"][..]),
        ("gitops_status_server_url", "status:80", &["http://"]),
        ("gitops_status_server_url", "http://", &["no URL"]),
        ("gitops_status_server_url", "http://s/api/status", &["/api/status", "base URL alone"]),
        ("gitops_status_server_url", "http://s/?a=b", &["query"]),
        ("repo_name", " ", &["not set"]),
        ("server_name", "", &["not set", "per_host"]),
        ("playbook", "", &["not set", "site.yml"]),
        ("playbook", "[\"a\",", &["JSON"]),
        ("check", "maybe", &["\"maybe\"", "true or false"]),
        ("become", "y", &["\"y\"", "true or false"]),
        ("forks", "0", &["\"0\"", "from 1"]),
        ("forks", "2.5", &["\"2.5\"", "whole number"]),
        ("verbosity", "7", &["\"7\"", "to 6"]),
        ("timeout", "90", &["\"90\"", "90s, 2m or 1h30m"]),
        ("timeout", "0s", &["\"0s\"", "1h30m"]),
        ("http_timeout", "-1s", &["\"-1s\""]),
        ("retry_for", "1m1h", &["\"1m1h\""]),
        ("extra_vars", "novalue", &["***", "key=value"]),
        ("extra_vars", "{\"a\":", &["***", "map"]),
        ("ansible_env", "{\"PATH\":\"/x\"}", &["ANSIBLE_", "`PATH`"]),
        ("ansible_env", "{\"ANSIBLE_HOST_PATTERN_MISMATCH\":\"ignore\"}", &["verdict depends"]),
        ("args", "-e 'a b'", &["quotes", "one argument per item"]),
        ("headers", "{\"X Y\":\"1\"}", &["\"X Y\"", "no header name"]),
        ("headers", "{\"X\":\"a\\r\\nB: c\"}", &["`X`", "line break"]),
        ("headers", "{\"Host\":\"x\"}", &["`Host`", "remove it"]),
        ("status_server_token", "a\nb", &["line break"]),
        ("ignore_tasks", "[[x", &["ignore_tasks"]),
        ("per_host", "2", &["\"2\""]),
        ("ssh_private_key", "ssh-ed25519 AAAA me", &["public key"]),
        ("playbok", "x", &["not a setting", "`playbook`"]),
        ("server", "x", &["not a setting", "`server_name`"]),
    ] {
        let lines = problems(&[(name, value)]);
        assert_eq!(lines.len(), 1, "{name}={value}: {lines:?}");
        assert!(lines[0].contains(&format!("`{name}`")), "{lines:?}");
        for part in parts {
            assert!(lines[0].contains(part), "{part:?} is missing in {lines:?}");
        }
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let lines = problems(&[("playbook", ""), ("check", "x"), ("forks", "x"), ("sever_name", "x"), ("timeout", "5")]);
    assert_eq!(lines.len(), 5, "{lines:?}");
}

#[test]
fn a_value_that_is_not_utf8_is_named() {
    let mut all = variables(&[]);
    all.push(("PLUGIN_LIMIT".into(), OsString::from_vec(vec![b'a', 0xff])));
    assert_eq!(Settings::read(all).unwrap_err().lines, ["PLUGIN_LIMIT is not UTF-8; write its value as UTF-8 text"]);
}

#[test]
fn no_secret_is_in_a_message_or_in_debug_output() {
    let canary = "c4n4ry";
    let wrong = problems(&[
        ("status_server_token", &format!("{canary}\n")),
        ("headers", &format!("{{\"X\":\"{canary}\\n\"}}")),
        ("extra_vars", canary),
        ("vault_password", canary),
        ("ssh_private_key", canary),
        ("gitops_status_server_url", &format!("http://me:{canary}@s/?x")),
    ]);
    assert!(!format!("{wrong:?}").contains(canary), "{wrong:?}");
    let settings = read(&[
        ("headers", &format!("{{\"X\":\"{canary}\"}}")),
        ("extra_vars", &format!("{{\"x\":\"{canary}\"}}")),
        ("vault_password", canary),
        ("gitops_status_server_url", &format!("http://me:{canary}@s")),
    ]);
    assert!(!format!("{settings:?}").contains(canary), "{settings:?}");
}

#[test]
fn both_list_forms_are_read() {
    let both = [read(&[("ignore", " a.conf , b/*,")]), read(&[("ignore", "[\"a.conf\", \"b/*\", null]")])];
    for settings in both {
        let globs: Vec<&str> = settings.ignore.files.iter().map(glob::Pattern::as_str).collect();
        assert_eq!(globs, ["a.conf", "b/*"]);
    }
    assert_eq!(read(&[("tags", "")]).ansible.tags, Vec::<String>::new());
    assert_eq!(read(&[("limit", "a,b")]).ansible.limit.as_deref(), Some("a,b"));
    assert_eq!(read(&[("args", "-e a=b")]).ansible.args, ["-e", "a=b"]);
    assert_eq!(read(&[("args", "[\"-e\",\"a=b c\"]")]).ansible.args, ["-e", "a=b c"]);
}

#[test]
fn maps_and_key_value_lists_become_the_same_extra_vars() {
    for value in ["{\"a\":\"1\",\"b\":\"x y\"}", "a=1,b=x y", "[\"a=1\",\"b=x y\"]"] {
        let settings = read(&[("extra_vars", value)]);
        assert_eq!(settings.ansible.extra_vars.unwrap().json(), r#"{"a":"1","b":"x y"}"#, "{value}");
    }
    assert_eq!(read(&[("extra_vars", "{\"n\":3}")]).ansible.extra_vars.unwrap().json(), r#"{"n":3}"#);
}

#[test]
fn durations_and_booleans_are_read_in_every_form() {
    for (value, seconds) in [("90s", 90), ("2m", 120), ("1h30m", 5400), ("1h1m1s", 3661)] {
        assert_eq!(read(&[("timeout", value)]).ansible.timeout, Duration::from_secs(seconds));
    }
    for (value, flag) in
        [("TRUE", true), ("yes", true), ("On", true), ("1", true), ("no", false), ("off", false), ("0", false)]
    {
        assert_eq!(read(&[("check", value)]).ansible.check_mode, flag, "{value}");
    }
}

#[test]
fn defaults_are_those_of_the_table() {
    let settings = read(&[]);
    assert!(settings.ansible.check_mode);
    assert_eq!(settings.ansible.timeout, Duration::from_secs(600));
    let receiver = settings.destination.server().unwrap();
    assert_eq!((receiver.http_timeout, receiver.retry_for), (Duration::from_secs(10), Duration::from_secs(60)));
    for (name, default) in [("check", "true"), ("timeout", "10m"), ("http_timeout", "10s"), ("retry_for", "60s")] {
        assert_eq!(TABLE.iter().find(|setting| setting.name == name).unwrap().default.words(), default);
    }
}

#[test]
fn the_user_of_the_url_becomes_basic_auth() {
    let receiver = read(&[("gitops_status_server_url", "https://me:p%40ss@status:8443/prefix/")]);
    let receiver = receiver.destination.server().unwrap();
    assert_eq!(receiver.endpoint.to_string(), "https://status:8443/prefix/api/status");
    let basic_auth = receiver.basic_auth.as_ref().unwrap();
    assert_eq!((basic_auth.user.as_str(), basic_auth.password.expose()), ("me", "p@ss"));
    let both = problems(&[("gitops_status_server_url", "http://a:b@s"), ("status_server_token", "t")]);
    assert!(both[0].contains("remove one"), "{both:?}");
}

#[test]
fn the_pipeline_fills_in_what_is_not_set() {
    let mut all = variables(&[("repo_name", "")]);
    all.push(("CI_REPO_NAME".into(), "from-ci".into()));
    assert_eq!(Settings::read(all).unwrap().identity.repo, "from-ci");
}
