//! Chains that were verified a moment ago.
//!
//! A peer shows the same chain for hours and often opens many connections a second; the
//! signatures in it need not be computed for each. Nothing else is spared: the peer proves its
//! key in every handshake, and its right to connect is judged every time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chancery_core::{PeerRole, Timestamp, VerifiedPeer};

/// How long a verification holds. The leaf's own end is looked at every time; an issuer's end
/// takes effect this much later at most.
const HOLDS: Duration = Duration::from_secs(5);

/// How many chains are remembered. Only good ones are, so a stranger cannot push them out.
const MOST: usize = 128;

/// A longer chain is verified every time, which bounds the memory to half a megabyte.
const LONGEST: usize = 4 * 1024;

/// The chains verified against one set of roots.
#[derive(Debug, Default)]
pub(super) struct Verified {
    chains: Mutex<HashMap<Key, (VerifiedPeer, Instant)>>,
}

/// The bytes of a chain, each certificate behind its length, and the role it was good for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key(Vec<u8>);

impl Key {
    fn of(chain: &[&[u8]], role: PeerRole) -> Option<Self> {
        let length: usize = chain.iter().map(|der| der.len() + 8).sum();
        if length > LONGEST {
            return None;
        }
        let mut bytes = Vec::with_capacity(length + 1);
        bytes.push(u8::from(role == PeerRole::Server));
        for der in chain {
            bytes.extend_from_slice(&(der.len() as u64).to_be_bytes());
            bytes.extend_from_slice(der);
        }
        Some(Self(bytes))
    }
}

impl Verified {
    /// The peer behind `chain`: remembered, or what `verify` says now.
    ///
    /// # Errors
    /// What `verify` says.
    pub(super) fn peer<E>(
        &self,
        chain: &[&[u8]],
        role: PeerRole,
        now: Timestamp,
        verify: impl FnOnce() -> Result<VerifiedPeer, E>,
    ) -> Result<VerifiedPeer, E> {
        let Some(key) = Key::of(chain, role) else {
            return verify();
        };
        if let Some(peer) = self.remembered(&key, now) {
            return Ok(peer);
        }
        let peer = verify()?;
        let mut chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        if chains.len() >= MOST {
            chains.retain(|_, (_, at)| at.elapsed() < HOLDS);
        }
        if chains.len() < MOST {
            chains.insert(key, (peer.clone(), Instant::now()));
        }
        Ok(peer)
    }

    fn remembered(&self, key: &Key, now: Timestamp) -> Option<VerifiedPeer> {
        let chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        let (peer, at) = chains.get(key)?;
        let holds = at.elapsed() < HOLDS && now <= peer.not_after();
        holds.then(|| peer.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use chancery_core::{TrustBundle, Violation};
    use rustls::crypto::aws_lc_rs;

    use super::*;
    use crate::proxy::tls::testing::TestCa;

    /// A root and a leaf for `web`, good until the end of 2099.
    fn chain() -> (TrustBundle, Vec<u8>) {
        let ca = TestCa::new();
        (ca.bundle(), ca.leaf("web").0)
    }

    struct Counting {
        bundle: TrustBundle,
        verified: Verified,
        count: Cell<usize>,
    }

    impl Counting {
        fn peer(&self, leaf: &[u8], role: PeerRole, now: &str) -> Result<VerifiedPeer, Violation> {
            let now = Timestamp::parse(now).unwrap();
            let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
            self.verified.peer(&[leaf], role, now, || {
                self.count.set(self.count.get() + 1);
                self.bundle.verify_peer(&[leaf], role, algorithms.all, now)
            })
        }
    }

    fn counting() -> (Counting, Vec<u8>) {
        let (bundle, leaf) = chain();
        let counting = Counting {
            bundle,
            verified: Verified::default(),
            count: Cell::new(0),
        };
        (counting, leaf)
    }

    const SUMMER: &str = "2026-07-01T00:00:00Z";

    #[test]
    fn the_same_chain_is_verified_once_for_each_role() {
        let (counting, leaf) = counting();
        let first = counting.peer(&leaf, PeerRole::Client, SUMMER).unwrap();
        let second = counting.peer(&leaf, PeerRole::Client, SUMMER).unwrap();
        assert_eq!((first, counting.count.get()), (second, 1));
        counting.peer(&leaf, PeerRole::Server, SUMMER).unwrap();
        assert_eq!(counting.count.get(), 2);
    }

    #[test]
    fn a_remembered_leaf_still_ends_on_time() {
        let (counting, leaf) = counting();
        let last = "2099-12-31T00:00:00Z";
        counting.peer(&leaf, PeerRole::Client, last).unwrap();
        let refused = counting.peer(&leaf, PeerRole::Client, "2099-12-31T00:00:01Z");
        assert!(
            matches!(refused, Err(Violation::Expired { .. })),
            "{refused:?}"
        );
    }

    #[test]
    fn another_byte_is_another_chain_and_what_is_refused_is_forgotten() {
        let (counting, mut leaf) = counting();
        counting.peer(&leaf, PeerRole::Client, SUMMER).unwrap();
        *leaf.last_mut().unwrap() ^= 1;
        for count in [2, 3] {
            assert!(counting.peer(&leaf, PeerRole::Client, SUMMER).is_err());
            assert_eq!(counting.count.get(), count);
        }
    }
}
