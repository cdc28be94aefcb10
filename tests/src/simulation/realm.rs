//! What a provider finds when it is called: backends, the time, and the faults of the day.
//!
//! The world lends all of it for the length of a call: providers and guards are made to be shared
//! by many threads, a world is not.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chancery_core::Timestamp;
use chancery_providers::{Call, Ending, Observer, Outcome};

use super::backends::Backends;
use super::bug::Bug;
use super::certificates::{CertificateId, Certificates, Party, stamp};
use super::misdeed::{Fault, Misdeed};
use super::random::Random;
use super::rare::Rare;
use super::schedule::ProviderKind;

/// All that providers see of the world, and what they note down for it.
#[derive(Default)]
pub(super) struct Realm {
    pub(super) certificates: Certificates,
    pub(super) backends: Backends,
    pub(super) now: i64,
    /// The server's wall clock.
    pub(super) wall: i64,
    pub(super) down: Vec<(ProviderKind, i64)>,
    /// Providers that misbehave, until when.
    pub(super) wicked: Vec<(ProviderKind, i64)>,
    pub(super) random: Random,
    pub(super) bug: Option<Bug>,
    pub(super) notes: Notes,
}

/// What came of one call, as the provider knows it.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) attempts: u32,
    pub(super) hung: bool,
    /// What is wrong with the answer, if it was made to be wrong.
    pub(super) misdeed: Option<Misdeed>,
    pub(super) leaf: Option<TrueLeaf>,
    /// What a clean-up has deleted.
    pub(super) gone: Vec<CertificateId>,
}

/// A leaf as it is, whatever it says.
#[derive(Clone, Copy)]
pub(super) struct TrueLeaf {
    pub(super) signer: Party,
    pub(super) until: i64,
}

impl Realm {
    pub(super) fn wall_clock(&self) -> Timestamp {
        stamp(self.wall)
    }

    /// How a provider behaves this time, of whom `able` can be expected.
    pub(super) fn fault(&mut self, kind: ProviderKind, able: &[Misdeed]) -> Fault {
        self.notes.attempts += 1;
        let now = self.now;
        let within = |list: &[(ProviderKind, i64)]| {
            list.iter()
                .any(|(which, until)| *which == kind && *until > now)
        };
        if within(&self.down) {
            return Fault::Fails;
        }
        if !within(&self.wicked) {
            return Fault::None;
        }
        match self.random.between(0, 9) {
            0..=1 => Fault::Fails,
            // Without a guard nobody would ever hear of it.
            2 if self.bug != Some(Bug::Unguarded) => {
                self.notes.hung = true;
                Fault::Hangs
            }
            3..=8 if !able.is_empty() => Fault::Does(self.random.pick(able)),
            _ => Fault::None,
        }
    }
}

/// Where a provider finds the realm while it is called.
#[derive(Default)]
pub(super) struct Desk {
    realm: Mutex<Realm>,
    wall: AtomicI64,
    seen: AtomicU64,
}

impl Desk {
    pub(super) fn lend(&self, realm: Realm) {
        self.wall.store(realm.wall, Ordering::Relaxed);
        *self.realm() = realm;
    }

    pub(super) fn take_back(&self) -> Realm {
        std::mem::take(&mut *self.realm())
    }

    pub(super) fn realm(&self) -> MutexGuard<'_, Realm> {
        self.realm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wall_clock(&self) -> Timestamp {
        stamp(self.wall.load(Ordering::Relaxed))
    }

    /// Bits of [`Rare`] since it was last asked.
    pub(super) fn seen(&self) -> u64 {
        self.seen.swap(0, Ordering::Relaxed)
    }

    fn see(&self, rare: Rare) {
        self.seen.fetch_or(1 << rare as u64, Ordering::Relaxed);
    }
}

impl Observer for Desk {
    fn started(&self, _call: &Call<'_>) {}

    fn finished(&self, _call: &Call<'_>, ending: &Ending) {
        let limited = matches!(
            ending.outcome,
            Outcome::Failed(chancery_providers::ErrorKind::RateLimited { .. })
        );
        if limited {
            self.see(Rare::Limited);
        }
    }

    fn paused(&self, _call: &Call<'_>, _pause: Duration) {
        self.see(Rare::LeftAlone);
    }

    fn resumed(&self, _call: &Call<'_>) {
        self.see(Rare::WorksAgain);
    }
}
