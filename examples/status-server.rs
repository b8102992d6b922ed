//! A small gitops-status-server: takes statuses, keeps the newest of each repository and server, and hands them to
//! Grafana's Infinity datasource.
//!
//! ```text
//! cargo run --example status-server -- --listen 127.0.0.1:8080 --file status.json --token-file token
//! ```
//!
//! `POST /api/status` takes one status, `GET /status.json` gives them all as a flat array sorted by repository and
//! server, `GET /healthz` says `ok`. With `--token-file` a POST needs `Authorization: Bearer` and that file's text.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGINT, SIGTERM};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tiny_http::{Header, Method, Request, Response, Server};

/// The longest body that is read, in bytes.
const BODY_LIMIT: usize = 1 << 20;

/// How many requests are answered at the same time.
const WORKERS: usize = 4;

/// A status as it is posted, kept and handed on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    repo: String,
    server: String,
    sync_status: SyncStatus,
    drift_count: usize,
    files: Vec<DriftedFile>,
    last_check: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum SyncStatus {
    Synced,
    OutOfSync,
    Unknown,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DriftedFile {
    name: String,
}

impl Entry {
    /// Reads a status, or says what is wrong with it.
    fn parse(body: &[u8]) -> Result<Self> {
        let status: Self = serde_json::from_slice(body).context("this is no status")?;
        ensure!(!status.repo.is_empty(), "`repo` is empty");
        ensure!(!status.server.is_empty(), "`server` is empty");
        ensure!(status.drift_count == status.files.len(), "`drift_count` is not the number of `files`");
        let drifted = status.sync_status == SyncStatus::OutOfSync;
        ensure!(drifted != status.files.is_empty(), "`files` are listed with OUT_OF_SYNC, and only with it");
        status.checked_at()?;
        Ok(status)
    }

    fn checked_at(&self) -> Result<OffsetDateTime> {
        OffsetDateTime::parse(&self.last_check, &Rfc3339).with_context(|| {
            format!("`last_check` is {:?}; write a time such as 2026-04-21T10:30:00Z", self.last_check)
        })
    }
}

/// Every status, by repository and server, in memory and in one file.
struct Store {
    file: PathBuf,
    statuses: BTreeMap<(String, String), Entry>,
}

impl Store {
    fn open(file: PathBuf) -> Result<Self> {
        let list: Vec<Entry> = match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("cannot read `{}`; move it away to begin anew", file.display()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => bail!("cannot read `{}`: {error}", file.display()),
        };
        let statuses = list.into_iter().map(|status| ((status.repo.clone(), status.server.clone()), status)).collect();
        Ok(Self { file, statuses })
    }

    /// Keeps a status unless a newer one is known; whether it was kept.
    fn keep(&mut self, status: Entry) -> Result<bool> {
        let key = (status.repo.clone(), status.server.clone());
        if let Some(known) = self.statuses.get(&key) {
            if status.checked_at()? < known.checked_at()? {
                return Ok(false);
            }
        }
        let before = self.statuses.insert(key.clone(), status);
        if let Err(error) = self.save() {
            // What is shown must be what a restart would show.
            match before {
                Some(before) => self.statuses.insert(key, before),
                None => self.statuses.remove(&key),
            };
            return Err(error);
        }
        Ok(true)
    }

    fn json(&self) -> Result<String> {
        Ok(serde_json::to_string(&self.statuses.values().collect::<Vec<_>>())?)
    }

    fn save(&self) -> Result<()> {
        let beside = self.file.with_extension("new");
        let replace = |text: String| -> std::io::Result<()> {
            let mut file = File::create(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &self.file)
        };
        replace(self.json()?).with_context(|| format!("cannot write `{}`", self.file.display()))
    }
}

struct Answer {
    code: u16,
    content_type: &'static str,
    text: String,
}

fn answer(code: u16, text: impl Into<String>) -> Answer {
    Answer { code, content_type: "text/plain; charset=utf-8", text: text.into() }
}

fn handled(request: &mut Request, store: &Mutex<Store>, token: Option<&str>) -> Answer {
    let path = request.url().split('?').next().unwrap_or_default().to_owned();
    match (request.method(), path.as_str()) {
        (Method::Get, "/healthz") => answer(200, "ok\n"),
        (Method::Get, "/status.json") => match lock(store).json() {
            Ok(text) => Answer { code: 200, content_type: "application/json", text },
            Err(error) => answer(500, format!("{error:#}\n")),
        },
        (Method::Post, "/api/status") => posted(request, store, token),
        (_, "/healthz" | "/status.json" | "/api/status") => answer(405, "this path does not take this method\n"),
        _ => answer(404, "there is nothing here; try /status.json\n"),
    }
}

fn posted(request: &mut Request, store: &Mutex<Store>, token: Option<&str>) -> Answer {
    let header = |name: &'static str| {
        request.headers().iter().find(|header| header.field.equiv(name)).map(|header| header.value.as_str().to_owned())
    };
    if let Some(token) = token {
        if header("Authorization").is_none_or(|given| given != format!("Bearer {token}")) {
            return answer(401, "the bearer token is missing or wrong\n");
        }
    }
    let content_type = header("Content-Type").unwrap_or_default();
    if content_type.split(';').next().map(str::trim) != Some("application/json") {
        return answer(415, "the body has to be application/json\n");
    }
    let mut body = Vec::new();
    if let Err(error) = request.as_reader().take(BODY_LIMIT as u64 + 1).read_to_end(&mut body) {
        return answer(400, format!("the body cannot be read: {error}\n"));
    }
    if body.len() > BODY_LIMIT {
        return answer(413, format!("the body is longer than {BODY_LIMIT} bytes\n"));
    }
    let status = match Entry::parse(&body) {
        Ok(status) => status,
        Err(error) => return answer(422, format!("{error:#}\n")),
    };
    match lock(store).keep(status) {
        Ok(true) => answer(200, "kept\n"),
        Ok(false) => answer(200, "a newer check is known; this one was not kept\n"),
        Err(error) => answer(500, format!("{error:#}\n")),
    }
}

