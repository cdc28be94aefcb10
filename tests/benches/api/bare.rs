//! What axum and tokio can do at best: read a body and answer one.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;

use crate::Outcome;

/// The argument by which this program becomes the bare server.
pub(crate) const ARGUMENT: &str = "--serve-bare";

/// A process of its own, as the agents are. Dropping it stops it.
pub(crate) struct Bare {
    pub(crate) http: SocketAddr,
    child: Child,
}

impl Bare {
    pub(crate) fn start(size: usize) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([ARGUMENT, &size.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("no standard output")?;
        let read = BufReader::new(out).read_line(&mut line);
        let http = read
            .map_err(Into::into)
            .and_then(|_| Ok(line.trim().parse()?));
        match http {
            Ok(http) => Ok(Self { http, child }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error)
            }
        }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Answers every body with one of `size` bytes, until it is killed.
#[tokio::main]
pub(crate) async fn serve(size: usize) -> Outcome<()> {
    let answer = Bytes::from(vec![b'x'; size]);
    let handler = move |body: Bytes| {
        drop(body);
        let answer = answer.clone();
        async move { answer }
    };
    let router = Router::new().route("/v1/agent/connect/authorize", post(handler));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}
