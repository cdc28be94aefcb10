//! The certificate policy, applied to whatever a provider answers.

use std::sync::{Arc, PoisonError, RwLock};

use chancery_core::{
    CaPolicy, CheckedIntermediate, CheckedLeaf, CheckedRoot, IntermediateExpectation, Issuer,
    LeafExpectation, LeafPolicy, Secret, SignatureCheck, SpiffeId, Timestamp, Violation,
};
use rustls_pki_types::{
    CertificateDer, CertificateSigningRequestDer, SignatureVerificationAlgorithm,
};

use crate::{
    AcceptIntermediateRequest, CrossSignRequest, IntermediateAnswer, LeafRequest, ProviderError,
    RootAnswer, SignIntermediateRequest, SignedLeaf,
};

/// Checks answers, and remembers who may have signed them.
pub(super) struct Auditor {
    algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
    leaf_signatures: SignatureCheck,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    leaf_policy: LeafPolicy,
    /// Whether leafs have the serial numbers that were asked for: the provider says so.
    serials_as_asked: bool,
    issuers: RwLock<Issuers>,
}

#[derive(Clone, Default)]
struct Issuers {
    root: Option<Arc<CheckedRoot>>,
    /// What signs leafs, newest first. The one before is kept for leafs that were under way
    /// when it was replaced.
    leaf: Vec<Arc<Issuer>>,
}

impl Issuers {
    fn sign_by(&mut self, issuer: Issuer) {
        if self.leaf.first().is_some_and(|newest| **newest == issuer) {
            return;
        }
        self.leaf.insert(0, Arc::new(issuer));
        self.leaf.truncate(2);
        // A root above an intermediate that signs was never asked to sign leafs.
        if let Some(root) = &self.root
            && self.leaf.len() > 1
        {
            self.leaf.retain(|known| **known != *root.issuer());
        }
    }
}

impl Auditor {
    pub(super) fn new(
        algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
        leaf_signatures: SignatureCheck,
        clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
        serials_as_asked: bool,
    ) -> Self {
        Self {
            algorithms,
            leaf_signatures,
            clock,
            leaf_policy: LeafPolicy::issued(),
            serials_as_asked,
            issuers: RwLock::default(),
        }
    }

    /// What a host that restarted has committed.
    pub(super) fn expect(
        &self,
        root: &[u8],
        intermediate: Option<&[u8]>,
    ) -> Result<(), ProviderError> {
        let root = CheckedRoot::restore(root).map_err(ProviderError::violating)?;
        let issuer = match intermediate {
            Some(der) => CheckedIntermediate::restore(der)
                .map_err(ProviderError::violating)?
                .issuer()
                .clone(),
            None => root.issuer().clone(),
        };
        self.remember(|issuers| {
            issuers.root = Some(Arc::new(root));
            issuers.leaf = vec![Arc::new(issuer)];
        });
        Ok(())
    }

    /// A root is good, and stays the same as long as this instance lives.
    pub(super) fn root(&self, answer: RootAnswer) -> Result<RootAnswer, ProviderError> {
        let now = (self.clock)();
        let root = CheckedRoot::check(&answer.certificate, &CaPolicy::any(), self.algorithms, now)
            .map_err(ProviderError::violating)?;
        if let Some(known) = self.issuers().root {
            if *known == root {
                return Ok(answer);
            }
            return Err(ProviderError::breaking(
                "root_changed",
                format!(
                    "the provider's root changed: it was {}, now it is {}",
                    known.id(),
                    root.id()
                ),
            ));
        }
        self.remember(|issuers| {
            if issuers.leaf.is_empty() {
                issuers.sign_by(root.issuer().clone());
            }
            issuers.root = Some(Arc::new(root));
        });
        Ok(answer)
    }

    /// An intermediate that is ready was signed, step by step, by the root.
    pub(super) fn intermediate(
        &self,
        answer: IntermediateAnswer,
    ) -> Result<IntermediateAnswer, ProviderError> {
        let IntermediateAnswer::Ready { chain, .. } = &answer else {
            return Ok(answer);
        };
        let root = self.known_root()?;
        let issuer = self.leads_to(&root, chain.iter());
        let issuer = issuer.map_err(ProviderError::violating)?;
        self.remember(|issuers| issuers.sign_by(issuer));
        Ok(answer)
    }

