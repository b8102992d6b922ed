//! The status server of the examples, as a process.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::{root, succeeded};

/// It listens on a loopback port until it is dropped.
pub struct StatusServer {
    process: Child,
    pub url: String,
}

impl StatusServer {
    pub fn start(arguments: &[&str]) -> Self {
        let build = ["build", "--quiet", "--locked", "--package", "gitops-status-server"];
        succeeded(Command::new(env!("CARGO")).args(build).current_dir(root()));
        // It lies beside the folder of the tests.
        let binary = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("gitops-status-server");
        let mut process = Command::new(binary)
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { process, url }
    }

    /// The text of `/status.json`.
    pub fn statuses(&self) -> String {
        ureq::get(format!("{}/status.json", self.url)).call().unwrap().body_mut().read_to_string().unwrap()
    }
}

impl Drop for StatusServer {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
