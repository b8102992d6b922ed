//! `accelerate`: one Python for each server, the same answers as without it, and nothing left of it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::ended::Ended;
use crate::harness::step::{Step, text};
use crate::harness::suite::{Need, Suite, suite};
use crate::harness::{read, root};
use crate::ssh::Server;

pub fn suite() -> Suite {
    suite!(
        "accelerate",
        [Need::Ansible, Need::Ssh],
        the_modules_of_a_server_share_a_python,
        every_task_answers_as_it_does_without,
        a_connection_that_is_cut_during_a_module_is_never_synced,
        a_connection_that_is_cut_between_two_tasks_is_made_anew,
        a_server_that_changes_what_a_login_reads_gets_a_new_login,
        a_server_where_no_python_can_stay_is_checked_all_the_same,
        a_step_that_ends_or_is_killed_leaves_no_python_on_the_server,
        two_steps_at_once_share_nothing,
        a_plugin_of_the_users_own_is_what_connects,
    )
}

pub fn suite_without() -> Suite {
    suite!("accelerate_off", [], without_it_ansible_is_called_as_ever)
}

/// A server with the files of `tests/accelerate`, whose Python has a name that no other process has.
struct Accelerated {
    server: Server,
}

impl Accelerated {
    fn start(tasks: &str) -> Self {
        let accelerated = Self { server: Server::start() };
        std::os::unix::fs::symlink("/usr/bin/python3", accelerated.python()).unwrap();
        accelerated.interpreter(&accelerated.python());
        accelerated.server.file("library/probe.py", &read("tests/accelerate/library/probe.py"));
        accelerated.server.file("say", &read("tests/accelerate/say"));
        accelerated.tasks(tasks);
        accelerated
    }

    fn python(&self) -> String {
        text(&self.server.path("python-of-this-server")).to_owned()
    }

    fn interpreter(&self, python: &str) {
        self.server.inventory(&format!("ansible_python_interpreter={python}"));
    }

    fn tasks(&self, tasks: &str) {
        let play = "- hosts: all\n  gather_facts: false\n  tasks:\n";
        self.server.file("site.yml", &format!("{play}{tasks}"));
    }

