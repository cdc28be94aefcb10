//! The contract between the host and a certificate authority.
//!
//! | method | built-in | Vault | plugin (`chancery:ca`) |
//! |---|---|---|---|
//! | `describe` | constant | constant, less what preflight found missing | `describe` |
//! | `configure` | reads `PrivateKey` and `RootCert`, loads its state | `auth/token/lookup-self`, `sys/capabilities-self`, mounts and role | `configure` |
//! | `root` | makes a key, or has been given it | `<root>/root/generate/internal`, or the issuer's certificate by id | `root` |
//! | `intermediate` | CSR | `<inter>/intermediate/generate/internal`, `<root>/issuer/<id>/sign-intermediate`, `set-signed` | `intermediate` |
//! | `accept_intermediate` | keeps the chain | `<inter>/intermediate/set-signed` | `accept-intermediate` |
//! | `sign_leaf` | signs | `<inter>/issuer/<id>/sign/leaf-cert` | `sign-leaf` |
//! | `sign_intermediate` | signs | `<root>/issuer/<id>/sign-intermediate` | `sign-intermediate` |
//! | `root_csr` | signs a request | `<root>/intermediate/cross-sign` | none |
//! | `cross_sign` | signs | `<root>/issuer/<id>/sign-intermediate` from a request, else `<root>/issuer/<id>/sign-self-issued` | `cross-sign` |
//! | `findings` | nothing | `auth/token/lookup-self` | `findings.report` |
//! | `clean_up` | forgets the keys | `DELETE <inter>/issuer/<id>`, `DELETE sys/mounts/<inter>` | `clean-up` |

use async_trait::async_trait;
use chancery_core::Secret;
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};

use crate::{
    AcceptIntermediateRequest, CleanUpRequest, ConfigureRequest, CrossSignRequest, Description,
    Finding, IntermediateAnswer, IntermediateRequest, LeafRequest, ProviderError, RootAnswer,
    RootRequest, SignIntermediateRequest, SignedLeaf,
};

/// A certificate authority behind Chancery.
///
/// **Life.** A constructor makes it empty; [`configure`](Self::configure) is called once and
/// alone (`&mut`); from then on every method may run at the same time as any other, from many
/// tasks. A changed configuration makes a new instance beside the old one, which finishes its
/// calls and is dropped. An instance has at most one root in its life.
///
/// **State.** What an instance must know after a restart it returns as `state`, and gets back
/// in [`ConfigureRequest::state`]. The newest answer's state replaces all earlier ones. The
/// host seals it and commits it together with the certificate it came with. Nothing else may
/// be persisted on this machine; a remote backend may of course keep what it signs with.
///
/// **Errors.** The kind says what the caller does; see [`ErrorKind`](crate::ErrorKind). No
/// message may hold a secret. What is not among the [capabilities](crate::Capabilities) is
/// `Refused`, and so is signing before there is anything to sign with.
///
/// **The guard** around every provider sees to deadlines (a call's future may be dropped at any
/// await), retries of retryable kinds, rate limits, and checks each answer against the policy.
/// A provider does none of these itself.
#[async_trait]
pub trait CaProvider: Send + Sync {
    /// Name and capabilities.
    ///
    /// Cheap, never fails, any time. Before `configure` it says what this kind of provider can
    /// do at most; afterwards what it can do as configured.
    fn describe(&self) -> Description;

    /// Takes its options, its secrets and its state, and proves that it can work.
    ///
    /// Called once with success; after an error it may be called again. Reaches its backend
    /// but creates nothing there that the same call would not find and reuse the next time.
    /// May persist nothing here. Errors: `Misconfigured` (Consul's own texts, in Consul's
    /// order), `Unauthorised`, `Unavailable`, `RateLimited`; `Broken` if the state cannot be
    /// read. Guard: deadline, retries.
    async fn configure(&mut self, request: &ConfigureRequest) -> Result<(), ProviderError>;

    /// Describes the root, making one only if this instance has none or a new one is wanted.
    ///
    /// May be called twice, also at the same time: all calls on one instance get the same
    /// root. After a crash it is asked again with the same operation and the state of the last
    /// commit: a remote backend that has made a root for this operation finds it and answers
    /// with it; one that holds nothing outside its state makes another, which is fine, as
    /// nobody ever saw the first. Persist: in the answer's state. Errors: all kinds. Guard:
    /// deadline, retries, root policy.
    async fn root(&self, request: &RootRequest) -> Result<RootAnswer, ProviderError>;

    /// Makes or renews the intermediate that signs leafs, or a CSR for it.
    ///
    /// May be called twice: the same operation gives the same key. Without
    /// [`renew`](IntermediateRequest::renew) an intermediate that signs already is answered
    /// with, so that restarts never make a second one. With a CSR, signing goes on with the old issuer until
    /// [`accept_intermediate`](Self::accept_intermediate). Persist: in the answer's state.
    /// Errors: `Refused` without `own_intermediate` and `external_intermediate`, else all
    /// kinds. Guard: deadline, retries, intermediate policy.
    async fn intermediate(
        &self,
        request: &IntermediateRequest,
    ) -> Result<IntermediateAnswer, ProviderError>;

    /// Takes the intermediate that was signed for the newest CSR, and returns the new state.
    ///
    /// May be called twice with the same chain. From its success on leafs are signed by it.
    /// Errors: `Refused` if the chain is for another key or there is no CSR. Guard: deadline,
    /// retries.
    async fn accept_intermediate(
        &self,
        request: &AcceptIntermediateRequest,
    ) -> Result<Secret, ProviderError>;

