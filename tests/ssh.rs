//! Servers reached by a real ssh: with the settings alone, past what inventory and `ansible.cfg` tell ssh, and never over a
//! connection that another run made.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use support::{Ended, Receiver, WithSettings, ended, processes_naming, root, step, succeeded, surroundings};
use tempfile::TempDir;

const PLAYBOOK: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: manage it\n      copy: {content: as it should be, dest: \"{{ lookup('env', 'TARGET') }}/managed\"}\n";

/// A server whose sshd listens on a loopback port, and a repository that manages one file of it, which is in sync.
struct Server {
    folder: TempDir,
    receiver: Receiver,
}

impl Server {
    fn start() -> Self {
        let server = Self { folder: tempfile::tempdir().unwrap(), receiver: Receiver::start() };
        let mut sshd = Command::new(root().join("tests/sshd.sh"));
        succeeded(surroundings(&mut sshd).env("CASE_TMP", server.folder.path()));
        fs::write(server.path("managed"), "as it should be").unwrap();
        fs::write(server.path("site.yml"), PLAYBOOK).unwrap();
        for folder in ["home", "tmp"] {
            fs::create_dir(server.path(folder)).unwrap();
        }
        server.inventory("");
        server
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn of_sshd(&self, name: &str) -> String {
        fs::read_to_string(self.path("ssh").join(name)).unwrap()
    }

    /// The known host line of a server with another key: that of the key which may log in.
    fn another_key(&self) -> String {
        let known_hosts = self.of_sshd("known_hosts");
        known_hosts.split(' ').next().unwrap().to_owned() + " " + self.of_sshd("key.pub").rsplit_once(' ').unwrap().0
    }

    /// The inventory, with further variables of its one host.
    fn inventory(&self, variables: &str) {
        let port = self.of_sshd("port");
        let line = format!(
            "web1 ansible_host=127.0.0.1 ansible_port={} ansible_python_interpreter=/usr/bin/python3 {variables}\n",
            port.trim()
        );
        fs::write(self.path("hosts"), line).unwrap();
    }

    fn step(&self, settings: &[(&str, &str)]) -> Ended {
        let mut step = step(self.folder.path());
        let path = |name: &str| self.path(name);
        step.env("TARGET", self.folder.path()).env("HOME", path("home")).env("TMPDIR", path("tmp")).settings([
            ("gitops_status_server_url", self.receiver.url().as_str()),
            ("repo_name", "r"),
            ("server_name", "s"),
            ("playbook", "site.yml"),
            ("inventory", "hosts"),
            ("ssh_private_key", &self.of_sshd("key")),
        ]);
        let end = ended(step.settings(settings.iter().copied()));
        assert_eq!(processes_naming(path("tmp").to_str().unwrap()), Vec::<String>::new(), "a master was left");
        end
    }

    #[track_caller]
    fn is_synced(&self, settings: &[(&str, &str)]) {
        let before = self.receiver.posts().len();
        let end = self.step(settings);
        assert_eq!(end.code, Some(0), "{end:?}");
        let posts = self.receiver.posts();
        assert_eq!(posts.len(), before + 1);
        assert!(posts[before].body.contains(r#""sync_status":"SYNCED""#), "{posts:?}");
    }

    /// The key that the server has is not believed.
    #[track_caller]
    fn is_refused(&self, settings: &[(&str, &str)]) {
        let end = self.step(&[settings, &[("ssh_known_hosts", &self.another_key())]].concat());
        assert_eq!((end.code, end.stdout.contains("Host key verification failed")), (Some(1), true), "{end:?}");
        assert!(end.stderr.contains("on web1: task `manage it` could not reach the host"), "{end:?}");
        assert!(end.stderr.contains("correct `ssh_known_hosts`"), "{end:?}");
    }

    #[track_caller]
    fn is_unknown(&self, settings: &[(&str, &str)], sentence: &str) -> Ended {
        let before = self.receiver.posts().len();
        let end = self.step(settings);
        assert_eq!((end.code, self.receiver.posts().len()), (Some(1), before), "{end:?}");
        assert!(end.stderr.contains(sentence), "{sentence}: {end:?}");
        end
    }

    /// Leaves a connection behind as an earlier run with other masters does; `path` is its socket.
    fn left_behind(&self, path: &str) -> Master {
        let options = |command: &mut Command| {
            command.arg("-o").arg(format!("ControlPath={path}")).args(["-p", self.of_sshd("port").trim(), "127.0.0.1"]);
        };
        let mut ssh = Command::new("ssh");
        ssh.args(["-M", "-N", "-f", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-i"]);
        options(ssh.arg(self.path("ssh/key")));
        assert!(ssh.stdin(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
        let mut exit = Command::new("ssh");
        options(exit.args(["-O", "exit"]));
        Master(exit)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        assert!(Command::new("kill").arg(self.of_sshd("pid").trim()).status().unwrap().success());
    }
}

/// An open connection, and what closes it.
struct Master(Command);

impl Drop for Master {
    fn drop(&mut self) {
        succeeded(&mut self.0);
    }
}

#[test]
fn a_server_is_reached_with_the_settings_alone() {
    let server = Server::start();
    let (key, known_hosts) = (server.of_sshd("key"), server.of_sshd("known_hosts"));
    // As a secret store on Windows would keep it.
    let windows = key.trim_end().replace('\n', "\r\n");
    server.is_synced(&[("ssh_known_hosts", &known_hosts), ("ssh_private_key", &windows)]);
    server.is_refused(&[]);
    // The third line of the text holds numbers that only ssh compares.
    let mut lines: Vec<String> = key.lines().map(str::to_owned).collect();
    let flipped = if lines[3].starts_with('A') { "B" } else { "A" };
    lines[3].replace_range(..1, flipped);
    let damaged = lines.join("\n");
    server.is_unknown(&[("ssh_private_key", &damaged)], "`ssh_private_key` is damaged");
}

#[test]
fn known_hosts_are_strict_whatever_the_inventory_tells_ssh() {
    let server = Server::start();
    let lax = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null";
    for variables in [
        format!("ansible_ssh_common_args='{lax}'"),
        format!("ansible_ssh_extra_args='{lax}'"),
        "ansible_host_key_checking=false".to_owned(),
        "ansible_ssh_host_key_checking=false".to_owned(),
    ] {
        server.inventory(&variables);
        server.is_refused(&[]);
    }
    server.is_synced(&[("ssh_known_hosts", &server.of_sshd("known_hosts"))]);
    server.inventory("");
    for (name, value) in [
        ("args", format!(r#"["--ssh-common-args={lax}"]"#)),
        ("ansible_env", format!(r#"{{"ANSIBLE_SSH_ARGS":"{lax}","ANSIBLE_HOST_KEY_CHECKING":"false"}}"#)),
    ] {
        server.is_refused(&[(name, &value)]);
    }
    // Without the setting all of that is the user's own.
    server.inventory(&format!("ansible_ssh_common_args='{lax}'"));
    server.is_synced(&[]);
    // This one replaces what the step tells ssh, so nobody knows whom it spoke to.
    let key = server.path("ssh/key").display().to_string();
    server.inventory(&format!("ansible_ssh_args='{lax}' ansible_ssh_private_key_file={key}"));
    let wrong = server.another_key();
    server.is_unknown(&[("ssh_known_hosts", &wrong)], "on web1: its key was not checked against `ssh_known_hosts`");
    server.is_synced(&[]);
}

#[test]
fn known_hosts_are_strict_whatever_the_playbook_tells_ssh() {
    let server = Server::start();
    let wrong = server.another_key();
    let lax = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null";
    let key = server.path("ssh/key").display().to_string();
    server.inventory(&format!("ansible_ssh_private_key_file={key}"));
    let manage = "copy: {content: as it should be, dest: \"{{ lookup('env', 'TARGET') }}/managed\"}";
    let vars = format!("vars: {{ansible_ssh_args: {lax}}}");
    let words = format!("ansible_ssh_args: {lax}\n");
    let put = "copy: {src: lax, dest: \"{{ playbook_dir }}/hosts\"}";
    for (file, content) in [
        ("roles/plain/tasks/main.yml", format!("- {manage}\n")),
        ("roles/vars/tasks/main.yml", format!("- {manage}\n")),
        ("roles/vars/vars/main.yml", words.clone()),
        ("roles/defaults/tasks/main.yml", format!("- {manage}\n")),
        ("roles/defaults/defaults/main.yml", words.clone()),
        ("group_vars/lax.yml", words.clone()),
        ("lax.yml", words.clone()),
        (
            "lax",
            fs::read_to_string(server.path("hosts")).unwrap().trim_end().to_owned()
                + &format!(" ansible_ssh_args='{lax}'\n"),
        ),
    ] {
        fs::create_dir_all(server.path(file).parent().unwrap()).unwrap();
        fs::write(server.path(file), content).unwrap();
    }
    let sentence = "on web1: its key was not checked against `ssh_known_hosts`, by `ansible_ssh_args`";
    for tasks in [
        format!("    - {manage}\n      {vars}\n"),
        format!("    - {vars}\n      block:\n        - {manage}\n"),
        format!("    - include_role: {{name: plain}}\n      {vars}\n"),
        "    - include_role: {name: vars}\n".to_owned(),
        "    - include_role: {name: defaults}\n".to_owned(),
        "    - import_role: {name: vars}\n".to_owned(),
        format!("    - include_vars: lax.yml\n    - {manage}\n    - set_fact: {{ansible_ssh_args: ''}}\n"),
        format!("    - set_fact: {{ansible_ssh_args: {lax}}}\n      no_log: true\n    - {manage}\n"),
        format!("    - set_fact: {{ansible_ssh_args: '{{{{ item }}}}'}}\n      loop: [{lax}]\n    - {manage}\n"),
        format!("    - group_by: {{key: lax}}\n    - {manage}\n"),
        format!("    - add_host: {{name: web1, groups: lax}}\n    - {manage}\n"),
        format!(
            "    - {put}\n      check_mode: false\n      delegate_to: localhost\n    - meta: refresh_inventory\n    - {manage}\n"
        ),
    ] {
        // Something else is asked first, so that what holds for the host is known by then.
        let playbook = format!("- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: {{msg: begin}}\n{tasks}");
        fs::write(server.path("site.yml"), playbook).unwrap();
        let end = server.is_unknown(&[("ssh_known_hosts", &wrong)], sentence);
        assert!(!end.stderr.contains("could not reach the host"), "the key was refused after all: {end:?}");
    }
    server.inventory(&format!("ansible_ssh_private_key_file={key}"));
    for (connection, sentence) in [
        (format!("ssh\n      {vars}"), sentence.to_owned()),
        ("paramiko_ssh".to_owned(), sentence.replace("ansible_ssh_args", "paramiko_ssh")),
    ] {
        let task = format!("    - {manage}\n      connection: {connection}\n");
        fs::write(server.path("site.yml"), format!("- hosts: all\n  connection: local\n  tasks:\n{task}")).unwrap();
        server.is_unknown(&[("ssh_known_hosts", &wrong)], &sentence);
    }
    // What does no harm is no doubt.
    let harmless = format!("    - {manage}\n      vars: {{ansible_ssh_common_args: -o ServerAliveInterval=5}}\n");
    let skipped = format!("    - {manage}\n      {vars}\n      when: false\n");
    fs::write(server.path("site.yml"), format!("- hosts: all\n  tasks:\n{harmless}{skipped}")).unwrap();
    server.is_synced(&[("ssh_known_hosts", &server.of_sshd("known_hosts"))]);
}

#[test]
fn a_connection_of_another_run_is_never_used() {
    let server = Server::start();
    let socket = server.path("home/left").display().to_string();
    let _master = server.left_behind(&socket);
    let (right, wrong) = (server.of_sshd("known_hosts"), server.another_key());
    let persistent = format!("-o ControlMaster=auto -o ControlPersist=1h -o ControlPath={socket}");
    let file = server.path("ssh_config");
    fs::write(&file, format!("Host *\n  ControlMaster auto\n  ControlPath {socket}\n")).unwrap();
    let without_masters = format!("-F {}", file.display());
    for args in [&persistent, &without_masters] {
        fs::write(server.path("ansible.cfg"), format!("[ssh_connection]\nssh_args = {args}\n")).unwrap();
        server.is_synced(&[("ssh_known_hosts", &right)]);
        server.is_refused(&[]);
    }
    fs::remove_file(server.path("ansible.cfg")).unwrap();
    for (variables, named) in [
        (format!("ansible_ssh_common_args='{persistent}'"), "ansible_ssh_common_args"),
        (format!("ansible_ssh_extra_args=\"-o 'ControlPath {{{{ it }}}}'\" it={socket}"), "ansible_ssh_extra_args"),
        (format!("ansible_control_path={socket}"), "ansible_control_path"),
    ] {
        server.inventory(&variables);
        let sentence = format!("on web1: its connection may be one that another run made, by `{named}`");
        server.is_unknown(&[("ssh_known_hosts", &wrong)], &sentence);
    }
    for variables in
        ["ansible_ssh_common_args='-o ControlPath=none'", "ansible_connection=local ansible_control_path=/x"]
    {
        server.inventory(variables);
        server.is_synced(&[("ssh_known_hosts", &right)]);
    }
}
