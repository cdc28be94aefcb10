//! Blocking queries while they wait: without their HTTP connection.
//!
//! A connection of hyper's takes 20 KiB, most of it buffers, and a blocking query has nothing to
//! read or write for minutes. So while it waits, the connection is taken down to its socket, and
//! the query is kept as the bytes of its head. When the wait is over, these bytes are read again
//! as if they had just come: the query is decided anew, on what is then known, and answered.

use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use bytes::Bytes;
use chancery_core::{Revision, Topic};
use tokio::time::Instant;

use super::api::Api;
use super::blocking;
use super::listener::Stream;
use super::slots::Slot;

/// Where the queries of one connection say that they wait.
#[derive(Debug, Default)]
pub(crate) struct Parking(Mutex<Place>);

#[derive(Debug, Default)]
struct Place {
    wait: Option<Wait>,
    back: Option<Back>,
}

/// A query that waits.
#[derive(Debug)]
pub(crate) struct Wait {
    /// What to read again when the wait is over.
    pub(crate) head: Vec<u8>,
    pub(crate) topics: Box<[Topic]>,
    pub(crate) seen: Revision,
    pub(crate) deadline: Option<Instant>,
    pub(crate) slot: Slot,
}

/// What a query has from before, when it is read again.
#[derive(Debug)]
pub(crate) struct Back {
    pub(crate) deadline: Option<Instant>,
    pub(crate) slot: Slot,
}

/// The query waits, and its connection ends.
#[derive(Debug)]
pub(crate) struct Leaves;

/// A socket, and how to go on with it.
pub(crate) struct Resumed {
    pub(crate) stream: Stream,
    /// What has been read from it already.
    pub(crate) read: Bytes,
    pub(crate) back: Option<Back>,
}

impl Parking {
    /// For a connection whose first query has waited, if there is something from before.
    pub(crate) fn new(back: Option<Back>) -> Self {
        Self(Mutex::new(Place { wait: None, back }))
    }

    /// Has a query wait. Its handler is not asked again: it must not go on after this.
    pub(crate) async fn wait(&self, wait: Wait) -> ! {
        self.place().wait = Some(wait);
        match pending::<std::convert::Infallible>().await {}
    }

    /// What the query that is being answered has from before; nothing when asked again.
    pub(crate) fn take_back(&self) -> Option<Back> {
        self.place().back.take()
    }

    /// The query that waits now.
    pub(crate) fn take_wait(&self) -> Option<Wait> {
        self.place().wait.take()
    }

    /// An answer, unless making it came to a wait.
    pub(crate) async fn unless_waiting<T>(
        &self,
        mut answer: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, Leaves> {
        poll_fn(|context| match answer.as_mut().poll(context) {
            Poll::Ready(answer) => {
                // Whether it was asked for or not: it is not the next query's.
                self.place().back = None;
                Poll::Ready(Ok(answer))
            }
            Poll::Pending if self.place().wait.is_some() => Poll::Ready(Err(Leaves)),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wait {
    /// Waits on `stream`, from which `more` has been read after the query. Nothing comes of it if
    /// the client goes away.
    pub(crate) async fn over(self, api: &Api, stream: Stream, more: Bytes) -> Option<Resumed> {
        let mut read = self.head;
        read.extend_from_slice(&more);
        // However little there is of it, it keeps a whole buffer.
        drop(more);
        tokio::select! {
            () = is_gone(&stream) => return None,
            _view = blocking::newer(api, &self.topics, self.seen, self.deadline) => {}
            () = api.shutdown.cancelled() => {}
        }
        Some(Resumed {
            stream,
            read: read.into(),
            back: Some(Back {
                deadline: self.deadline,
                slot: self.slot,
            }),
        })
    }
}

/// Waits until a client has closed its connection. One that has sent its next request instead
/// is believed to stay.
async fn is_gone(stream: &Stream) {
    match stream.peek().await {
        Ok(0) | Err(_) => {}
        Ok(_) => pending().await,
    }
}

impl fmt::Display for Leaves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the query waits without its connection")
    }
}

impl std::error::Error for Leaves {}
