//! A SOCKS proxy, of all versions, that remembers what it was asked for. Every name is this machine.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::server::pass_on;

/// The proxy.
pub struct Socks {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Socks {
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let serving = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let asked = Arc::clone(&serving);
                thread::spawn(move || {
                    let Some((request, port)) = greeted(&stream) else { return };
                    asked.lock().unwrap().push(request);
                    let Ok(onward) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
                    pass_on(&stream, &onward);
                });
            }
        });
        Self { address, asked }
    }

    /// The requests, such as `5 me:pass status.example`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Does what the protocol asks for before any data; what was asked for, and the port.
fn greeted(mut stream: &TcpStream) -> Option<(String, u16)> {
    let version = byte(stream)?;
    if version == 4 {
        bytes(stream, 1)?;
        let port = port(stream)?;
        let address = bytes(stream, 4)?;
        until_zero(stream)?;
        let host = if address.starts_with(&[0, 0, 0]) { until_zero(stream)? } else { dotted(&address) };
        stream.write_all(&[0, 90, 0, 0, 0, 0, 0, 0]).ok()?;
        return Some((format!("4 {host}"), port));
    }
    let methods = usize::from(byte(stream)?);
    let with_password = bytes(stream, methods)?.contains(&2);
    stream.write_all(&[5, if with_password { 2 } else { 0 }]).ok()?;
    let mut user = String::new();
    if with_password {
        bytes(stream, 1)?;
        user = format!("{}:{} ", counted(stream)?, counted(stream)?);
        stream.write_all(&[1, 0]).ok()?;
    }
    bytes(stream, 3)?;
    let host = match byte(stream)? {
        1 => dotted(&bytes(stream, 4)?),
        3 => counted(stream)?,
        _ => return None,
    };
    let port = port(stream)?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    Some((format!("5 {user}{host}"), port))
}

fn bytes(mut stream: &TcpStream, count: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn byte(stream: &TcpStream) -> Option<u8> {
    bytes(stream, 1).map(|bytes| bytes[0])
}

fn port(stream: &TcpStream) -> Option<u16> {
    bytes(stream, 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
}

fn dotted(address: &[u8]) -> String {
    address.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
}

fn counted(stream: &TcpStream) -> Option<String> {
    let count = usize::from(byte(stream)?);
    String::from_utf8(bytes(stream, count)?).ok()
}

fn until_zero(stream: &TcpStream) -> Option<String> {
    let mut text = Vec::new();
    loop {
        match byte(stream)? {
            0 => return String::from_utf8(text).ok(),
            other => text.push(other),
        }
    }
}
