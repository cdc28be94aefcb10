//! A connection that does not wait for ever.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::settings::HttpLimits;

/// A TCP stream under time limits: for the head of a request, for lying idle between requests,
/// and for taking no byte of an answer. While a request is being answered nothing is read, so
/// nothing is limited; its body has limits of its own.
pub(crate) struct Paced {
    stream: TcpStream,
    head_time: Duration,
    idle_time: Duration,
    write_time: Duration,
    /// Set by the service from the end of a head to the end of its answer.
    busy: Arc<AtomicBool>,
    phase: Phase,
    read_deadline: Pin<Box<Sleep>>,
    write_deadline: Option<Pin<Box<Sleep>>>,
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
    pub(crate) fn new(stream: TcpStream, limits: &HttpLimits, busy: Arc<AtomicBool>) -> Self {
        Self {
            stream,
            head_time: limits.head_time,
            idle_time: limits.idle_time,
            write_time: limits.write_time,
            busy,
            phase: Phase::Waiting,
            read_deadline: Box::pin(sleep(limits.head_time)),
            write_deadline: None,
        }
    }

    fn read_within(&mut self, time: Duration) {
        self.read_deadline.as_mut().reset(Instant::now() + time);
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
        if this.busy.load(Ordering::Relaxed) {
            this.phase = Phase::Busy;
        } else if this.phase == Phase::Busy {
            this.phase = Phase::Waiting;
            this.read_within(this.idle_time);
        }
        let before = buffer.filled().len();
        let result = Pin::new(&mut this.stream).poll_read(context, buffer);
        let has_more = buffer.filled().len() > before;
        if has_more && this.phase == Phase::Waiting {
            this.phase = Phase::Head;
            this.read_within(this.head_time);
        }
        if result.is_pending() && this.phase != Phase::Busy {
            ready!(this.read_deadline.as_mut().poll(context));
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
