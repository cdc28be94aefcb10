//! Bytes between a TLS connection and a plain one, both ways, in one task.
//!
//! A direction reads only after its last bytes have been written, which is the back-pressure;
//! the two directions never wait for each other. Either side may stop sending while the other
//! goes on: an end of file becomes `close_notify` and the end of the TCP stream, and the other
//! way round. A TCP stream that ends without `close_notify` may have been cut by anybody, so it
//! is passed on as a reset, never as an end of file.

mod socket;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::CancellationToken;

pub(crate) use self::socket::linger;
use self::socket::{end_of_stream, poll_drain, poll_read};
use crate::proxy::buffer::{Buffer, CLEAR_AT_ONCE, Pool};
use crate::proxy::tls::{Session, SessionError};

/// How often a pipe goes around before it lets other connections have the thread.
const TURNS: usize = 16;

/// How a connection ended, when nothing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Both sides closed.
    Closed,
    /// It was cut: an intention denies it now, or the proxy stops.
    Cut,
    /// No byte moved for the idle time-out.
    Idle,
}

/// Why a connection broke.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum PipeError {
    /// The local side failed.
    #[error("the local connection failed: {0}")]
    Local(io::Error),
    /// The peer's side failed.
    #[error("the peer's connection failed: {0}")]
    Peer(io::Error),
    /// The peer broke the protocol.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The peer's TCP stream ended without the end of its TLS stream.
    #[error("the peer's stream was cut off without close_notify")]
    Truncated,
}

/// Bytes that a pipe has carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) from_peer: u64,
    pub(crate) to_peer: u64,
}

/// A TLS connection and a plain one, joined.
pub(crate) struct Pipe {
    session: Session,
    peer: TcpStream,
    local: TcpStream,
    pool: Pool,
    /// Sealed bytes of the peer that are not opened yet: never a whole record.
    incoming: Option<Buffer>,
    /// Opened bytes that the local side has not taken yet.
    clear: Option<Buffer>,
    /// Sealed bytes that the peer has not taken yet.
    sealed: Option<Buffer>,
    /// What `sealed` is, if it is the end of the handshake.
    flight: Option<Flight>,
    to_peer: Direction,
    to_local: Direction,
    failed: Option<PipeError>,
    carried: Carried,
}

/// The end of a handshake. The first bytes of the local side share a packet with it: each packet
/// less is a tenth of what a short connection costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flight {
    /// The peer waits for it; it is joined only by what is there already.
    Urgent,
    /// Nobody waits for it; it goes with the first bytes, whenever they come.
    Waits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    /// The source may still send.
    Open,
    /// The source has ended; its last bytes and then the end are on their way.
    Ending,
    /// The source has failed; its last bytes are on their way, and no end will follow.
    Breaking,
    /// Everything that could be handed over has been.
    Done,
}

impl Pipe {
    /// Joins a session whose handshake is complete to a local connection.
    pub(crate) fn new(
        session: Session,
        peer: TcpStream,
        local: TcpStream,
        pool: Pool,
        leftover: Leftover,
    ) -> Self {
        let some = |buffer: Buffer| (!buffer.is_empty()).then_some(buffer);
        let sealed = some(leftover.sealed);
        let flight = if session.has_only_tickets_left() {
            Flight::Waits
        } else {
            Flight::Urgent
        };
        let to_local = if session.peer_closed() {
            Direction::Ending
        } else {
            Direction::Open
        };
        Self {
            session,
            peer,
            local,
            pool,
            carried: Carried {
                from_peer: leftover.clear.len() as u64,
                to_peer: 0,
            },
            incoming: some(leftover.incoming),
            clear: some(leftover.clear),
            flight: sealed.as_ref().map(|_| flight),
            sealed,
            to_peer: Direction::Open,
            to_local,
            failed: None,
        }
    }

