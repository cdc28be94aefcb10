//! What a worker needs to issue leafs without asking the server loop.

use std::time::Duration;

use crate::{Der, Timestamp, TrustDomain};

use super::{AuthorityRecord, CaConfiguration, CaRoot, Epoch, Lease, Stage};

/// How far before "now" a leaf's validity starts, so that a peer whose clock is a little late
/// does not refuse a leaf that was made for it a moment ago. Consul uses the same minute.
const BACKDATE: Duration = Duration::from_secs(60);

/// An immutable picture of who signs: published with the state, read by workers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SigningView {
    /// The incarnation that signs.
    pub epoch: Epoch,
    /// `<cluster id>.consul`.
    pub trust_domain: TrustDomain,
    /// The certificate of the issuer of leafs.
    pub issuer: Der,
    /// Key identifier of the issuer, colon-separated hex.
    pub issuer_key_id: String,
    /// Start of the issuer's validity: nothing is older than its issuer.
    pub issuer_not_before: Timestamp,
    /// End of the issuer's validity: nothing outlives its issuer.
    pub issuer_not_after: Timestamp,
    /// Certificates to send with a leaf, from its issuer upwards, the root left out.
    pub intermediates: Vec<Der>,
    /// Certificates to send after those, for peers that do not have the root yet.
    pub links: Vec<Der>,
    /// `LeafCertTTL`.
    pub leaf_life: Duration,
    /// End of the committed lease: no leaf may be valid after it.
    pub lease_until: Timestamp,
}

impl SigningView {
    pub(super) fn new(
        record: &AuthorityRecord,
        configuration: &CaConfiguration,
        root: &CaRoot,
        lease: &Lease,
    ) -> Option<Self> {
        let Stage::Serving { epoch } = record.stage else {
            return None;
        };
        Some(Self {
            epoch,
            trust_domain: record.trust_domain.clone(),
            issuer: root.issuer().clone(),
            issuer_key_id: root.signing_key_id.clone(),
            issuer_not_before: root.issuer_life().not_before,
            issuer_not_after: root.issuer_life().not_after,
            intermediates: root.intermediates.clone(),
            links: root
                .links
                .iter()
                .map(|link| link.certificate.clone())
                .collect(),
            leaf_life: configuration.lifetimes.leaf,
            lease_until: lease.until,
        })
    }

    /// First and last second of a leaf issued `now`: a minute back, one leaf life on, and never
    /// outside the issuer's validity or past the lease. `None` when nothing would be left of it.
    #[must_use]
    pub fn leaf_validity(&self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let not_before = now
            .saturating_sub(BACKDATE)
            .max(self.issuer_not_before)
            .whole_seconds();
        let not_after = now
            .saturating_add(self.leaf_life)
            .min(self.issuer_not_after)
            .min(self.lease_until)
            .whole_seconds();
        (now < not_after).then_some((not_before, not_after))
    }
}
