//! A connection of HTTP/1.1 that costs the generator little.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// One connection, one request after the other.
pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
    line: String,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `X-Consul-Index`, if there was one.
    pub(crate) index: Option<u64>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The answer, unless it is a refusal.
    pub(crate) fn checked(self) -> io::Result<Self> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let (status, said) = (
            self.status,
            String::from_utf8_lossy(&self.body).into_owned(),
        );
        Err(io::Error::other(format!("{status}: {said}")))
    }
}

impl Wire {
    pub(crate) fn connect(target: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&target, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream: BufReader::new(stream),
            line: String::new(),
        })
    }

    /// Asks and waits for the whole answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.get_mut().write_all(request)?;
        let status = self.next_line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| io::Error::other("no status line"))?;
        let (mut length, mut chunked, mut index) = (0, false, None);
        loop {
            let line = self.next_line()?.to_ascii_lowercase();
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            match name {
                "content-length" => length = value.parse().map_err(io::Error::other)?,
                "transfer-encoding" => chunked = value == "chunked",
                "x-consul-index" => index = value.parse().ok(),
                _ => {}
            }
        }
        let mut body = Vec::new();
        if chunked {
            self.read_chunks(&mut body)?;
        } else {
            body.resize(length, 0);
            self.stream.read_exact(&mut body)?;
        }
        Ok(Answer {
            status,
            index,
            body,
        })
    }

    fn read_chunks(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let length = usize::from_str_radix(self.next_line()?, 16).map_err(io::Error::other)?;
            let start = body.len();
            body.resize(start + length, 0);
            if let Some(chunk) = body.get_mut(start..) {
                self.stream.read_exact(chunk)?;
            }
            self.next_line()?;
            if length == 0 {
                return Ok(());
            }
        }
    }

    fn next_line(&mut self) -> io::Result<&str> {
        self.line.clear();
        if self.stream.read_line(&mut self.line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(self.line.trim_end())
    }
}

/// A request as it goes over the wire.
pub(crate) fn request(method: &str, path: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
