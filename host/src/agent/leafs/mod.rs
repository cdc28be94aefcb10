//! The leaf certificates of the services of this agent.
//!
//! One leaf per service, made on first demand, one flight at a time, renewed in the background
//! while its service is registered or was asked for lately. Three rules hold whatever fails:
//! whoever asks plainly never gets an expired leaf, nor one of a rotated-out issuer while a new
//! one can be had; a blocked reader is woken by a new leaf and by nothing else; a leaf that is
//! still valid is never replaced by none.
//!
//! **After a change of who signs** every leaf is replaced at the slot that the server gives, so
//! that ten thousand services do not ask in the same second; a handful is done in no time, and
//! none later than it would have been renewed anyhow. Until then blocked readers go on waiting:
//! what they hold is accepted by every peer. A plain reader comes before the slot and has the
//! leaf replaced at once. Should all services read plainly at once, the operator's limit on
//! signatures says how many new leafs can be had; the others get the older one, and for a second
//! their agent asks for nothing but leafs of services that have none.

mod alarm;
mod entry;
mod facts;
mod hold;
mod renewal;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chancery_core::{Now, Secret, ServiceName, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock::Clock;
use entry::{Due, Entry};
pub use facts::LeafFacts;
use hold::Hold;
use table::Table;

/// A leaf that nobody asked for in this time, and whose service is not registered, is forgotten.
const IDLE: Duration = Duration::from_secs(72 * 3600);

/// A service's certificate with its private key.
#[derive(Debug)]
#[non_exhaustive]
pub struct Leaf {
    /// The service.
    pub service: ServiceName,
    /// Its SPIFFE ID.
    pub uri: String,
    /// The leaf and the certificates that lead to the root, PEM.
    pub certificates_pem: String,
    /// The private key, PEM: SEC1, PKCS #1 or PKCS #8, by its kind.
    pub private_key_pem: Secret,
    /// Colon-separated lower-case hex.
    pub serial: String,
    /// Start of validity.
    pub valid_after: Timestamp,
    /// End of validity.
    pub valid_before: Timestamp,
    /// Key identifier of its issuer, colon-separated hex.
    pub issuer_key_id: String,
    /// Grows with every leaf of the service: the index that blocked readers wait on.
    pub index: u64,
    /// When it was issued.
    pub issued_at: Timestamp,
}

/// Where leafs come from.
#[async_trait]
pub trait LeafSource: Send + Sync {
    /// Makes a key and has it certified for `service`. `after` is the index of the leaf before,
    /// or 0; the new one's is greater.
    async fn issue(&self, service: &ServiceName, after: u64) -> Result<Leaf, LeafError>;

    /// Key identifier of who signs now. A leaf of another issuer is due for renewal.
    fn issuer_key_id(&self) -> Option<String>;

    /// Returns once somebody else signs than `known`.
    async fn issuer_changed(&self, known: Option<&str>);

    /// When to replace `count` leafs of `issuer`, which signs no more: a pause for each, in
    /// rising order.
    async fn reissue_slots(&self, issuer: &str, count: usize) -> Vec<Duration>;

    /// The names of the services that are registered with this agent.
    fn registered(&self) -> HashSet<String>;
}

/// Why there is no leaf.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeafError {
    /// There is no certificate authority yet.
    #[error("cluster has no CA bootstrapped yet")]
    NoAuthority,
    /// Too many certificates were asked for. The text is Consul's.
    #[error("Rate limit reached, try again later")]
    RateLimited,
    /// The authority or its provider refused or failed.
    #[error("error issuing cert: {0}")]
    Failed(String),
}

/// What a reader gets.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Served {
    /// The leaf.
    pub leaf: Arc<Leaf>,
    /// Whether it was there already.
    pub hit: bool,
}

/// The agent's leafs. Clones are the same.
#[derive(Clone)]
pub struct Leafs {
    inner: Arc<Inner>,
}

struct Inner {
    source: Arc<dyn LeafSource>,
    clock: Clock,
    table: Mutex<Table>,
    hold: Hold,
    /// Rung when the earliest renewal may have changed.
    rescheduled: Notify,
}

impl Leafs {
    /// No leafs yet. [`Leafs::renew`] must run beside it.
    #[must_use]
    pub fn new(source: Arc<dyn LeafSource>, clock: Clock) -> Self {
        Self {
            inner: Arc::new(Inner {
                source,
                clock,
                table: Mutex::default(),
                hold: Hold::default(),
                rescheduled: Notify::new(),
            }),
        }
    }

    /// The leaf of `service` as it is: a usable one at once, else a new one.
    ///
    /// # Errors
    ///
    /// Only when there is no valid leaf and none can be had.
    pub async fn current(&self, service: &ServiceName) -> Result<Served, LeafError> {
        let entry = self.entry(service);
        entry.asked(self.inner.clock);
        if let Some(leaf) = entry.leaf().filter(|leaf| self.is_current(leaf)) {
            return Ok(Served { leaf, hit: true });
        }
        // The limit on signatures is reached, as it was said a moment ago: the older leaf, which
        // every peer accepts, is what there is.
        let limited = self.inner.hold.is_limited(self.inner.clock.now().mono);
        if let Some(leaf) = entry.leaf().filter(|leaf| limited && self.is_valid(leaf)) {
            return Ok(Served { leaf, hit: true });
        }
        let result = self.refresh(&entry).await;
        if result.is_err() {
            self.forget_if_empty(&entry);
        }
        result.map(|leaf| Served { leaf, hit: false })
    }

