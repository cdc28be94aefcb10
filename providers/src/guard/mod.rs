//! What stands around every provider: deadlines, retries, a circuit breaker, limits, and the
//! policy on answers.
//!
//! A provider is not trusted and need not be careful: each of these lives here once.

mod attempts;
mod audit;
mod breaker;
mod findings;
mod limits;
mod observer;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use chancery_core::{CheckedLeaf, Secret, SignatureCheck, Timestamp};
use rustls_pki_types::{
    CertificateDer, CertificateSigningRequestDer, SignatureVerificationAlgorithm,
};

use self::attempts::Attempts;
use self::audit::Auditor;
use self::breaker::{Breakers, Turn};
use self::limits::Gate;
pub use self::limits::Limits;
use self::observer::Watch;
pub use self::observer::{Call, Ending, Observer, Outcome};
use crate::{
    AcceptIntermediateRequest, CaProvider, CleanUpRequest, ConfigureRequest, CrossSignRequest,
    Description, Finding, IntermediateAnswer, IntermediateRequest, LeafRequest, Operation,
    ProviderError, RootAnswer, RootRequest, SignIntermediateRequest, SignedLeaf, Stops,
};

/// Wraps a provider; implements every method of the trait itself.
///
/// Every error has [`call`](ProviderError::call) set. An answer that breaks the policy is an
/// error of kind `Broken` with its [`violation`](ProviderError::violation).
pub struct Guard<P> {
    provider: P,
    name: String,
    deadlines: Deadlines,
    gate: RwLock<Arc<Gate>>,
    auditor: Auditor,
    breakers: Breakers,
    observer: Arc<dyn Observer>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// What a guard needs from its host.
#[derive(Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the host decides every setting: a new one must be decided there"
)]
pub struct GuardSettings {
    /// With what signatures are verified, such as all of rustls' provider.
    pub algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
    /// Whether leafs' signatures are verified, see
    /// [`signature_check`](crate::signature_check). Those of CAs always are.
    pub leaf_signatures: SignatureCheck,
    /// The wall clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// How long each operation may take.
    pub deadlines: Deadlines,
    /// How many leafs may be signed.
    pub limits: Limits,
    /// Who hears of each call; `Arc::new(())` if nobody.
    pub observer: Arc<dyn Observer>,
}

/// How long an operation may take, retries included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the three classes of operations are all there are"
)]
pub struct Deadlines {
    /// `configure`, `root`, `intermediate`: keys are made, remote mounts set up. 60 s.
    pub set_up: Duration,
    /// `sign_leaf`, which a caller waits for. 10 s.
    pub leaf: Duration,
    /// Everything else. 30 s.
    pub other: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            set_up: Duration::from_secs(60),
            leaf: Duration::from_secs(10),
            other: Duration::from_secs(30),
        }
    }
}

impl Deadlines {
    const fn of(&self, operation: Operation) -> Duration {
        match operation {
            Operation::Configure | Operation::Intermediate | Operation::Root => self.set_up,
            Operation::SignLeaf => self.leaf,
            Operation::AcceptIntermediate
            | Operation::CleanUp
            | Operation::CrossSign
            | Operation::RootCsr
            | Operation::SignIntermediate => self.other,
        }
    }
}

impl<P: CaProvider> Guard<P> {
    /// A guard around `provider`.
    #[must_use]
    pub fn new(provider: P, settings: GuardSettings) -> Self {
        let description = provider.describe();
        Self {
            name: description.name,
            provider,
            deadlines: settings.deadlines,
            gate: RwLock::new(Arc::new(Gate::new(settings.limits))),
            auditor: Auditor::new(
                settings.algorithms,
                settings.leaf_signatures,
                Arc::clone(&settings.clock),
                description.capabilities.chooses_serials,
            ),
            breakers: Breakers::default(),
            observer: settings.observer,
            clock: settings.clock,
        }
    }

    /// Replaces the limits, as after a change of the configuration.
    ///
    /// Who waits already waits by the old ones.
    pub fn set_limits(&self, limits: Limits) {
        *self.gate.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Gate::new(limits));
    }

    /// Tells what signs, as committed: the root's certificate, and the intermediate under it
    /// if leafs are signed by one.
    ///
    /// For a host that has just restarted, in place of asking [`root`](CaProvider::root) and
    /// [`intermediate`](CaProvider::intermediate) again. From then on another root is an error.
    ///
    /// # Errors
    /// `Broken` if a certificate breaks a rule of form.
    pub fn expect_issuers(
        &self,
        root: &[u8],
        intermediate: Option<&[u8]>,
    ) -> Result<(), ProviderError> {
        self.auditor.expect(root, intermediate)
    }

    /// Signs a leaf, as [`sign_leaf`](CaProvider::sign_leaf) does, and gives the checked one.
    ///
    /// # Errors
    /// Those of `sign_leaf`. `RateLimited` with Consul's text if no slot is free in 500 ms.
    pub async fn issue_leaf(&self, request: &LeafRequest) -> Result<CheckedLeaf, ProviderError> {
        self.watched(Operation::SignLeaf, async {
            let attempts = self.attempts(Operation::SignLeaf);
            let gate = Arc::clone(&self.gate.read().unwrap_or_else(PoisonError::into_inner));
            let _slot = gate
                .enter()
                .await
                .map_err(|error| attempts.give_up(error))?;
            attempts
                .until_done(move || async move {
                    let signed = self.provider.sign_leaf_vouched(request).await?;
                    self.auditor.leaf(request, signed)
                })
                .await
        })
        .await
    }

    /// Makes one call with its retries, under the eyes of the observer and the breaker.
    async fn call<T, A>(
        &self,
        operation: Operation,
        attempt: impl Fn() -> A + Send,
    ) -> Result<T, ProviderError>
    where
        A: Future<Output = Result<T, ProviderError>> + Send,
        T: Send,
    {
        let attempts = self.attempts(operation);
        self.watched(operation, attempts.until_done(attempt)).await
    }

    async fn watched<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, ProviderError>> + Send,
    ) -> Result<T, ProviderError> {
        let watch = Watch::start(&*self.observer, &self.name, operation);
        let answer = match self.breakers.enter(&self.name, operation) {
            Ok(leave) => {
                let answer = call.await;
                match leave.settle(&answer, (self.clock)()) {
                    Turn::Closed => self.observer.resumed(&watch.call),
                    Turn::Opened(pause) => self.observer.paused(&watch.call, pause),
                    Turn::Same => {}
                }
                answer
            }
            Err(error) => Err(self.attempts(operation).give_up(error)),
        };
        watch.finish(&answer);
        answer
    }

    fn attempts(&self, operation: Operation) -> Attempts {
        Attempts::new(&self.name, operation, self.deadlines.of(operation))
    }
}

