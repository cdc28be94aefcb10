//! The two applications, which know nothing of TLS.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::mesh::DemoError;

/// `db`: answers every line. Serves until dropped.
pub(super) async fn serve(listener: TcpListener) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _peer)) = listener.accept().await {
        connections.spawn(answer(stream));
    }
}

async fn answer(stream: TcpStream) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = format!("db heard {line:?}\n");
        if write.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A connection that `web` has opened to its own sidecar, which leads to `db`.
pub(super) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Result<Self, DemoError> {
        let stream = TcpStream::connect(address).await?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Says a line and returns what came back.
    pub(super) async fn ask(&mut self, line: &str) -> Result<String, DemoError> {
        self.stream
            .get_mut()
            .write_all(format!("{line}\n").as_bytes())
            .await?;
        let mut answer = String::new();
        if self.stream.read_line(&mut answer).await? == 0 {
            return Err(DemoError::Closed);
        }
        Ok(answer.trim_end().to_owned())
    }

    /// Returns when the connection is at its end, which here only the sidecar can bring about.
    pub(super) async fn wait_until_cut(&mut self) -> Result<(), DemoError> {
        let mut rest = String::new();
        let cut = self.stream.read_line(&mut rest);
        match tokio::time::timeout(super::PATIENCE, cut).await {
            // An abrupt end is one, too.
            Ok(Ok(0) | Err(_)) => Ok(()),
            Ok(Ok(_)) => Err(DemoError::Unexpected("data on a denied connection")),
            Err(_elapsed) => Err(DemoError::Unexpected("the denied connection stays open")),
        }
    }
}
