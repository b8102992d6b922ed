//! Any answer of a status server, through a real connection: it is a success, a refusal or a fault, and ends in time.
//!
//! The data is what the server sends before it closes the connection. `Retry-After` is also read alone.
#![no_main]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use plugin_gitops_status::{Budget, Client, Destination, Sent, Settings, Signals, retry_after_in, send};

/// Handlers are for ever, so they are set once and what they write to is never closed.
fn signals() -> MutexGuard<'static, Signals> {
    static SIGNALS: OnceLock<Mutex<Signals>> = OnceLock::new();
    SIGNALS.get_or_init(|| Mutex::new(Signals::listen().unwrap())).lock().unwrap()
}

/// What the server answers to whoever connects now.
static ANSWER: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// The server's address.
fn server() -> &'static str {
    static SERVER: OnceLock<String> = OnceLock::new();
    SERVER.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let answer = ANSWER.lock().unwrap().clone();
                let _ = stream.write_all(&answer);
            }
        });
        address
    })
}

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = retry_after_in(text, std::time::SystemTime::UNIX_EPOCH);
    }
    let address = server();
    let settings = [
        ("PLUGIN_PLAYBOOK", "p.yml"),
        ("PLUGIN_REPO_NAME", "r"),
        ("PLUGIN_SERVER_NAME", "s"),
        ("PLUGIN_HTTP_TIMEOUT", "2s"),
        ("PLUGIN_GITOPS_STATUS_SERVER_URL", &format!("http://{address}")),
    ];
    let settings = Settings::read(settings.map(|(name, value)| (name.into(), value.into())), time::Date::MIN).unwrap();
    let Destination::Server(mut server) = settings.destination else { panic!("no dry run was asked for") };
    // One attempt.
    server.retry_for = Duration::from_millis(1);
    let client = Client::new(&server).unwrap();
    *ANSWER.lock().unwrap() = data.to_vec();
    let sent = send(&client, "{}", &mut Budget::new(&server), &mut signals(), |_, _, _| {}).unwrap();
    if let Sent::Accepted(accepted) = sent {
        let status = accepted.status;
        // 1xx answers may stand before the one that counts.
        let said = String::from_utf8_lossy(data).into_owned();
        assert!((200..300).contains(&status) && said.contains(&status.to_string()), "{status}: {said:?}");
    }
});