fn lock(store: &Mutex<Store>) -> std::sync::MutexGuard<'_, Store> {
    // A thread that panicked had either changed the map or not; both are whole.
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(server: &Server, store: &Mutex<Store>, token: Option<&str>) {
    while let Ok(mut request) = server.recv() {
        let answer = handled(&mut request, store, token);
        let mut response = Response::from_string(answer.text).with_status_code(answer.code);
        if let Ok(header) = Header::from_bytes("Content-Type", answer.content_type) {
            response = response.with_header(header);
        }
        // A client that went away does not need its answer.
        let _ = request.respond(response);
    }
}

struct Options {
    listen: String,
    file: PathBuf,
    token_file: Option<PathBuf>,
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options { listen: "127.0.0.1:8080".to_owned(), file: "status.json".into(), token_file: None };
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{name} needs a value"));
        match name.as_str() {
            "--listen" => options.listen = value()?,
            "--file" => options.file = value()?.into(),
            "--token-file" => options.token_file = Some(value()?.into()),
            _ => bail!("{name} is not understood; there are --listen, --file and --token-file"),
        }
    }
    Ok(options)
}

fn token(file: &Path) -> Result<String> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    ensure!(!text.trim().is_empty(), "`{}` holds no token", file.display());
    Ok(text.trim().to_owned())
}

fn main() -> Result<()> {
    // As process 1 of a container nothing ends it otherwise; what it keeps is on the disk already.
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 0, Arc::new(AtomicBool::new(true)))?;
    }
    let options = options(std::env::args().skip(1))?;
    let token = options.token_file.as_deref().map(token).transpose()?;
    let store = Arc::new(Mutex::new(Store::open(options.file)?));
    let server =
        Server::http(&options.listen).map_err(|error| anyhow!("cannot listen on {}: {error}", options.listen))?;
    // Whoever started this with port 0 learns the port from here.
    writeln!(std::io::stdout(), "listening on http://{}", server.server_addr())?;
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| serve(&server, &store, token.as_deref()));
        }
    });
    Ok(())
}
