//! A server that does what a script says, request by request, and remembers what it was sent: real sockets, real TLS.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What the server does with one request, or with one connection before any.
#[derive(Debug, Clone)]
pub enum Act {
    /// Answers with these bytes and keeps the connection.
    Answer(String),
    /// Answers with these bytes and closes the connection.
    AnswerAndClose(String),
    /// Accepts the connection and resets it before anything is read.
    ResetAtOnce,
    /// Reads the request and resets the connection.
    ResetAfterRequest,
    /// Answers with these bytes and resets the connection.
    ResetAfter(String),
    /// Reads the request and never answers.
    Hang,
    /// Accepts the connection and reads nothing.
    HangAtOnce,
    /// Answers whatever is sent first with these bytes, without any TLS, and closes the connection.
    AnswerAtOnce(String),
    /// Answers with these bytes and then with one byte at a time, for ever.
    Drip(String),
    /// Answers with these bytes and then with more of a body than anybody wants.
    Endless(String),
    /// Says `100 Continue` before the answer.
    Continue(String),
}

/// An answer with a status, further header lines and a body.
pub fn answer(status: &str, headers: &[&str], body: &str) -> String {
    let length = format!("Content-Length: {}", body.len());
    let head: Vec<&str> = headers.iter().copied().chain([length.as_str()]).collect();
    format!("HTTP/1.1 {status}\r\n{}\r\n\r\n{body}", head.join("\r\n"))
}

/// `200 OK`.
pub fn ok() -> Act {
    Act::Answer(answer("200 OK", &[], "kept"))
}

fn status_over() -> Act {
    Act::Answer(answer("500 Oops", &[], "the script is over"))
}

/// A status and a body of two lines.
pub fn status(status: &str) -> Act {
    Act::Answer(answer(status, &[], "what the server says\nand more"))
}

/// One request as it was received.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The request line.
    pub line: String,
    /// The header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// Which connection it came on, from 0.
    pub connection: usize,
}

impl Request {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct Shared {
    script: Mutex<VecDeque<Act>>,
    /// Whether it goes on with `200 OK` after the script.
    keeps: bool,
    requests: Mutex<Vec<Request>>,
    /// Connections that are to stay open without anybody reading them.
    kept: Mutex<Vec<TcpStream>>,
}

/// The server. After the last act of its script every further request gets `500 the script is over`.
pub struct Scripted {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Scripted {
    /// Plain HTTP, and every request is answered with `200 OK`.
    pub fn keeping() -> Self {
        Self::start([], None, true)
    }

    /// Plain HTTP.
    pub fn http(script: impl IntoIterator<Item = Act>) -> Self {
        Self::start(script, None, false)
    }

    /// HTTP over TLS.
    pub fn https(script: impl IntoIterator<Item = Act>, tls: Arc<ServerConfig>) -> Self {
        Self::start(script, Some(tls), false)
    }

    fn start(script: impl IntoIterator<Item = Act>, tls: Option<Arc<ServerConfig>>, keeps: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { script: Mutex::new(script.into_iter().collect()), keeps, ..Shared::default() });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let (shared, tls) = (Arc::clone(&serving), tls.clone());
                thread::spawn(move || serve(&shared, number, stream, tls));
            }
        });
        Self { address, shared }
    }

    /// Its address as a setting has it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same for TLS, by the name that certificates have.
    pub fn https_url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// The bodies of what was sent, in order.
    pub fn bodies(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.body).collect()
    }

    /// Forgets what was sent.
    pub fn forget(&self) {
        self.shared.requests.lock().unwrap().clear();
    }

    /// What was sent, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }
}

