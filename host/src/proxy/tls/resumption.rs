//! Sessions that are not over when their connection is: a peer that comes back is spared the
//! signatures, and nothing else.
//!
//! What is kept belongs to one [`Material`](super::Material) and goes with it: after a new leaf
//! or new roots nobody resumes what came before. A session stands for the chain that its first
//! handshake proved; the gates judge that chain again each time.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::{ClientConfig, UnbufferedClientConnection};
use rustls::pki_types::ServerName;
use rustls::server::StoresServerSessions;
use zeroize::Zeroizing;

use crate::proxy::tls::gate::{Refusal, ServerGate, Wanted};
use crate::proxy::tls::session::Session;

/// What is kept of sessions in all, in bytes: some 700 with a chain of the usual size.
const MOST_BYTES: usize = 1024 * 1024;

/// A session with more in it than this is not kept: the longest permitted chain is 32 KiB.
const LARGEST: usize = 8 * 1024;

/// What a session costs besides its bytes.
const OVERHEAD: usize = 192;

/// Sessions kept for each instance that we connect to. rustls rounds to this number.
pub(super) const TICKETS: usize = 8;

/// Instances for which sessions are kept.
const MOST_ROUTES: usize = 128;

/// Sessions of peers that connected to us. What a peer holds is only the name under which one
/// is kept; with TLS 1.3 it is good once.
#[derive(Default)]
pub(super) struct Sessions {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    sessions: HashMap<Vec<u8>, Zeroizing<Vec<u8>>>,
    /// The oldest first, and among them some that are gone.
    order: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn remove(&mut self, name: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let session = self.sessions.remove(name)?;
        self.bytes -= cost(&session);
        Some(session)
    }

    fn insert(&mut self, name: Vec<u8>, session: Vec<u8>) {
        if self.remove(&name).is_none() {
            self.order.push_back(name.clone());
        }
        self.bytes += cost(&session);
        self.sessions.insert(name, Zeroizing::new(session));
        while self.bytes > MOST_BYTES {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            self.remove(&oldest);
        }
        if self.order.len() > 2 * self.sessions.len() + 64 {
            let sessions = &self.sessions;
            self.order.retain(|name| sessions.contains_key(name));
        }
    }
}

fn cost(session: &[u8]) -> usize {
    session.len() + OVERHEAD
}

impl StoresServerSessions for Sessions {
    fn put(&self, name: Vec<u8>, session: Vec<u8>) -> bool {
        let fits = session.len() <= LARGEST;
        if fits {
            self.lock().insert(name, session);
        }
        fits
    }

    fn get(&self, name: &[u8]) -> Option<Vec<u8>> {
        let kept = self.lock();
        kept.sessions.get(name).map(|session| session.to_vec())
    }

    fn take(&self, name: &[u8]) -> Option<Vec<u8>> {
        let mut session = self.lock().remove(name)?;
        Some(std::mem::take(&mut *session))
    }

    fn can_cache(&self) -> bool {
        true
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.lock();
        f.debug_struct("Sessions")
            .field("kept", &kept.sessions.len())
            .field("bytes", &kept.bytes)
            .finish_non_exhaustive()
    }
}

/// The way to one instance of a service: what it must prove, and the sessions it left with us.
#[derive(Debug)]
pub(crate) struct Route {
    gate: Arc<ServerGate>,
    config: Arc<ClientConfig>,
}

impl Route {
    pub(super) const fn new(gate: Arc<ServerGate>, config: Arc<ClientConfig>) -> Self {
        Self { gate, config }
    }

    /// A session with the instance, whose handshake comes next.
    pub(crate) fn connect(&self) -> Result<Session, rustls::Error> {
        // Peers are known by their SPIFFE ID, so there is no name to send or to compare.
        let nobody = ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into());
        let config = Arc::clone(&self.config);
        UnbufferedClientConnection::new(config, nobody).map(Session::client)
    }

    /// Judges the peer behind a session whose handshake is complete, resumed or not.
    ///
    /// # Errors
    /// Why not a byte may be sent to it.
    pub(crate) fn check(&self, session: &Session) -> Result<(), Refusal> {
        self.gate.check(session.peer_chain())
    }
}

/// All routes of one material. One is known by the service wanted *and* the address, so that
/// nothing is resumed at an address that is now another service's.
#[derive(Debug, Default)]
pub(super) struct Routes {
    known: Mutex<HashMap<(Wanted, String), Arc<Route>>>,
}

impl Routes {
    /// The route known, or what `make` makes.
    pub(super) fn get<E>(
        &self,
        wanted: &Wanted,
        address: &str,
        make: impl FnOnce() -> Result<Route, E>,
    ) -> Result<Arc<Route>, E> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (wanted.clone(), address.to_owned());
        if let Some(route) = known.get(&key) {
            return Ok(Arc::clone(route));
        }
        let route = Arc::new(make()?);
        if known.len() >= MOST_ROUTES
            && let Some(any) = known.keys().next().cloned()
        {
            known.remove(&any);
        }
        known.insert(key, Arc::clone(&route));
        Ok(route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_taken_once_but_looked_at_often() {
        let sessions = Sessions::default();
        assert!(sessions.put(vec![1], vec![2]));
        assert_eq!(sessions.get(&[1]), Some(vec![2]));
        assert_eq!(sessions.take(&[1]), Some(vec![2]));
        assert_eq!((sessions.take(&[1]), sessions.get(&[1])), (None, None));
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let sessions = Sessions::default();
        let most = MOST_BYTES / (1000 + OVERHEAD);
        let name = |number: usize| number.to_be_bytes().to_vec();
        for number in 0..=most {
            assert!(sessions.put(name(number), vec![0; 1000]));
        }
        assert_eq!(sessions.get(&name(0)), None);
        assert!(sessions.get(&name(1)).is_some());
        assert!(sessions.lock().bytes <= MOST_BYTES);
    }

    #[test]
    fn sessions_that_come_and_go_push_out_nobody() {
        let sessions = Sessions::default();
        sessions.put(vec![1], vec![1; 1000]);
        for number in 2_u32..10_000 {
            let name = number.to_be_bytes().to_vec();
            sessions.put(name.clone(), vec![0; 1000]);
            sessions.take(&name);
        }
        assert!(sessions.get(&[1]).is_some());
        let kept = sessions.lock();
        assert!(kept.order.len() <= 70, "{} names", kept.order.len());
    }

    #[test]
    fn one_that_is_too_large_is_not_kept() {
        let sessions = Sessions::default();
        assert!(sessions.put(vec![1], vec![0; LARGEST]));
        assert!(!sessions.put(vec![2], vec![0; LARGEST + 1]));
        assert_eq!(sessions.get(&[2]), None);
    }
}
