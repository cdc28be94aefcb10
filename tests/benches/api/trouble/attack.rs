//! Ways to misbehave.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::{Options, Outcome};

/// How long an attacker waits for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much of a body that has no end is sent, unless the answer comes before.
const MOST: usize = 16 << 20;
/// Where the attackers come from.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A way to misbehave, over some connections at once, each anew as soon as it has been answered.
#[derive(Clone, Copy)]
pub(super) struct Attack {
    pub(super) name: &'static str,
    pub(super) connections: usize,
    /// The status that ours refuses it with, if it is refused with one.
    pub(super) refusal: Option<u16>,
    bytes: fn() -> Sent,
}

/// What is sent.
struct Sent {
    head: Vec<u8>,
    /// Sent after it again and again.
    body: Vec<u8>,
}

/// What an attacker hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Heard {
    Status(u16),
    /// The connection was closed without an answer.
    Closed,
    /// Nothing until the attacker lost patience.
    Nothing,
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Closed => f.write_str("closed"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

impl Attack {
    /// The same, or less of it to see that it works.
    pub(super) fn sized(self, options: &Options) -> Self {
        let connections = self.connections.min(options.count(usize::MAX, 20));
        Self {
            connections,
            ..self
        }
    }
}

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "2,000 half-open sockets",
        connections: 2_000,
        refusal: None,
        bytes: || Sent::head("PUT /v1/agent/check/register HTTP/1.1\r\nHost: localhost\r\nX-"),
    },
    Attack {
        name: "bodies of 1 GiB",
        connections: FEW,
        refusal: Some(413),
        bytes: || Sent {
            head: put("Content-Length: 1073741824", r#"{"Name":""#),
            body: vec![b'a'; 65_536],
        },
    },
    Attack {
        name: "JSON 100,000 deep",
        connections: FEW,
        refusal: Some(400),
        bytes: || {
            let body = "[".repeat(100_000);
            Sent::head(&format!(
                "{}{body}",
                String::from_utf8_lossy(&put("Content-Length: 100000", ""))
            ))
        },
    },
    Attack {
        name: "conflicting lengths",
        connections: FEW,
        refusal: Some(400),
        bytes: || Sent {
            head: put("Content-Length: 2\r\nContent-Length: 30", "{}"),
            body: Vec::new(),
        },
    },
    Attack {
        name: "heads of 2 MiB",
        connections: FEW,
        refusal: Some(431),
        bytes: || Sent {
            head: put(&format!("X-Long: {}", "a".repeat(2 << 20)), ""),
            body: Vec::new(),
        },
    },
    Attack {
        name: "foreign hosts",
        connections: FEW,
        refusal: Some(403),
        bytes: || Sent::head("GET /v1/agent/self HTTP/1.1\r\nHost: evil.test\r\n\r\n"),
    },
    Attack {
        name: "foreign origins",
        connections: FEW,
        refusal: Some(403),
        bytes: || Sent {
            head: put("Origin: http://evil.test\r\nContent-Length: 2", "{}"),
            body: Vec::new(),
        },
    },
];

const FEW: usize = 8;

fn put(headers: &str, body: &str) -> Vec<u8> {
    format!("PUT /v1/agent/service/register HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{body}")
        .into_bytes()
}

impl Sent {
    fn head(text: &str) -> Self {
        Self {
            head: text.as_bytes().to_vec(),
            body: Vec::new(),
        }
    }
}

/// Attacks until it is over, and counts what is heard. `begun` counts those that are at work.
#[tokio::main(flavor = "current_thread")]
pub(super) async fn run(
    target: SocketAddr,
    attacks: &[Attack],
    begun: &Arc<AtomicUsize>,
    over: &watch::Receiver<bool>,
) -> Outcome<BTreeMap<Heard, usize>> {
    let mut attackers = JoinSet::new();
    for attack in attacks {
        let sent = Arc::new((attack.bytes)());
        // Whoever is not refused holds what it has.
        let patience = if attack.refusal.is_some() {
            PATIENCE
        } else {
            Duration::MAX
        };
        for _ in 0..attack.connections {
            let (sent, begun) = (Arc::clone(&sent), Arc::clone(begun));
            attackers.spawn(misbehave(target, sent, patience, begun, over.clone()));
        }
    }
    let mut all = BTreeMap::new();
    while let Some(done) = attackers.join_next().await {
        for (what, times) in done?? {
            *all.entry(what).or_insert(0) += times;
        }
    }
    Ok(all)
}

async fn misbehave(
    target: SocketAddr,
    sent: Arc<Sent>,
    patience: Duration,
    begun: Arc<AtomicUsize>,
    mut over: watch::Receiver<bool>,
) -> io::Result<BTreeMap<Heard, usize>> {
    let mut heard = BTreeMap::new();
    let mut is_new = true;
    loop {
        let stream = connect(target).await?;
        if std::mem::take(&mut is_new) {
            begun.fetch_add(1, Ordering::Relaxed);
        }
        tokio::select! {
            biased;
            _ended = over.wait_for(|over| *over) => return Ok(heard),
            what = provoke(stream, &sent, patience) => *heard.entry(what).or_insert(0) += 1,
        }
    }
}

async fn connect(target: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((ATTACKER, 0)))?;
    socket.connect(target).await
}

/// Sends what there is to send until there is an answer.
async fn provoke(mut stream: TcpStream, sent: &Sent, patience: Duration) -> Heard {
    let (mut reader, mut writer) = stream.split();
    let write = async {
        writer.write_all(&sent.head).await?;
        let mut more = if sent.body.is_empty() { 0 } else { MOST };
        while more > 0 {
            writer.write_all(&sent.body).await?;
            more = more.saturating_sub(sent.body.len());
        }
        Ok::<_, io::Error>(())
    };
    let mut status = [0; 12];
    let mut read = pin!(reader.read_exact(&mut status));
    let exchange = async {
        // Whoever refuses need not read to the end.
        tokio::select! {
            read = &mut read => read,
            _written = write => read.await,
        }
    };
    match tokio::time::timeout(patience, exchange).await {
        Err(_) => Heard::Nothing,
        Ok(Err(_)) => Heard::Closed,
        Ok(Ok(_)) => {
            let [.., hundreds, tens, ones] = status;
            let code = [hundreds, tens, ones];
            let code = std::str::from_utf8(&code)
                .ok()
                .and_then(|code| code.parse().ok());
            code.map_or(Heard::Closed, Heard::Status)
        }
    }
}
