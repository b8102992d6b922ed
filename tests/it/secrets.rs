//! A canary in every secret setting, and a playbook that shows all it can find: none may be seen anywhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::harness::server::Scripted;
use crate::harness::step::{Step, text};
use crate::harness::succeeded;
use crate::harness::suite::{Need, Suite, suite};

pub fn suite() -> Suite {
    suite!("secrets", [Need::Ansible, Need::Ssh], no_secret_is_seen_in_the_log_in_a_payload_in_a_process_or_in_a_file,)
}

/// The password of a proxy, which is in the agent's own environment and so in the playbook's.
const PROXY_PASSWORD: &str = "pr0xy-pass";

fn files(folder: &Path) -> Vec<PathBuf> {
    let list = succeeded(Command::new("find").arg(folder).args(["-type", "f"])).stdout;
    list.lines().map(PathBuf::from).collect()
}

fn no_secret_is_seen_in_the_log_in_a_payload_in_a_process_or_in_a_file() {
    // No other test has these, also none that runs beside this one on the same machine.
    let canary = format!("c4n4ry{}", std::process::id());
    let canaries = ["vault", "token", "header", "extra"].map(|place| format!("{canary}-{place}"));
    let [vault, token, header, extra] = &canaries;
    let server = Scripted::keeping();
    let step = Step::ansible("shows-secrets").to(server.url());
    let file = step.path("key");
    succeeded(Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-b", "3072", "-N", "", "-f"]).arg(&file));
    let key = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let inside: Vec<&str> = key.lines().filter(|line| !line.starts_with("-----")).collect();
    assert!(inside.len() > 20);
    let encoded: Vec<String> = canaries.iter().map(|canary| BASE64_STANDARD.encode(format!("user:{canary}"))).collect();
    let shown = [&key, &canaries.join("\n"), &canaries.concat(), &encoded.join("\n"), PROXY_PASSWORD, ""].join("\n");

    let payload_file = step.path("payload.json");
    let step = step.target_file("leak", &shown).target_file("managed", "x");
    let step = step.env("HTTP_PROXY", format!("user:{PROXY_PASSWORD}@127.0.0.1:1")).env("NO_PROXY", "127.0.0.1");
    let step = step.settings([
        ("verbosity", "3"),
        ("details", "true"),
        ("payload_file", text(&payload_file)),
        ("ssh_private_key", &key),
        ("vault_password", vault),
        ("status_server_token", token),
        ("headers", &format!(r#"{{"X-Api":"{header}"}}"#)),
        ("extra_vars", &format!(r#"{{"db_password":"{extra}"}}"#)),
    ]);
    let end = step.run();
    end.expect_code(0).expect_log("TASK [Show a file]").expect_log("********").expect_no(PROXY_PASSWORD);

    let post = server.requests().remove(0);
    assert_eq!(post.header("authorization"), Some(format!("Bearer {token}").as_str()));
    assert!(post.body.contains(r#"/********.conf"}]"#), "{post:?}");
    let written = |name: &str| fs::read_to_string(step.target().join(name)).unwrap();
    let seen = [
        ("stdout", end.stdout.clone()),
        ("stderr", end.stderr.clone()),
        ("payload", post.body),
        ("payload_file", fs::read_to_string(&payload_file).unwrap()),
        ("processes", written("processes")),
    ];
    for (place, text) in &seen {
        assert!(!text.is_empty(), "{place}");
        assert!(!text.contains(&canary), "{place}: {text}");
        for line in inside.iter().copied().chain(encoded.iter().map(String::as_str)) {
            assert!(!text.contains(line), "{place}: {line}");
        }
    }
    assert!(seen[4].1.contains("ansible-playbook"), "no process of the run was looked at");
    // Extra variables lie in memory; nothing else of the run holds a secret. The callback shows that there was a look.
    let found = written("files");
    assert!(found.lines().count() == 1 && found.ends_with(".py\n"), "{found}");
    for file in files(&step.path("")) {
        if file.ends_with("leak") || file.ends_with("site.yml") {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert!(!text.contains(&canary) && !text.contains(inside[1]), "{}", file.display());
    }
}
