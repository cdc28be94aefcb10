//! The one writer: decide, store in groups, publish, acknowledge.
//!
//! Commands are decided and applied to a working state that runs ahead of the durable one. While
//! a group is being stored, the next one forms. Only when a group is durable is its state
//! published, its readers woken and its callers answered, in this order, so that whoever has an
//! answer also sees its effect. If the store fails, the working state falls back to the published
//! one and nothing more is acknowledged.

use std::sync::Arc;

use chancery_core::{Caller, Command, Digest, ProposeError, Revision, RowWrite, State, Topic};
use tokio::sync::{mpsc, oneshot, watch};

use super::rows;
use super::view::Published;
use super::watch::Watchers;
use crate::clock::Clock;
use crate::store::{self, Batch, Store, StoreError};

/// How much one group holds at most: bounds what a crash can lose of what was never
/// acknowledged, and how long the first of a group waits for the last.
const GROUP_BATCHES: usize = 1_024;
const GROUP_BYTES: usize = 1 << 20;

/// Why a command was not committed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The rules refuse it.
    #[error(transparent)]
    Refused(#[from] ProposeError),
    /// The agent is shutting down.
    #[error("the agent is shutting down")]
    ShuttingDown,
    /// The store failed: nothing is acknowledged until the agent is restarted.
    #[error("nothing can be stored any more, restart the agent: {0}")]
    Storage(Arc<StoreError>),
}

/// A command on its way to the writer.
pub(super) struct Request {
    pub(super) command: Command,
    pub(super) caller: Caller,
    pub(super) reply: oneshot::Sender<Result<Revision, SubmitError>>,
}

/// What the writer needs from the rest of the server.
pub(super) struct Writer {
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) store: Arc<dyn Store>,
    pub(super) published: Arc<Published>,
    pub(super) watchers: Arc<Watchers>,
    pub(super) revisions: watch::Sender<Revision>,
    pub(super) clock: Clock,
}

/// Commands that were decided and wait to be stored together.
#[derive(Default)]
struct Group {
    batches: Vec<Batch>,
    bytes: usize,
    digest: Digest,
    topics: Vec<Topic>,
    replies: Vec<(oneshot::Sender<Result<Revision, SubmitError>>, Revision)>,
}

impl Group {
    fn is_full(&self) -> bool {
        self.batches.len() >= GROUP_BATCHES || self.bytes >= GROUP_BYTES
    }

    fn fail(self, error: &Arc<StoreError>) {
        for (reply, _) in self.replies {
            drop(reply.send(Err(SubmitError::Storage(Arc::clone(error)))));
        }
    }

    fn push(&mut self, revision: Revision, rows: Vec<RowWrite>, digest: Digest) {
        self.bytes += rows
            .iter()
            .map(|row| row.key.len() + row.value.as_ref().map_or(0, Vec::len))
            .sum::<usize>();
        self.batches.push(Batch {
            revision: revision.number(),
            writes: rows.into_iter().map(rows::to_write).collect(),
        });
        self.digest = digest;
    }
}

impl Writer {
    /// Runs until every handle is gone, or the store fails. Returns what the store said.
    pub(super) async fn run(mut self) -> Result<(), Arc<StoreError>> {
        let mut working = self.published.load().state().clone();
        let mut forming = Group::default();
        loop {
            if forming.replies.is_empty() {
                match self.requests.recv().await {
                    Some(request) => self.decide(request, &mut working, &mut forming),
                    None => return Ok(()),
                }
            }
            while !forming.is_full() {
                match self.requests.try_recv() {
                    Ok(request) => self.decide(request, &mut working, &mut forming),
                    Err(_) => break,
                }
            }
            let group = std::mem::take(&mut forming);
            let state = working.clone();
            let stored = self
                .store_while_forming(group, state, &mut working, &mut forming)
                .await;
            if let Err(error) = stored {
                return self.stop(error, forming).await;
            }
        }
    }

    /// Stores one group, deciding what comes in meanwhile, then publishes and answers.
    async fn store_while_forming(
        &mut self,
        mut group: Group,
        state: State,
        working: &mut State,
        forming: &mut Group,
    ) -> Result<(), Arc<StoreError>> {
        let store = Arc::clone(&self.store);
        let batches = std::mem::take(&mut group.batches);
        if !batches.is_empty() {
            let commit = store.commit(store::Group {
                batches,
                digest: group.digest.to_bytes(),
            });
            tokio::pin!(commit);
            let stored = loop {
                tokio::select! {
                    biased;
                    stored = &mut commit => break stored,
                    request = self.requests.recv(), if !forming.is_full() => match request {
                        Some(request) => self.decide(request, working, forming),
                        None => break commit.await,
                    },
                }
            };
            if let Err(error) = stored {
                let error = Arc::new(error);
                group.fail(&error);
                return Err(error);
            }
            self.publish(state, group.topics);
        }
        for (reply, revision) in group.replies {
            // A caller that went away does not need its answer.
            drop(reply.send(Ok(revision)));
        }
        Ok(())
    }

    fn decide(&self, request: Request, working: &mut State, forming: &mut Group) {
        let Request {
            command,
            caller,
            reply,
        } = request;
        match working.propose(command, &caller, self.clock.now()) {
            // Nothing to write, but what it was decided on may not be durable yet: the answer
            // waits with the group.
            Ok(changes) if changes.is_empty() => forming.replies.push((reply, working.revision())),
            Ok(changes) => match working.apply(&changes) {
                Ok(touched) => {
                    forming.push(touched.revision, touched.rows, working.digest());
                    forming.topics.extend(touched.topics);
                    forming.replies.push((reply, touched.revision));
                }
                // Cannot happen: the changes were decided for this very state a moment ago.
                Err(error) => tracing::error!(%error, "a decision did not fit its own state"),
            },
            Err(error) => drop(reply.send(Err(SubmitError::Refused(error)))),
        }
    }

    fn publish(&self, state: State, mut topics: Vec<Topic>) {
        let revision = state.revision();
        self.published.store(state);
        topics.sort_unstable();
        topics.dedup();
        self.watchers.wake(&topics);
        self.revisions.send_replace(revision);
    }

    /// Answers everybody that nothing is stored any more. The published state stays readable.
    async fn stop(mut self, error: Arc<StoreError>, forming: Group) -> Result<(), Arc<StoreError>> {
        tracing::error!(%error, "the store failed: writes are refused from now on");
        forming.fail(&error);
        while let Some(request) = self.requests.recv().await {
            drop(
                request
                    .reply
                    .send(Err(SubmitError::Storage(Arc::clone(&error)))),
            );
        }
        Err(error)
    }
}
