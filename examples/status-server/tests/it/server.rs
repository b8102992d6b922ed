//! What the tests share: the server in a directory of its own, and what it is asked.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// For what must happen at some time; longer than any limit of the server on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A running server.
pub struct Server {
    pub process: Child,
    pub address: SocketAddr,
    pub folder: TempDir,
    agent: ureq::Agent,
}

/// What was answered.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: u16,
    pub body: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Server {
    /// One with nothing in it, in a directory that goes with it.
    pub fn start() -> Self {
        Self::with(&[])
    }

    pub fn with(arguments: &[&str]) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), arguments)
    }

    /// One with the database `status.db` of this directory.
    pub fn in_folder(folder: TempDir, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gitops-status-server"));
        command.arg("--file").arg(folder.path().join("status.db")).args(arguments);
        Self::run(command, folder)
    }

    /// A command that becomes a server; `--listen` is added.
    pub fn run(mut command: Command, folder: TempDir) -> Self {
        let errors = File::options().create(true).append(true).open(folder.path().join("stderr")).unwrap();
        command.args(["--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said = fs::read_to_string(folder.path().join("stderr")).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line:?} {said:?}"));
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        Self { process, address: address.parse().unwrap(), folder, agent: config.build().into() }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn get(&self, path: &str) -> Answer {
        answer(self.agent.get(self.url(path)).call())
    }

    pub fn post(&self, status: &Value) -> Answer {
        self.post_with(status, &[])
    }

    pub fn post_with(&self, status: &Value, headers: &[(&str, &str)]) -> Answer {
        let request = self.agent.post(self.url("/api/status")).content_type("application/json");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        answer(request.send(status.to_string()))
    }

    pub fn delete(&self, query: &str, token: &str) -> Answer {
        let request = self.agent.delete(self.url(&format!("/api/status{query}")));
        answer(request.header("Authorization", format!("Bearer {token}")).call())
    }

    /// Everything in `/status.json`.
    pub fn statuses(&self) -> Vec<Value> {
        let answer = self.get("/status.json");
        assert_eq!(answer.code, 200, "{answer:?}");
        answer.json().as_array().unwrap().clone()
    }

    /// A connection on which nothing was said yet.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A connection on which this was said.
    pub fn say(&self, text: &str) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    }

    /// How many files and connections the server has open.
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count()
    }

    /// What it said to whoever runs it.
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap()
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("status.db")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let process = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(process, signal).unwrap();
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        until("the server ends", || self.process.try_wait().unwrap())
    }

    /// Ends it at once, without a chance to do anything, and hands back its directory.
    pub fn killed(mut self) -> TempDir {
        self.signal(rustix::process::Signal::KILL);
        self.process.wait().unwrap();
        let other = tempfile::tempdir().unwrap();
        std::mem::replace(&mut self.folder, other)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut response = response.unwrap();
    let code = response.status().as_u16();
    let body = response.body_mut().with_config().limit(1 << 30).read_to_string().unwrap();
    Answer { code, body }
}

/// Everything that a connection still says until the other side closes it.
pub fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset ends it as well.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

/// Asks again and again until there is an answer.
#[track_caller]
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A status as the plugin posts it; `OUT_OF_SYNC` if there are files.
pub fn status(server: &str, files: &[&str], last_check: &str) -> Value {
    let sync_status = if files.is_empty() { "SYNCED" } else { "OUT_OF_SYNC" };
    json!({"repo": "fleet", "server": server, "sync_status": sync_status, "drift_count": files.len(),
           "files": files.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(), "last_check": last_check})
}

/// The time this many seconds from now.
pub fn from_now(seconds: i64) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    (time::OffsetDateTime::now_utc() + time::Duration::seconds(seconds)).format(&format).unwrap()
}

/// A file with a token in it.
pub fn token_file(folder: &Path) -> String {
    let file = folder.join("token");
    fs::write(&file, "the-token\n").unwrap();
    file.display().to_string()
}

/// Says what could not be tested, past the test runner, which shows what a passing test prints to nobody.
pub fn not_tested(what: &str) {
    std::io::stderr().write_all(format!("\n!!!! NOT TESTED: {what} !!!!\n").as_bytes()).unwrap();
}
