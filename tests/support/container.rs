//! Containers of the image that `.ci/image` built: ENGINE is docker or podman with its options, IMAGE the image.

use std::path::PathBuf;
use std::process::Command;

use super::{root, succeeded, variable};

/// A call of the container engine.
pub fn engine(arguments: &[&str]) -> Command {
    let engine = variable("ENGINE").unwrap();
    let mut words = engine.split(' ');
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(arguments);
    command
}

/// The image's name.
pub fn image() -> String {
    variable("IMAGE").unwrap()
}

/// The example's server as a file that runs in any container.
fn static_status_server() -> PathBuf {
    let version = succeeded(Command::new("rustc").arg("-vV")).stdout;
    let target = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned();
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--example", "status-server", "--target", &target]);
    build.args(["--target-dir", "target/static"]).current_dir(root());
    succeeded(build.env("RUSTFLAGS", "-C target-feature=+crt-static"));
    root().join("target/static").join(target).join("debug/examples/status-server")
}

/// A network with a status server in it, which is `http://status:8080` there.
pub struct Network {
    pub name: String,
}

impl Network {
    pub fn new(name: &str) -> Self {
        let network = Self { name: format!("gitops-{name}") };
        succeeded(&mut engine(&["network", "create", &network.name]));
        let mut run = engine(&["run", "--detach", "--network", &network.name, "--network-alias", "status"]);
        run.args(["--name", &network.server(), "--entrypoint", "/status-server", "--volume"]);
        run.arg(format!("{}:/status-server:ro", static_status_server().display())).arg(image());
        succeeded(run.args(["--listen", "0.0.0.0:8080", "--file", "/tmp/status.json"]));
        network
    }

    /// The name of the server's container.
    pub fn server(&self) -> String {
        format!("{}-server", self.name)
    }

    /// The text of its `/status.json`.
    pub fn statuses(&self) -> String {
        let server = self.server();
        succeeded(&mut engine(&["exec", &server, "wget", "-qO-", "http://127.0.0.1:8080/status.json"])).stdout
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = engine(&["rm", "--force", "--volumes", &self.server()]).output();
        let _ = engine(&["network", "rm", &self.name]).output();
    }
}
