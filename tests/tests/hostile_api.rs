//! Trouble at the API of a running agent: thousands of sockets that never finish a request,
//! names that nobody has heard of, asked by the ten thousand, and clients that leave while their
//! query waits. What is given back is looked at from outside, in the process' files and memory
//! and in what others are answered.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use chancery_tests::{Agent, AgentHome, AgentKind, WireRequest, eventually, free_port, private};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, UnixStream};

/// How long the agent may take to notice that somebody left.
const LONG: Duration = Duration::from_secs(60);

/// Files that the agent opens and closes meanwhile for itself, and for those who were served.
const OWN: usize = 20;

/// Connections that one address may have.
const PER_CLIENT: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn half_open_sockets_leave_a_clean_client_served_and_are_given_back() {
    let sockets = allowed_files().min(5_000) * 2 / 5;
    // On a busy machine the last comes when the first would have had all its time.
    let patient = "limits { http_header_timeout = \"10m\" }";
    let home = AgentHome::with_connect("", patient).unwrap();
    let agent = Agent::start_at(&home, free_port().unwrap()).await.unwrap();
    assert_served(&agent).await;
    let before = open_files(&agent);

    let mut open = Vec::new();
    for number in 0..sockets {
        let client = u8::try_from(2 + number / PER_CLIENT).unwrap();
        let mut stream = connect_from(client, agent.http()).await.unwrap();
        let begin = "PUT /v1/agent/check/register HTTP/1.1\r\nHost: localhost\r\nX-";
        stream.write_all(begin.as_bytes()).await.unwrap();
        open.push(stream);
    }
    eventually(LONG, async || match open_files(&agent) {
        files if files + OWN >= before + sockets => Ok(()),
        files => Err(format!("{files} files, {before} before")),
    })
    .await
    .unwrap();
    // The clean client is another address, as it would be.
    for _ in 0..50 {
        assert_served(&agent).await;
    }
    drop(open);
    eventually(LONG, async || match open_files(&agent) {
        files if files <= before + OWN => Ok(()),
        files => Err(format!("{files} files, {before} before")),
    })
    .await
    .unwrap();
}

/// A name is 200 bytes long: remembering each of them once would take twice what is allowed.
#[tokio::test(flavor = "multi_thread")]
async fn names_that_nobody_has_leave_no_memory_behind() {
    const NAMES: usize = 30_000;
    const GROWTH: u64 = 3_000_000;
    let agent = Agent::start(AgentKind::Chancery).await.unwrap();
    // What the first requests need is had once.
    ask_about(&agent, "warm", NAMES / 5).await;
    let before = private(agent.process().id()).unwrap();
    ask_about(&agent, "cold", NAMES).await;
    let after = private(agent.process().id()).unwrap();
    assert!(
        after <= before + GROWTH,
        "{before} bytes before {NAMES} names, {after} after them"
    );
    assert_served(&agent).await;
}