#[async_trait]
impl<P: CaProvider> CaProvider for Guard<P> {
    fn describe(&self) -> Description {
        self.provider.describe()
    }

    async fn configure(&mut self, request: &ConfigureRequest) -> Result<(), ProviderError> {
        let mut attempts = self.attempts(Operation::Configure);
        let watch = Watch::start(&*self.observer, &self.name, Operation::Configure);
        let answer = loop {
            match attempts.once(self.provider.configure(request)).await {
                Ok(()) => {
                    // Only now it is known what this one can do.
                    let capabilities = self.provider.describe().capabilities;
                    self.auditor.expect_serials(capabilities.chooses_serials);
                    break Ok(());
                }
                Err(error) => {
                    if let Err(error) = attempts.again(error).await {
                        break Err(error);
                    }
                }
            }
        };
        watch.finish(&answer);
        answer
    }

    async fn root(&self, request: &RootRequest) -> Result<RootAnswer, ProviderError> {
        self.call(Operation::Root, move || async move {
            let answer = self.provider.root(request).await?;
            self.auditor.root(answer)
        })
        .await
    }

    async fn intermediate(
        &self,
        request: &IntermediateRequest,
    ) -> Result<IntermediateAnswer, ProviderError> {
        self.call(Operation::Intermediate, move || async move {
            let answer = self.provider.intermediate(request).await?;
            self.auditor.intermediate(answer)
        })
        .await
    }

    async fn accept_intermediate(
        &self,
        request: &AcceptIntermediateRequest,
    ) -> Result<Secret, ProviderError> {
        let own_root = self.provider.describe().capabilities.own_intermediate;
        self.call(Operation::AcceptIntermediate, move || async move {
            if own_root {
                self.auditor.acceptable(request)?;
            }
            let state = self.provider.accept_intermediate(request).await?;
            self.auditor.accepted(request, state)
        })
        .await
    }

    async fn sign_leaf(
        &self,
        request: &LeafRequest,
    ) -> Result<Vec<CertificateDer<'static>>, ProviderError> {
        let leaf = self.issue_leaf(request).await?;
        Ok(leaf
            .chain_der()
            .iter()
            .cloned()
            .map(CertificateDer::from)
            .collect())
    }

    async fn sign_leaf_vouched(&self, request: &LeafRequest) -> Result<SignedLeaf, ProviderError> {
        Ok(SignedLeaf {
            chain: self.sign_leaf(request).await?,
            signed_by: None,
        })
    }

    async fn sign_intermediate(
        &self,
        request: &SignIntermediateRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        self.call(Operation::SignIntermediate, move || async move {
            let signed = self.provider.sign_intermediate(request).await?;
            self.auditor.signed_intermediate(request, signed)
        })
        .await
    }

    async fn root_csr(
        &self,
    ) -> Result<Option<CertificateSigningRequestDer<'static>>, ProviderError> {
        self.call(Operation::RootCsr, move || async move {
            let csr = self.provider.root_csr().await?;
            self.auditor.root_csr(csr)
        })
        .await
    }

    async fn cross_sign(
        &self,
        request: &CrossSignRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        self.call(Operation::CrossSign, move || async move {
            self.auditor.signable(request)?;
            let signed = self.provider.cross_sign(request).await?;
            self.auditor.cross_signed(request, signed)
        })
        .await
    }

    async fn clean_up(&self, request: &CleanUpRequest) -> Result<(), ProviderError> {
        self.call(Operation::CleanUp, move || self.provider.clean_up(request))
            .await
    }

    async fn findings(&self) -> Vec<Finding> {
        let deadline = self.deadlines.leaf;
        let asked = tokio::time::timeout(deadline, self.provider.findings()).await;
        let found = asked.map(findings::fit_to_show);
        found.unwrap_or_else(|_elapsed| {
            vec![Finding::new(
                format!("provider {}", self.name),
                format!("it did not say how it is within {} s", deadline.as_secs()),
                "see whether its backend can be reached",
                None,
                Stops::Nothing,
            )]
        })
    }
}

#[cfg(feature = "builtin")]
#[cfg(test)]
mod tests;
