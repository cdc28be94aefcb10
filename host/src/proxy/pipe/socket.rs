//! What a pipe does with its sockets.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::{SendFlags, send};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::proxy::buffer::Buffer;

/// How long the end of a stream may take to arrive before the socket is closed anyway.
const LINGER: Duration = Duration::from_millis(250);

/// Reads once, at most `at_most` bytes.
pub(super) fn poll_read(
    stream: &mut TcpStream,
    into: &mut Buffer,
    at_most: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let room = into.space();
    let length = room.len().min(at_most);
    let mut target = ReadBuf::new(room.get_mut(..length).unwrap_or_default());
    ready!(Pin::new(stream).poll_read(cx, &mut target))?;
    let count = target.filled().len();
    into.fill(count);
    Poll::Ready(Ok(count))
}

/// Writes as much as the socket takes; true if anything moved. What is `ending` shares a packet
/// with the end of the stream.
pub(super) fn poll_drain(
    stream: &mut TcpStream,
    from: &mut Buffer,
    ending: bool,
    cx: &mut Context<'_>,
) -> io::Result<bool> {
    let mut moved = false;
    while !from.is_empty() {
        let written = if ending {
            poll_write_last(stream, from.filled(), cx)?
        } else {
            Pin::new(&mut *stream).poll_write(cx, from.filled())?
        };
        match written {
            Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(count) => {
                from.consume(count);
                moved = true;
            }
            Poll::Pending => break,
        }
    }
    Ok(moved)
}

/// Writes what the end of the stream follows at once: the last packet is held back for it.
fn poll_write_last(
    stream: &TcpStream,
    bytes: &[u8],
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
    loop {
        ready!(stream.poll_write_ready(cx))?;
        let sent = stream.try_io(Interest::WRITABLE, || Ok(send(stream, bytes, flags)?));
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            sent => return Poll::Ready(sent),
        }
    }
}

/// Says that nothing more will be sent. Fails only when the other side has gone already, and then
/// there is nobody to say it to. tokio shuts a TCP stream down at once.
pub(super) fn end_of_stream(stream: &mut TcpStream, cx: &mut Context<'_>) {
    drop(Pin::new(stream).poll_shutdown(cx));
}

/// Ends a stream so that what was sent before still arrives: closing a socket with unread
/// bytes in it would reset it, and the reset overtakes what was sent.
pub(crate) async fn linger(stream: &mut TcpStream) {
    let mut scrap = [0; 1024];
    let drain = async {
        drop(stream.shutdown().await);
        while matches!(stream.read(&mut scrap).await, Ok(count) if count > 0) {}
    };
    drop(timeout(LINGER, drain).await);
}
