//! Each repository under `examples/` does what it says: deployed, checked, changed by hand, checked again.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use support::{Receiver, WithSettings, copy, ended, root, step, succeeded, surroundings};
use tempfile::TempDir;

/// An example's repository, and beside it `etc` for the servers' directories.
struct Repository {
    folder: TempDir,
}

impl Repository {
    fn of(example: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&root().join("examples").join(example), &folder.path().join("repository"));
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn deployed(self, arguments: &[&str]) -> Self {
        let mut deploy = Command::new("ansible-playbook");
        succeeded(surroundings(&mut deploy).current_dir(self.path("repository")).args(arguments));
        self
    }

    fn step(&self, receiver: &Receiver) -> Command {
        let mut step = step(&self.path("repository"));
        step.settings([("gitops_status_server_url", receiver.url().as_str()), ("repo_name", "example")]);
        step
    }
}

/// What a payload says: its server, its status and its files.
fn said(body: &str) -> (String, String, Vec<String>) {
    let payload: Value = serde_json::from_str(body).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let files = payload["files"].as_array().unwrap().iter().map(|file| text(&file["name"])).collect();
    (text(&payload["server"]), text(&payload["sync_status"]), files)
}

#[test]
fn any_playbook_is_checked_without_a_word_in_it() {
    let repository = Repository::of("any-playbook");
    let etc = repository.path("etc");
    fs::create_dir(&etc).unwrap();
    let here = format!(r#"{{"banner_etc":"{}","ansible_connection":"local","ansible_become":false}}"#, etc.display());
    let repository = repository.deployed(&["-i", "inventory.ini", "-e", &here, "site.yml"]);
    let receiver = Receiver::start();
    let check = || {
        let mut step = repository.step(&receiver);
        let etc = etc.display().to_string();
        let end = ended(step.settings([
            ("server_name", "gateway"),
            ("playbook", "site.yml"),
            ("inventory", "inventory.ini"),
            ("relative_to", &etc),
            ("extra_vars", &here),
        ]));
        assert_eq!(end.code, Some(0), "{end:?}");
        said(&receiver.posts().pop().unwrap().body)
    };
    assert_eq!(check(), ("gateway".into(), "SYNCED".into(), vec![]));

    fs::write(etc.join("motd"), "welcome\n").unwrap();
    fs::create_dir(etc.join("update-motd.d")).unwrap();
    fs::write(etc.join("update-motd.d/50-news"), "#!/bin/sh\n").unwrap();
    let drifted = vec!["motd".into(), "update-motd.d/50-news".into()];
    assert_eq!(check(), ("gateway".into(), "OUT_OF_SYNC".into(), drifted));
}

#[test]
fn a_fleet_reports_each_host_and_a_dead_one_spoils_nobody() {
    let repository = Repository::of("fleet");
    let etc = format!("{}/{{{{ inventory_hostname }}}}", repository.path("etc").display());
    let here = format!(r#"{{"ansible_connection": "local", "ansible_become": false, "base_etc": "{etc}"}}"#);
    fs::write(repository.path("repository/group_vars/all.yml"), here).unwrap();
    let repository = repository.deployed(&["-i", "inventory.yml", "site.yml"]);
    fs::create_dir(repository.path("repository/host_vars")).unwrap();
    let dead = r#"{"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}"#;
    fs::write(repository.path("repository/host_vars/web03.example.net.yml"), dead).unwrap();
    let limits = repository.path("etc/web02.example.net/security/limits.d/50-fleet.conf");
    fs::write(&limits, "* soft nofile 1\n").unwrap();

    let receiver = Receiver::start();
    let check = |group: &str| {
        let mut step = repository.step(&receiver);
        let end = ended(step.settings([
            ("per_host", "true"),
            ("limit", group),
            ("playbook", "site.yml"),
            ("inventory", "inventory.yml"),
        ]));
        let bodies: Vec<_> = receiver.posts().iter().map(|post| said(&post.body)).collect();
        (end, bodies)
    };
    let (end, web) = check("web");
    let drifted = vec![limits.display().to_string()];
    assert_eq!(
        web,
        [
            ("web01.example.net".into(), "SYNCED".into(), vec![]),
            ("web02.example.net".into(), "OUT_OF_SYNC".into(), drifted),
        ],
        "{end:?}"
    );
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.stderr.contains("web03.example.net"), "{end:?}");

    let (end, all) = check("database");
    assert_eq!(all[web.len()..], [("db01.example.net".into(), "SYNCED".into(), vec![])], "{end:?}");
    assert_eq!(end.code, Some(0), "{end:?}");
}
