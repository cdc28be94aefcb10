//! Who waits for which topic.

use std::collections::HashMap;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use chancery_core::Topic;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// The readers that are blocked, by topic. A topic nobody waits for takes no memory.
#[derive(Default)]
pub(crate) struct Watchers {
    topics: Mutex<HashMap<Topic, Waiting>>,
}

struct Waiting {
    bell: Arc<Notify>,
    readers: usize,
}

impl Watchers {
    /// Registers a reader of `topics`. From this call on no [`Watchers::wake`] is missed.
    pub(crate) fn subscribe(self: &Arc<Self>, topics: &[Topic]) -> Subscription {
        let mut table = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let bells = topics
            .iter()
            .map(|topic| {
                let waiting = table.entry(topic.clone()).or_insert_with(|| Waiting {
                    bell: Arc::new(Notify::new()),
                    readers: 0,
                });
                waiting.readers += 1;
                let mut rung = Box::pin(Arc::clone(&waiting.bell).notified_owned());
                rung.as_mut().enable();
                rung
            })
            .collect();
        Subscription {
            watchers: Arc::clone(self),
            topics: topics.to_vec(),
            bells,
        }
    }

    /// Wakes the readers of `topics`, and nobody else.
    pub(crate) fn wake(&self, topics: &[Topic]) {
        let table = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        for topic in topics {
            if let Some(waiting) = table.get(topic) {
                waiting.bell.notify_waiters();
            }
        }
    }

    fn leave(&self, topics: &[Topic]) {
        let mut table = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        for topic in topics {
            let Some(waiting) = table.get_mut(topic) else {
                continue;
            };
            waiting.readers -= 1;
            if waiting.readers == 0 {
                table.remove(topic);
            }
        }
    }
}

/// One blocked reader.
pub(crate) struct Subscription {
    watchers: Arc<Watchers>,
    topics: Vec<Topic>,
    bells: Vec<Pin<Box<OwnedNotified>>>,
}

impl Subscription {
    /// Waits until one of the topics is touched. Complete at once if that has happened since
    /// [`Watchers::subscribe`].
    pub(crate) async fn touched(&mut self) {
        poll_fn(|context| {
            let rung = self
                .bells
                .iter_mut()
                .any(|bell| bell.as_mut().poll(context).is_ready());
            if rung { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.watchers.leave(&self.topics);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wake_between_subscribing_and_waiting_is_not_missed() {
        let watchers = Arc::new(Watchers::default());
        let mut reader = watchers.subscribe(&[Topic::CaRoots, Topic::Intentions]);
        watchers.wake(&[Topic::Intentions]);
        reader.touched().await;
    }

    #[tokio::test]
    async fn others_are_not_woken_and_nothing_is_left_behind() {
        let watchers = Arc::new(Watchers::default());
        let mut roots = watchers.subscribe(&[Topic::CaRoots]);
        let mut nodes = watchers.subscribe(&[Topic::Nodes]);
        watchers.wake(&[Topic::Nodes]);
        nodes.touched().await;
        let waiting = poll_fn(|context| {
            let pending = roots.bells[0].as_mut().poll(context).is_pending();
            Poll::Ready(pending)
        });
        assert!(waiting.await);
        drop((roots, nodes));
        assert!(watchers.topics.lock().unwrap().is_empty());
    }
}
