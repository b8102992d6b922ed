//! What the tests share: the built binary, a real ansible-core, a receiver that remembers, the example's status server.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod container;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use tempfile::TempDir;

/// The project's directory.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The directory of `ansible-playbook`, in the version that the variable `ANSIBLE_CORE` asks for.
pub fn ansible_bin() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let wanted = variable("ANSIBLE_CORE");
        let made = Command::new(root().join("tests/ansible-core.sh")).args(wanted).output().unwrap();
        assert!(made.status.success(), "ansible-core: {}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap().trim().into()
    })
}

/// The version of [`ansible_bin`], such as `2.19`.
pub fn ansible_version() -> String {
    let release = ansible_bin().parent().unwrap().file_name().unwrap().to_str().unwrap();
    release.rsplit_once('.').unwrap().0.to_owned()
}

/// A variable of the test run itself.
pub fn variable(name: &str) -> Option<String> {
    std::env::vars_os().find(|(key, _)| key == name).map(|(_, value)| value.into_string().unwrap())
}

/// The step, with nothing of this environment but what a container would have.
pub fn step(folder: &Path) -> Command {
    let mut step = Command::new(env!("CARGO_BIN_EXE_plugin-gitops-status"));
    surroundings(&mut step).current_dir(folder);
    step
}

/// The environment of a step: a PATH with ansible-core, a HOME, a temporary directory.
pub fn surroundings(command: &mut Command) -> &mut Command {
    let path = format!("{}:{}", ansible_bin().display(), variable("PATH").unwrap_or_default());
    command
        .env_clear()
        .env("PATH", path)
        .env("HOME", variable("HOME").unwrap_or_else(|| "/root".to_owned()))
        .env("TMPDIR", std::env::temp_dir())
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
}

/// Adds settings as Woodpecker passes them.
pub trait WithSettings {
    /// Sets `PLUGIN_*` variables from settings by their names.
    fn settings<'a>(&mut self, settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> &mut Self;
}

impl WithSettings for Command {
    fn settings<'a>(&mut self, settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> &mut Self {
        self.envs(settings.into_iter().map(|(name, value)| (format!("PLUGIN_{}", name.to_uppercase()), value)))
    }
}

/// What a step printed and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a step to its end.
pub fn ended(step: &mut Command) -> Ended {
    step.output().unwrap().into()
}

/// Runs what must succeed.
pub fn succeeded(command: &mut Command) -> Ended {
    let end = ended(command);
    assert_eq!(end.code, Some(0), "{command:?}: {end:?}");
    end
}

/// Says what could not be tested, past the test runner, which shows what a passing test prints to nobody.
pub fn not_tested(what: &str) {
    std::io::stderr().write_all(format!("\n!!!! NOT TESTED: {what} !!!!\n").as_bytes()).unwrap();
}

/// One POST as it was received.
#[derive(Debug, Clone)]
pub struct Post {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Post {
    /// The value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A status server that takes everything and remembers it.
pub struct Receiver {
    server: Arc<tiny_http::Server>,
    posts: Arc<Mutex<Vec<Post>>>,
}

impl Receiver {
    pub fn start() -> Self {
        let server = Arc::new(tiny_http::Server::http("127.0.0.1:0").unwrap());
        let posts = Arc::new(Mutex::new(Vec::new()));
        let (listening, remembered) = (Arc::clone(&server), Arc::clone(&posts));
        std::thread::spawn(move || {
            while let Ok(mut request) = listening.recv() {
                let mut body = String::new();
                request.as_reader().read_to_string(&mut body).unwrap();
                let headers = request
                    .headers()
                    .iter()
                    .map(|header| (header.field.to_string(), header.value.to_string()))
                    .collect();
                remembered.lock().unwrap().push(Post { path: request.url().to_owned(), headers, body });
                request.respond(tiny_http::Response::from_string("kept")).unwrap();
            }
        });
        Self { server, posts }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.server.server_addr())
    }

    pub fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.unblock();
    }
}

/// The example's status server as a process.
pub struct StatusServer {
    process: Child,
    pub url: String,
}

impl StatusServer {
    pub fn start(arguments: &[&str]) -> Self {
        let mut cargo = Command::new(env!("CARGO"));
        let built = cargo
            .args(["build", "--quiet", "--locked", "--package", "gitops-status-server"])
            .current_dir(root())
            .status();
        assert!(built.unwrap().success());
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

/// The example's repository, and an empty directory that stands for the server's /etc.
pub struct Example {
    folder: TempDir,
}

impl Example {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&root().join("examples/rsyslog"), &folder.path().join("rsyslog"));
        fs::create_dir(folder.path().join("etc")).unwrap();
        Self { folder }
    }

    /// The directory that holds all of it.
    pub fn folder(&self) -> &TempDir {
        &self.folder
    }

    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("rsyslog")
    }

    pub fn etc(&self) -> PathBuf {
        self.folder.path().join("etc")
    }

    pub fn extra_vars(&self) -> String {
        format!(r#"{{"etc":"{}","ansible_connection":"local","ansible_become":false}}"#, self.etc().display())
    }

    pub fn deployed() -> Self {
        let example = Self::new();
        let mut deploy = Command::new("ansible-playbook");
        surroundings(&mut deploy).current_dir(example.repository()).args([
            "-e",
            &example.extra_vars(),
            "-i",
            "ansible/inventory.ini",
            "ansible/playbooks/deploy.yml",
        ]);
        let end = ended(&mut deploy);
        assert_eq!(end.code, Some(0), "{end:?}");
        example
    }

    /// The step of the example's pipeline, on this directory.
    pub fn step(&self, url: &str) -> Command {
        let mut step = step(&self.repository());
        step.env("CI_REPO_NAME", "rsyslog").settings([
            ("gitops_status_server_url", url),
            ("server_name", "rsyslog-lab"),
            ("playbook", "ansible/playbooks/drift-check.yml"),
            ("inventory", "ansible/inventory.ini"),
            ("ansible_config", "ansible.cfg"),
            ("extra_vars", &self.extra_vars()),
        ]);
        step
    }
}

/// Has a picture of README drawn from `shown`, and compares it with the one in the repository; `RECORD=pictures` replaces that.
#[track_caller]
pub fn picture(name: &str, python: &Path, shown: &str) {
    let pictures = root().join("examples/pictures");
    let mut draw = Command::new(python);
    draw.arg(pictures.join("draw.py")).arg(name).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut draw = draw.spawn().unwrap();
    draw.stdin.take().unwrap().write_all(shown.as_bytes()).unwrap();
    let drawn = draw.wait_with_output().unwrap();
    assert!(drawn.status.success() && drawn.stdout.ends_with(b"</svg>\n"));
    let file = pictures.join(name).with_extension("svg");
    if variable("RECORD").as_deref() == Some("pictures") {
        fs::write(&file, &drawn.stdout).unwrap();
    }
    let known = fs::read(&file).unwrap_or_default();
    assert!(known == drawn.stdout, "{name}.svg is not what would be drawn; if that is right, set RECORD=pictures");
}

/// The processes with this text in their environment, by their numbers.
pub fn processes_naming(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if String::from_utf8_lossy(&environment).contains(text) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

/// Copies a directory with everything in it.
pub fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}
