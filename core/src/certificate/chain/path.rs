//! From a leaf to a trusted root: what rustls-webpki builds, and what it leaves to us.

use std::cell::RefCell;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, Der, TrustAnchor, UnixTime};
use smallvec::SmallVec;
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use super::{PeerRole, TrustBundle};
use crate::certificate::facts::Facts;
use crate::certificate::{Algorithms, CaPolicy, Issuer, KeyId, Violation, rules};
use crate::time::Timestamp;

/// Finds a path to a root that is valid now; returns the key identifier of the leaf's issuer.
pub(super) fn verify<'c>(
    bundle: &TrustBundle,
    leaf: &Facts<'c>,
    behind: &[&'c [u8]],
    role: PeerRole,
    algorithms: Algorithms<'_>,
    now: Timestamp,
) -> Result<KeyId, Violation> {
    let search = Search::new(bundle, leaf, behind, now)?;
    search.check_complexity()?;

    let end_entity_der = CertificateDer::from(leaf.der);
    let end_entity = EndEntityCert::try_from(&end_entity_der).map_err(|_error| MALFORMED)?;
    let candidates: Vec<CertificateDer<'_>> = search
        .candidates
        .iter()
        .map(|facts| CertificateDer::from(facts.der))
        .collect();
    // Whoever may be an issuer is known now; webpki asks for purposes, times and signatures.
    let usage = match role {
        PeerRole::Client => KeyUsage::client_auth(),
        PeerRole::Server => KeyUsage::server_auth(),
    };
    let seconds = u64::try_from(now.unix_seconds()).unwrap_or(0);
    let broken = RefCell::new(None);
    let check_links = |path: &VerifiedPath<'_>| {
        search.check_links(path).map_err(|violation| {
            broken.replace(Some(violation));
            webpki::Error::UnknownIssuer
        })
    };
    let verified = end_entity.verify_for_usage(
        algorithms,
        &search.anchors,
        &candidates,
        UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
        usage,
        None,
        Some(&check_links),
    );
    match verified {
        Ok(_) => Ok(KeyId::from_bytes(
            leaf.extensions.authority_key_id.unwrap_or_default(),
        )),
        Err(error) => Err(broken.take().unwrap_or_else(|| search.explain(&error, now))),
    }
}

/// All that a path may be made of.
struct Search<'s, 'c> {
    leaf: &'s Facts<'c>,
    /// Certificates that may issue: those that break a rule are not offered to webpki.
    candidates: Vec<Facts<'c>>,
    /// The first rule that a certificate behind the leaf broke: the likely reason if no path
    /// is found.
    refused: Option<Violation>,
    roots: &'s [Issuer],
    /// The roots that are valid now.
    valid_roots: Vec<&'s Issuer>,
    /// Their anchors, in the same order.
    anchors: Vec<TrustAnchor<'s>>,
}