/// Asks to authorize distinct callers of distinct services, and for the health of those, on one
/// connection.
async fn ask_about(agent: &Agent, kind: &str, names: usize) {
    let mut stream = TcpStream::connect(agent.http()).await.unwrap();
    for first in (0..names).step_by(50) {
        let mut requests = String::new();
        for number in first..first + 50 {
            let name = format!("{kind}-{number:-<190}");
            let uri = format!("spiffe://{TRUST_DOMAIN}/ns/default/dc/dc1/svc/{name}");
            let body = format!(r#"{{"Target": "{name}", "ClientCertURI": "{uri}"}}"#);
            write!(
                requests,
                "POST /v1/agent/connect/authorize HTTP/1.1\r\nHost: localhost\r\n\
                 Content-Length: {}\r\n\r\n{body}\
                 GET /v1/health/service/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n",
                body.len()
            )
            .unwrap();
        }
        stream.write_all(requests.as_bytes()).await.unwrap();
        read_answers(&mut stream, 100).await;
    }
}

const TRUST_DOMAIN: &str = "11111111-2222-3333-4444-555555555555.consul";

/// Reads so many answers, each of which must be 200.
async fn read_answers(stream: &mut TcpStream, answers: usize) {
    let mut read = Vec::new();
    let mut seen = 0;
    while seen < answers {
        let mut part = [0; 16_384];
        let count = tokio::time::timeout(LONG, stream.read(&mut part)).await;
        let count = count.unwrap().unwrap();
        let text = String::from_utf8_lossy(&read);
        assert!(count > 0, "after {seen} answers: {text}");
        read.extend_from_slice(&part[..count]);
        while let Some(end) = end_of_answer(&read) {
            let answer: Vec<_> = read.drain(..end).collect();
            let text = String::from_utf8_lossy(&answer);
            assert!(text.starts_with("HTTP/1.1 200"), "{text}");
            seen += 1;
        }
    }
}

/// How many bytes the first answer has, if it is whole.
fn end_of_answer(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let length = text.split("content-length: ").nth(1)?;
    let length: usize = length.lines().next()?.parse().ok()?;
    let end = head + 4 + length;
    (bytes.len() >= end).then_some(end)
}

/// A query that waits has no HTTP connection any more, only a socket that is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_waiting_query_is_noticed_whichever_way_they_came() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let settings = format!(
        "addresses {{ http = \"127.0.0.1 unix://{}\" }}\n\
         limits {{ http_max_blocked_queries = 1 }}",
        path.display()
    );
    let home = AgentHome::with_settings(&settings).unwrap();
    let agent = home.start().await.unwrap();
    let by_port = async || TcpStream::connect(agent.http()).await;
    let by_path = async || UnixStream::connect(&path).await;
    assert_leaving_is_noticed(&by_port, &by_path).await;
    assert_leaving_is_noticed(&by_path, &by_port).await;
}

/// Has the one query wait that may, on whatever listener, leaves it, and asks until another may.
async fn assert_leaving_is_noticed<S, O>(
    connect: &impl AsyncFn() -> io::Result<S>,
    elsewhere: &impl AsyncFn() -> io::Result<O>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    O: AsyncRead + AsyncWrite + Unpin,
{
    let waits = eventually(LONG, async || {
        let mut stream = connect().await.unwrap();
        stream.write_all(wait("10m").as_bytes()).await.unwrap();
        // Of both the one waits that is looked at first.
        let refused = another_is_answered(connect, "HTTP/1.1 429 ").await;
        refused.map(|()| stream)
    });
    let stream = waits.await.unwrap();
    let refused = another_is_answered(elsewhere, "HTTP/1.1 429 ").await;
    refused.unwrap();
    drop(stream);
    let noticed = eventually(LONG, async || {
        another_is_answered(connect, "HTTP/1.1 200 ").await
    });
    noticed.await.unwrap();
}

async fn another_is_answered<S: AsyncRead + AsyncWrite + Unpin>(
    connect: &impl AsyncFn() -> io::Result<S>,
    status: &str,
) -> Result<(), String> {
    let mut stream = connect().await.unwrap();
    stream.write_all(wait("10ms").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    match answer.starts_with(status) {
        true => Ok(()),
        false => Err(answer),
    }
}

/// A query that waits for so long for what never comes.
fn wait(long: &str) -> String {
    format!(
        "GET /v1/connect/intentions?index=1000&wait={long} HTTP/1.1\r\nHost: localhost\r\n\
         Connection: close\r\n\r\n"
    )
}

async fn assert_served(agent: &Agent) {
    let request = WireRequest {
        method: "GET".to_owned(),
        path: "/v1/status/leader".to_owned(),
        ..WireRequest::default()
    };
    let reply = request.send(agent.http()).await.unwrap();
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// A connection from 127.0.0.`client`.
async fn connect_from(client: u8, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, client), 0)))?;
    socket.connect(to).await
}

fn open_files(agent: &Agent) -> usize {
    let folder = format!("/proc/{}/fd", agent.process().id());
    std::fs::read_dir(folder).unwrap().count()
}

/// How many files a process may have open, once the soft limit is as high as it may be. The
/// agent that is started from here inherits it.
fn allowed_files() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    usize::try_from(allowed).unwrap_or(usize::MAX)
}
