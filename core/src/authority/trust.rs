//! What peers may still hold, and when something is provably over.

use std::time::Duration;

use super::{
    Authority, AuthorityError, CaRoot, Epoch, Lease, Life, Link, NewIssuer, ProviderState,
    Rotation, Step,
};
use crate::{Der, Timestamp};

/// Certificates that are sent with a leaf, itself among them, at most: longer paths are refused
/// by TLS stacks.
pub const LONGEST_PATH: usize = 6;

/// How long a rotation may take before it is given up.
pub const PATIENCE: Duration = Duration::from_secs(3600);

/// How long an incarnation that signs no more is left alone: workers may be about to sign by the
/// view they read before the switch.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// How long it is tried to clean up after a provider that cannot be reached.
pub(super) const CLEAN_UP_PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long the wall clock must go steadily before something is forgotten of which nobody has
/// watched the whole wait: time for an operator to set a clock right.
pub const FORGET_HOLD: Duration = Duration::from_secs(3600);

/// When something is over, and when it began to come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) began: Timestamp,
    pub(super) over: Timestamp,
}

impl End {
    /// Whether it is proven `now`, when the wall clock has gone steadily since `steady_since`:
    /// either the whole wait was watched, or there was time to set a wrong clock right.
    pub(super) fn is_proven(self, steady_since: Timestamp, now: Timestamp) -> bool {
        let watched = steady_since <= self.began;
        let held = now.saturating_since(steady_since) >= FORGET_HOLD;
        self.over <= now && steady_since <= now && (watched || held)
    }
}

/// What leads from the root with the id `issuer` to the roots before `active`, if something leads
/// from it to `active` or it is the same. None of it is left out because of the time: only
/// [`Forget`](super::AuthorityCommand::Forget) knows what is proven.
pub(super) fn links_below(issuer: &str, active: &CaRoot) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for link in &active.links {
        // Roots that came back are reached by the newest link to them, or need none.
        let reached = link.signer == issuer
            || (link.signer == active.id && issuer != active.id)
            || links.iter().any(|newer| newer.signer == link.signer);
        if !reached {
            links.push(link.clone());
        }
    }
    links
}

/// How many links may be sent with leafs of `issuer`.
pub(super) fn most_links(issuer: &NewIssuer) -> usize {
    LONGEST_PATH.saturating_sub(1 + issuer.intermediates.len())
}

/// Whether a leaf with so many intermediates and these links is not more than peers accept.
pub(super) fn expect_short(
    links: &[Link],
    intermediates: usize,
    wall: Timestamp,
) -> Result<(), AuthorityError> {
    let length = 1 + intermediates + links.len();
    if length <= LONGEST_PATH {
        return Ok(());
    }
    let earliest = links.iter().map(|link| link.needed_until).min();
    Err(AuthorityError::PathTooLong {
        length,
        until: earliest.unwrap_or(wall),
    })
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
    /// among them. What signs must be led to each of them. Roots that have expired, and those
    /// that were left behind by force, lead nobody anywhere.
    #[must_use]
    pub fn anchors(&self, now: Timestamp) -> Vec<&CaRoot> {
        self.roots()
            .filter(|root| now <= root.not_after)
            .filter(|root| root.active || self.bundles_over_at(root).is_some_and(|over| now < over))
            .collect()
    }

    /// Those of the [anchors](Self::anchors) that the issuer of a rotation must be led to by
    /// `links`.
    pub(super) fn led_by(
        &self,
        rotation: &Rotation,
        issuer: &NewIssuer,
        links: &[Link],
        now: Timestamp,
    ) -> Vec<&CaRoot> {
        let left = self.left_behind(rotation, issuer, links);
        let mut led = self.anchors(now);
        led.retain(|root| root.id != issuer.id && !left.contains(&root.id.as_str()));
        led
    }

    /// Ids of the roots that a forced rotation does not lead to.
    pub(super) fn left_behind(
        &self,
        rotation: &Rotation,
        issuer: &NewIssuer,
        links: &[Link],
    ) -> Vec<&str> {
        let Some(active) = self.active_root().filter(|_| rotation.force) else {
            return Vec::new();
        };
        let others = active.links.iter().map(|link| link.signer.as_str());
        let led = |id: &&str| links.iter().any(|link| link.signer == **id);
        [active.id.as_str()]
            .into_iter()
            .chain(others)
            .filter(|id| *id != issuer.id && !led(id))
            .collect()
    }

    /// Until when a bundle in which `root` is the newest one may be in use.
    fn bundles_over_at(&self, root: &CaRoot) -> Option<Timestamp> {
        let age = self.configuration().map(|it| it.lifetimes.bundle);
        let by_age = |out: Timestamp| out.saturating_add(age.unwrap_or_default());
        root.bundles_until
            .or_else(|| root.rotated_out_at.map(by_age))
    }

    /// When a root that was rotated out is no longer needed: when no leaf under it can be alive,
    /// and no bundle in which it is the newest root can be in use. `None` while it is active.
    #[must_use]
    pub fn root_over_at(&self, root: &CaRoot) -> Option<Timestamp> {
        self.root_end(root).map(|end| end.over)
    }

    /// See [`root_over_at`](Self::root_over_at).
    pub(super) fn root_end(&self, root: &CaRoot) -> Option<End> {
        let out = root.rotated_out_at.filter(|_| !root.active)?;
        let bundles = self.bundles_over_at(root).unwrap_or(out);
        let over = self
            .leafs_over_at(&root.id)
            .into_iter()
            .chain(root.leafs_until)
            .fold(bundles, Timestamp::max);
        // The ends of leafs are moments, not waits: to see one pass proves nothing of a clock
        // that is ahead.
        Some(match root.retire_at {
            Some(at) if at <= over => End {
                began: out,
                over: at,
            },
            _ => End {
                began: Timestamp::ZERO,
                over,
            },
        })
    }

    /// When the last leaf under a root ends, as far as leases say. One whose root is not known
    /// may be of any root.
    pub(super) fn leafs_over_at(&self, root: &str) -> Option<Timestamp> {
        let of_it = |lease: &&Lease| {
            let of = self.root_of_lease(lease);
            of == root || of.is_empty()
        };
        let ends = self.leases().filter(of_it).map(|lease| lease.until);
        ends.max()
    }

    /// When `link`, of the active root, is no longer needed.
    pub(super) fn link_end_of(&self, link: &Link) -> End {
        let signer = self.root(&link.signer);
        End {
            began: signer
                .and_then(|signer| signer.rotated_out_at)
                .unwrap_or(Timestamp::ZERO),
            over: link.needed_until,
        }
    }

    /// When no leaf of a lease can be alive. How long that was watched nobody knows.
    pub(super) fn lease_end(&self, lease: &Lease) -> End {
        End {
            began: Timestamp::ZERO,
            over: lease.until,
        }
    }

    /// Whether the running rotation leads to the root with this id.
    pub(super) fn is_coming(&self, id: &str) -> bool {
        let rotation = self.record().and_then(|record| record.rotation.as_deref());
        let issuer = rotation.and_then(|rotation| match &rotation.step {
            Step::Linking { issuer } | Step::Trying { issuer, .. } => Some(issuer),
            Step::AwaitingSignature { root, .. } | Step::Accepting { root, .. } => Some(root),
            Step::Preparing => None,
        });
        issuer.is_some_and(|issuer| issuer.id == id)
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
    pub(super) fn given_up_at(&self, state: &ProviderState) -> Option<End> {
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
        Some(End {
            began: last,
            over: last.saturating_add(patience),
        })
    }
}
