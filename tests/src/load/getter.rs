//! The cheapest client of an HTTP API that still reads whole answers.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::load::connect;

/// An answer is not larger, else it is not what was asked for.
const LARGEST: usize = 1 << 20;

/// One connection that is kept, over which one request follows another. It takes next to no processor
/// time, so that an agent which shares the machine with it is the one that is measured.
#[derive(Debug)]
pub struct Getter {
    stream: TcpStream,
    host: SocketAddr,
    read: Vec<u8>,
}

impl Getter {
    /// Connects to the API at `target`.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(target: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            stream: connect(target)?,
            host: target,
            read: Vec::with_capacity(16 * 1024),
        })
    }

    /// The answer to GET: the body, with the sizes of its chunks between them if the server cut
    /// it into chunks.
    ///
    /// # Errors
    /// For any other status than 200, and when the answer does not come or does not end.
    pub fn get(&mut self, path: &str) -> io::Result<&[u8]> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        self.ask(&request)
    }

    /// The answer to POST, alike.
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    pub fn post(&mut self, path: &str, body: &str) -> io::Result<&[u8]> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        self.ask(&request)
    }

    fn ask(&mut self, request: &str) -> io::Result<&[u8]> {
        self.stream.write_all(request.as_bytes())?;
        self.read.clear();
        loop {
            let known = self.read.len();
            self.read.resize(known + 8 * 1024, 0);
            let more = self
                .stream
                .read(self.read.get_mut(known..).unwrap_or_default())?;
            self.read.truncate(known + more);
            if let Some(body) = whole(&self.read)? {
                return Ok(self.read.get(body..).unwrap_or_default());
            }
            if more == 0 || self.read.len() > LARGEST {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Where the body begins, once the answer is all there.
fn whole(read: &[u8]) -> io::Result<Option<usize>> {
    let Some(end) = read.windows(4).position(|part| part == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, body) = read.split_at(end + 4);
    let head = std::str::from_utf8(head).map_err(io::Error::other)?;
    if !head.starts_with("HTTP/1.1 200 ") {
        let said = String::from_utf8_lossy(body);
        let status = head.lines().next().unwrap_or_default();
        return Err(io::Error::other(format!("{status}: {said}")));
    }
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    };
    let ended = match header("Content-Length") {
        Some(length) => body.len() >= length.parse().map_err(io::Error::other)?,
        None => body.ends_with(b"\r\n0\r\n\r\n"),
    };
    Ok(ended.then_some(end + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_last_byte_is_there() {
        for text in [
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ] {
            for end in 0..text.len() {
                assert_eq!(whole(&text.as_bytes()[..end]).unwrap(), None, "{end}");
            }
            let body = whole(text.as_bytes()).unwrap();
            assert_eq!(body, text.find("\r\n\r\n").map(|end| end + 4));
        }
    }

    #[test]
    fn another_status_is_an_error_with_what_was_said() {
        let text = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\n\r\nwhat";
        let error = whole(text).unwrap_err().to_string();
        assert_eq!(error, "HTTP/1.1 500 Internal Server Error: what");
    }
}
