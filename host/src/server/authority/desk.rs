//! Signing leafs: off the server loop, by the published view, writing nothing.

use std::sync::Arc;

use chancery_core::{
    CheckedCsr, CheckedLeaf, CsrPolicy, Serial, SigningView, Timestamp, Violation,
};
use chancery_providers::{ErrorKind, LeafRequest, ProviderError, Validity};

use super::{Active, AuthorityFailure, AuthorityHost};
use crate::crypto;
use crate::random::{self, NoRandomness};

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

impl AuthorityHost {
    /// Checks `csr` and signs what it asks for, for as long as the policy, the issuer and the
    /// lease allow.
    ///
    /// # Errors
    ///
    /// See [`SignError`].
    pub async fn sign_leaf(&self, csr: &[u8]) -> Result<CheckedLeaf, SignError> {
        let view = self.inner.server.view();
        let authority = view.state().authority();
        let signing = authority.signing_view().ok_or(SignError::NoAuthority)?;
        let policy = CsrPolicy::new(signing.trust_domain.clone(), self.inner.datacenter.clone());
        let csr = CheckedCsr::parse(csr, crypto::algorithms(), &policy)?;
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
            LeafRequest::new(&csr, leaf_serial()?, validity).ok_or(SignError::NoLeafIdentity)?;
        let active = self.signing_provider(&signing).await?;
        active
            .guard
            .issue_leaf(&request)
            .await
            .map_err(SignError::Provider)
    }

    async fn signing_provider(&self, signing: &SigningView) -> Result<Arc<Active>, SignError> {
        let view = self.inner.server.view();
        let authority = view.state().authority();
        let configuration = authority.configuration().ok_or(SignError::NoAuthority)?;
        let state = authority
            .provider_state(signing.epoch)
            .map(|state| &state.sealed);
        Ok(self.provider(signing.epoch, configuration, state).await?)
    }
}

/// 127 random bits, so that the number is positive and nobody can guess the next one.
fn leaf_serial() -> Result<Serial, NoRandomness> {
    let number = u128::from_be_bytes(random::bytes()?) >> 1;
    Serial::from_be_bytes(&number.max(1).to_be_bytes()).ok_or(NoRandomness)
}
