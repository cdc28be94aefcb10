use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Metadata, Subscriber};

use super::*;
use crate::vault::options::TlsOptions;

/// Counts what our own code says in the log.
#[derive(Default)]
struct Log {
    warnings: AtomicU32,
    notes: AtomicU32,
}

struct Counting(Arc<Log>);

impl Subscriber for Counting {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("chancery")
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let counted = match *event.metadata().level() {
            Level::WARN => &self.0.warnings,
            _ => &self.0.notes,
        };
        counted.fetch_add(1, Ordering::SeqCst);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

fn counting() -> (Arc<Log>, DefaultGuard) {
    let log = Arc::new(Log::default());
    let guard = tracing::subscriber::set_default(Counting(Arc::clone(&log)));
    (log, guard)
}

/// As much of Vault as knows one token of three seconds, and renews it if it likes to.
#[derive(Default)]
struct Server {
    renews: AtomicBool,
    asked: AtomicU32,
}

impl Server {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let size = stream.read(&mut request).await.unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..size]).into_owned();
            let (status, body) = if request.contains("renew-self") {
                self.asked.fetch_add(1, Ordering::SeqCst);
                match self.renews.load(Ordering::SeqCst) {
                    true => (
                        "200 OK",
                        r#"{"auth":{"client_token":"t","lease_duration":3600,"renewable":true}}"#,
                    ),
                    false => ("500 Internal Server Error", r#"{"errors":["disk full"]}"#),
                }
            } else {
                ("200 OK", r#"{"data":{"ttl":60,"renewable":true}}"#)
            };
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn trouble_is_logged_when_it_begins_and_when_it_ends() {
    let (log, _guard) = counting();
    let server = Arc::new(Server::default());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(Arc::clone(&server).serve(listener));
    let transport = Arc::new(Transport::new(&address, &TlsOptions::default()).unwrap());
    let method = Method::Token(Token::new("t").unwrap());
    let keeper = Keeper::start(transport, String::new(), method)
        .await
        .unwrap();
    // As if two thirds of its life were over; the keeper's task has not begun yet.
    let mut lease = keeper.shared.lease();
    lease.got = Instant::now().checked_sub(Duration::from_secs(45)).unwrap();
    keeper.shared.set(lease);

    until("three attempts", || {
        server.asked.load(Ordering::SeqCst) >= 3
    })
    .await;
    assert_eq!(log.warnings.load(Ordering::SeqCst), 1, "said once");
    assert_eq!(log.notes.load(Ordering::SeqCst), 0);
    server.renews.store(true, Ordering::SeqCst);
    until("the end of trouble", || {
        log.notes.load(Ordering::SeqCst) == 1
    })
    .await;
    assert_eq!(log.warnings.load(Ordering::SeqCst), 1);
    serving.abort();
}

#[test]
fn a_token_is_due_at_two_thirds_of_its_life() {
    let lease = |spent, life: Option<u64>| Lease {
        token: Token::new("t").unwrap(),
        got: Instant::now()
            .checked_sub(Duration::from_secs(spent))
            .unwrap(),
        life: life.map(Duration::from_secs),
        renewable: true,
    };
    assert!(!lease(39, Some(60)).is_due());
    assert!(lease(40, Some(60)).is_due());
    assert!(!lease(1000, None).is_due());
    assert_eq!(lease(1000, None).left(), Duration::MAX);
    assert_eq!(lease(61, Some(60)).left(), Duration::ZERO);
}
