//! Signing leafs: off the server loop, by the published view, writing nothing.

use chancery_core::{
    CheckedCsr, CheckedLeaf, CsrPolicy, Der, Serial, SigningView, Timestamp, Violation,
};
use chancery_providers::{CaOptions, ErrorKind, KeySpec, LeafRequest, ProviderError, Validity};

use super::{AuthorityFailure, AuthorityHost};
use crate::crypto;
use crate::leaf_key::LeafKey;
use crate::random::{self, NoRandomness};
use crate::server::View;

/// Why a leaf was not signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The provider cannot be set up.
    #[error(transparent)]
    Authority(#[from] AuthorityFailure),
    /// The certificate request breaks the policy.
    #[error("{0}")]
    Csr(#[from] Violation),
    /// The issuer, or its lease, ends too soon for any leaf.
    #[error("the issuer {issuer} signs nothing any more: it ends at {ends}")]
    IssuerEnds {
        /// Key identifier of the issuer.
        issuer: String,
        /// The earlier end of certificate and lease.
        ends: Timestamp,
    },
    /// No root is active yet.
    #[error("cluster has no CA bootstrapped yet")]
    NoAuthority,
    /// The identity is one that no leaf can have.
    #[error("SPIFFE ID in CSR must be a service or agent ID")]
    NoLeafIdentity,
    /// The provider refused or failed.
    #[error("{}", .0.report())]
    Provider(ProviderError),
    /// There is no randomness.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

impl SignError {
    /// Whether the operator's limit on signatures was reached.
    #[must_use]
    pub const fn is_rate_limit(&self) -> bool {
        matches!(self, Self::Provider(error) if matches!(error.kind(), ErrorKind::RateLimited { .. }))
    }
}

/// A leaf, and what is sent with it for peers that do not have its root yet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SignedLeaf {
    /// The leaf and what leads to its root.
    pub leaf: CheckedLeaf,
    /// What leads from that root to older ones.
    pub links: Vec<Der>,
}

impl AuthorityHost {
    /// The kind of key that leafs are to have (`LeafKeyType`).
    #[must_use]
    pub fn leaf_key(&self) -> KeySpec {
        let view = self.inner.server.view();
        let authority = view.state().authority();
        let signing = authority.record().map(|record| record.stage.epoch());
        // It was configured with these very options, which need not be read for every leaf.
        if let Some(signs) = signing.and_then(|epoch| self.inner.incarnations.at_work(epoch)) {
            return signs.options.leaf_key;
        }
        authority
            .configuration()
            .and_then(|configuration| CaOptions::parse(&configuration.options).ok())
            .map_or(KeySpec::EcP256, |options| options.leaf_key)
    }

    /// Checks `csr`, its signature too, and signs what it asks for, for as long as the policy,
    /// the issuer and the lease allow.
    ///
    /// # Errors
    ///
    /// See [`SignError`].
    pub async fn sign_leaf(&self, csr: &[u8]) -> Result<SignedLeaf, SignError> {
        let view = self.inner.server.view();
        let signing = signing_view(&view)?;
        let policy = CsrPolicy::new(signing.trust_domain.clone(), self.inner.datacenter.clone());
        let csr = CheckedCsr::parse(csr, crypto::algorithms(), &policy)?;
        self.sign_checked(&view, &signing, &csr).await
    }

    /// The same for a key that was made in this process.
    pub(crate) async fn sign_own(&self, key: &LeafKey) -> Result<SignedLeaf, SignError> {
        let view = self.inner.server.view();
        let signing = signing_view(&view)?;
        let trust_domain = signing.trust_domain.clone();
        let csr = key.request(trust_domain, self.inner.datacenter.clone())?;
        self.sign_checked(&view, &signing, &csr).await
    }

    async fn sign_checked(
        &self,
        view: &View,
        signing: &SigningView,
        csr: &CheckedCsr,
    ) -> Result<SignedLeaf, SignError> {
        let failed = match self.sign_by(view, signing, csr).await {
            Ok(signed) => return Ok(signed),
            Err(error) => error,
        };
        // Whoever signed may have been replaced, and cleaned up, since the view was read.
        let view = self.inner.server.view();
        let newer = signing_view(&view)?;
        if newer.epoch == signing.epoch {
            return Err(failed);
        }
        self.sign_by(&view, &newer, csr).await
    }

    async fn sign_by(
        &self,
        view: &View,
        signing: &SigningView,
        csr: &CheckedCsr,
    ) -> Result<SignedLeaf, SignError> {
        let now = self.inner.server.clock().now().wall;
        let (not_before, not_after) =
            signing
                .leaf_validity(now)
                .ok_or_else(|| SignError::IssuerEnds {
                    issuer: signing.issuer_key_id.clone(),
                    ends: signing.issuer_not_after.min(signing.lease_until),
                })?;
        let validity = Validity {
            not_before,
            not_after,
        };
        let request =
            LeafRequest::new(csr, leaf_serial()?, validity).ok_or(SignError::NoLeafIdentity)?;
        let incarnation = match self.inner.incarnations.at_work(signing.epoch) {
            Some(at_work) => at_work,
            None => {
                let authority = view.state().authority();
                let configuration = authority.configuration().ok_or(SignError::NoAuthority)?;
                let memory = authority.memory(signing.epoch);
                self.incarnation(signing.epoch, configuration, memory.as_ref())
                    .await?
            }
        };
        let leaf = incarnation.guard.issue_leaf(&request).await;
        Ok(SignedLeaf {
            leaf: leaf.map_err(SignError::Provider)?,
            links: signing.links.clone(),
        })
    }
}

fn signing_view(view: &View) -> Result<SigningView, SignError> {
    let signing = view.state().authority().signing_view();
    signing.ok_or(SignError::NoAuthority)
}

/// 127 random bits, so that the number is positive and nobody can guess the next one.
pub(super) fn leaf_serial() -> Result<Serial, NoRandomness> {
    let number = u128::from_be_bytes(random::bytes()?) >> 1;
    Serial::from_be_bytes(&number.max(1).to_be_bytes()).ok_or(NoRandomness)
}
