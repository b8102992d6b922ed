//! A real sshd on a loopback port, which ends with the test.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::step::Step;
use super::{root, succeeded};

/// An sshd, its keys, and one key that may log in as the user who runs the test.
pub struct Sshd {
    folder: PathBuf,
    /// Keeps the directory until sshd has ended.
    _step: Step,
}

impl Sshd {
    /// Starts one whose files lie in a directory of the step, `name`.
    pub fn start(step: &Step, name: &str) -> Self {
        Self::start_with(step, name, "", "")
    }

    /// The same, with `config` first in its configuration, started by the words of `run`.
    pub fn start_with(step: &Step, name: &str, config: &str, run: &str) -> Self {
        let mut script = step.beside(root().join("tests/sshd.sh"));
        script.env("CASE_TMP", step.path("")).env("SSHD_NAME", name).env("SSHD_CONFIG", config).env("SSHD_RUN", run);
        // It is none of the step's processes.
        succeeded(script.env_remove("TMPDIR"));
        Self { folder: step.path(name), _step: step.again() }
    }

    /// The path of one of its files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The text of one of its files, such as `key` or `known_hosts`.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The loopback port it listens on.
    pub fn port(&self) -> u16 {
        self.read("port").trim().parse().unwrap()
    }

    /// The variables with which an inventory reaches it.
    pub fn inventory_variables(&self) -> String {
        format!("ansible_host=127.0.0.1 ansible_port={} ansible_python_interpreter=/usr/bin/python3", self.port())
    }

    /// How many times somebody logged in.
    pub fn logins(&self) -> usize {
        self.read("log").lines().filter(|line| line.starts_with("Accepted ")).count()
    }

    /// How many commands were run in a session of their own.
    pub fn sessions(&self) -> usize {
        self.read("log").lines().filter(|line| line.starts_with("Starting session: command ")).count()
    }

    /// The known host line of a server with another key: that of the key which may log in.
    pub fn another_key(&self) -> String {
        let known_hosts = self.read("known_hosts");
        known_hosts.split(' ').next().unwrap().to_owned()
            + " "
            + self.read("key.pub").rsplit_once(' ').unwrap().0
            + "\n"
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // A failing test is reported by its own words.
        let pid = fs::read_to_string(self.path("pid")).unwrap_or_default();
        let ended = Command::new("kill").arg(pid.trim()).status();
        assert!(ended.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}
