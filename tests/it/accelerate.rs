//! `accelerate`: one Python for each server, the same answers as without it, and nothing left of it.

mod cuts;
mod users;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use cuts::{
    a_python_that_is_killed_during_a_module_is_never_synced,
    drift_is_found_or_nothing_is_claimed_wherever_a_connection_is_cut,
};
use rustix::process::Signal;
use users::{
    commands_around_modules_with_become_need_no_session, each_user_and_interpreter_has_a_python,
    every_user_is_answered_as_without,
};

use crate::harness::ended::Ended;
use crate::harness::sshd::Sshd;
use crate::harness::step::{Step, text};
use crate::harness::suite::{Need, Suite, suite};
use crate::harness::{read, root, variable};

pub fn suite() -> Suite {
    suite!(
        "accelerate",
        [Need::Ansible, Need::Ssh],
        the_modules_of_a_server_share_a_python,
        commands_of_action_plugins_need_no_session,
        every_task_answers_as_it_does_without,
        a_connection_that_is_cut_during_a_module_is_never_synced,
        a_connection_that_is_cut_between_two_tasks_is_made_anew,
        drift_is_found_or_nothing_is_claimed_wherever_a_connection_is_cut,
        a_python_that_is_killed_during_a_module_is_never_synced,
        every_user_is_answered_as_without,
        each_user_and_interpreter_has_a_python,
        commands_around_modules_with_become_need_no_session,
        a_server_that_changes_what_a_login_reads_gets_a_new_login,
        a_server_where_no_python_can_stay_is_checked_all_the_same,
        a_step_that_ends_or_is_killed_leaves_no_python_on_the_server,
        two_steps_at_once_share_nothing,
        several_hosts_delegate_to_one_at_once,
        a_host_that_comes_later_takes_nothing_from_the_others,
        a_plugin_of_the_users_own_is_what_connects,
    )
}

pub fn suite_without() -> Suite {
    suite!("accelerate_off", [], without_it_ansible_is_called_as_ever)
}

/// A server, and a repository with the files of `tests/accelerate` that checks it. The server's Python is the system's, or
/// the one that `TARGET_PYTHON` names; it is called by a name that no other process has.
struct Accelerated {
    step: Step,
    sshd: Sshd,
}

impl Accelerated {
    fn start(tasks: &str) -> Self {
        let server = Self::start_with(|_| String::new());
        server.tasks(tasks);
        server
    }

    /// Starts one whose sshd is started by other words.
    fn start_with(run: impl FnOnce(&Step) -> String) -> Self {
        let step = Step::ansible("in-sync").target_file("managed", "x").dry().setting("accelerate", "true");
        let step = ["library/probe.py", "action_plugins/command_of_its_own.py", "say"]
            .into_iter()
            .fold(step, |step, file| step.file(file, &read(root().join("tests/accelerate").join(file))));
        let sshd = Sshd::start_with(&step, "ssh", "", &run(&step));
        let step =
            step.setting("ssh_private_key", sshd.read("key")).setting("ssh_known_hosts", sshd.read("known_hosts"));
        let server = Self { step, sshd };
        let installed = variable("TARGET_PYTHON").unwrap_or_else(|| "/usr/bin/python3".to_owned());
        std::os::unix::fs::symlink(installed, server.python()).unwrap();
        server.interpreter(&server.python());
        server
    }

    fn path(&self, name: &str) -> PathBuf {
        self.step.path(name)
    }

    fn python(&self) -> String {
        text(&self.path("python-of-this-server")).to_owned()
    }

    fn interpreter(&self, python: &str) {
        let port = self.sshd.read("port");
        let connection = format!("ansible_host=127.0.0.1 ansible_port={}", port.trim());
        self.step.again().file("hosts", &format!("web1 {connection} ansible_python_interpreter={python}\n"));
    }

    /// Puts a script in the place of the Python.
    fn interpreter_script(&self, lines: &[&str]) {
        let script = self.path("script-of-this-server");
        fs::write(&script, format!("#!/bin/sh\n{}\nexec {}\n", lines.join("\n"), self.python())).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        self.interpreter(text(&script));
    }