fn serve(shared: &Shared, number: usize, stream: TcpStream, tls: Option<Arc<ServerConfig>>) {
    let before = {
        let mut script = shared.script.lock().unwrap();
        let at_once =
            script.front().is_some_and(|act| matches!(act, Act::ResetAtOnce | Act::HangAtOnce | Act::AnswerAtOnce(_)));
        if at_once { script.pop_front() } else { None }
    };
    match before {
        Some(Act::ResetAtOnce) => return reset(&stream),
        Some(Act::AnswerAtOnce(text)) => {
            // What was not read would break the connection before the answer is.
            let _ = (&stream).read(&mut [0; 4096]);
            let _ = (&stream).write_all(text.as_bytes());
            return;
        }
        Some(_) => return shared.kept.lock().unwrap().push(stream),
        None => {}
    }
    match tls {
        None => {
            let mut plain = &stream;
            talk(shared, number, &mut plain, &stream);
        }
        Some(config) => {
            let raw = stream.try_clone().unwrap();
            let mut tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
            talk(shared, number, &mut tls, &raw);
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
    }
}

fn talk(shared: &Shared, number: usize, stream: &mut (impl Read + Write), raw: &TcpStream) {
    while let Some(request) = request(stream, number) {
        let connect = request.line.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next().map(str::to_owned));
        shared.requests.lock().unwrap().push(request);
        let act = shared.script.lock().unwrap().pop_front();
        if let (Some(target), None) = (connect, &act) {
            return tunnel(stream, raw, &target);
        }
        let act = act.unwrap_or_else(|| if shared.keeps { ok() } else { status_over() });
        let written = match &act {
            Act::Continue(text) => stream.write_all(format!("HTTP/1.1 100 Continue\r\n\r\n{text}").as_bytes()),
            Act::Answer(text)
            | Act::AnswerAndClose(text)
            | Act::ResetAfter(text)
            | Act::Drip(text)
            | Act::Endless(text) => stream.write_all(text.as_bytes()),
            Act::ResetAtOnce | Act::ResetAfterRequest | Act::Hang | Act::HangAtOnce | Act::AnswerAtOnce(_) => Ok(()),
        };
        if written.and_then(|()| stream.flush()).is_err() {
            return;
        }
        match act {
            Act::Answer(_) | Act::Continue(_) => {}
            Act::AnswerAndClose(_) | Act::AnswerAtOnce(_) => return,
            Act::ResetAtOnce | Act::ResetAfterRequest | Act::ResetAfter(_) => return reset(raw),
            Act::Hang | Act::HangAtOnce => return shared.kept.lock().unwrap().push(raw.try_clone().unwrap()),
            Act::Drip(_) => {
                // The pace is the fault itself: each byte comes within any time-out between two reads.
                while stream.write_all(b"x").and_then(|()| stream.flush()).is_ok() {
                    thread::sleep(std::time::Duration::from_millis(100));
                }
            }
            Act::Endless(_) => while stream.write_all(&[b'x'; 4096]).is_ok() {},
        }
    }
}

/// Connects a client that asked for it with the target.
fn tunnel(stream: &mut (impl Read + Write), raw: &TcpStream, target: &str) {
    // Every name is this machine: only the proxy knows it.
    let port = target.rsplit(':').next().unwrap();
    let Ok(onward) = TcpStream::connect(format!("127.0.0.1:{port}")) else { return };
    stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
    pass_on(raw, &onward);
}

/// Copies bytes both ways until one side has no more.
pub fn pass_on(client: &TcpStream, server: &TcpStream) {
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || std::io::copy(&mut from, &mut to));
    let _ = std::io::copy(&mut &*server, &mut &*client);
}

fn request(stream: &mut impl Read, connection: usize) -> Option<Request> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers: Vec<(String, String)> = lines
        .map(|header| {
            header.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).unwrap()
        })
        .collect();
    let mut request = Request { line, headers, body: String::new(), connection };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).unwrap();
    Some(request)
}

/// Ends a connection so that the other side sees it break.
fn reset(stream: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream, Some(std::time::Duration::ZERO)).unwrap();
    stream.shutdown(std::net::Shutdown::Both).ok();
    // Dropping the last handle with this option sends the reset.
}

/// A certificate that its owner has signed, as `openssl req -x509` makes it, and a server that shows it. An empty name is
/// none at all.
pub fn self_signed(name: &str, until: i32) -> (String, Arc<ServerConfig>) {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = Some(name.to_owned()).filter(|name| !name.is_empty()).into_iter().collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), server_config(certificate.der(), &key))
}

fn server_config(certificate: &CertificateDer<'static>, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap())
}

/// An authority of the test's own.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    /// Its certificate as PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A server with a certificate for `name`, valid until the given year.
    pub fn server(&self, name: &str, until: i32) -> Arc<ServerConfig> {
        self.signed(name, until).1
    }

    /// The same with the certificate as PEM.
    pub fn signed(&self, name: &str, until: i32) -> (String, Arc<ServerConfig>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), server_config(certificate.der(), &key))
    }
}
