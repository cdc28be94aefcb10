//! Plugins that look for a way out, with servers that would let them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::stage::{LATE, Met, Outcome, meet};

pub(crate) const MET_HERE: &[&str] = &[
    "calls_out_without_end",
    "connects_elsewhere",
    "follows_redirects",
    "opens_sockets",
    "waits_in_http",
];

/// A server on loopback that gives everybody the same answer, or none, and counts connections.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start(answer: Option<String>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let answer = answer.clone();
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let _asked = stream.read(&mut request).await;
                    match answer {
                        Some(answer) => drop(stream.write_all(answer.as_bytes()).await),
                        None => drop(stream.read(&mut request).await),
                    }
                });
            }
        });
        Self {
            address,
            connections,
        }
    }

    async fn ok() -> Self {
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        Self::start(Some(answer.to_owned())).await
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

fn options(allowed: &Server, targets: &[String]) -> Value {
    json!({
        "allow_http": [allowed.address.to_string()],
        "config": {"targets": targets},
    })
}

async fn meet_allowed(guest: &str, allowed: &Server, targets: &[String]) -> Met {
    meet(guest, options(allowed, targets), Outcome::Works).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connects_elsewhere() {
    let (allowed, other) = (Server::ok().await, Server::ok().await);
    let port = other.address.port();
    let targets = [
        allowed.url(),
        other.url(),
        format!("http://localhost:{port}/"),
        format!("http://127.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://{}@127.0.0.1:{port}/", allowed.address),
        format!("http://{}#@127.0.0.1:{port}/", allowed.address),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "https://example.com/".to_owned(),
    ];
    let met = meet_allowed("connects_elsewhere", &allowed, &targets).await;
    met.ended(Outcome::Works);
    met.said(&format!("{}: 200", allowed.url()));
    assert_eq!(other.connections(), 0);
    assert_eq!(allowed.connections(), 4);
    met.beside().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follows_redirects() {
    let other = Server::ok().await;
    let answer = format!(
        "HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        other.url()
    );
    let allowed = Server::start(Some(answer)).await;
    let met = meet_allowed("follows_redirects", &allowed, &[allowed.url()]).await;
    met.ended(Outcome::Works);
    met.said("first: 302");
    assert_eq!(other.connections(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opens_sockets() {
    let other = Server::ok().await;
    let target = other.address.to_string();
    let met = meet_allowed("opens_sockets", &other, &[target]).await;
    met.ended(Outcome::Works);
    met.said("connected: false, listening: false, sent: false");
    assert_eq!(other.connections(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_out_without_end() {
    let allowed = Server::ok().await;
    let met = meet_allowed("calls_out_without_end", &allowed, &[allowed.url()]).await;
    met.ended(Outcome::Works);
    // Sixteen in a call, and there were four.
    let connections = allowed.connections();
    assert!((4..=64).contains(&connections), "{connections}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_in_http() {
    let allowed = Server::start(None).await;
    let options = options(&allowed, &[allowed.url()]);
    let ends = Outcome::Leaf(LATE);
    let met = meet("waits_in_http", options, ends).await;
    met.ended(ends);
    met.beside().await;
}
