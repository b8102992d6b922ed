//! What is read from `PLUGIN_*` and `CI_*`: every form Woodpecker writes, and a sentence for everything that is wrong.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::process::Command;

use plugin_gitops_status::TABLE;

use crate::harness::ended::Ended;
use crate::harness::fake_ansible::Asked;
use crate::harness::server::{Scripted, ok};
use crate::harness::step::Step;
use crate::harness::suite::{Suite, suite};

pub fn suite() -> Suite {
    suite!(
        "settings",
        [],
        each_wrong_setting_gets_one_line_with_its_name_its_value_and_the_remedy,
        all_problems_are_told_at_once,
        a_value_that_is_not_utf8_is_named,
        no_secret_is_in_a_message,
        both_list_forms_are_read,
        maps_and_key_value_lists_become_the_same_extra_vars,
        durations_and_booleans_are_read_in_every_form,
        defaults_are_those_of_the_table,
        the_user_of_the_url_becomes_basic_auth,
        the_pipeline_fills_in_what_is_not_set,
        help_lists_every_setting_and_other_arguments_are_refused,
        what_can_be_known_before_the_run_is_told_at_once,
        a_list_of_which_nothing_is_left_is_named,
        headers_that_the_plugin_sets_itself_are_refused,
        the_password_of_the_url_is_masked_as_typed,
        further_environment_reaches_ansible_and_is_masked,
        a_waiver_that_has_ended_is_told_and_counts_no_more,
        names_of_other_plugins_are_answered,
        certificates_and_vaults_are_looked_at,
        every_setting_of_the_table_is_read,
    )
}

/// A step with these settings.
fn with(settings: &[(&str, &str)]) -> Step {
    Step::new().to("http://127.0.0.1:1").settings(settings.iter().copied())
}

/// What is wrong with these settings.
#[track_caller]
fn problems(settings: &[(&str, &str)]) -> Vec<String> {
    problem_lines(&with(settings).run())
}

#[track_caller]
fn problem_lines(end: &Ended) -> Vec<String> {
    end.expect_code(1).expect_no("[1/4]");
    end.stderr.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned).collect()
}

/// What Ansible is called with by these settings.
#[track_caller]
fn asked(settings: &[(&str, &str)]) -> Asked {
    let step = with(settings).dry();
    // What the fake Ansible replays has nothing to do with what it was asked for.
    step.run().expect_log("[4/4]");
    step.asked()
}

