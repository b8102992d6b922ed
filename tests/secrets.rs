//! A canary in every secret setting, and a playbook that shows all it can find: none may be seen anywhere.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use support::{Receiver, WithSettings, ended, step, succeeded};

const CANARIES: [&str; 4] = ["c4n4ry-vault", "c4n4ry-token", "c4n4ry-header", "c4n4ry-extra"];

/// Shows the canaries as a careless playbook would, and looks at every process of the run but the step itself, whose
/// environment is Woodpecker's doing.
const PLAYBOOK: &str = r#"
- hosts: all
  gather_facts: false
  tasks:
    - name: Show a file
      command: cat {{ playbook_dir }}/leak
      check_mode: false
      changed_when: false
    - name: Show a variable
      debug:
        msg: "{{ db_password }} {{ {'a': db_password} | to_nice_json }} {{ db_password | b64encode }}"
    - name: Look at every process
      shell: |
        for process in /proc/[0-9]*; do
          tr '\0' '\n' < $process/cmdline
          case $(readlink $process/exe) in */plugin-gitops-status) ;; *) tr '\0' '\n' < $process/environ ;; esac
        done > {{ playbook_dir }}/processes 2> /dev/null
        true # the last process of the list may have ended meanwhile
      check_mode: false
      changed_when: false
    - name: Keep what the step wrote
      shell: grep -rlE 'c4n4r[y]|PRIVATE KE[Y]|class Callback[M]odule' {{ playbook_dir }}/tmp > {{ playbook_dir }}/files
      check_mode: false
      changed_when: false
      failed_when: false
    - copy: {content: x, dest: "{{ playbook_dir }}/managed"}
    - name: Manage a file with a careless name
      copy: {content: x, dest: "{{ playbook_dir }}/{{ db_password }}.conf"}
"#;

/// The password of a proxy, which is in the agent's own environment and so in the playbook's.
const PROXY_PASSWORD: &str = "pr0xy-pass";

fn files(folder: &Path) -> Vec<PathBuf> {
    let list = ended(Command::new("find").arg(folder).args(["-type", "f"])).stdout;
    list.lines().map(PathBuf::from).collect()
}

#[test]
fn no_secret_is_seen_in_the_log_in_a_payload_in_a_process_or_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for part in ["tmp", "home"] {
        fs::create_dir(path(part)).unwrap();
    }
    succeeded(Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-b", "3072", "-N", "", "-f"]).arg(path("key")));
    let key = fs::read_to_string(path("key")).unwrap();
    fs::remove_file(path("key")).unwrap();
    let inside: Vec<&str> = key.lines().filter(|line| !line.starts_with("-----")).collect();
    assert!(inside.len() > 20);
    let encoded: Vec<String> = CANARIES.iter().map(|canary| BASE64_STANDARD.encode(format!("user:{canary}"))).collect();
    let shown = [&key, &CANARIES.join("\n"), &CANARIES.concat(), &encoded.join("\n"), PROXY_PASSWORD, ""].join("\n");
    fs::write(path("leak"), shown).unwrap();
    fs::write(path("site.yml"), PLAYBOOK).unwrap();
    fs::write(path("hosts"), "web1 ansible_connection=local\n").unwrap();
    fs::write(path("managed"), "x").unwrap();

    let receiver = Receiver::start();
    let payload_file = path("payload.json").display().to_string();
    let mut step = step(folder.path());
    step.env("HTTP_PROXY", format!("user:{PROXY_PASSWORD}@127.0.0.1:1")).env("NO_PROXY", "127.0.0.1");
    step.env("TMPDIR", path("tmp")).env("HOME", path("home")).settings([
        ("gitops_status_server_url", receiver.url().as_str()),
        ("repo_name", "r"),
        ("server_name", "s"),
        ("playbook", "site.yml"),
        ("inventory", "hosts"),
        ("verbosity", "3"),
        ("details", "true"),
        ("payload_file", &payload_file),
        ("ssh_private_key", &key),
        ("vault_password", CANARIES[0]),
        ("status_server_token", CANARIES[1]),
        ("headers", &format!(r#"{{"X-Api":"{}"}}"#, CANARIES[2])),
        ("extra_vars", &format!(r#"{{"db_password":"{}"}}"#, CANARIES[3])),
    ]);
    let end = ended(&mut step);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stdout.contains("TASK [Show a file]") && end.stdout.contains("********"), "{end:?}");

    let post = receiver.posts().remove(0);
    assert_eq!(post.header("authorization"), Some("Bearer c4n4ry-token"));
    assert!(post.body.contains(r#"/********.conf"}]"#), "{post:?}");
    assert!(!end.stdout.contains(PROXY_PASSWORD) && !end.stderr.contains(PROXY_PASSWORD), "{end:?}");
    let seen = [
        ("stdout", end.stdout.clone()),
        ("stderr", end.stderr.clone()),
        ("payload", post.body),
        ("payload_file", fs::read_to_string(&payload_file).unwrap()),
        ("processes", fs::read_to_string(path("processes")).unwrap()),
    ];
    for (place, text) in &seen {
        assert!(!text.is_empty(), "{place}");
        assert!(!text.contains("c4n4ry"), "{place}: {text}");
        for line in inside.iter().copied().chain(encoded.iter().map(String::as_str)) {
            assert!(!text.contains(line), "{place}: {line}");
        }
    }
    assert!(seen[4].1.contains("ansible-playbook"), "nobody was looked at");
    // Extra variables lie in memory; nothing else of the run holds a secret. The callback shows that there was a look.
    let found = fs::read_to_string(path("files")).unwrap();
    assert!(found.lines().count() == 1 && found.ends_with(".py\n"), "{found}");
    for file in files(folder.path()) {
        if file.ends_with("leak") || file.ends_with("site.yml") {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert!(!text.contains("c4n4ry") && !text.contains(inside[1]), "{}", file.display());
    }
}
