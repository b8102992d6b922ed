//! Containers of the images that `.ci/image` built: ENGINE is docker or podman with its options, IMAGE the step's image,
//! `STATUS_SERVER_IMAGE` the example's server.

use std::process::Command;

use super::{succeeded, variable};

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

/// A network with a status server in it, which is `http://status:8080` there.
pub struct Network {
    pub name: String,
}

impl Network {
    pub fn new(name: &str) -> Self {
        let network = Self { name: format!("gitops-{name}") };
        succeeded(&mut engine(&["network", "create", &network.name]));
        let mut run = engine(&["run", "--detach", "--network", &network.name, "--network-alias", "status"]);
        run.args(["--name", &network.server(), "--read-only", "--cap-drop", "ALL", "--volume", "/data"]);
        succeeded(run.arg(variable("STATUS_SERVER_IMAGE").unwrap()));
        network
    }

    /// The name of the server's container.
    pub fn server(&self) -> String {
        format!("{}-server", self.name)
    }

    /// The text of its `/status.json`.
    pub fn statuses(&self) -> String {
        let mut ask = engine(&["run", "--rm", "--network", &self.name, "--entrypoint", "wget"]);
        succeeded(ask.arg(image()).args(["-qO-", "http://status:8080/status.json"])).stdout
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = engine(&["rm", "--force", "--volumes", &self.server()]).output();
        let _ = engine(&["network", "rm", &self.name]).output();
    }
}