    /// The next leaf of `service` after the one with `index`, waiting for it until `deadline`
    /// (or as long as it takes); at the deadline the one there is.
    ///
    /// An `index` that no leaf of this agent has, as after a restart, does not wait: what the
    /// reader holds is not what the agent serves.
    ///
    /// # Errors
    ///
    /// As for [`Leafs::current`].
    pub async fn next(
        &self,
        service: &ServiceName,
        index: u64,
        deadline: Option<Instant>,
    ) -> Result<Served, LeafError> {
        let entry = self.entry(service);
        entry.asked(self.inner.clock);
        let held = entry.leaf().filter(|leaf| leaf.index == index);
        // One of an older issuer is replaced at its slot: whoever waits already has it.
        if !held.is_some_and(|leaf| self.is_valid(&leaf)) {
            let first = self.current(service).await?;
            if first.leaf.index != index {
                return Ok(first);
            }
        }
        let mut updates = entry.subscribe();
        let changed = async {
            loop {
                let leaf = updates.borrow_and_update().clone();
                if let Some(leaf) = leaf.filter(|leaf| leaf.index != index) {
                    return leaf;
                }
                if updates.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let waited = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, changed).await.ok(),
            None => Some(changed.await),
        };
        entry.asked(self.inner.clock);
        if let Some(leaf) = waited {
            return Ok(Served { leaf, hit: true });
        }
        match entry.leaf().filter(|leaf| self.is_valid(leaf)) {
            Some(leaf) => Ok(Served { leaf, hit: false }),
            None => self.current(service).await,
        }
    }

    /// How many leafs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// How many leafs that are still valid each issuer has signed, by its key identifier.
    #[must_use]
    pub fn by_issuer(&self) -> BTreeMap<String, usize> {
        let leafs: Vec<_> = self
            .lock()
            .values()
            .filter_map(|entry| entry.leaf())
            .collect();
        let mut counts = BTreeMap::new();
        for leaf in leafs.iter().filter(|leaf| self.is_valid(leaf)) {
            *counts.entry(leaf.issuer_key_id.clone()).or_default() += 1;
        }
        counts
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn entry(&self, service: &ServiceName) -> Arc<Entry> {
        let mut table = self.lock();
        if let Some(entry) = table.find(service) {
            return Arc::clone(entry);
        }
        if table.is_full() {
            table.make_room(&self.inner.source.registered());
        }
        let entry = Arc::new(Entry::new(service.clone(), self.inner.clock));
        table.insert(Arc::clone(&entry));
        entry
    }

    fn forget_if_empty(&self, entry: &Arc<Entry>) {
        let mut table = self.lock();
        let is_this = table
            .find(entry.service())
            .is_some_and(|known| Arc::ptr_eq(known, entry));
        if is_this && entry.leaf().is_none() {
            table.remove(entry.service());
        }
    }

    /// One flight per service: whoever comes second gets what the first one fetched. When the
    /// fetch fails and the old leaf is still valid, that one is served.
    async fn refresh(&self, entry: &Entry) -> Result<Arc<Leaf>, LeafError> {
        let _flight = entry.flight().await;
        let old = entry.leaf();
        if let Some(leaf) = old.as_ref().filter(|leaf| self.is_current(leaf)) {
            return Ok(Arc::clone(leaf));
        }
        match self.fetch(entry).await {
            Ok(leaf) => Ok(leaf),
            Err(error) => old.filter(|leaf| self.is_valid(leaf)).ok_or(error),
        }
    }

    async fn fetch(&self, entry: &Entry) -> Result<Arc<Leaf>, LeafError> {
        let leaf = self
            .inner
            .source
            .issue(entry.service(), entry.index())
            .await;
        let now = self.inner.clock.now();
        match leaf {
            Ok(leaf) => {
                self.granted(now);
                let leaf = Arc::new(leaf);
                entry.serve(Arc::clone(&leaf));
                self.schedule(entry, |_| Due::renewed(&leaf, now));
                Ok(leaf)
            }
            Err(error) => {
                entry.note_failure(error.to_string(), now);
                if matches!(error, LeafError::RateLimited) {
                    self.inner.hold.refused(now.mono);
                    self.schedule(entry, |due| due.limited(now));
                } else {
                    self.granted(now);
                    self.schedule(entry, |due| due.failed(now));
                }
                Err(error)
            }
        }
    }

    /// The limit is not reached: whoever was held back may go on.
    fn granted(&self, now: Now) {
        if self.inner.hold.granted(now.mono) {
            self.inner.rescheduled.notify_one();
        }
    }

    /// Sets when `entry` is due next, and has the renewals look at it if they sleep until later.
    fn schedule(&self, entry: &Entry, next: impl FnOnce(Due) -> Due) {
        if self.lock().schedule(entry, next(entry.due())) {
            self.inner.rescheduled.notify_one();
        }
    }

    fn is_valid(&self, leaf: &Leaf) -> bool {
        self.inner.clock.now().wall < leaf.valid_before
    }

    fn is_current(&self, leaf: &Leaf) -> bool {
        let issuer = self.inner.source.issuer_key_id();
        self.is_valid(leaf) && issuer.is_none_or(|issuer| issuer == leaf.issuer_key_id)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Table> {
        self.inner
            .table
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
