//! One request on a connection of its own, with nothing added or tidied by a client.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest wait for an answer. Nothing that is asked waits a tenth of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The headers of an answer that somebody may rely on.
pub const COMPARED_HEADERS: &[&str] = &[
    "Content-Type",
    "Allow",
    "Location",
    "Vary",
    "Content-Encoding",
    "Cache-Control",
    "X-Cache",
    "Age",
    "X-Consul-Index",
    "X-Consul-Knownleader",
    "X-Consul-Lastcontact",
    "X-Consul-Effective-Consistency",
    "X-Consul-Contenthash",
    "X-Consul-Reason",
    "X-Consul-Translate-Addresses",
];

/// A request, to the letter.
#[derive(Clone, Debug, Default)]
pub struct WireRequest {
    /// The method.
    pub method: String,
    /// The path and the query.
    pub path: String,
    /// Headers beside `Host`, `Connection` and `Content-Length`.
    pub headers: BTreeMap<String, String>,
    /// The body; its length is announced if there is one, and with `PUT` and `POST` always.
    pub body: String,
}

/// What an agent answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status; 0 if the agent closed the connection without an answer.
    pub status: u16,
    /// The headers, with their names as on the wire.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
    /// From connecting to the last byte.
    pub elapsed: Duration,
}

impl WireRequest {
    /// Asks the agent at `address`.
    ///
    /// # Errors
    /// When it cannot be reached, says nothing for long, or answers with no HTTP.
    pub async fn send(&self, address: SocketAddr) -> io::Result<Reply> {
        let begin = Instant::now();
        let exchanged = tokio::time::timeout(PATIENCE, self.exchange(address)).await;
        let answer = match exchanged {
            Ok(answer) => answer?,
            Err(_) => {
                let Self { method, path, .. } = self;
                let text = format!("{method} {path}: no answer within {PATIENCE:?}");
                return Err(io::Error::other(text));
            }
        };
        Reply::read(&answer, begin.elapsed())
    }

    async fn exchange(&self, address: SocketAddr) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(address).await?;
        let (mut reader, mut writer) = stream.split();
        let text = self.text(address);
        let mut answer = Vec::new();
        // Whoever refuses a body need not read it to its end, so neither side's end is an error
        // as long as there is an answer.
        let (_written, read) = tokio::join!(
            writer.write_all(text.as_bytes()),
            reader.read_to_end(&mut answer)
        );
        match read {
            Err(error) if answer.is_empty() => match error.kind() {
                io::ErrorKind::ConnectionReset => Ok(answer),
                _ => Err(error),
            },
            _ => Ok(answer),
        }
    }

    fn text(&self, address: SocketAddr) -> String {
        let Self {
            method,
            path,
            headers,
            body,
        } = self;
        let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.contains_key("Host") {
            text += &format!("Host: {address}\r\n");
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        let has_length = !body.is_empty() || method == "PUT" || method == "POST";
        if has_length && !headers.contains_key("Content-Length") {
            text += &format!("Content-Length: {}\r\n", body.len());
        }
        text += &format!("\r\n{body}");
        text
    }
}

impl Reply {
    fn read(answer: &[u8], elapsed: Duration) -> io::Result<Self> {
        if answer.is_empty() {
            return Ok(Self {
                status: 0,
                headers: BTreeMap::new(),
                body: String::new(),
                elapsed,
            });
        }
        let no_http = || {
            let text = String::from_utf8_lossy(answer);
            let begin: String = text.chars().take(200).collect();
            io::Error::other(format!("no HTTP: {begin}"))
        };
        let split = answer
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .ok_or_else(no_http)?;
        let (head, body) = answer.split_at(split);
        let head = String::from_utf8_lossy(head);
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok())
            .ok_or_else(no_http)?;
        let headers: BTreeMap<_, _> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut body = String::from_utf8_lossy(&body[4..]).into_owned();
        if headers.get("Transfer-Encoding").map(String::as_str) == Some("chunked") {
            body = unchunked(&body).ok_or_else(no_http)?;
        }
        Ok(Self {
            status,
            headers,
            body,
            elapsed,
        })
    }
}

/// A body without the sizes of its chunks (RFC 9112 §7.1).
fn unchunked(mut body: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole += rest.get(..size)?;
        body = rest.get(size..)?.strip_prefix("\r\n")?;
    }
}
