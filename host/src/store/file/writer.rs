//! The thread that owns the file.

use tokio::sync::{mpsc, oneshot};

use super::database::Database;
use crate::store::{Group, Loaded, StoreError};

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the thread is asked for.
#[derive(Debug)]
pub(super) enum Request {
    Commit(Group, Answer<()>),
    Load(Answer<Loaded>),
}

/// Serves `queue` until all its senders are gone, then closes the file.
pub(super) fn run(
    mut database: Database,
    mut queue: mpsc::Receiver<Request>,
) -> Result<(), StoreError> {
    while let Some(request) = queue.blocking_recv() {
        let mut next = Some(request);
        while let Some(request) = next.take() {
            match request {
                Request::Commit(group, answer) => {
                    next = commit(&mut database, &mut queue, group, answer);
                }
                // A caller that no longer waits needs no answer; so too below.
                Request::Load(answer) => drop(answer.send(database.load())),
            }
        }
    }
    database.close()
}

/// Commits a group with all the groups that wait behind it, and returns the request after those.
fn commit(
    database: &mut Database,
    queue: &mut mpsc::Receiver<Request>,
    group: Group,
    answer: Answer<()>,
) -> Option<Request> {
    let mut groups = vec![group];
    let mut waiting = vec![answer];
    let mut next = None;
    while groups.len() < QUEUE {
        match queue.try_recv() {
            Ok(Request::Commit(group, answer)) => {
                groups.push(group);
                waiting.push(answer);
            }
            Ok(other) => {
                next = Some(other);
                break;
            }
            Err(_) => break,
        }
    }
    for (answer, result) in waiting.into_iter().zip(database.commit(&groups)) {
        drop(answer.send(result));
    }
    next
}

/// How many requests wait at most, and how many groups share a transaction.
pub(super) const QUEUE: usize = 256;
