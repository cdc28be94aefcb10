//! A proxy before a server that speaks Vault's API, which spoils the answers of one kind of call.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const LONGEST_HEAD: usize = 64 * 1024;

/// What becomes of an answer.
#[derive(Clone)]
#[non_exhaustive]
pub enum Fault {
    /// This status and this body, of this media type, in its place.
    Answer(u16, &'static str, Vec<u8>),
    /// It ends after so many bytes of its body, of which it announced more.
    CutAfter(usize),
    /// It comes a byte at a time, one in this time.
    Drip(Duration),
    /// Its JSON is changed.
    Edit(Arc<dyn Fn(Value) -> Value + Send + Sync>),
    /// A body of so many letters.
    Long(usize),
    /// These bytes instead of anything of HTTP.
    Raw(Vec<u8>),
    /// A redirect with this status to this place.
    Redirect(u16, String),
}

/// The proxy. Dropping it closes its port.
#[derive(Debug)]
pub struct FaultyProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    target: String,
    /// What the paths of the calls have in them whose answers are spoilt.
    part: String,
    fault: Mutex<Option<Fault>>,
    spoilt: AtomicUsize,
    client: reqwest::Client,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl FaultyProxy {
    /// Starts one before `target` (`http://host:port`), honest at first. Faults concern calls
    /// with `part` in their path.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(target: &str, part: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target: target.to_owned(),
            part: part.to_owned(),
            fault: Mutex::default(),
            spoilt: AtomicUsize::new(0),
            client: reqwest::Client::builder()
                .no_proxy()
                .build()
                .map_err(io::Error::other)?,
        });
        let task = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let shared = Arc::clone(&shared);
                    // A client that goes away while it is answered is what it came for.
                    tokio::spawn(async move { drop(shared.serve(stream).await) });
                }
            }
        });
        Ok(Self {
            address,
            shared,
            task,
        })
    }

    /// Its address as the option `Address` wants it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Spoils answers from now on, or no longer.
    pub fn spoil(&self, fault: Option<Fault>) {
        *self
            .shared
            .fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// How many answers it has spoilt.
    #[must_use]
    pub fn spoilt(&self) -> usize {
        self.shared.spoilt.load(Ordering::SeqCst)
    }
}

impl Drop for FaultyProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A request as it came in.
struct Asked {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Shared {
    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let asked = read(&mut stream).await?;
        let spoilt = asked.path.contains(&self.part);
        let (status, body) = self.pass_on(asked).await.map_err(io::Error::other)?;
        let fault = self
            .fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .filter(|_| spoilt);
        match fault {
            None => answer(&mut stream, status, "application/json", &body).await?,
            Some(fault) => {
                self.spoilt.fetch_add(1, Ordering::SeqCst);
                fault.answer(&mut stream, status, &body).await?;
            }
        }
        stream.shutdown().await
    }

    async fn pass_on(&self, asked: Asked) -> Result<(u16, Vec<u8>), reqwest::Error> {
        let url = format!("{}{}", self.target, asked.path);
        let mut request = self.client.request(asked.method, url).body(asked.body);
        for (name, value) in asked.headers {
            if name.to_ascii_lowercase().starts_with("x-vault-") {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.bytes().await?.to_vec()))
    }
}

impl Fault {
    async fn answer(&self, stream: &mut TcpStream, status: u16, body: &[u8]) -> io::Result<()> {
        const JSON: &str = "application/json";
        match self {
            Self::Answer(status, kind, body) => answer(stream, *status, kind, body).await,
            Self::CutAfter(count) => {
                stream.write_all(&head(status, JSON, body.len())).await?;
                let part = body.get(..*count).unwrap_or(body);
                stream.write_all(part).await
            }
            Self::Drip(pause) => {
                stream.write_all(&head(status, JSON, body.len())).await?;
                for byte in body {
                    stream.write_all(&[*byte]).await?;
                    tokio::time::sleep(*pause).await;
                }
                Ok(())
            }
            Self::Edit(edit) => {
                let value = serde_json::from_slice(body).unwrap_or_default();
                let body = edit(value).to_string();
                answer(stream, status, JSON, body.as_bytes()).await
            }
            Self::Long(length) => {
                stream.write_all(&head(status, JSON, *length)).await?;
                let block = vec![b'x'; 1 << 16];
                for _ in 0..length / block.len() {
                    stream.write_all(&block).await?;
                }
                Ok(())
            }
            Self::Raw(bytes) => stream.write_all(bytes).await,
            Self::Redirect(status, place) => {
                let head = format!(
                    "HTTP/1.1 {status} Elsewhere\r\nLocation: {place}\r\n\
                     Content-Length: 0\r\nConnection: close\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).await
            }
        }
    }
}

async fn answer(stream: &mut TcpStream, status: u16, kind: &str, body: &[u8]) -> io::Result<()> {
    stream.write_all(&head(status, kind, body.len())).await?;
    stream.write_all(body).await
}

fn head(status: u16, kind: &str, length: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} Answer\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    head.into_bytes()
}

async fn read(stream: &mut TcpStream) -> io::Result<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        let found = bytes.windows(4).position(|part| part == b"\r\n\r\n");
        match found {
            Some(at) => break at + 4,
            None if bytes.len() > LONGEST_HEAD => return Err(io::ErrorKind::InvalidData.into()),
            None if stream.read_buf(&mut bytes).await? == 0 => {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            None => {}
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split_whitespace();
    let method = words.next().unwrap_or_default();
    let method = Method::from_bytes(method.as_bytes()).map_err(io::Error::other)?;
    let path = words.next().unwrap_or_default().to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0);
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Asked {
        method,
        path,
        headers,
        body,
    })
}