fn each_wrong_setting_gets_one_line_with_its_name_its_value_and_the_remedy() {
    for (name, value, parts) in [
        ("gitops_status_server_url", "", &["not set", "http://gitops-status-server"][..]),
        ("gitops_status_server_url", "status:80", &["http://"]),
        ("gitops_status_server_url", "http://", &["has no host name"]),
        ("gitops_status_server_url", "http://s/api/status", &["/api/status", "only the base URL"]),
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
        ("ansible_env", "{\"ANSIBLE_HOST_PATTERN_MISMATCH\":\"ignore\"}", &["status depends"]),
        ("args", "-e 'a b'", &["quotes", "one argument per item"]),
        ("headers", "{\"X Y\":\"1\"}", &["\"X Y\"", "not a header name"]),
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

fn all_problems_are_told_at_once() {
    let lines = problems(&[("playbook", ""), ("check", "x"), ("forks", "x"), ("sever_name", "x"), ("timeout", "5")]);
    assert_eq!(lines.len(), 5, "{lines:?}");
}

fn a_value_that_is_not_utf8_is_named() {
    let step = with(&[]);
    let end = step.command().env("PLUGIN_LIMIT", OsString::from_vec(vec![b'a', 0xff])).output().unwrap();
    assert_eq!(problem_lines(&end.into()), ["PLUGIN_LIMIT is not UTF-8; write its value as UTF-8 text"]);
}

fn no_secret_is_in_a_message() {
    let canary = "c4n4ry";
    let end = with(&[
        ("status_server_token", &format!("{canary}\n")),
        ("headers", &format!("{{\"X\":\"{canary}\\n\"}}")),
        ("extra_vars", canary),
        ("vault_password", canary),
        ("ssh_private_key", canary),
        ("gitops_status_server_url", &format!("http://me:{canary}@s/?x")),
    ])
    .run();
    assert!(problem_lines(&end).len() > 3, "{end}");
    end.expect_no(canary);
}

fn both_list_forms_are_read() {
    for (value, words) in [("a , b c,", &["--tags=a,b c"][..]), (r#"["a", "b c", null]"#, &["--tags=a,b c"]), ("", &[])]
    {
        let arguments = asked(&[("tags", value)]).arguments;
        let tags: Vec<&String> = arguments.iter().filter(|argument| argument.starts_with("--tags")).collect();
        assert_eq!(tags, words, "{value}");
    }
    for (name, value, expected) in [
        ("limit", "web1,b", &["--limit=web1,b"][..]),
        ("args", "-e a=b", &["-e", "a=b"]),
        ("args", r#"["-e","a=b c"]"#, &["-e", "a=b c"]),
        ("playbook", "site.yml,hosts", &["site.yml", "hosts"]),
        ("inventory", "hosts,site.yml", &["--inventory=hosts", "--inventory=site.yml"]),
        ("inventory", "web1,", &["--inventory=web1,"]),
        ("verbosity", "3", &["-vvv"]),
        ("become", "on", &["--become"]),
    ] {
        let arguments = asked(&[(name, value)]).arguments;
        let found = arguments.windows(expected.len()).any(|words| words == expected);
        assert!(found, "{name}={value}: {arguments:?}");
    }
}

fn maps_and_key_value_lists_become_the_same_extra_vars() {
    for value in ["{\"a\":\"1\",\"b\":\"x y\"}", "a=1,b=x y", "[\"a=1\",\"b=x y\"]"] {
        assert_eq!(asked(&[("extra_vars", value)]).extra_vars.as_deref(), Some(r#"{"a":"1","b":"x y"}"#), "{value}");
    }
    assert_eq!(asked(&[("extra_vars", "{\"n\":3}")]).extra_vars.as_deref(), Some(r#"{"n":3}"#));
    assert_eq!(asked(&[]).extra_vars, None);
}

fn durations_and_booleans_are_read_in_every_form() {
    for value in ["90s", "2m", "1h30m", "1h1m1s"] {
        asked(&[("timeout", value), ("http_timeout", value), ("retry_for", value)]);
    }
    for (value, flag) in [
        ("TRUE", true),
        ("yes", true),
        ("On", true),
        ("1", true),
        (" true ", true),
        ("no", false),
        ("off", false),
        ("0", false),
        ("False", false),
    ] {
        let arguments = asked(&[("become", value)]).arguments;
        assert_eq!(arguments.contains(&"--become".to_owned()), flag, "{value}");
    }
}

fn defaults_are_those_of_the_table() {
    let arguments = asked(&[]).arguments;
    assert_eq!(arguments, ["--inventory=hosts", "--check", "--diff", "site.yml"]);
    let default = |name: &str| TABLE.iter().find(|setting| setting.name == name).unwrap().default.words();
    assert_eq!(["check", "become", "dry_run"].map(default), ["true", "false", "false"]);
}

fn the_user_of_the_url_becomes_basic_auth() {
    let server = Scripted::http([ok()]);
    let url = format!("http://me:p%40ss@{}/prefix/", server.address);
    with(&[("gitops_status_server_url", &url)]).run().expect_delivered().expect_no("p%40ss").expect_no("p@ss");
    let request = &server.requests()[0];
    assert_eq!(request.line, "POST /prefix/api/status HTTP/1.1");
    assert_eq!(request.header("authorization"), Some("Basic bWU6cEBzcw=="));
    let both = problems(&[("gitops_status_server_url", "http://a:b@s"), ("status_server_token", "t")]);
    assert!(both[0].contains("remove one"), "{both:?}");
}

fn the_pipeline_fills_in_what_is_not_set() {
    let step = with(&[("repo_name", "")]).dry().env("CI_REPO_NAME", "from-ci");
    assert!(step.run().payload().starts_with(r#"{"repo":"from-ci","server":"s","#));
}

fn help_lists_every_setting_and_other_arguments_are_refused() {
    let called = |argument: &str| -> Ended {
        let plugin = with(&[]).command();
        Command::new(plugin.get_program()).arg(argument).env_clear().output().unwrap().into()
    };
    let help = called("--help");
    help.expect_code(0);
    for setting in TABLE {
        help.expect_log(&format!("{} (", setting.variable()));
    }
    assert_eq!(called("--version").stdout, concat!("plugin-gitops-status ", env!("CARGO_PKG_VERSION"), "\n"));
    called("--dry-run").expect_code(1);
}

fn what_can_be_known_before_the_run_is_told_at_once() {
    let lines = problems(&[
        ("gitops_status_server_url", "http://status:99999"),
        ("timeout", "90"),
        ("playbook", "none.yml"),
        ("inventory", "none.ini"),
        ("ansible_config", "/"),
        ("galaxy_requirements", "none.yml"),
        ("ca_cert", "/nonexistent.pem"),
        ("payload_file", "/nonexistent/payload.json"),
        ("sever_name", "x"),
    ]);
    assert_eq!(lines.len(), 9, "{lines:?}");
    for part in [
        "`gitops_status_server_url` has a port",
        "`timeout` is",
        "playbook `none.yml` does not exist",
        "inventory `none.ini` does not exist",
        "`ansible_config` names `/`, which is a directory",
        "`galaxy_requirements` names `none.yml`",
        "which `ca_cert` names",
        "`payload_file` names",
        "did you mean `server_name`",
    ] {
        assert!(lines.iter().any(|line| line.contains(part)), "{part} is missing in {lines:?}");
    }
}

fn a_list_of_which_nothing_is_left_is_named() {
    for name in
        ["playbook", "inventory", "limit", "tags", "skip_tags", "args", "ignore", "ignore_tasks", "ignore_plays"]
    {
        for value in [",", " , ,", "[]", r#"[""]"#, "[null]"] {
            // One that names hosts and not files is Ansible's to read.
            if name == "inventory" && value.contains(',') {
                continue;
            }
            let lines = problems(&[(name, value)]);
            assert_eq!(lines.len(), 1, "{name}={value}: {lines:?}");
            assert!(lines[0].starts_with(&format!("`{name}` is ")) && lines[0].contains("list is empty"), "{lines:?}");
        }
        let unset = with(&[(name, "")]).dry();
        unset.run().expect_code(i32::from(name == "playbook"));
    }
}

fn headers_that_the_plugin_sets_itself_are_refused() {
    for name in
        ["Content-Type", "content-length", "Host", "Idempotency-Key", "USER-AGENT", "Transfer-Encoding", "Expect"]
    {
        let lines = problems(&[("headers", &format!(r#"{{"{name}":"x"}}"#))]);
        assert!(lines.len() == 1 && lines[0].contains(&format!("`{name}`")), "{lines:?}");
    }
    let header = r#"{"authorization":"Basic x"}"#;
    for other in [("status_server_token", "t"), ("gitops_status_server_url", "http://me:pass@127.0.0.1:1")] {
        let lines = problems(&[("headers", header), other]);
        assert!(lines.len() == 1 && lines[0].contains("`authorization`"), "{lines:?}");
    }
    let server = Scripted::http([ok()]);
    with(&[("headers", header)]).to(server.url()).run().expect_delivered();
    assert_eq!(server.requests()[0].header("authorization"), Some("Basic x"));
    let lines = problems(&[("headers", r#"{"X-A":"1","x-a":"2"}"#)]);
    assert!(lines.len() == 1 && lines[0].contains("twice"), "{lines:?}");
}

fn the_password_of_the_url_is_masked_as_typed() {
    let server = Scripted::keeping();
    let url = format!("http://me:p%40ss%2Fw0rd@{}", server.address);
    let step = with(&[("gitops_status_server_url", &url)]).prints(&format!("{url} p@ss/w0rd\n"));
    step.run().expect_delivered().expect_log("http://me:********@").expect_no("p%40ss%2Fw0rd").expect_no("p@ss/w0rd");
    let url = format!("http://t0ken-alone@{}", server.address);
    with(&[("gitops_status_server_url", &url)]).prints(&url).run().expect_delivered().expect_no("t0ken-alone");
}

fn further_environment_reaches_ansible_and_is_masked() {
    let value = r#"{"HCLOUD_TOKEN":"c4n4ry-1","ANSIBLE_HASHI_VAULT_TOKEN":"c4n4ry-2","COUNT":12345}"#;
    let step = with(&[("environment", value), ("ansible_env", r#"{"ANSIBLE_GALAXY_SERVER_HUB_TOKEN":"seen"}"#)]).dry();
    let step = step.prints("c4n4ry-1 c4n4ry-2 12345\n");
    let end = step.run();
    end.expect_code(0).expect_no("c4n4ry").expect_no("12345");
    end.expect_log("warning: `ANSIBLE_GALAXY_SERVER_HUB_TOKEN` in `ansible_env` is not kept secret")
        .expect_log("move it to `environment`");
    let environment = step.asked().environment;
    for (name, value) in [("HCLOUD_TOKEN", "c4n4ry-1"), ("ANSIBLE_HASHI_VAULT_TOKEN", "c4n4ry-2"), ("COUNT", "12345")] {
        assert_eq!(environment.get(name).map(String::as_str), Some(value));
    }
    assert!(!environment.keys().any(|name| name.starts_with("PLUGIN_")), "{environment:?}");
    for (name, said) in [("PLUGIN_X", "not allowed"), ("CI_X", "not allowed"), ("HOME", "the plugin sets itself")] {
        let lines = problems(&[("environment", &format!(r#"{{"{name}":"c4n4ry"}}"#))]);
        assert!(lines.len() == 1 && lines[0].contains(said) && !lines[0].contains("c4n4ry"), "{lines:?}");
    }
}

fn a_waiver_that_has_ended_is_told_and_counts_no_more() {
    let step = with(&[]).dry().replay("files_differed").setting("fail_on_drift", "yes");
    let waived = |until: &str| {
        let waiver = format!(r#"[{{"match":"*rsyslog.conf","until":"{until}","reason":"moves in spring"}}]"#);
        step.again().setting("ignore", waiver).run()
    };
    let end = waived("2020-01-31");
    end.expect_log(
        "warning: `*rsyslog.conf` in `ignore` ended on 2020-01-31 and counts again (reason: moves in spring)",
    );
    assert!(end.payload().contains("OUT_OF_SYNC"), "{end}");
    let end = waived("9999-12-31");
    assert!(end.payload().contains(r#""sync_status":"SYNCED""#), "{end}");
    end.expect_no("warning: ");
}

fn names_of_other_plugins_are_answered() {
    for (name, said) in [
        ("private_key", "use `ssh_private_key`"),
        ("ssh_key", "use `ssh_private_key`"),
        ("known_hosts", "use `ssh_known_hosts`"),
        ("url", "use `gitops_status_server_url`"),
        ("token", "use `status_server_token`"),
        ("vault_id", "use `vault_passwords`"),
        ("diff", "remove it"),
        ("connection", "ansible_connection"),
        ("module_path", "ANSIBLE_LIBRARY"),
        ("something_else", "plugin.md"),
    ] {
        let lines = problems(&[(name, "x")]);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with(&format!("`{name}` is not a setting; ")) && lines[0].contains(said), "{lines:?}");
    }
}

fn certificates_and_vaults_are_looked_at() {
    for (settings, said) in [
        (&[("ssh_certificate", "ssh-ed25519-cert-v01@openssh.com AAAA me")][..], "without `ssh_private_key`"),
        (&[("ssh_certificate", "ssh-ed25519 AAAA me"), ("ssh_private_key", "x")], "is not an SSH certificate"),
        (&[("vault_passwords", r#"{"a b":"x"}"#)], "not a vault id"),
        (&[("vault_passwords", r#"{"default":"x"}"#), ("vault_password", "y")], "remove one"),
        (&[("vault_passwords", r#"{"prod":""}"#)], "no password for the id `prod`"),
        (&[("vault_passwords", "c4n4ry")], "write a map"),
    ] {
        let lines = problems(settings);
        assert!(lines.iter().any(|line| line.contains(said)), "{settings:?}: {lines:?}");
        assert!(!format!("{lines:?}").contains("c4n4ry"), "{lines:?}");
    }
}

/// A row without a reader would be a setting that does nothing.
fn every_setting_of_the_table_is_read() {
    let source = ["mod", "ansible", "access", "ignore", "variables", "status_server"]
        .map(|name| crate::harness::read(format!("src/settings/{name}.rs")))
        .concat();
    for setting in TABLE {
        let constant = format!("table::{}", setting.name.to_uppercase());
        let read =
            source.split(&constant).skip(1).any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
        assert!(read, "nobody reads {constant}");
    }
}
