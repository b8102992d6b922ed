//! The pipelines we ship, under real Woodpecker: `woodpecker-cli` lints them and runs the example's. It comes from no
//! package registry, so where it is not on PATH these tests say so, loudly, and test nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::examples::rsyslog;
use crate::harness::container::{Network, engine, image};
use crate::harness::ended::Ended;
use crate::harness::status_server::StatusServer;
use crate::harness::step::{Step, text};
use crate::harness::suite::{Need, Suite, suite};
use crate::harness::{ansible, root, succeeded, variable};
use crate::pages::pages;
use crate::tidy::blocks;

pub fn suite() -> Suite {
    suite!(
        "woodpecker",
        [Need::Ansible, Need::Ssh, Need::Woodpecker],
        every_pipeline_we_show_is_valid,
        the_example_runs_on_the_local_backend,
    )
}

pub fn suite_of_the_image() -> Suite {
    suite!("image", [Need::Image, Need::Ssh, Need::Woodpecker], the_example_runs_on_the_docker_backend)
}

fn woodpecker() -> Command {
    let mut woodpecker = Command::new("woodpecker-cli");
    woodpecker.args(["--disable-update-check"]);
    woodpecker
}

fn shipped_pipelines() -> Vec<PathBuf> {
    let list = succeeded(Command::new("git").args(["ls-files"]).current_dir(root())).stdout;
    let pipeline = |path: &&str| path.ends_with(".woodpecker.yml") || path.starts_with(".woodpecker/");
    list.lines().filter(pipeline).map(|path| root().join(path)).collect()
}

/// Every YAML block of a document that is a pipeline.
fn documented_pipelines(document: &str) -> Vec<String> {
    let pipeline = |block: &String| block.starts_with("steps:") || block.contains("\nsteps:");
    blocks(document, "yaml").into_iter().filter(pipeline).collect()
}

fn every_pipeline_we_show_is_valid() {
    let shipped = shipped_pipelines();
    assert!(!shipped.is_empty());
    let folder = tempfile::tempdir().unwrap();
    let mut all = shipped;
    for document in pages() {
        for (number, pipeline) in documented_pipelines(&document).iter().enumerate() {
            let file = folder.path().join(format!("{}-{number}.yml", document.replace('/', "-")));
            // A block may show the steps alone; a pipeline says when it runs.
            let complete = if pipeline.contains("when:") { "" } else { "when:\n  - event: push\n\n" };
            fs::write(&file, format!("{complete}{pipeline}")).unwrap();
            all.push(file);
        }
    }
    assert!(all.len() > 6, "{all:?}");
    for file in all {
        let end: Ended = woodpecker().arg("lint").arg(&file).output().unwrap().into();
        let said = end.stdout.clone() + &end.stderr;
        assert_eq!(end.code, Some(0), "{}: {said}", file.display());
        assert!(!said.contains("warning"), "{}: {said}", file.display());
    }
}

/// The example's repository, changed only where it names what a test has not: its server, its status server, and the
/// step that installs a package.
struct Pipeline {
    step: Step,
}

impl Pipeline {
    /// `etc` is the directory for the server's files as the steps see it.
    fn new(status_server: &str, etc: Option<&str>, shell: Option<&str>) -> Self {
        let step = rsyslog();
        let pipeline =
            Self { step: step.file("ansible/inventory.ini", "[rsyslog]\nrsyslog-lab ansible_connection=local\n") };
        let repository = pipeline.step.repository();
        let seen = etc.map_or_else(|| pipeline.step.target().display().to_string(), str::to_owned);
        for playbook in ["deploy", "drift-check"] {
            let file = repository.join(format!("ansible/playbooks/{playbook}.yml"));
            let text = fs::read_to_string(&file).unwrap();
            let (before, after) = text.split_once("etc: /etc\n").unwrap();
            fs::write(file, format!("{before}etc: {seen}\n{after}")).unwrap();
        }

        let file = repository.join(".woodpecker.yml");
        let text = fs::read_to_string(&file).unwrap();
        let (before, rest) = text.split_once("  - name: validate\n").unwrap();
        let (_, after) = rest.split_once("  - name: deploy\n").unwrap();
        let mut text = format!("{before}  - name: deploy\n{after}");
        let (_, url) = text.split_once("gitops_status_server_url: ").unwrap();
        let url = url.lines().next().unwrap().to_owned();
        text = text.replace(&url, status_server);
        // On the local backend the image of a step with commands is the shell that runs them.
        if let Some(shell) = shell {
            for next in ["commands:", "environment:"] {
                text = text.replace(
                    &format!("image: plugin-gitops-status\n    {next}"),
                    &format!("image: {shell}\n    {next}"),
                );
            }
        }
        fs::write(file, text).unwrap();
        let keygen = ["-q", "-t", "ed25519", "-N", "", "-f"];
        succeeded(Command::new("ssh-keygen").args(keygen).arg(pipeline.path("key")));
        let key = fs::read_to_string(pipeline.path("key")).unwrap();
        let secrets = serde_json::json!({"deploy_key": key, "known_hosts": "192.0.2.10 ssh-ed25519 AAAA"});
        fs::write(pipeline.path("secrets.yml"), secrets.to_string()).unwrap();
        pipeline
    }

