//! Where connections come from: the network, or a socket in the file system.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::fs::Mode;
use rustix::net::{AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// Who waits for connections.
#[derive(Debug)]
#[non_exhaustive]
pub enum Listener {
    /// In the file system.
    Socket(SocketFile),
    /// On the network.
    Tcp(TcpListener),
}

impl From<SocketFile> for Listener {
    fn from(socket: SocketFile) -> Self {
        Self::Socket(socket)
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl Listener {
    /// Whether web pages can reach it through a browser.
    pub(super) const fn is_on_network(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    /// The next connection, and the address whose share it takes: all who come through the file
    /// system are one client, this machine.
    pub(super) async fn accept(&self) -> io::Result<(Stream, IpAddr)> {
        match self {
            Self::Socket(socket) => {
                let (stream, _) = socket.listener.accept().await?;
                Ok((Stream::Unix(stream), IpAddr::V4(Ipv4Addr::LOCALHOST)))
            }
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Answers are written in one piece: nothing is gained by waiting for more.
                drop(stream.set_nodelay(true));
                Ok((Stream::Tcp(stream), peer.ip()))
            }
        }
    }
}

/// A socket in the file system, which is removed when this is dropped.
#[derive(Debug)]
pub struct SocketFile {
    listener: UnixListener,
    path: PathBuf,
}

impl SocketFile {
    /// Listens at `path`. Who may connect is said by `mode`, as `chmod` takes it. A socket that
    /// an agent left behind when it was killed is replaced; nothing else that is there is.
    ///
    /// # Errors
    ///
    /// `AddrInUse` when somebody listens there already, `AlreadyExists` when what is there is no
    /// socket; else what the system says.
    pub fn bind(path: &Path, mode: u32) -> io::Result<Self> {
        remove_stale(path)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        // Before there is anything in the file system: at no time may anybody else connect. The
        // process' mask takes away from this mode, so it is set once more afterwards.
        let mode = Mode::from_raw_mode(mode);
        rustix::fs::fchmod(&socket, mode)?;
        rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
        rustix::fs::chmod(path, mode)?;
        rustix::net::listen(&socket, BACKLOG)?;
        Ok(Self {
            listener: UnixListener::from_std(socket.into())?,
            path: path.to_owned(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Before it is closed, so that it is not taken away from who follows.
        drop(std::fs::remove_file(&self.path));
    }
}

fn remove_stale(path: &Path) -> io::Result<()> {
    let found = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "what is there is no socket",
        ));
    }
    match unix::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        Err(error) => Err(error),
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
    }
}

/// A connection of either kind.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Writes what fits at once.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Unix(stream) => stream.try_write(bytes),
        }
    }

    /// Waits for a byte and leaves it there; 0 if none will come.
    pub(super) async fn peek(&self) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.peek(&mut [0]).await,
            Self::Unix(stream) => {
                let peek = || Ok(rustix::net::recv(stream, &mut [0], RecvFlags::PEEK)?.0);
                stream.async_io(Interest::READABLE, peek).await
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, data),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, data),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, data),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(context, data),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// Connections that may wait to be accepted, as many as tokio lets wait on a port.
const BACKLOG: i32 = 1_024;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[tokio::test]
    async fn a_socket_has_its_mode_and_is_gone_with_its_listener() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("http.sock");
        for allowed in [0o600, 0o660, 0o777] {
            let socket = SocketFile::bind(&path, allowed).unwrap();
            assert_eq!(mode(&path), allowed);
            assert_eq!(socket.path(), path);
            drop(socket);
            assert!(!path.exists());
        }
    }

    #[tokio::test]
    async fn what_a_killed_agent_left_is_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("http.sock");
        drop(unix::UnixListener::bind(&path).unwrap());
        let socket = SocketFile::bind(&path, 0o600).unwrap();
        let taken = SocketFile::bind(&path, 0o600).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        drop(socket);
        std::fs::write(&path, "precious").unwrap();
        let file = SocketFile::bind(&path, 0o600).unwrap_err();
        assert_eq!(file.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }

    /// What a waiting query needs to know of its client, whichever way that came.
    async fn peeks_and_notices_the_end<C>(listener: Listener, mut client: C)
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut stream, _) = listener.accept().await.unwrap();
        let quiet = tokio::time::timeout(Duration::from_millis(20), stream.peek());
        assert!(quiet.await.is_err(), "nothing was sent");
        client.write_all(b"G").await.unwrap();
        for _ in 0..2 {
            assert_eq!(peeked(&stream).await, 1);
        }
        assert_eq!(stream.read_u8().await.unwrap(), b'G');
        drop(client);
        assert_eq!(peeked(&stream).await, 0);
    }

    async fn peeked(stream: &Stream) -> usize {
        let soon = Duration::from_secs(20);
        let peek = tokio::time::timeout(soon, stream.peek());
        peek.await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn who_leaves_the_network_is_noticed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        peeks_and_notices_the_end(listener.into(), client).await;
    }

    #[tokio::test]
    async fn who_leaves_the_file_system_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("http.sock");
        let socket = SocketFile::bind(&path, 0o600).unwrap();
        let client = UnixStream::connect(&path).await.unwrap();
        peeks_and_notices_the_end(socket.into(), client).await;
    }
}