    fn settings(&self) -> [(&'static str, String); 2] {
        [("ssh_known_hosts", self.server.of_sshd("known_hosts")), ("dry_run", "true".to_owned())]
    }

    fn step(&self, accelerate: bool) -> Step {
        let step = self.server.step.again().without("gitops_status_server_url");
        let step = step.setting("ssh_private_key", self.server.of_sshd("key"));
        let step = self.settings().into_iter().fold(step, |step, (name, value)| step.setting(name, value));
        step.setting("accelerate", accelerate.to_string())
    }

    /// Runs the step with `accelerate`, which leaves nothing on the agent or on the server.
    #[track_caller]
    fn run(&self) -> Ended {
        let end = self.step(true).run();
        self.expect_no_python();
        end
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
    - copy: {content: x, dest: \"{{ lookup('env', 'TARGET') }}/managed\"}
";

fn the_modules_of_a_server_share_a_python() {
    let server = Accelerated::start(PARENTS);
    server.run().expect_code(0).expect_log("parents: 1").expect_log("Result: SYNCED");
    server.step(false).run().expect_code(0).expect_log("parents: 3").expect_log("Result: SYNCED");
    // What the user says of pipelining stands, and without it there is no module to pass on.
    let without = server.step(true).setting("ansible_env", r#"{"ANSIBLE_PIPELINING":"false"}"#);
    without.run().expect_code(0).expect_log("parents: 3").expect_log("Result: SYNCED");
}

fn every_task_answers_as_it_does_without() {
    let server = Accelerated::start("");
    server.server.file("site.yml", &read("tests/accelerate/faults.yml"));
    let notes = server.server.path("target/notes");
    let [with, without] = [true, false].map(|accelerate| {
        for left in ["notes", "notes-hangs", "notes-gone"] {
            let _ = fs::remove_file(notes.with_file_name(left));
        }
        let step = server.step(accelerate);
        let end = step.setting("ansible_env", r#"{"ANSIBLE_STDOUT_CALLBACK":"oneline"}"#).run();
        end.expect_code(1);
        end
    });
    server.expect_no_python();
    let (with, without) = (answers(&with), answers(&without));
    assert!(without.len() > 40, "{without:#?}");
    for (number, (with, without)) in with.iter().zip(&without).enumerate() {
        assert_eq!(timeless(with), timeless(without), "line {number}");
    }
    assert_eq!(with.len(), without.len());
}

/// An answer without what differs from run to run: times, and the numbers of processes and jobs.
fn timeless(answer: &str) -> String {
    let mut kept = String::new();
    let mut rest = answer;
    while let Some((before, after)) =
        ["\"start\": \"", "\"end\": \"", "\"delta\": \"", "\"ansible_job_id\": \"", "/.ansible_async/", "ansible-tmp-"]
            .iter()
            .filter_map(|key| rest.find(key).map(|at| rest.split_at(at + key.len())))
            .min_by_key(|(before, _)| before.len())
    {
        kept.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-:. ".contains(c));
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
    let home = server.server.path("home-of-this-server");
    fs::create_dir(&home).unwrap();
    // The home of the account is nobody's to change in a test, but its environment may name another.
    let wrapper = server.server.path("python-with-a-home");
    fs::write(&wrapper, format!("#!/bin/sh\nexport HOME={}\nexec {}\n", home.display(), server.python())).unwrap();
    Command::new("chmod").arg("+x").arg(&wrapper).status().unwrap();
    server.interpreter(text(&wrapper));
    let step = server.step(true).setting("extra_vars", format!(r#"{{"home":"{}"}}"#, home.display()));
    step.run().expect_log("the same: False").expect_no("FAILED");
    server.expect_no_python();
}

fn a_server_where_no_python_can_stay_is_checked_all_the_same() {
    let server = Accelerated::start(PARENTS);
    let starts = server.server.path("starts");
    for refusal in ["exec 3<&-", "[ ! -e /proc/self/fd/3 ] || exit 4", "[ ! -e /proc/self/fd/3 ] || kill -9 $$"] {
        let wrapper = server.server.path("python-alone");
        let _ = fs::remove_file(&starts);
        let lines = ["#!/bin/sh", &format!("echo >> {}", starts.display()), refusal, &format!("exec {}", server.python())];
        fs::write(&wrapper, lines.join("\n")).unwrap();
        Command::new("chmod").arg("+x").arg(&wrapper).status().unwrap();
        server.interpreter(text(&wrapper));
        server.run().expect_code(0).expect_log("parents: 3").expect_log("Result: SYNCED");
        // Five modules, and it was tried once.
        assert_eq!(fs::read_to_string(&starts).unwrap().lines().count(), 6, "{refusal}");
    }
}

fn a_step_that_ends_or_is_killed_leaves_no_python_on_the_server() {
    let hang = "    - probe: {do: hang, number: 3600, path: \"{{ lookup('env', 'TARGET') }}/hangs\"}\n";
    let server = Accelerated::start(hang);
    let hangs = server.server.path("target/hangs");
    for signal in [Some(Signal::TERM), Some(Signal::KILL), None] {
        let _ = fs::remove_file(&hangs);
        let step = server.step(true).in_own_group();
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
    let [one, other] = [server.step(true).start(), server.step(true).start()];
    for running in [one, other] {
        running.end().expect_code(0).expect_log("parents: 1").expect_log("Result: SYNCED");
    }
    server.expect_no_python();
}

fn a_plugin_of_the_users_own_is_what_connects() {
    let server = Accelerated::start(PARENTS);
    let plugin = "import sys\nfrom ansible.plugins.connection.local import Connection as Local, DOCUMENTATION\n\
                  class Connection(Local):\n    pass\n";
    server.server.file("plugins/ssh.py", plugin);
    let step = server.step(true).setting("ansible_env", r#"{"ANSIBLE_CONNECTION_PLUGINS":"plugins"}"#);
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
    assert!(Path::new(root()).join("src/ansible/accelerate").is_dir());
}