    fn path(&self, name: &str) -> PathBuf {
        self.step.path(name)
    }

    fn exec(&self, mut woodpecker: Command, event: &str, options: &[&str]) -> Ended {
        let metadata = serde_json::json!({
            "curr": {"event": event, "cron": "gitops_sync_check", "commit": {"branch": "master"}},
            "repo": {"name": "rsyslog"},
        });
        fs::write(self.path("metadata.json"), metadata.to_string()).unwrap();
        woodpecker.current_dir(self.step.repository()).stdin(Stdio::null());
        woodpecker.arg("exec").arg("--metadata-file").arg(self.path("metadata.json"));
        woodpecker.arg("--secrets-file").arg(self.path("secrets.yml")).args(options);
        woodpecker.arg(".woodpecker.yml").output().unwrap().into()
    }

    /// A pull request reports nothing, a push deploys and reports, cron reports and deploys nothing.
    fn is_checked_on_each_event(&self, statuses: impl Fn() -> String, exec: impl Fn(&str) -> Ended) {
        let deployed = self.step.target().join("rsyslog.conf");
        let end = exec("pull_request");
        end.expect_code(0);
        assert_eq!(statuses().trim(), "[]", "{end}");
        assert!(!deployed.exists(), "{end}");

        let end = exec("push");
        end.expect_code(0);
        assert!(statuses().contains(r#""sync_status":"SYNCED""#), "{} {end}", statuses());
        assert!(deployed.exists());

        fs::write(&deployed, "# by hand\n").unwrap();
        let end = exec("cron");
        end.expect_code(0);
        let said = statuses();
        assert!(said.contains(r#""sync_status":"OUT_OF_SYNC""#) && said.contains("rsyslog.conf"), "{said} {end}");
        assert_eq!(fs::read_to_string(&deployed).unwrap(), "# by hand\n");
    }
}

fn the_example_runs_on_the_local_backend() {
    let kept = tempfile::tempdir().unwrap();
    let server = StatusServer::start(&["--file", text(&kept.path().join("status.db"))]);
    let pipeline = Pipeline::new(&server.url, None, Some("bash"));
    let binary = Path::new(env!("CARGO_BIN_EXE_plugin-gitops-status")).parent().unwrap();
    let ansible = ansible::bin().unwrap();
    let path = format!("{}:{}:{}", binary.display(), ansible.display(), variable("PATH").unwrap());
    pipeline.is_checked_on_each_event(
        || server.statuses(),
        |event| {
            let mut woodpecker = woodpecker();
            woodpecker.env("PATH", &path);
            pipeline.exec(woodpecker, event, &["--backend-engine", "local"])
        },
    );
}

/// Podman's answer to Docker's socket, for as long as this lives.
struct Socket {
    service: Child,
    path: PathBuf,
}

impl Socket {
    fn open(folder: &Path) -> Self {
        let path = folder.join("docker.sock");
        let address = format!("unix://{}", path.display());
        let service = Command::new("podman")
            .args(["--runtime", "runc", "system", "service", "--time", "0", &address])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut socket = Self { service, path };
        while !socket.path.exists() {
            assert!(socket.service.try_wait().unwrap().is_none(), "podman's service ended");
            std::thread::yield_now();
        }
        socket
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.service.kill().unwrap();
        self.service.wait().unwrap();
    }
}

fn the_example_runs_on_the_docker_backend() {
    let folder = tempfile::tempdir().unwrap();
    let socket = variable("ENGINE").unwrap().starts_with("podman").then(|| Socket::open(folder.path()));
    // The name that the example's pipeline has for the image.
    succeeded(&mut engine(&["tag", &image(), "plugin-gitops-status:latest"]));
    let network = Network::new(&format!("woodpecker-{}", std::process::id()));
    let pipeline = Pipeline::new("http://status:8080", Some("/target/etc"), None);
    let etc = format!("{}:/target/etc", pipeline.step.target().display());
    pipeline.is_checked_on_each_event(
        || network.statuses(),
        |event| {
            let mut woodpecker = woodpecker();
            if let Some(socket) = &socket {
                woodpecker.env("WOODPECKER_BACKEND_DOCKER_HOST", format!("unix://{}", socket.path.display()));
            }
            pipeline.exec(
                woodpecker,
                event,
                &["--backend-engine", "docker", "--network", &network.name, "--volumes", &etc],
            )
        },
    );
}
