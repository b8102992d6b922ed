//! A canary in every secret setting, and a playbook that shows all it can find: none may be seen anywhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::harness::server::{Request, Scripted};
use crate::harness::step::{Step, text};
use crate::harness::succeeded;
use crate::harness::suite::{Need, Suite, suite};

pub fn suite() -> Suite {
    suite!("secrets", [Need::Ansible, Need::Ssh], no_secret_is_seen_in_the_log_in_a_payload_in_a_process_or_in_a_file,)
}

/// The password of a proxy, which is in the agent's own environment and so in the playbook's.
const PROXY_PASSWORD: &str = "pr0xy-pass";

/// The secrets, each with a name that says where it was set.
const PLACES: [&str; 8] = ["vault", "prod", "token", "header", "extra", "become", "url", "certificate"];

fn files(folder: &Path) -> Vec<PathBuf> {
    let list = succeeded(Command::new("find").arg(folder).args(["-type", "f"])).stdout;
    list.lines().map(PathBuf::from).collect()
}

/// What was seen of a run, by where it was seen.
struct Seen(Vec<(&'static str, String)>);

impl Seen {
    /// This text stands nowhere but, perhaps, in the one place that is excepted.
    #[track_caller]
    fn expect_no(&self, secret: &str, excepted: &str) {
        let Self(places) = self;
        for (place, text) in places.iter().filter(|(place, _)| *place != excepted) {
            assert!(!text.contains(secret), "{place}: {secret}: {text}");
        }
    }
}

/// Runs a step, and gives its one POST and all that was seen of it.
#[track_caller]
fn run(step: &Step, server: &Scripted) -> (Request, Seen) {
    let payload_file = step.path("payload.json");
    let step = step.again().setting("payload_file", text(&payload_file));
    let end = step.run();
    end.expect_code(0).expect_log("TASK [Show a file]").expect_log("********");
    let post = server.requests().remove(0);
    server.forget();
    let written = |name: &str| fs::read_to_string(step.target().join(name)).unwrap();
    let seen = [
        ("stdout", end.stdout),
        ("stderr", end.stderr),
        ("payload", post.body.clone()),
        ("payload_file", fs::read_to_string(&payload_file).unwrap()),
        ("arguments", written("arguments")),
        ("environments", written("environments")),
    ];
    for (place, text) in &seen {
        assert!(!text.is_empty(), "{place}");
    }
    assert!(seen[4].1.contains("ansible-playbook"), "no process of the run was looked at");
    // Extra variables lie in memory; nothing else of the run holds a secret. The callback shows that there was a look.
    let found = written("files");
    assert!(found.lines().count() == 1 && found.ends_with(".py\n"), "{found}");
    (post, Seen(seen.into()))
}

fn no_secret_is_seen_in_the_log_in_a_payload_in_a_process_or_in_a_file() {
    // No other test has these, also none that runs beside this one on the same machine.
    let canary = format!("c4n4ry{}", std::process::id());
    let canaries = PLACES.map(|place| format!("{canary}-{place}"));
    let [vault, prod, token, header, extra, become_password, url, certificate] = &canaries;
    // This one is meant for Ansible's environment.
    let variable = format!("v4ri4ble{}", std::process::id());
    let server = Scripted::keeping();
    let step = Step::ansible("shows-secrets");
    let file = step.path("key");
    succeeded(Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-b", "3072", "-N", "", "-f"]).arg(&file));
    let key = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let inside: Vec<&str> = key.lines().filter(|line| !line.starts_with("-----")).collect();
    assert!(inside.len() > 20);
    // A certificate is nobody's secret. It has no place on a command line all the same.
    let secrets = [&canaries[..7], std::slice::from_ref(&variable)].concat();
    let encoded: Vec<String> = secrets.iter().map(|secret| BASE64_STANDARD.encode(format!("user:{secret}"))).collect();
    let shown = [&key, &secrets.join("\n"), &secrets.concat(), &encoded.join("\n"), PROXY_PASSWORD, ""].join("\n");

    let step = step.target_file("leak", &shown).target_file("managed", "x");
    let step = step.env("HTTP_PROXY", format!("user:{PROXY_PASSWORD}@127.0.0.1:1")).env("NO_PROXY", "127.0.0.1");
    let step = step.settings([
        ("verbosity", "3"),
        ("details", "true"),
        ("ssh_private_key", &key),
        ("ssh_certificate", &format!("ssh-rsa-cert-v01@openssh.com {certificate}")),
        ("vault_password", vault),
        ("vault_passwords", &format!(r#"{{"prod":"{prod}"}}"#)),
        ("become_password", become_password),
        ("environment", &format!(r#"{{"LAB_TOKEN":"{variable}"}}"#)),
        ("headers", &format!(r#"{{"X-Api":"{header}"}}"#)),
        ("extra_vars", &format!(r#"{{"db_password":"{extra}"}}"#)),
    ]);
    let by_token = step.again().to(server.url()).setting("status_server_token", token);
    let by_user = step.again().to(server.url().replace("http://", &format!("http://user:{url}@")));
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("user:{url}")));
    for (step, authorization, not_set) in [(by_token, format!("Bearer {token}"), url), (by_user, basic, token)] {
        // What is not set is no secret of this step.
        let step = step.target_file("leak", &shown.replace(not_set.as_str(), "not set"));
        let (post, seen) = run(&step, &server);
        assert_eq!(post.header("authorization"), Some(authorization.as_str()));
        assert!(post.body.contains(r#"/********.conf"}]"#), "{post:?}");
        let encoded = encoded.iter().zip(&secrets).filter(|(_, secret)| *secret != not_set).map(|(encoded, _)| encoded);
        for text in inside.iter().copied().chain(encoded.map(String::as_str)).chain([&*canary, PROXY_PASSWORD]) {
            seen.expect_no(text, if text == PROXY_PASSWORD { "environments" } else { "" });
        }
        seen.expect_no(&variable, "environments");
        let Seen(places) = &seen;
        assert!(places.iter().any(|(place, text)| *place == "environments" && text.contains(&variable)));
        for file in files(&step.path("")) {
            let name = file.file_name().unwrap_or_default();
            if ["leak", "site.yml", "arguments", "environments"].iter().any(|other| name == *other) {
                continue;
            }
            let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
            let is_clean = ![&canary, inside[1], &variable].iter().any(|secret| text.contains(*secret));
            assert!(is_clean, "{}", file.display());
        }
    }
}
