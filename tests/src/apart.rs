//! The kit means a new CA whenever it gives no state: each gets a place of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use chancery_core::Secret;
use chancery_providers::{
    AcceptIntermediateRequest, CaProvider, CleanUpRequest, ConfigureRequest, CrossSignRequest,
    Description, IntermediateAnswer, IntermediateRequest, LeafRequest, ProviderError, RootAnswer,
    RootRequest, SignIntermediateRequest, SignedLeaf,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};

/// Where the CAs of one backend are kept apart.
#[async_trait]
pub trait Places: Send + Sync {
    /// Makes the place of that number, if it is not there, and names it in the options.
    async fn take(&self, number: u32, request: &mut ConfigureRequest);
}

/// A provider in a place of its own, whose number stands before its state.
pub struct Apart<P> {
    provider: P,
    places: Arc<dyn Places>,
    number: u32,
}

impl<P> Apart<P> {
    /// One that is not configured.
    #[must_use]
    pub fn new(provider: P, places: Arc<dyn Places>) -> Self {
        Self {
            provider,
            places,
            number: 0,
        }
    }

    fn state(&self, state: &Secret) -> Secret {
        let mut numbered = self.number.to_be_bytes().to_vec();
        numbered.extend_from_slice(state.expose());
        Secret::new(numbered)
    }
}

#[async_trait]
impl<P: CaProvider> CaProvider for Apart<P> {
    fn describe(&self) -> Description {
        self.provider.describe()
    }

    async fn configure(&mut self, request: &ConfigureRequest) -> Result<(), ProviderError> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let mut request = request.clone();
        let numbered = request.state.as_ref().and_then(|state| {
            let (number, rest) = state.expose().split_first_chunk()?;
            Some((
                u32::from_be_bytes(*number),
                Some(Secret::new(rest.to_vec())),
            ))
        });
        let new = || (NEXT.fetch_add(1, Ordering::Relaxed), None);
        let (number, state) = numbered.unwrap_or_else(new);
        // What was not numbered here is the kit's garbage.
        self.number = number.min(1_000_000);
        request.state = state;
        self.places.take(self.number, &mut request).await;
        self.provider.configure(&request).await
    }

    async fn root(&self, request: &RootRequest) -> Result<RootAnswer, ProviderError> {
        let mut answer = self.provider.root(request).await?;
        answer.state = self.state(&answer.state);
        Ok(answer)
    }

    async fn intermediate(
        &self,
        request: &IntermediateRequest,
    ) -> Result<IntermediateAnswer, ProviderError> {
        Ok(match self.provider.intermediate(request).await? {
            IntermediateAnswer::Ready { chain, state } => IntermediateAnswer::Ready {
                chain,
                state: self.state(&state),
            },
            IntermediateAnswer::Csr { csr, state } => IntermediateAnswer::Csr {
                csr,
                state: self.state(&state),
            },
            other => other,
        })
    }

    async fn accept_intermediate(
        &self,
        request: &AcceptIntermediateRequest,
    ) -> Result<Secret, ProviderError> {
        let state = self.provider.accept_intermediate(request).await?;
        Ok(self.state(&state))
    }

    async fn sign_leaf(
        &self,
        request: &LeafRequest,
    ) -> Result<Vec<CertificateDer<'static>>, ProviderError> {
        self.provider.sign_leaf(request).await
    }

    async fn sign_leaf_vouched(&self, request: &LeafRequest) -> Result<SignedLeaf, ProviderError> {
        self.provider.sign_leaf_vouched(request).await
    }

    async fn sign_intermediate(
        &self,
        request: &SignIntermediateRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        self.provider.sign_intermediate(request).await
    }

    async fn root_csr(
        &self,
    ) -> Result<Option<CertificateSigningRequestDer<'static>>, ProviderError> {
        self.provider.root_csr().await
    }

    async fn cross_sign(
        &self,
        request: &CrossSignRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        self.provider.cross_sign(request).await
    }

    async fn clean_up(&self, request: &CleanUpRequest) -> Result<(), ProviderError> {
        self.provider.clean_up(request).await
    }
}
