//! Connects and listens without asking for HTTP.
#![cfg(target_family = "wasm")]

use std::net::{TcpListener, TcpStream, UdpSocket};

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest, http, log};

struct OpensSockets;

impl Guest for OpensSockets {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let target = http::allowed();
        let connected = TcpStream::connect(target.as_str()).is_ok();
        let listening = TcpListener::bind("127.0.0.1:0").is_ok();
        let sent = UdpSocket::bind("0.0.0.0:0").is_ok();
        log::write(
            log::Level::Info,
            &format!("connected: {connected}, listening: {listening}, sent: {sent}"),
        );
        Ok(vec![ca::Leaf::wanted(&request).sign()])
    }
}

guest!(OpensSockets);
