//! Servers reached by a real ssh: with the settings alone, past what inventory and `ansible.cfg` tell ssh, and never over a
//! connection that another run made.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::harness::ended::Ended;
use crate::harness::server::Scripted;
use crate::harness::sshd::Sshd;
use crate::harness::step::Step;
use crate::harness::succeeded;
use crate::harness::suite::{Need, Suite, suite};

pub fn suite() -> Suite {
    suite!(
        "ssh",
        [Need::Ansible, Need::Ssh],
        a_server_is_reached_with_the_settings_alone,
        known_hosts_are_strict_whatever_the_inventory_tells_ssh,
        known_hosts_are_strict_whatever_the_playbook_tells_ssh,
        a_connection_of_another_run_is_never_used,
    )
}

/// A server whose sshd listens on a loopback port, and a repository that manages one file of it, which is in sync.
struct Server {
    step: Step,
    receiver: Scripted,
    sshd: Sshd,
}

impl Server {
    fn start() -> Self {
        let step = Step::ansible("in-sync").target_file("managed", "x");
        let receiver = Scripted::keeping();
        let step = step.to(receiver.url());
        let sshd = Sshd::start(&step, "ssh");
        let server = Self { step, receiver, sshd };
        server.inventory("");
        server
    }

    fn path(&self, name: &str) -> PathBuf {
        self.step.path(name)
    }

    /// Writes a file of the repository.
    fn file(&self, name: &str, text: &str) {
        self.step.again().file(name, text);
    }

    fn of_sshd(&self, name: &str) -> String {
        self.sshd.read(name)
    }

    fn another_key(&self) -> String {
        self.sshd.another_key()
    }

    /// The inventory, with further variables of its one host.
    fn inventory(&self, variables: &str) {
        self.file("hosts", &format!("web1 {} {variables}\n", self.sshd.inventory_variables()));
    }

    /// Runs the step, which leaves no ssh master behind.
    fn step(&self, settings: &[(&str, &str)]) -> Ended {
        self.step.again().setting("ssh_private_key", self.of_sshd("key")).settings(settings.iter().copied()).run()
    }

    #[track_caller]
    fn is_synced(&self, settings: &[(&str, &str)]) {
        let before = self.receiver.bodies().len();
        self.step(settings).expect_code(0);
        let bodies = self.receiver.bodies();
        assert_eq!(bodies.len(), before + 1);
        assert!(bodies[before].contains(r#""sync_status":"SYNCED""#), "{bodies:?}");
    }

    /// The key that the server has is not believed.
    #[track_caller]
    fn is_refused(&self, settings: &[(&str, &str)]) {
        let end = self.step(&[settings, &[("ssh_known_hosts", &self.another_key())]].concat());
        end.expect_code(1).expect_log("Host key verification failed");
        end.expect_error("on web1: task `manage it` could not reach the host")
            .expect_error("correct `ssh_known_hosts`");
    }

    #[track_caller]
    fn is_unknown(&self, settings: &[(&str, &str)], sentence: &str) -> Ended {
        let before = self.receiver.bodies().len();
        let end = self.step(settings);
        end.expect_code(1).expect_error(sentence);
        assert_eq!(self.receiver.bodies().len(), before, "{end}");
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

/// An open connection, and what closes it.
struct Master(Command);

impl Drop for Master {
    fn drop(&mut self) {
        succeeded(&mut self.0);
    }
}

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
    server.is_unknown(&[("ssh_known_hosts", &wrong)], "on web1: host key not verified: ");
    server.is_synced(&[]);
}

fn known_hosts_are_strict_whatever_the_playbook_tells_ssh() {
    let server = Server::start();
    let wrong = server.another_key();
    let lax = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null";
    let key = server.path("ssh/key").display().to_string();
    server.inventory(&format!("ansible_ssh_private_key_file={key}"));
    let manage = "copy: {content: x, dest: \"{{ lookup('env', 'TARGET') }}/managed\"}";
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
            fs::read_to_string(server.step.repository().join("hosts")).unwrap().trim_end().to_owned()
                + &format!(" ansible_ssh_args='{lax}'\n"),
        ),
    ] {
        server.file(file, &content);
    }
    let sentence = "on web1: host key not verified: `ansible_ssh_args` bypasses `ssh_known_hosts`";
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
        server.file("site.yml", &playbook);
        let end = server.is_unknown(&[("ssh_known_hosts", &wrong)], sentence);
        assert!(!end.stderr.contains("could not reach the host"), "the key was refused after all: {end}");
    }
    server.inventory(&format!("ansible_ssh_private_key_file={key}"));
    for (connection, sentence) in [
        (format!("ssh\n      {vars}"), sentence.to_owned()),
        ("paramiko_ssh".to_owned(), sentence.replace("ansible_ssh_args", "paramiko_ssh")),
    ] {
        let task = format!("    - {manage}\n      connection: {connection}\n");
        server.file("site.yml", &format!("- hosts: all\n  connection: local\n  tasks:\n{task}"));
        server.is_unknown(&[("ssh_known_hosts", &wrong)], &sentence);
    }
    // What does no harm is no doubt.
    let harmless = format!("    - {manage}\n      vars: {{ansible_ssh_common_args: -o ServerAliveInterval=5}}\n");
    let skipped = format!("    - {manage}\n      {vars}\n      when: false\n");
    server.file("site.yml", &format!("- hosts: all\n  tasks:\n{harmless}{skipped}"));
    server.is_synced(&[("ssh_known_hosts", &server.of_sshd("known_hosts"))]);
}

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
        server.file("ansible.cfg", &format!("[ssh_connection]\nssh_args = {args}\n"));
        server.is_synced(&[("ssh_known_hosts", &right)]);
        server.is_refused(&[]);
    }
    fs::remove_file(server.step.repository().join("ansible.cfg")).unwrap();
    for (variables, named) in [
        (format!("ansible_ssh_common_args='{persistent}'"), "ansible_ssh_common_args"),
        (format!("ansible_ssh_extra_args=\"-o 'ControlPath {{{{ it }}}}'\" it={socket}"), "ansible_ssh_extra_args"),
        (format!("ansible_control_path={socket}"), "ansible_control_path"),
    ] {
        server.inventory(&variables);
        let sentence = format!("on web1: may have reused another run's SSH connection (ControlPath in `{named}`)");
        server.is_unknown(&[("ssh_known_hosts", &wrong)], &sentence);
    }
    for variables in
        ["ansible_ssh_common_args='-o ControlPath=none'", "ansible_connection=local ansible_control_path=/x"]
    {
        server.inventory(variables);
        server.is_synced(&[("ssh_known_hosts", &right)]);
    }
}
