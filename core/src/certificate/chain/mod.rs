//! Verifying a peer: from the bytes that it showed to a service's identity.

mod path;

use std::fmt;

use rustls_pki_types::{CertificateDer, TrustAnchor};

use super::facts::Facts;
use super::{
    Algorithms, CheckedRoot, Issuer, KeyId, LeafPolicy, Serial, Violation, certificates_from_pem,
    rules,
};
use crate::identity::{ServiceId, SpiffeId, TrustDomain};
use crate::time::Timestamp;

/// Which end of the connection the peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum PeerRole {
    /// The peer connected to us: its leaf needs clientAuth.
    Client,
    /// We connected to the peer: its leaf needs serverAuth.
    Server,
}

/// The roots that are trusted for one trust domain.
///
/// Immutable and meant to be shared: a rotation makes another. The law of verification is
/// [`TrustBundle::verify_peer`].
#[derive(Clone)]
pub struct TrustBundle {
    trust_domain: TrustDomain,
    roots: Vec<Issuer>,
    /// One for each root, in the same order.
    anchors: Vec<TrustAnchor<'static>>,
}

/// A peer whose chain stands on a trusted root and whose leaf is a service's of our trust
/// domain. Whether it may connect is for intentions to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedPeer {
    id: ServiceId,
    serial: Serial,
    not_after: Timestamp,
    authority_key_id: KeyId,
}

impl TrustBundle {
    /// A bundle of roots that have been checked. Roots that come twice are kept once.
    ///
    /// # Errors
    /// When the path builder cannot read a root.
    pub fn new(
        trust_domain: TrustDomain,
        roots: impl IntoIterator<Item = CheckedRoot>,
    ) -> Result<Self, Violation> {
        let mut bundle = Self {
            trust_domain,
            roots: Vec::new(),
            anchors: Vec::new(),
        };
        for root in roots {
            let root = root.issuer();
            if bundle.roots.contains(root) {
                continue;
            }
            let der = CertificateDer::from(root.der());
            let anchor =
                webpki::anchor_from_trusted_cert(&der).map_err(|_error| Violation::Malformed {
                    what: "root",
                    allowed: "a certificate as RFC 5280 has it",
                })?;
            bundle.anchors.push(anchor.to_owned());
            bundle.roots.push(root.clone());
        }
        Ok(bundle)
    }

    /// A bundle from PEM, as `/v1/connect/ca/roots?pem=true` gives it.
    ///
    /// # Errors
    /// When the text is no PEM, or a root breaks a rule of form.
    pub fn from_pem(trust_domain: TrustDomain, pem: &[u8]) -> Result<Self, Violation> {
        let ders = certificates_from_pem(pem)?;
        let roots: Result<Vec<_>, _> = ders.iter().map(|der| CheckedRoot::restore(der)).collect();
        Self::new(trust_domain, roots?)
    }

    /// The trust domain.
    #[must_use]
    pub const fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The trusted roots.
    #[must_use]
    pub fn roots(&self) -> &[Issuer] {
        &self.roots
    }

    /// Verifies the chain that a peer showed, leaf first.
    ///
    /// In this order, cheapest first, so that a stranger buys no CPU time: number and size, the
    /// leaf's own rules and identity, the issuers' own rules, the number of ways to a root, and
    /// only then signatures.
    ///
    /// # Errors
    /// The first rule that the chain breaks.
    pub fn verify_peer(
        &self,
        chain: &[&[u8]],
        role: PeerRole,
        algorithms: Algorithms<'_>,
        now: Timestamp,
    ) -> Result<VerifiedPeer, Violation> {
        rules::check_size(chain)?;
        let Some((leaf, behind)) = chain.split_first() else {
            return Err(Violation::ChainLength {
                found: 0,
                allowed: 1,
            });
        };
        let leaf = Facts::parse(leaf)?;
        let id = self.check_leaf(&leaf, role)?;
        rules::check_validity(&leaf, now)?;
        let authority_key_id = path::verify(self, &leaf, behind, role, algorithms, now)?;
        Ok(VerifiedPeer {
            id,
            serial: leaf.serial,
            not_after: leaf.not_after,
            authority_key_id,
        })
    }

    /// The service that a leaf is made out to and the last second of its life, by the rules of
    /// form alone: nothing here is verified.
    ///
    /// For a leaf whose chain [`verify_peer`](Self::verify_peer) has found good before, and for
    /// one's own.
    ///
    /// # Errors
    /// The first rule of form that the leaf breaks.
    pub fn read_leaf(
        &self,
        leaf: &[u8],
        role: PeerRole,
    ) -> Result<(ServiceId, Timestamp), Violation> {
        let leaf = Facts::parse(leaf)?;
        Ok((self.check_leaf(&leaf, role)?, leaf.not_after))
    }

    fn check_leaf(&self, leaf: &Facts<'_>, role: PeerRole) -> Result<ServiceId, Violation> {
        let uri = rules::check_leaf(leaf, &LeafPolicy::peer(), role)?;
        let identity = SpiffeId::parse(uri).map_err(Violation::Identity)?;
        if *identity.trust_domain() != self.trust_domain {
            return Err(Violation::TrustDomain {
                found: identity.trust_domain().to_string(),
                allowed: self.trust_domain.to_string(),
            });
        }
        match identity {
            SpiffeId::Service(id) => Ok(id),
            SpiffeId::Agent(_) | SpiffeId::Signing(_) => Err(Violation::NotService {
                found: uri.to_owned(),
            }),
        }
    }
}

impl fmt::Debug for TrustBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subjects: Vec<_> = self.roots.iter().map(Issuer::subject).collect();
        f.debug_struct("TrustBundle")
            .field("trust_domain", &self.trust_domain)
            .field("roots", &subjects)
            .finish()
    }
}

impl VerifiedPeer {
    /// Who it is.
    #[must_use]
    pub const fn id(&self) -> &ServiceId {
        &self.id
    }

    /// Its leaf's serial number.
    #[must_use]
    pub const fn serial(&self) -> &Serial {
        &self.serial
    }

    /// The last second of its leaf's life.
    #[must_use]
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// The identifier of the key that signed its leaf.
    #[must_use]
    pub const fn authority_key_id(&self) -> &KeyId {
        &self.authority_key_id
    }
}

#[cfg(test)]
mod tests;