    /// An intermediate that somebody signed for a CA's own root was signed by that root. Asked
    /// before the provider is, which may know no better.
    pub(super) fn acceptable(
        &self,
        request: &AcceptIntermediateRequest,
    ) -> Result<(), ProviderError> {
        let root = self.known_root()?;
        let chain = request.chain.iter();
        let chain = chain.filter(|certificate| certificate.as_ref() != root.issuer().der());
        self.leads_to(&root, chain).map(drop).map_err(|violation| {
            ProviderError::refused(format!(
                "the intermediate does not stand on this CA's root: {violation}"
            ))
        })
    }

    /// The first of `chain`, if every step of it up to `root` was signed by the next.
    fn leads_to<'c>(
        &self,
        root: &CheckedRoot,
        chain: impl DoubleEndedIterator<Item = &'c CertificateDer<'static>>,
    ) -> Result<Issuer, Violation> {
        let mut issuer = None;
        for certificate in chain.rev() {
            let above = issuer.as_ref().unwrap_or_else(|| root.issuer());
            let own = CheckedIntermediate::restore(certificate)?;
            let expected = IntermediateExpectation {
                spki_der: own.issuer().spki_der(),
                issuer: above,
                not_after: above.not_after(),
                policy: &CaPolicy::any(),
                signature: SignatureCheck::Verify,
            };
            let now = (self.clock)();
            let checked = CheckedIntermediate::check(certificate, &expected, self.algorithms, now)?;
            issuer = Some(checked.issuer().clone());
        }
        issuer.ok_or(Violation::ChainLength {
            found: 0,
            allowed: 1,
        })
    }

    /// From now on leafs are signed by what was accepted.
    pub(super) fn accepted(
        &self,
        request: &AcceptIntermediateRequest,
        state: Secret,
    ) -> Result<Secret, ProviderError> {
        let first = request
            .chain
            .first()
            .ok_or_else(|| ProviderError::refused("the chain is empty"))?;
        let accepted = CheckedIntermediate::restore(first).map_err(ProviderError::violating)?;
        self.remember(|issuers| issuers.sign_by(accepted.issuer().clone()));
        Ok(state)
    }

    /// Says whether leafs have the serial numbers that were asked for.
    pub(super) const fn expect_serials(&mut self, as_asked: bool) {
        self.serials_as_asked = as_asked;
    }

    /// A leaf is for the key and the identity it was asked for, and holds nothing else.
    pub(super) fn leaf(
        &self,
        request: &LeafRequest,
        signed: SignedLeaf,
    ) -> Result<CheckedLeaf, ProviderError> {
        let identity = SpiffeId::parse(&request.template.uri).map_err(|error| {
            ProviderError::refused(format!("the leaf asked for has no identity: {error}"))
        })?;
        let issuers = self.issuers().leaf;
        let SignedLeaf { chain, signed_by } = signed;
        let mut chain: Vec<Vec<u8>> = chain
            .into_iter()
            .map(|certificate| certificate.as_ref().to_vec())
            .collect();
        let now = (self.clock)();
        let mut newest = issuers.iter().peekable();
        while let Some(issuer) = newest.next() {
            let expected = LeafExpectation {
                identity: &identity,
                spki_der: &request.public_key,
                not_before: request.template.validity.not_before,
                not_after: request.template.validity.not_after,
                issuer,
                policy: &self.leaf_policy,
                signature: match &signed_by {
                    // This process made the signature, with this issuer's key.
                    Some(key) if key == issuer.spki_der() => SignatureCheck::ParseOnly,
                    _ => self.leaf_signatures,
                },
            };
            let last = newest.peek().is_none();
            let offered = if last {
                std::mem::take(&mut chain)
            } else {
                chain.clone()
            };
            match CheckedLeaf::check(offered, &expected, self.algorithms, now) {
                Ok(leaf) => return self.with_its_serial(request, leaf),
                Err(violation) if last || !names_another_issuer(&violation) => {
                    return Err(ProviderError::violating(violation));
                }
                Err(_) => {}
            }
        }
        Err(ProviderError::refused(
            "no issuer is known yet: the provider was not asked for its root",
        ))
    }

    /// What a provider says that it can do, it does.
    fn with_its_serial(
        &self,
        request: &LeafRequest,
        leaf: CheckedLeaf,
    ) -> Result<CheckedLeaf, ProviderError> {
        let asked_for = &request.template.serial;
        if self.serials_as_asked && leaf.serial() != asked_for {
            return Err(ProviderError::breaking(
                "other_serial",
                format!(
                    "the leaf has the serial number {}, asked for was {asked_for}, and the \
                     provider claims to take that (chooses-serials)",
                    leaf.serial()
                ),
            ));
        }
        Ok(leaf)
    }

    /// An intermediate is for the key it was asked for, and was signed by the root.
    pub(super) fn signed_intermediate(
        &self,
        request: &SignIntermediateRequest,
        signed: CertificateDer<'static>,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        let mut policy = CaPolicy::any();
        policy.path_length = Some(u32::from(request.template.path_length));
        let root = self.known_root()?;
        let expected = IntermediateExpectation {
            spki_der: &request.public_key,
            issuer: root.issuer(),
            not_after: request.template.validity.not_after,
            policy: &policy,
            signature: SignatureCheck::Verify,
        };
        self.check_ca(&signed, &expected)?;
        Ok(signed)
    }

    /// A request for the root has the root's name and was made with its key.
    pub(super) fn root_csr(
        &self,
        csr: Option<CertificateSigningRequestDer<'static>>,
    ) -> Result<Option<CertificateSigningRequestDer<'static>>, ProviderError> {
        if let Some(csr) = &csr {
            let root = self.known_root()?;
            root.issuer()
                .check_own_request(csr, self.algorithms)
                .map_err(ProviderError::violating)?;
        }
        Ok(csr)
    }

    /// A request that comes with a foreign root is that root's. Asked before the provider is,
    /// which may sign whatever the request says.
    pub(super) fn signable(&self, request: &CrossSignRequest) -> Result<(), ProviderError> {
        let Some(csr) = &request.csr else {
            return Ok(());
        };
        CheckedRoot::restore(&request.root)
            .and_then(|root| root.issuer().check_own_request(csr, self.algorithms))
            .map_err(|violation| {
                ProviderError::refused(format!(
                    "the request that came with the root to cross-sign is not the root's: \
                     {violation}"
                ))
            })
    }

    /// A cross-signed root has the foreign root's name, key and key identifier, else no chain
    /// through it would close.
    pub(super) fn cross_signed(
        &self,
        request: &CrossSignRequest,
        signed: CertificateDer<'static>,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        let foreign = CheckedRoot::restore(&request.root).map_err(|violation| {
            ProviderError::refused(format!("this root cannot be cross-signed: {violation}"))
        })?;
        let foreign = foreign.issuer();
        let root = self.known_root()?;
        let expected = IntermediateExpectation {
            spki_der: foreign.spki_der(),
            issuer: root.issuer(),
            not_after: request.validity.not_after,
            policy: &CaPolicy::any(),
            signature: SignatureCheck::Verify,
        };
        let checked = self.check_ca(&signed, &expected)?;
        if checked.subject_der() != foreign.subject_der() {
            return Err(ProviderError::breaking(
                "cross_signed_name",
                format!(
                    "the cross-signed certificate has another name than the root: {}, it must be {}",
                    checked.subject(),
                    foreign.subject()
                ),
            ));
        }
        if checked.subject_key_id() != foreign.subject_key_id() {
            return Err(ProviderError::breaking(
                "cross_signed_key_id",
                format!(
                    "the cross-signed certificate has another key identifier than the root: {}, \
                 it must be {}",
                    checked.subject_key_id(),
                    foreign.subject_key_id()
                ),
            ));
        }
        Ok(signed)
    }

    fn check_ca(
        &self,
        certificate: &[u8],
        expected: &IntermediateExpectation<'_>,
    ) -> Result<Issuer, ProviderError> {
        CheckedIntermediate::check(certificate, expected, self.algorithms, (self.clock)())
            .map(|checked| checked.issuer().clone())
            .map_err(ProviderError::violating)
    }

    fn known_root(&self) -> Result<Arc<CheckedRoot>, ProviderError> {
        self.issuers().root.ok_or_else(|| {
            ProviderError::refused("no root is known yet: the provider was not asked for it")
        })
    }

    fn issuers(&self) -> Issuers {
        self.issuers
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn remember(&self, change: impl FnOnce(&mut Issuers)) {
        change(&mut self.issuers.write().unwrap_or_else(PoisonError::into_inner));
    }
}

const fn names_another_issuer(violation: &Violation) -> bool {
    matches!(
        violation,
        Violation::IssuerName { .. } | Violation::AuthorityKeyId { .. }
    )
}