    /// Signs a leaf; answers with the leaf and what links it to the root, without the root.
    ///
    /// Hot and concurrent: many at once, none waiting for another. Called twice it signs twice.
    /// Nothing is persisted. The leaf ends no later than its issuer. Errors: `Refused`,
    /// `Unavailable`, `RateLimited`, `Unauthorised`. Guard: deadline, retries, both CSR limits,
    /// leaf policy.
    async fn sign_leaf(
        &self,
        request: &LeafRequest,
    ) -> Result<Vec<CertificateDer<'static>>, ProviderError>;

    /// Signs a leaf as [`sign_leaf`](Self::sign_leaf) does, and says whose key signed it if this
    /// process knows that because it made the signature itself, in this very call and over
    /// exactly the bytes that the leaf says are signed.
    ///
    /// The guard need not verify such a signature if that key is the issuer's. Whoever cannot
    /// be sure says nothing, as this default does: then it is verified.
    async fn sign_leaf_vouched(&self, request: &LeafRequest) -> Result<SignedLeaf, ProviderError> {
        let chain = self.sign_leaf(request).await?;
        Ok(SignedLeaf {
            chain,
            signed_by: None,
        })
    }

    /// Signs an intermediate for another's key directly under the root.
    ///
    /// May be called twice (signs twice), concurrent. Nothing is persisted. Ends no later than
    /// the root. Errors: `Refused` without the capability, else as `sign_leaf`. Guard:
    /// deadline, retries, intermediate policy.
    async fn sign_intermediate(
        &self,
        request: &SignIntermediateRequest,
    ) -> Result<CertificateDer<'static>, ProviderError>;

    /// Makes a request (PKCS #10) for a certificate like the root's, with the root's own key: its
    /// name to the byte, and the extensions that it has. Another CA that signs only requests can
    /// then cross-sign it. `None` from one whose root's key is elsewhere, or that cannot.
    ///
    /// Asked after the root, and never to found a CA: without a request the rotation goes on as
    /// it can. May be called twice, concurrent. Nothing is persisted. Errors: as `sign_leaf`.
    /// Guard: deadline, retries, that name and key are the root's and the signature is good. The
    /// default has none to give.
    async fn root_csr(
        &self,
    ) -> Result<Option<CertificateSigningRequestDer<'static>>, ProviderError> {
        Ok(None)
    }

    /// Signs another CA's root under this one's.
    ///
    /// May be called twice (signs twice), concurrent. Nothing is persisted. Ends no later than
    /// the root. Errors: `Refused` without the capability, when the foreign certificate is
    /// no CA or its name cannot be kept to the byte, and without a
    /// [request](CrossSignRequest::csr) by one that [needs it](crate::Capabilities::needs_root_csr);
    /// else as `sign_leaf`. Guard: deadline, retries, that a request is the root's, policy (same
    /// subject, key and key identifier).
    async fn cross_sign(
        &self,
        request: &CrossSignRequest,
    ) -> Result<CertificateDer<'static>, ProviderError>;

    /// Gives up what it holds, because another incarnation has taken over.
    ///
    /// May be called twice. Afterwards everything but `describe` and `clean_up` is `Refused`.
    /// Removes nothing that [`keep`](CleanUpRequest::keep) names, nor what it did not make.
    /// Errors: `Unavailable`, `Unauthorised`. Guard: deadline, retries.
    async fn clean_up(&self, request: &CleanUpRequest) -> Result<(), ProviderError>;

    /// What an operator should know in time, for `chancery doctor` and its metric.
    ///
    /// Asked now and then, at any time after `configure`, concurrently with everything else; may
    /// ask the backend. What cannot be found out is a finding too. Nothing is persisted. Guard:
    /// deadline, how many there are, lengths, what cannot be printed, far times. The default has
    /// nothing to say.
    async fn findings(&self) -> Vec<Finding> {
        Vec::new()
    }
}

/// So that a [`Guard`](crate::Guard) can hold what the registry made.
#[async_trait]
impl CaProvider for Box<dyn CaProvider> {
    fn describe(&self) -> Description {
        (**self).describe()
    }

    async fn configure(&mut self, request: &ConfigureRequest) -> Result<(), ProviderError> {
        (**self).configure(request).await
    }

    async fn root(&self, request: &RootRequest) -> Result<RootAnswer, ProviderError> {
        (**self).root(request).await
    }

    async fn intermediate(
        &self,
        request: &IntermediateRequest,
    ) -> Result<IntermediateAnswer, ProviderError> {
        (**self).intermediate(request).await
    }

    async fn accept_intermediate(
        &self,
        request: &AcceptIntermediateRequest,
    ) -> Result<Secret, ProviderError> {
        (**self).accept_intermediate(request).await
    }

    async fn sign_leaf(
        &self,
        request: &LeafRequest,
    ) -> Result<Vec<CertificateDer<'static>>, ProviderError> {
        (**self).sign_leaf(request).await
    }

    async fn sign_leaf_vouched(&self, request: &LeafRequest) -> Result<SignedLeaf, ProviderError> {
        (**self).sign_leaf_vouched(request).await
    }

    async fn sign_intermediate(
        &self,
        request: &SignIntermediateRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        (**self).sign_intermediate(request).await
    }

    async fn root_csr(
        &self,
    ) -> Result<Option<CertificateSigningRequestDer<'static>>, ProviderError> {
        (**self).root_csr().await
    }

    async fn cross_sign(
        &self,
        request: &CrossSignRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        (**self).cross_sign(request).await
    }

    async fn clean_up(&self, request: &CleanUpRequest) -> Result<(), ProviderError> {
        (**self).clean_up(request).await
    }

    async fn findings(&self) -> Vec<Finding> {
        (**self).findings().await
    }
}
