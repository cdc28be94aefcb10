//! A connection that does not wait for ever.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::listener::Stream;
use super::settings::HttpLimits;

/// A stream under time limits: for the head of a request, for lying idle between requests,
/// and for taking no byte of an answer. While a request is being answered nothing is read, so
/// nothing is limited; its body has limits of its own.
pub(crate) struct Paced {
    stream: Stream,
    /// What is read before the stream.
    first: Bytes,
    head_time: Duration,
    idle_time: Duration,
    write_time: Duration,
    turns: Arc<Turns>,
    /// The turn at the last read.
    turn: u64,
    phase: Phase,
    /// When what is waited for must have come.
    read_until: Instant,
    /// Rings then at the latest. Not set anew with each request, which would cost a lock of the
    /// timers and the waking of a thread: it rings too soon now and then, and is set on.
    read_alarm: Pin<Box<Sleep>>,
    write_deadline: Option<Pin<Box<Sleep>>>,
}

/// Whose turn it is on a connection, which only the service knows: counted up when a request has
/// come, and again when it has been answered. So it is odd while one is being answered.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    count: AtomicU64,
    /// Who waits for bytes meanwhile, and must look at the time once the answer is made: hyper
    /// does not ask again for what is still pending.
    reader: Mutex<Option<Waker>>,
}

impl Turns {
    /// A request has come.
    pub(crate) fn begin(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// It has been answered.
    pub(crate) fn end(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        if let Some(reader) = self.reader().take() {
            reader.wake();
        }
    }

    /// Whether a request is being answered.
    pub(crate) fn is_answering(&self) -> bool {
        self.count.load(Ordering::Relaxed) % 2 == 1
    }

    fn reader(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A request is being answered.
    Busy,
    /// A head has begun.
    Head,
    /// No byte of a head has come.
    Waiting,
}

impl Paced {
    /// The stream, read after `first`.
    pub(crate) fn new(
        stream: Stream,
        first: Bytes,
        limits: &HttpLimits,
        turns: Arc<Turns>,
    ) -> Self {
        let read_until = Instant::now() + limits.head_time;
        Self {
            stream,
            first,
            head_time: limits.head_time,
            idle_time: limits.idle_time,
            write_time: limits.write_time,
            turns,
            turn: 0,
            phase: Phase::Waiting,
            read_until,
            read_alarm: Box::pin(sleep_until(read_until)),
            write_deadline: None,
        }
    }

    /// The stream alone.
    pub(crate) fn into_inner(self) -> Stream {
        self.stream
    }

    fn read_within(&mut self, time: Duration) {
        self.read_until = Instant::now() + time;
    }

    /// Ready once nothing came in time.
    fn poll_overdue(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.read_alarm.deadline() > self.read_until {
            self.read_alarm.as_mut().reset(self.read_until);
        }
        loop {
            ready!(self.read_alarm.as_mut().poll(context));
            if self.read_alarm.deadline() >= self.read_until {
                return Poll::Ready(());
            }
            self.read_alarm.as_mut().reset(self.read_until);
        }
    }

    /// What to do with a write that cannot go on.
    fn stalled(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let time = self.write_time;
        let deadline = self
            .write_deadline
            .get_or_insert_with(|| Box::pin(sleep(time)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }

    fn written<T>(
        &mut self,
        result: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        match result {
            Poll::Ready(result) => {
                self.write_deadline = None;
                Poll::Ready(result)
            }
            Poll::Pending => self.stalled(context).map(Err),
        }
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let turn = this.turns.count.load(Ordering::Relaxed);
        if this.turns.is_answering() {
            this.phase = Phase::Busy;
            *this.turns.reader() = Some(context.waker().clone());
        } else if turn != this.turn {
            this.phase = Phase::Waiting;
            this.read_within(this.idle_time);
        }
        this.turn = turn;
        let before = buffer.filled().len();
        let result = if this.first.is_empty() {
            Pin::new(&mut this.stream).poll_read(context, buffer)
        } else {
            let next = this.first.len().min(buffer.remaining());
            buffer.put_slice(&this.first.split_to(next));
            Poll::Ready(Ok(()))
        };
        let has_more = buffer.filled().len() > before;
        if has_more && this.phase == Phase::Waiting {
            this.phase = Phase::Head;
            this.read_within(this.head_time);
        }
        if result.is_pending() && this.phase != Phase::Busy {
            ready!(this.poll_overdue(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        result
    }
}

impl AsyncWrite for Paced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, data);
        self.written(result, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, data);
        self.written(result, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
