//! The server under load, on the loopback interface only, for a bounded time:
//!
//! ```text
//! cargo bench --package gitops-status-server [-- --seconds 60]
//! ```
//!
//! 10,000 servers are posted; `/status.json` is read; then 300 statuses a second are posted while 1,000 half-open requests
//! stand around and another client reads. At the end every status must be the last one that was answered with `kept`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark fails by panicking and prints its figures")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const SERVERS: usize = 10_000;
const POSTS_A_SECOND: u32 = 300;
const HALF_OPEN: usize = 1_000;
const CLIENTS: usize = 8;

struct Server {
    process: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let seconds = words.iter().position(|word| word == "--seconds").map_or(60, |at| words[at + 1].parse().unwrap());
    let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limits.maximum, maximum: limits.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gitops-status-server"));
    command.args(["--listen", "127.0.0.1:0", "--file"]).arg(folder.path().join("status.db")).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let server = Server { process, address: line.trim().strip_prefix("listening on http://").unwrap().to_owned() };

    let took = fill(&server);
    println!("{SERVERS} servers posted by {CLIENTS} clients: {:.0} a second", f64::from(10_000) / took.as_secs_f64());
    for path in ["/status.json", "/metrics", "/", "/history.json"] {
        let times = reads(&server, path, 20);
        println!("{path} of {SERVERS} servers: median {:.1} ms, slowest {:.1} ms", times[10], times[19]);
    }
    let half_open: Vec<TcpStream> = (0..HALF_OPEN).map(|number| slow(&server, number)).collect();
    under_load(&server, Duration::from_secs(seconds));
    drop(half_open);
    println!("memory at its highest: {} kB", memory(&server));
}

fn status(name: &str, file: &str) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    let now = time::OffsetDateTime::now_utc().format(&format).unwrap();
    let files = json!([{"name": "rsyslog.conf"}, {"name": file}]);
    json!({"repo": "fleet", "server": name, "sync_status": "OUT_OF_SYNC", "drift_count": 2, "files": files,
           "last_check": now})
    .to_string()
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build().into()
}

fn post(agent: &ureq::Agent, server: &Server, body: &str) {
    let url = format!("http://{}/api/status", server.address);
    let mut answer = agent.post(url).content_type("application/json").send(body).unwrap();
    assert_eq!(answer.body_mut().read_to_string().unwrap(), "kept\n");
}

fn fill(server: &Server) -> Duration {
    let (next, began) = (AtomicUsize::new(0), Instant::now());
    scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let agent = agent();
                while let number @ 0..SERVERS = next.fetch_add(1, Ordering::Relaxed) {
                    post(&agent, server, &status(&format!("web{number:05}.example.net"), "first"));
                }
            });
        }
    });
    began.elapsed()
}

/// How long reading takes, in milliseconds, shortest first.
fn reads(server: &Server, path: &str, times: usize) -> Vec<f64> {
    let agent = agent();
    let mut taken: Vec<f64> = (0..times).map(|_| read(&agent, server, path).1.as_secs_f64() * 1000.0).collect();
    taken.sort_by(f64::total_cmp);
    taken
}

fn read(agent: &ureq::Agent, server: &Server, path: &str) -> (String, Duration) {
    let began = Instant::now();
    let mut answer = agent.get(format!("http://{}{path}", server.address)).call().unwrap();
    let text = answer.body_mut().with_config().limit(1 << 30).read_to_string().unwrap();
    (text, began.elapsed())
}

fn slow(server: &Server, number: usize) -> TcpStream {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let said: &[u8] = if number % 2 == 0 { b"GET /status.json HTTP/1.1\r\nHost:" } else { b"" };
    stream.write_all(said).unwrap();
    stream
}

fn under_load(server: &Server, length: Duration) {
    let (ends, next, began) = (AtomicBool::new(false), AtomicUsize::new(0), Instant::now());
    let (kept, mut posts, mut health) = scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let (agent, mut kept, mut taken) = (agent(), HashMap::new(), Vec::new());
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let due = Duration::from_secs(1) * u32::try_from(number).unwrap() / POSTS_A_SECOND;
                        if due >= length {
                            return (kept, taken);
                        }
                        sleep(due.saturating_sub(began.elapsed()));
                        // Each server is posted by one client at a time: they are far apart.
                        let (name, file) = (format!("web{:05}.example.net", number % SERVERS), format!("f{number}"));
                        let start = Instant::now();
                        post(&agent, server, &status(&name, &file));
                        taken.push(start.elapsed().as_secs_f64() * 1000.0);
                        kept.insert(name, number);
                    }
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            let (agent, mut taken) = (agent(), Vec::new());
            while !ends.load(Ordering::Relaxed) {
                taken.push(read(&agent, server, "/healthz").1.as_secs_f64() * 1000.0);
                read(&agent, server, "/status.json");
                sleep(Duration::from_millis(250));
            }
            taken
        });
        let mut kept: HashMap<String, usize> = HashMap::new();
        let mut posts = Vec::new();
        for client in clients {
            let (theirs, taken) = client.join().unwrap();
            posts.extend(taken);
            for (name, number) in theirs {
                kept.entry(name).and_modify(|known| *known = (*known).max(number)).or_insert(number);
            }
        }
        ends.store(true, Ordering::Relaxed);
        (kept, posts, reader.join().unwrap())
    });
    let took = began.elapsed();
    let listed: Vec<Value> = serde_json::from_str(&read(&agent(), server, "/status.json").0).unwrap();
    let mut lost = 0;
    for status in &listed {
        let expected = kept.get(status["server"].as_str().unwrap()).map(|number| format!("f{number}"));
        lost += usize::from(expected.is_some_and(|expected| status["files"][0]["name"] != expected.as_str()));
    }
    posts.sort_by(f64::total_cmp);
    health.sort_by(f64::total_cmp);
    let of = |times: &[f64], percent: usize| times[(times.len() - 1) * percent / 100];
    let rate = f64::from(u32::try_from(posts.len()).unwrap()) / took.as_secs_f64();
    println!("beside {HALF_OPEN} half-open requests and a reader of everything, {} s long:", length.as_secs());
    println!("  {} statuses posted, {rate:.0} a second, {lost} lost, {} servers listed", posts.len(), listed.len());
    println!(
        "  POST: median {:.1} ms, 99 % within {:.1} ms, slowest {:.1} ms",
        of(&posts, 50),
        of(&posts, 99),
        of(&posts, 100)
    );
    println!("  GET /healthz: median {:.1} ms, slowest {:.1} ms", of(&health, 50), of(&health, 100));
    assert_eq!((lost, listed.len()), (0, SERVERS));
}

fn memory(server: &Server) -> String {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").to_owned()
}