impl<'s, 'c> Search<'s, 'c> {
    fn new(
        bundle: &'s TrustBundle,
        leaf: &'s Facts<'c>,
        behind: &[&'c [u8]],
        now: Timestamp,
    ) -> Result<Self, Violation> {
        let mut search = Self {
            leaf,
            candidates: Vec::with_capacity(behind.len()),
            refused: None,
            roots: &bundle.roots,
            valid_roots: Vec::with_capacity(bundle.roots.len()),
            anchors: Vec::with_capacity(bundle.anchors.len()),
        };
        for (position, der) in behind.iter().enumerate() {
            // Consul 1.8 sends an intermediate twice.
            if behind.iter().take(position).any(|other| other == der) {
                continue;
            }
            let facts = Facts::parse(der)?;
            let checked = rules::check_ca(&facts, &CaPolicy::any())
                .and_then(|_key_id| rules::check_validity(&facts, now));
            match checked {
                Ok(()) => search.candidates.push(facts),
                Err(violation) => {
                    search.refused.get_or_insert(violation);
                }
            }
        }
        let now = now.whole_seconds();
        for (root, anchor) in bundle.roots.iter().zip(&bundle.anchors) {
            if root.not_before() <= now && now <= root.not_after() {
                search.valid_roots.push(root);
                search.anchors.push(borrowed(anchor));
            }
        }
        Ok(search)
    }

    /// Walks all ways to a root by names alone, as webpki will, and refuses more than a few:
    /// webpki's own budget is in the tens of milliseconds (RUSTSEC-2023-0053).
    fn check_complexity(&self) -> Result<(), Violation> {
        let mut steps = MAX_STEPS;
        let mut path = SmallVec::new();
        self.walk(self.leaf, &mut path, &mut steps)
    }

    fn walk(
        &self,
        head: &Facts<'_>,
        path: &mut SmallVec<[usize; 8]>,
        steps: &mut usize,
    ) -> Result<(), Violation> {
        let issuer = head.issuer_der();
        let roots = self.roots.iter();
        for _root in roots.filter(|root| root.subject_der() == issuer) {
            take_step(steps)?;
        }
        for (position, candidate) in self.candidates.iter().enumerate() {
            if candidate.subject_der() == issuer && !path.contains(&position) {
                take_step(steps)?;
                path.push(position);
                self.walk(candidate, path, steps)?;
                path.pop();
            }
        }
        Ok(())
    }

    /// What webpki does not ask of a path: key identifiers from link to link, and the root's
    /// path length.
    fn check_links(&self, path: &VerifiedPath<'_>) -> Result<(), Violation> {
        let mut child = self.leaf;
        let mut below = 0_u32;
        for certificate in path.intermediate_certificates() {
            let der = certificate.der();
            let found = self.candidates.iter().find(|facts| facts.der == &*der);
            let issuer = found.ok_or(MALFORMED)?;
            let key_id = issuer.extensions.subject_key_id.unwrap_or_default();
            rules::check_authority_key_id(child, key_id)?;
            child = issuer;
            below += 1;
        }
        let anchors = self.anchors.iter().zip(&self.valid_roots);
        let mut roots = anchors.filter(|(anchor, _)| std::ptr::eq(*anchor, path.anchor()));
        let (_, root) = roots.next().ok_or(MALFORMED)?;
        rules::check_authority_key_id(child, root.subject_key_id().as_bytes())?;
        match root.path_length() {
            Some(allowed) if allowed < below => Err(Violation::PathLength {
                found: below.to_string(),
                allowed: allowed.to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// webpki's word in ours.
    fn explain(&self, error: &webpki::Error, now: Timestamp) -> Violation {
        use webpki::Error;
        match error {
            Error::UnknownIssuer => self.explain_unknown(now),
            Error::InvalidSignatureForPublicKey => Violation::Signature {
                found: self.leaf.subject(),
            },
            Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
                Violation::SignatureAlgorithm {
                    found: self
                        .leaf
                        .certificate
                        .signature_algorithm
                        .algorithm
                        .to_id_string(),
                }
            }
            Error::PathLenConstraintViolated => {
                let constraints = self.candidates.iter().filter_map(|facts| {
                    let constraints = facts.extensions.basic_constraints.as_ref()?;
                    constraints.path_length
                });
                Violation::PathLength {
                    found: self.candidates.len().saturating_sub(1).to_string(),
                    allowed: rules::shown(constraints.min()),
                }
            }
            Error::NameConstraintViolation
            | Error::MalformedNameConstraint
            | Error::InvalidNetworkMaskConstraint => Violation::NameConstraint,
            Error::MaximumPathBuildCallsExceeded
            | Error::MaximumPathDepthExceeded
            | Error::MaximumSignatureChecksExceeded
            | Error::MaximumNameConstraintComparisonsExceeded => {
                Violation::PathComplexity { allowed: MAX_STEPS }
            }
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => Violation::Purpose {
                found: "another in an issuer".to_owned(),
                allowed: "the peer's role, in issuers that have any",
            },
            _ => MALFORMED,
        }
    }

    /// No path was found: a broken issuer or a root out of its time explains more than that.
    fn explain_unknown(&self, now: Timestamp) -> Violation {
        if let Some(violation) = &self.refused {
            return violation.clone();
        }
        let now = now.whole_seconds();
        let issuers = self.candidates.iter().chain([self.leaf]);
        let names: SmallVec<[&[u8]; 8]> = issuers.map(Facts::issuer_der).collect();
        let named = |root: &&Issuer| names.contains(&root.subject_der());
        for root in self.roots.iter().filter(named) {
            if now > root.not_after() {
                return Violation::Expired {
                    subject: root.subject().to_owned(),
                    found: root.not_after(),
                    now,
                };
            }
            if now < root.not_before() {
                return Violation::NotYetValid {
                    subject: root.subject().to_owned(),
                    found: root.not_before(),
                    now,
                };
            }
        }
        Violation::UnknownIssuer {
            found: self.leaf.issuer(),
            allowed: self.roots.len(),
        }
    }
}

/// The same anchor without a copy of its bytes.
fn borrowed<'a>(anchor: &'a TrustAnchor<'static>) -> TrustAnchor<'a> {
    let constraints = anchor.name_constraints.as_ref();
    TrustAnchor {
        subject: Der::from_slice(&anchor.subject),
        subject_public_key_info: Der::from_slice(&anchor.subject_public_key_info),
        name_constraints: constraints.map(|der| Der::from_slice(der)),
    }
}

const fn take_step(steps: &mut usize) -> Result<(), Violation> {
    match steps.checked_sub(1) {
        Some(left) => {
            *steps = left;
            Ok(())
        }
        None => Err(Violation::PathComplexity { allowed: MAX_STEPS }),
    }
}

const MALFORMED: Violation = Violation::Malformed {
    what: "certificate",
    allowed: "a certificate as RFC 5280 has it",
};

/// Six roots in a row that cross-sign each other need thirteen.
const MAX_STEPS: usize = 48;