    fn tasks(&self, tasks: &str) {
        let play = "- hosts: all\n  gather_facts: false\n  tasks:\n";
        self.step.again().file("site.yml", &format!("{play}{tasks}"));
    }

    /// Runs the step with `accelerate`, which leaves nothing on the agent or on the server.
    #[track_caller]
    fn run(&self) -> Ended {
        let end = self.step.again().run();
        self.expect_no_python();
        end
    }

    /// Runs a step of many tasks with and without `accelerate`. So many of them succeed.
    #[track_caller]
    fn expect_the_same_answers(&self, step: &Step, least: usize) {
        let [with, without] = ["true", "false"].map(|accelerate| {
            for left in ["notes", "notes-hangs", "notes-gone"] {
                let _ = fs::remove_file(self.path("target").join(left));
            }
            let step = step.again().setting("accelerate", accelerate);
            let end = step.setting("ansible_env", r#"{"ANSIBLE_STDOUT_CALLBACK":"oneline"}"#).run();
            end.expect_code(1);
            end
        });
        self.expect_no_python();
        let (with, without) = (answers(&with), answers(&without));
        assert!(without.iter().filter(|line| line.contains("SUCCESS")).count() >= least, "{without:#?}");
        for (number, (with, without)) in with.iter().zip(&without).enumerate() {
            assert_eq!(timeless(with), timeless(without), "line {number}");
        }
        assert_eq!(with.len(), without.len());
    }

    /// The processes on the server whose Python this is.
    fn pythons(&self) -> Vec<String> {
        let (python, mut found) = (self.python(), Vec::new());
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if arguments.strip_suffix(b"\0") == Some(python.as_bytes()) {
                found.push(entry.file_name().into_string().unwrap());
            }
        }
        found
    }

