//! The live inbound connections of one service: who they are, what let them in, and how to cut
//! them.
//!
//! A connection is entered under its peer's identity *before* its verdict is looked up a last
//! time, and new rules are published *before* the registry is gone through. So a connection
//! either sees the new rules itself or is seen by them: none slips between.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chancery_core::ServiceId;
use tokio_util::sync::CancellationToken;

use crate::proxy::limits::Limits;

/// Why a connection is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Refusal {
    /// The service has as many connections as it may.
    #[error("{0} connections are open, which is the most allowed")]
    Full(usize),
    /// The source address has as many connections as it may.
    #[error("{0} connections from this address are open, which is the most allowed")]
    SourceFull(usize),
}

/// The connections of one service. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    limits: Limits,
    next: u64,
    open: usize,
    sources: HashMap<IpAddr, Source>,
    handshakes: usize,
    peers: HashMap<Arc<str>, Peer>,
}

#[derive(Debug, Default)]
struct Source {
    open: usize,
    handshakes: VecDeque<(u64, CancellationToken)>,
}

#[derive(Debug)]
struct Peer {
    id: ServiceId,
    connections: BTreeMap<u64, CancellationToken>,
}

/// A connection's place among all. Dropping it frees the place.
#[derive(Debug)]
pub(crate) struct ConnectionHandle {
    registry: Registry,
    number: u64,
    source: IpAddr,
    peer: Option<Arc<str>>,
    cut: CancellationToken,
}

impl Registry {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                limits,
                next: 0,
                open: 0,
                sources: HashMap::new(),
                handshakes: 0,
                peers: HashMap::new(),
            })),
        }
    }

    /// Takes a stranger's connection, whose handshake comes next.
    ///
    /// When too many handshakes are under way, the oldest of the source that has most is cut
    /// for it: whoever connects and waits never keeps out a peer that gets on with it.
    ///
    /// # Errors
    /// [`Refusal`] when too many connections are open.
    pub(crate) fn admit(&self, source: IpAddr) -> Result<ConnectionHandle, Refusal> {
        let mut inner = self.lock();
        let limits = &inner.limits;
        let (total, per_source) = (limits.connections, limits.connections_per_source);
        let of_source = inner.sources.get(&source).map_or(0, |found| found.open);
        if inner.open >= total {
            return Err(Refusal::Full(total));
        }
        if of_source >= per_source {
            return Err(Refusal::SourceFull(per_source));
        }
        inner.make_room_for_handshake(source);
        inner.next += 1;
        let number = inner.next;
        let cut = CancellationToken::new();
        inner.open += 1;
        inner.handshakes += 1;
        let entry = inner.sources.entry(source).or_default();
        entry.open += 1;
        entry.handshakes.push_back((number, cut.clone()));
        Ok(ConnectionHandle {
            registry: self.clone(),
            number,
            source,
            peer: None,
            cut,
        })
    }

    /// Cuts every connection of each peer for which `denied` gives a reason. Returns the peers,
    /// how many connections each had, and the reasons.
    pub(crate) fn cut_denied<R>(
        &self,
        mut denied: impl FnMut(&ServiceId) -> Option<R>,
    ) -> Vec<(ServiceId, usize, R)> {
        let inner = self.lock();
        let mut cut = Vec::new();
        for peer in inner.peers.values() {
            if let Some(reason) = denied(&peer.id) {
                peer.connections
                    .values()
                    .for_each(CancellationToken::cancel);
                cut.push((peer.id.clone(), peer.connections.len(), reason));
            }
        }
        cut
    }

    /// Cuts everything, handshakes too.
    pub(crate) fn cut_all(&self) {
        self.cut_denied(|_| Some(()));
        let inner = self.lock();
        for source in inner.sources.values() {
            source.handshakes.iter().for_each(|(_, cut)| cut.cancel());
        }
    }

    /// The identities that have a connection open.
    pub(crate) fn peers(&self) -> Vec<ServiceId> {
        self.lock()
            .peers
            .values()
            .map(|peer| peer.id.clone())
            .collect()
    }

    /// How many connections are open, those in their handshake among them.
    pub(crate) fn open(&self) -> usize {
        self.lock().open
    }

    /// New bounds, for connections from now on.
    pub(crate) fn limit(&self, limits: Limits) {
        self.lock().limits = limits;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn make_room_for_handshake(&mut self, source: IpAddr) {
        let of_source = self
            .sources
            .get(&source)
            .map_or(0, |found| found.handshakes.len());
        let crowded = if of_source >= self.limits.handshakes_per_source {
            self.sources.get_mut(&source)
        } else if self.handshakes >= self.limits.handshakes {
            self.sources
                .values_mut()
                .max_by_key(|found| found.handshakes.len())
        } else {
            None
        };
        // The cut connection gives its place back when its task ends; it is not counted twice.
        if let Some((_, oldest)) = crowded.and_then(|found| found.handshakes.pop_front()) {
            oldest.cancel();
            self.handshakes -= 1;
        }
    }

    fn end_handshake(&mut self, source: IpAddr, number: u64) {
        let Some(found) = self.sources.get_mut(&source) else {
            return;
        };
        if let Some(place) = found.handshakes.iter().position(|(at, _)| *at == number) {
            found.handshakes.remove(place);
            self.handshakes -= 1;
        }
    }
}

impl ConnectionHandle {
    /// Enters the connection under its proven identity. From now on a change of the rules
    /// reaches it.
    pub(crate) fn enter(&mut self, id: &ServiceId) {
        let name: Arc<str> = id.to_string().into();
        let mut inner = self.registry.lock();
        inner.end_handshake(self.source, self.number);
        inner
            .peers
            .entry(Arc::clone(&name))
            .or_insert_with(|| Peer {
                id: id.clone(),
                connections: BTreeMap::new(),
            })
            .connections
            .insert(self.number, self.cut.clone());
        drop(inner);
        self.peer = Some(name);
    }

    /// Fires when the connection must end at once.
    pub(crate) fn cut(&self) -> &CancellationToken {
        &self.cut
    }
}

impl Drop for ConnectionHandle {
    fn drop(&mut self) {
        let mut inner = self.registry.lock();
        inner.end_handshake(self.source, self.number);
        inner.open -= 1;
        if let Some(found) = inner.sources.get_mut(&self.source) {
            found.open -= 1;
            if found.open == 0 {
                inner.sources.remove(&self.source);
            }
        }
        if let Some(name) = &self.peer
            && let Some(peer) = inner.peers.get_mut(name)
        {
            peer.connections.remove(&self.number);
            if peer.connections.is_empty() {
                inner.peers.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests;
