//! What peers may still hold, and when something is provably over.

use std::time::Duration;

use super::{Authority, CaRoot, Epoch, Lease, Life, Link, ProviderState};
use crate::{Der, Timestamp};

/// Certificates that are sent with a leaf, itself among them, at most: longer paths are refused
/// by TLS stacks.
pub(super) const LONGEST_PATH: usize = 6;

/// How long a rotation may take before it is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(3600);

/// How long an incarnation that signs no more is left alone: workers may be about to sign by the
/// view they read before the switch.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// How long it is tried to clean up after a provider that cannot be reached.
pub(super) const CLEAN_UP_PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long the wall clock must go steadily before something is forgotten that came to be of no
/// use while nobody watched the clock: time for an operator to set a clock right.
pub const FORGET_HOLD: Duration = Duration::from_secs(3600);

/// Whether it is proven `now` that something was over at `over`, when the wall clock has gone
/// steadily since `steady_since`.
pub(super) fn is_proven(over: Timestamp, steady_since: Timestamp, now: Timestamp) -> bool {
    let watched = steady_since <= over;
    let held = now.saturating_since(steady_since) >= FORGET_HOLD;
    over <= now && steady_since <= now && (watched || held)
}

/// The links of `root` that some bundle in use may still need.
pub(super) fn needed_links(root: &CaRoot, now: Timestamp) -> Vec<Link> {
    let needed = |link: &&Link| now < link.needed_until;
    root.links.iter().filter(needed).cloned().collect()
}

impl CaRoot {
    /// Validity of the certificate that signs leafs under this root.
    #[must_use]
    pub fn issuer_life(&self) -> Life {
        self.intermediate_life.unwrap_or(Life {
            not_before: self.not_before,
            not_after: self.not_after,
        })
    }

    /// The certificate that signs leafs under this root: the first intermediate, or the root.
    #[must_use]
    pub fn issuer(&self) -> &Der {
        self.intermediates.first().unwrap_or(&self.certificate)
    }
}

impl Authority {
    /// Every root that may be the newest one in a bundle that a peer still uses, the active one
    /// among them. What signs must be led to each of them.
    #[must_use]
    pub fn anchors(&self, now: Timestamp) -> Vec<&CaRoot> {
        let age = self.configuration().map(|it| it.lifetimes.bundle);
        let oldest = now.saturating_sub(age.unwrap_or_default());
        let broken = self.record().and_then(|record| record.broken_at);
        self.roots()
            .filter(|root| {
                root.active
                    || root
                        .rotated_out_at
                        .is_some_and(|out| out > oldest && broken.is_none_or(|broken| out > broken))
            })
            .collect()
    }

    /// When a root that was rotated out is no longer needed: when no leaf under it can be alive,
    /// and no bundle in which it is the newest root can be in use. `None` while it is active.
    #[must_use]
    pub fn root_over_at(&self, root: &CaRoot) -> Option<Timestamp> {
        let out = root.rotated_out_at.filter(|_| !root.active)?;
        let age = self.configuration().map(|it| it.lifetimes.bundle);
        let over = self
            .leases()
            .filter(|lease| self.root_of_lease(lease) == root.id)
            .map(|lease| lease.until)
            .fold(out.saturating_add(age.unwrap_or_default()), Timestamp::max);
        Some(root.retire_at.map_or(over, |at| at.min(over)))
    }

    /// Id of the root under which the issuer of `lease` signs.
    pub(super) fn root_of_lease<'a>(&'a self, lease: &'a Lease) -> &'a str {
        if !lease.root.is_empty() {
            return &lease.root;
        }
        self.roots()
            .find(|root| root.signing_key_id == lease.issuer)
            .map_or("", |root| &root.id)
    }

    /// Whether the key `issuer` signs leafs now.
    pub(super) fn signs(&self, issuer: &str) -> bool {
        self.active_root()
            .is_some_and(|root| root.signing_key_id == issuer)
    }

    /// Whether a root of the incarnation is still in the bundle.
    pub(super) fn is_trusted(&self, epoch: Epoch) -> bool {
        self.roots().any(|root| root.epoch == epoch)
    }

    /// When nobody tries any more to clean up after a retired incarnation: at once if it never
    /// made anything that was committed and its provider cannot even be set up.
    pub(super) fn given_up_at(&self, state: &ProviderState) -> Option<Timestamp> {
        let retired = state.retired.as_ref()?;
        if self.is_trusted(state.epoch) {
            return None;
        }
        let patience = if state.sealed.as_bytes().is_empty() {
            PATIENCE
        } else {
            CLEAN_UP_PATIENCE
        };
        let last = retired.over_at.unwrap_or(retired.at);
        Some(last.saturating_add(patience))
    }
}