    /// A server hears of an end a moment later.
    #[track_caller]
    fn expect_no_python(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        while !self.pythons().is_empty() {
            assert!(Instant::now() < end, "{:?} are left", self.pythons());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The lines that Ansible printed about its tasks.
fn answers(end: &Ended) -> Vec<&str> {
    let lines = end.stdout.lines().skip_while(|line| !line.starts_with("[1/4]")).skip(1);
    lines.take_while(|line| !line.starts_with("[2/4]")).collect()
}

const PARENTS: &str = "    - probe: {do: parent}
      register: one
    - probe: {do: parent}
      register: other
    - probe: {do: parent}
      register: under_its_name
      connection: ssh
    - debug: {msg: \"parents: {{ [one, other, under_its_name] | map(attribute='parent') | unique | length }}\"}
    - debug: {msg: \"numbers: {{ [one, other, under_its_name] | map(attribute='random') | unique | length }}\"}
    - copy: {content: x, dest: \"{{ lookup('env', 'TARGET') }}/managed\"}
";

fn the_modules_of_a_server_share_a_python() {
    let server = Accelerated::start(PARENTS);
    server.run().expect_code(0).expect_log("parents: 1").expect_log("numbers: 3").expect_log("Result: SYNCED");
    // What the user says of pipelining stands, and without it there is no module to pass on.
    let without = server.step.again().setting("ansible_env", r#"{"ANSIBLE_PIPELINING":"false"}"#);
    without.run().expect_code(0).expect_log("parents: 3").expect_log("Result: SYNCED");
}

fn commands_of_action_plugins_need_no_session() {
    let copy = "    - copy: {content: x, dest: \"{{ lookup('env', 'TARGET') }}/managed\"}\n";
    let server = Accelerated::start(&copy.repeat(4));
    server.run().expect_code(0).expect_log("Result: SYNCED");
    // Two commands come before the first module, which starts the Python.
    assert_eq!(server.sshd.sessions(), 3);

    // Where each command makes a connection of its own, each finds out whether the server still takes one.
    let hosts = read(server.path("repository/hosts"));
    let hosts = format!("{} ansible_ssh_common_args='-o ControlPath=none'\n", hosts.trim());
    server.step.again().file("hosts", &hosts).run().expect_code(0).expect_log("Result: SYNCED");
    server.expect_no_python();
    assert_eq!(server.sshd.sessions(), 3 + 4 * 3 + 1);
}

fn every_task_answers_as_it_does_without() {
    let server = Accelerated::start("");
    let step = server.step.again().file("site.yml", &read("tests/accelerate/faults.yml"));
    server.expect_the_same_answers(&step, 20);
}

/// What stands before the words that differ from run to run.
const RANDOM: [&str; 8] = [
    "\"start\": \"",
    "\"end\": \"",
    "\"delta\": \"",
    "\"ansible_job_id\": \"",
    "\"jid\": \"",
    "/.ansible_async/",
    "ansible-tmp-",
    "_payload_",
];

/// An answer without what differs from run to run: times, and the numbers of processes and jobs.
fn timeless(answer: &str) -> String {
    let mut kept = String::new();
    let mut rest = answer;
    while let Some((before, after)) = RANDOM
        .iter()
        .filter_map(|key| rest.find(key).map(|at| rest.split_at(at + key.len())))
        .min_by_key(|(before, _)| before.len())
    {
        kept.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-:._ ".contains(c));
    }
    kept + rest
}

fn a_connection_that_is_cut_during_a_module_is_never_synced() {
    let server = Accelerated::start("    - probe: {do: cut}\n");
    let end = server.run();
    end.expect_code(1).expect_error("could not reach the host");
}

fn a_connection_that_is_cut_between_two_tasks_is_made_anew() {
    let cut = "    - probe: {do: parent}
    - probe: {do: cut afterwards, path: \"{{ lookup('env', 'TARGET') }}/cut\"}
    - wait_for: {path: \"{{ lookup('env', 'TARGET') }}/cut\"}
      delegate_to: localhost
      connection: local
      check_mode: false
    - copy: {content: x, dest: \"{{ lookup('env', 'TARGET') }}/managed\"}
";
    let server = Accelerated::start(cut);
    server.run().expect_code(0).expect_log("Result: SYNCED");
}

fn a_server_that_changes_what_a_login_reads_gets_a_new_login() {
    let profile = "    - probe: {do: parent}
      register: one
    - copy: {content: '# changed', dest: \"{{ home }}/.profile\"}
      check_mode: false
    - probe: {do: parent}
      register: other
    - debug: {msg: \"the same: {{ one.parent == other.parent }}\"}
";
    let server = Accelerated::start(profile);
    // The home of the account is nobody's to change in a test, but its environment may name another.
    let home = server.path("home-of-this-server");
    fs::create_dir(&home).unwrap();
    server.interpreter_script(&[&format!("export HOME={}", home.display())]);
    let step = server.step.again().setting("extra_vars", format!(r#"{{"home":"{}"}}"#, home.display()));
    step.run().expect_log("the same: False").expect_no("FAILED");
    server.expect_no_python();
}

fn a_server_where_no_python_can_stay_is_checked_all_the_same() {
    let server = Accelerated::start(PARENTS);
    let starts = server.path("starts");
    for refusal in ["exec 3<&-", "[ ! -e /proc/self/fd/3 ] || kill -9 $$"] {
        let _ = fs::remove_file(&starts);
        server.interpreter_script(&[&format!("echo >> {}", starts.display()), refusal]);
        server.run().expect_code(0).expect_log("parents: 3").expect_log("Result: SYNCED");
        // Five modules, and it was tried once.
        assert_eq!(fs::read_to_string(&starts).unwrap().lines().count(), 6, "{refusal}");
    }
}

fn a_step_that_ends_or_is_killed_leaves_no_python_on_the_server() {
    let hang = "    - probe: {do: hang, number: 3600, path: \"{{ lookup('env', 'TARGET') }}/hangs\"}\n";
    let server = Accelerated::start(hang);
    let hangs = server.path("target/hangs");
    for signal in [Some(Signal::TERM), Some(Signal::KILL), None] {
        let _ = fs::remove_file(&hangs);
        let step = server.step.again().in_own_group();
        let step = if signal.is_none() { step.setting("timeout", "40s") } else { step };
        let running = step.start();
        let end = Instant::now() + Duration::from_secs(120);
        while !hangs.exists() && signal.is_some() {
            assert!(Instant::now() < end, "the module never began");
            std::thread::sleep(Duration::from_millis(20));
        }
        match signal {
            Some(Signal::KILL) => running.signal_group(Signal::KILL),
            Some(signal) => running.signal(signal),
            None => {}
        }
        let end = running.end();
        end.expect_no("SYNCED");
        server.expect_no_python();
    }
}

fn two_steps_at_once_share_nothing() {
    let server = Accelerated::start(PARENTS);
    let [one, other] = [server.step.start(), server.step.start()];
    for running in [one, other] {
        running.end().expect_code(0).expect_log("parents: 1").expect_log("Result: SYNCED");
    }
    server.expect_no_python();
}

fn several_hosts_delegate_to_one_at_once() {
    let tasks = "    - {probe: {do: parent}, delegate_to: web1, register: delegated}
    - copy: {content: \"{{ inventory_hostname }}\", dest: \"{{ lookup('env', 'TARGET') }}/{{ inventory_hostname }}\"}
      delegate_to: web1
    - debug: {msg: \"parents: {{ ansible_play_hosts | map('extract', hostvars, ['delegated', 'parent']) | unique | length }}\"}
      run_once: true
";
    let server = Accelerated::start(tasks);
    let others: Vec<_> = (2..=6).map(|number| format!("web{number}\n")).collect();
    for name in &others {
        fs::write(server.path("target").join(name.trim()), name.trim()).unwrap();
    }
    let hosts = read(server.path("repository/hosts")) + &others.concat();
    fs::write(server.path("target/web1"), "drifted").unwrap();
    let step = server.step.again().file("hosts", &hosts);
    // Nothing was compared on the others.
    step.run().expect_code(1).expect_log("parents: 1").expect_log("Result: OUT_OF_SYNC");
    server.expect_no_python();
}

fn a_host_that_comes_later_takes_nothing_from_the_others() {
    let server = Accelerated::start("");
    let hosts = read(server.path("repository/hosts"));
    // The same server by another connection.
    let other = format!("{} ansible_ssh_extra_args=-4\n", hosts.trim().replace("web1", "web2"));
    let plays = "- {hosts: web1, gather_facts: false, tasks: [{probe: {do: parent}, register: one}]}
- hosts: web2
  gather_facts: false
  tasks:
    - copy: {content: x, dest: \"{{ lookup('env', 'TARGET') }}/managed\"}
- hosts: web1
  gather_facts: false
  tasks:
    - {probe: {do: parent}, register: other}
    - copy: {content: x, dest: \"{{ lookup('env', 'TARGET') }}/managed\"}
    - debug: {msg: \"the same: {{ one.parent == other.parent }}\"}
";
    let step = server.step.again().file("hosts", &(hosts + &other)).file("site.yml", plays);
    step.run().expect_code(0).expect_log("the same: True").expect_log("Result: SYNCED");
    server.expect_no_python();
}

fn a_plugin_of_the_users_own_is_what_connects() {
    let server = Accelerated::start(PARENTS);
    let plugin = "import sys\nfrom ansible.plugins.connection.local import Connection as Local, DOCUMENTATION\n\
                  class Connection(Local):\n    pass\n";
    let step = server.step.again().file("plugins/ssh.py", plugin);
    let step = step.setting("ansible_env", r#"{"ANSIBLE_CONNECTION_PLUGINS":"plugins"}"#);
    step.run().expect_log("parents: 3");
}

fn without_it_ansible_is_called_as_ever() {
    let names = |accelerate: &str| {
        let step = Step::new().dry().setting("accelerate", accelerate);
        step.run().expect_code(0);
        step.asked().environment.keys().cloned().collect::<Vec<_>>()
    };
    let (with, without) = (names("true"), names("false"));
    let added: Vec<_> = with.iter().filter(|name| !without.contains(name)).collect();
    assert_eq!(added, ["ANSIBLE_CONNECTION_PLUGINS"]);
}
