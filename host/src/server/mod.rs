//! The server: the loop around the core's state, and everything that reads or feeds it.
//!
//! A [`Server`] is a handle. Writes go through [`Server::submit`] to the one writer; reads load
//! the published [`View`] and never wait for it; [`Server::wait`] blocks until a topic moves.

mod authority;
mod commit;
mod rows;
#[cfg(test)]
mod tests;
mod view;
mod watch;

use std::sync::Arc;

use chancery_core::{Caller, Command, HashSeed, RestoreError, Revision, State, Topic};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use authority::{
    AuthorityFailure, AuthorityHost, Change, ChangeError, Changed, EffectFailure, Foreseen,
    PluginInUse, RefusedReload, Reload, SignError, SignedLeaf,
};
pub use commit::SubmitError;
pub use rows::TABLES;
pub use view::View;

use crate::clock::Clock;
use crate::store::{Store, StoreError};
use commit::{Request, Writer};
use view::Published;
use watch::Watchers;

/// Commands that may wait for the writer before a submitter waits itself.
const QUEUE: usize = 4_096;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The rows do not make a state.
    #[error("the stored state cannot be read: {0}")]
    Restore(#[from] RestoreError),
    /// The rows make another state than the one that was stored.
    #[error(
        "the stored state is damaged: what was read at revision {revision} is not what was \
         stored (the digests differ)"
    )]
    Digest {
        /// The revision of what was read.
        revision: Revision,
    },
}

/// A handle to the server. Clones are the same server.
#[derive(Clone)]
pub struct Server {
    requests: mpsc::Sender<Request>,
    published: Arc<Published>,
    watchers: Arc<Watchers>,
    revisions: tokio::sync::watch::Receiver<Revision>,
    clock: Clock,
}

impl Server {
    /// Loads the state from `store` and starts the writer. The task ends when the last handle is
    /// gone; join it to know that everything acknowledged is stored.
    ///
    /// # Errors
    ///
    /// See [`StartError`]. Nothing is changed in the store.
    pub async fn start(
        store: Arc<dyn Store>,
        seed: HashSeed,
        clock: Clock,
    ) -> Result<(Self, JoinHandle<Result<(), Arc<StoreError>>>), StartError> {
        let state = load(store.as_ref(), seed).await?;
        let (requests, queue) = mpsc::channel(QUEUE);
        let (revision_sender, revisions) = tokio::sync::watch::channel(state.revision());
        let published = Arc::new(Published::new(state));
        let watchers = Arc::new(Watchers::default());
        let writer = Writer {
            requests: queue,
            store,
            published: Arc::clone(&published),
            watchers: Arc::clone(&watchers),
            revisions: revision_sender,
            clock,
        };
        let server = Self {
            requests,
            published,
            watchers,
            revisions,
            clock,
        };
        Ok((server, tokio::spawn(writer.run())))
    }

    /// Has `command` decided and, if it changes anything, stored. The answer comes when the
    /// effect is durable and visible in [`Server::view`]; it is the revision of the write.
    ///
    /// # Errors
    ///
    /// See [`SubmitError`].
    pub async fn submit(&self, command: Command, caller: Caller) -> Result<Revision, SubmitError> {
        self.enqueue(command, caller).await?.settled().await
    }

    /// Puts `command` into the writer's queue, which keeps the order, and does not wait for what
    /// comes of it.
    ///
    /// # Errors
    ///
    /// Only when the writer has stopped.
    pub async fn enqueue(&self, command: Command, caller: Caller) -> Result<Pending, SubmitError> {
        let (reply, answer) = oneshot::channel();
        let request = Request {
            command,
            caller,
            reply,
        };
        match self.requests.send(request).await {
            Ok(()) => Ok(Pending(answer)),
            Err(_closed) => Err(SubmitError::ShuttingDown),
        }
    }

    /// The latest durable state.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.published.load()
    }

    /// Whether changes are still taken. Once a write has failed none is, until a restart.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        !self.requests.is_closed()
    }

    /// The clock that all decisions of this server use.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// Follows the revision of the published state.
    #[must_use]
    pub fn revisions(&self) -> tokio::sync::watch::Receiver<Revision> {
        self.revisions.clone()
    }

    /// The state as soon as one of `topics` has an index above `after`, or as it is at
    /// `deadline`, whichever comes first. Dropping the future stops waiting.
    pub async fn wait(&self, topics: &[Topic], after: Revision, deadline: Instant) -> Arc<View> {
        loop {
            let mut subscription = self.watchers.subscribe(topics);
            let view = self.view();
            if view.index(topics) > after {
                return view;
            }
            if tokio::time::timeout_at(deadline, subscription.touched())
                .await
                .is_err()
            {
                return self.view();
            }
        }
    }
}

/// A command that waits for the writer.
pub struct Pending(oneshot::Receiver<Result<Revision, SubmitError>>);

impl Pending {
    /// What came of it, as [`Server::submit`] answers.
    ///
    /// # Errors
    ///
    /// See [`SubmitError`].
    pub async fn settled(self) -> Result<Revision, SubmitError> {
        self.0.await.unwrap_or(Err(SubmitError::ShuttingDown))
    }
}

async fn load(store: &dyn Store, seed: HashSeed) -> Result<State, StartError> {
    let loaded = store.load().await?;
    let rows = loaded.rows.into_iter().filter_map(rows::from_row);
    let state = State::restore(seed, Revision::new(loaded.revision), rows)?;
    match loaded.digest {
        Some(recorded) if recorded != state.digest().to_bytes() => Err(StartError::Digest {
            revision: state.revision(),
        }),
        _ => Ok(state),
    }
}