    /// Carries bytes until both sides have closed, one fails, `cut` fires or nothing moves for
    /// `idle`.
    ///
    /// What one side sent before it failed still reaches the other, and then a reset, so that
    /// nobody takes a part for the whole. A cut resets both at once.
    pub(crate) async fn run(
        mut self,
        cut: &CancellationToken,
        idle: Option<Duration>,
    ) -> (Carried, Result<Ended, PipeError>) {
        let mut quiet = idle.map(|span| Quiet::new(span, self.carried));
        let ended = {
            let mut cut = std::pin::pin!(cut.cancelled());
            poll_fn(|cx| {
                if cut.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Ended::Cut);
                }
                if self.poll(cx).is_ready() {
                    return Poll::Ready(Ended::Closed);
                }
                match &mut quiet {
                    Some(quiet) => quiet.poll(self.carried, cx).map(|()| Ended::Idle),
                    None => Poll::Pending,
                }
            })
            .await
        };
        let result = match (ended, self.failed.take()) {
            (Ended::Closed, Some(error)) => Err(error),
            (ended, _) => Ok(ended),
        };
        self.part(&result).await;
        (self.carried, result)
    }

    async fn part(&mut self, result: &Result<Ended, PipeError>) {
        match result {
            Ok(Ended::Closed) => {}
            Ok(Ended::Cut | Ended::Idle) => {
                drop(self.peer.set_zero_linger());
                drop(self.local.set_zero_linger());
            }
            Err(PipeError::Local(_)) => linger(&mut self.peer).await,
            Err(_) => drop(self.local.set_zero_linger()),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS {
            let moved = [
                self.read_local(cx),
                self.write_sealed(cx),
                self.read_peer(cx),
                self.write_clear(cx),
            ];
            if self.is_over() {
                return Poll::Ready(());
            }
            if moved == [false; 4] {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_over(&self) -> bool {
        match &self.failed {
            None => self.to_peer == Direction::Done && self.to_local == Direction::Done,
            Some(PipeError::Local(_)) => self.to_peer == Direction::Done,
            Some(PipeError::Peer(_) | PipeError::Truncated) => self.to_local == Direction::Done,
            Some(PipeError::Session(_)) => true,
        }
    }

    /// Whether the sockets are closed as soon as the direction that is not `other` is done: then
    /// its stream needs no end of its own.
    fn closes_after(&self, other: Direction) -> bool {
        other == Direction::Done && self.failed.is_none()
    }

    fn fail(&mut self, error: PipeError) {
        self.failed.get_or_insert(error);
    }

    /// Local to sealed. Nothing is read before the last sealed byte has left, but for the end of
    /// the handshake.
    fn read_local(&mut self, cx: &mut Context<'_>) -> bool {
        if self.to_peer != Direction::Open
            || (self.sealed.is_some() && self.flight.is_none())
            || self.local.poll_read_ready(cx).is_pending()
        {
            return false;
        }
        let mut source = self.pool.take();
        let read = poll_read(&mut self.local, &mut source, CLEAR_AT_ONCE, cx);
        match &read {
            Poll::Pending => {}
            Poll::Ready(Ok(_)) => {
                if let Err(error) = self.seal(&source) {
                    self.fail(error.into());
                }
            }
            Poll::Ready(Err(error)) => {
                self.to_peer = Direction::Breaking;
                self.fail(PipeError::Local(error.kind().into()));
            }
        }
        self.pool.give(source);
        read.is_ready()
    }

    /// Seals what was read; nothing read means the end.
    fn seal(&mut self, source: &Buffer) -> Result<(), SessionError> {
        let mut none = Buffer::default();
        let incoming = self.incoming.as_mut().unwrap_or(&mut none);
        let flight = self.sealed.take();
        self.flight = None;
        let sealed = self.sealed.insert(self.pool.take());
        if let Some(flight) = flight {
            sealed.push(flight.filled());
        }
        if source.is_empty() {
            self.to_peer = Direction::Ending;
            return self.session.close(incoming, sealed);
        }
        self.carried.to_peer += source.len() as u64;
        self.session.seal(source.filled(), incoming, sealed)
    }

    /// Sealed to the peer, and after the last of it the end of the stream.
    fn write_sealed(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        if self.flight == Some(Flight::Waits) && self.to_peer == Direction::Open {
            return false;
        }
        self.flight = None;
        let with_end = self.to_peer == Direction::Ending && self.failed.is_none();
        if let Some(sealed) = &mut self.sealed {
            match poll_drain(&mut self.peer, sealed, with_end, cx) {
                Ok(drained) => moved = drained,
                Err(error) => {
                    self.sealed = None;
                    self.to_peer = Direction::Done;
                    self.fail(PipeError::Peer(error));
                    return true;
                }
            }
            self.pool.give_if_empty(&mut self.sealed);
        }
        if self.sealed.is_none() && ends(self.to_peer) {
            if self.to_peer == Direction::Ending && !self.closes_after(self.to_local) {
                end_of_stream(&mut self.peer, cx);
            }
            self.to_peer = Direction::Done;
            moved = true;
        }
        moved
    }

    /// The peer to clear. Nothing is read before the last clear byte has left, so that all
    /// that is read at once can be opened at once.
    fn read_peer(&mut self, cx: &mut Context<'_>) -> bool {
        if self.to_local != Direction::Open
            || self.clear.is_some()
            || self.peer.poll_read_ready(cx).is_pending()
        {
            return false;
        }
        let mut incoming = self.incoming.take().unwrap_or_else(|| self.pool.take());
        incoming.reserve(CLEAR_AT_ONCE / 2);
        let room = incoming.space().len();
        let read = poll_read(&mut self.peer, &mut incoming, room, cx);
        match &read {
            Poll::Pending => {}
            Poll::Ready(Ok(0)) => {
                self.to_local = Direction::Breaking;
                self.fail(PipeError::Truncated);
            }
            Poll::Ready(Ok(_)) => {
                if let Err(error) = self.open(&mut incoming) {
                    self.fail(error.into());
                }
            }
            Poll::Ready(Err(error)) => {
                self.to_local = Direction::Breaking;
                self.fail(PipeError::Peer(error.kind().into()));
            }
        }
        self.incoming = Some(incoming);
        self.pool.give_if_empty(&mut self.incoming);
        read.is_ready()
    }

    fn open(&mut self, incoming: &mut Buffer) -> Result<(), SessionError> {
        let mut none = Buffer::default();
        let clear = self.clear.insert(self.pool.take());
        let sealed = self.sealed.as_mut().unwrap_or(&mut none);
        let opened = self.session.open(incoming, clear, sealed);
        self.carried.from_peer += clear.len() as u64;
        self.pool.give_if_empty(&mut self.clear);
        if !none.is_empty() {
            self.sealed = Some(none);
        }
        if self.session.peer_closed() {
            self.to_local = Direction::Ending;
        }
        opened.map(drop)
    }

    /// Clear to the local side, and after the last of it the end of the stream.
    fn write_clear(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        if let Some(clear) = &mut self.clear {
            let with_end = self.to_local == Direction::Ending && self.failed.is_none();
            match poll_drain(&mut self.local, clear, with_end, cx) {
                Ok(drained) => moved = drained,
                Err(error) => {
                    self.clear = None;
                    self.to_local = Direction::Done;
                    self.fail(PipeError::Local(error));
                    return true;
                }
            }
            self.pool.give_if_empty(&mut self.clear);
        }
        if self.clear.is_none() && ends(self.to_local) {
            if self.to_local == Direction::Ending && !self.closes_after(self.to_peer) {
                end_of_stream(&mut self.local, cx);
            }
            self.to_local = Direction::Done;
            moved = true;
        }
        moved
    }
}

const fn ends(direction: Direction) -> bool {
    matches!(direction, Direction::Ending | Direction::Breaking)
}

/// The idle time-out: one timer, set again only when it fires.
struct Quiet {
    span: Duration,
    seen: Carried,
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Quiet {
    fn new(span: Duration, seen: Carried) -> Self {
        let since = Instant::now();
        Self {
            span,
            seen,
            since,
            timer: Box::pin(sleep_until(since + span)),
        }
    }

    fn poll(&mut self, carried: Carried, cx: &mut Context<'_>) -> Poll<()> {
        if self.seen != carried {
            self.seen = carried;
            self.since = Instant::now();
        }
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let until = self.since + self.span;
            if Instant::now() >= until {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(until);
        }
    }
}

/// What a handshake read beyond its own end, and what it leaves to be sent.
#[derive(Debug, Default)]
pub(crate) struct Leftover {
    pub(crate) incoming: Buffer,
    pub(crate) clear: Buffer,
    /// The end of the handshake, yet to be sent.
    pub(crate) sealed: Buffer,
}

#[cfg(test)]
mod tests;
