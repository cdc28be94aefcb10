//! A local application of a test: a TCP server whose behaviour is a closure.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server on loopback that counts what reaches it. Dropping it closes its port.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl App {
    /// Starts a server that hands each connection to `serve`.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start<F>(
        serve: impl Fn(TcpStream) -> F + Send + Sync + 'static,
    ) -> io::Result<Self>
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                // How a connection ends is the client's to observe.
                let served = serve(stream);
                tokio::spawn(async move { drop(served.await) });
            }
        });
        Ok(Self {
            address,
            accepted,
            task,
        })
    }

    /// A server that sends back what it gets until the client has no more.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn echo() -> io::Result<Self> {
        Self::start(|mut stream| async move {
            let (mut from, mut to) = stream.split();
            tokio::io::copy(&mut from, &mut to).await?;
            tokio::io::AsyncWriteExt::shutdown(&mut to).await
        })
        .await
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections have reached it.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.task.abort();
    }
}
