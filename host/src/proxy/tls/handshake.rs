//! A handshake with a bound on its time and on the bytes that a stranger may send.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::proxy::buffer::Buffer;
use crate::proxy::pipe::{Leftover, linger};
use crate::proxy::tls::session::{Session, SessionError, Turn};

/// Room for one read: a whole hello of the usual size.
const FIRST_READ: usize = 4 * 1024;

/// Why a handshake did not end in a session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum HandshakeError {
    /// The peer went away.
    #[error("the peer closed the connection during the handshake")]
    Closed,
    /// The peer took too long.
    #[error("the handshake was not complete after {0:?}")]
    Deadline(Duration),
    /// The socket failed.
    #[error("the connection failed during the handshake: {0}")]
    Io(#[from] io::Error),
    /// The peer broke the protocol, or its certificate was refused.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The peer sent more than a handshake can need.
    #[error("the handshake was not complete after {0} bytes")]
    TooMuch(usize),
}

/// Carries a handshake through, within `deadline` and `bytes`.
///
/// # Errors
/// [`HandshakeError`]; the alert that says why has been sent to the peer.
pub(crate) async fn handshake(
    session: &mut Session,
    stream: &mut TcpStream,
    bytes: usize,
    deadline: Duration,
) -> Result<Leftover, HandshakeError> {
    timeout(deadline, converse(session, stream, bytes))
        .await
        .unwrap_or(Err(HandshakeError::Deadline(deadline)))
}

async fn converse(
    session: &mut Session,
    stream: &mut TcpStream,
    bytes: usize,
) -> Result<Leftover, HandshakeError> {
    let mut left = bytes;
    let mut buffers = Leftover::default();
    loop {
        let Leftover {
            incoming,
            clear,
            sealed,
        } = &mut buffers;
        let turn = session.open(incoming, clear, sealed);
        let complete = matches!(turn, Ok(Turn::Traffic)) && !session.is_handshaking();
        // The last flight may have company: see `Leftover`.
        let is_left = complete && session.is_tls13();
        if !sealed.is_empty() && !is_left {
            stream.write_all(sealed.filled()).await?;
            sealed.consume(sealed.len());
        }
        match turn {
            Err(error) => {
                linger(stream).await;
                return Err(error.into());
            }
            Ok(_) if complete => return Ok(buffers),
            Ok(Turn::Closed) => return Err(HandshakeError::Closed),
            Ok(_) if session.peer_closed() => return Err(HandshakeError::Closed),
            Ok(_) => {}
        }
        if left == 0 {
            return Err(HandshakeError::TooMuch(bytes));
        }
        incoming.reserve(FIRST_READ.min(left));
        let count = read_at_most(stream, incoming, left).await?;
        if count == 0 {
            return Err(HandshakeError::Closed);
        }
        left -= count;
    }
}

async fn read_at_most(
    stream: &mut TcpStream,
    into: &mut Buffer,
    at_most: usize,
) -> io::Result<usize> {
    let room = into.space();
    let length = room.len().min(at_most);
    let count = stream
        .read(room.get_mut(..length).unwrap_or_default())
        .await?;
    into.fill(count);
    Ok(count)
}
