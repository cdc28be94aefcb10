mod breaker;
mod observer;
mod own_root;
mod root_csr;
mod vouched;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use chancery_core::{Datacenter, KeyUsages, Serial, TrustDomain, Violation};
use tokio::time::Instant;

use super::*;
use crate::conformance::fixture;
use crate::{BuiltIn, CleanUpScope, ErrorKind, KeySpec, SecretOptions};

/// The built-in CA, which fails as told before it answers, and whose leafs can be changed.
#[derive(Default)]
struct Scripted {
    inner: BuiltIn,
    failures: Mutex<VecDeque<ProviderError>>,
    slowness: Duration,
    calls: AtomicU32,
    forge: Option<fn(&mut LeafRequest)>,
    /// Whether it breaks the signatures of its leafs.
    spoils: bool,
    /// With whose key it says that it signed.
    vouches: Option<Vec<u8>>,
    /// Whether it says that it does not take serial numbers.
    no_serials: bool,
    /// Which request it gives out as its root's.
    csr: Option<CertificateSigningRequestDer<'static>>,
}

impl Scripted {
    fn failing(errors: impl IntoIterator<Item = ProviderError>) -> Self {
        Self {
            failures: Mutex::new(errors.into_iter().collect()),
            ..Self::default()
        }
    }

    async fn play(&self) -> Result<(), ProviderError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(self.slowness).await;
        let failure = self.failures.lock().unwrap().pop_front();
        failure.map_or(Ok(()), Err)
    }
}

#[async_trait]
impl CaProvider for Scripted {
    fn describe(&self) -> Description {
        let mut description = self.inner.describe();
        description.capabilities.chooses_serials &= !self.no_serials;
        description
    }

    async fn configure(&mut self, request: &ConfigureRequest) -> Result<(), ProviderError> {
        self.play().await?;
        self.inner.configure(request).await
    }

    async fn root(&self, request: &RootRequest) -> Result<RootAnswer, ProviderError> {
        self.inner.root(request).await
    }

    async fn intermediate(
        &self,
        request: &IntermediateRequest,
    ) -> Result<IntermediateAnswer, ProviderError> {
        self.inner.intermediate(request).await
    }

    async fn accept_intermediate(
        &self,
        request: &AcceptIntermediateRequest,
    ) -> Result<Secret, ProviderError> {
        self.inner.accept_intermediate(request).await
    }

    async fn sign_leaf(
        &self,
        request: &LeafRequest,
    ) -> Result<Vec<CertificateDer<'static>>, ProviderError> {
        self.play().await?;
        let mut request = request.clone();
        if let Some(forge) = self.forge {
            forge(&mut request);
        }
        let mut chain = self.inner.sign_leaf(&request).await?;
        if self.spoils {
            let mut leaf = chain[0].to_vec();
            *leaf.last_mut().unwrap() ^= 1;
            chain[0] = leaf.into();
        }
        Ok(chain)
    }

    async fn sign_leaf_vouched(&self, request: &LeafRequest) -> Result<SignedLeaf, ProviderError> {
        Ok(SignedLeaf {
            chain: self.sign_leaf(request).await?,
            signed_by: self.vouches.clone(),
        })
    }

    async fn sign_intermediate(
        &self,
        request: &SignIntermediateRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        self.inner.sign_intermediate(request).await
    }

    async fn root_csr(
        &self,
    ) -> Result<Option<CertificateSigningRequestDer<'static>>, ProviderError> {
        self.play().await?;
        match &self.csr {
            Some(csr) => Ok(Some(csr.clone())),
            None => self.inner.root_csr().await,
        }
    }

    async fn cross_sign(
        &self,
        request: &CrossSignRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        self.inner.cross_sign(request).await
    }

    async fn clean_up(&self, request: &CleanUpRequest) -> Result<(), ProviderError> {
        self.play().await?;
        self.inner.clean_up(request).await
    }
}

fn everything() -> CleanUpRequest {
    CleanUpRequest {
        scope: CleanUpScope::Everything,
        keep: Vec::new(),
    }
}

fn configuration() -> ConfigureRequest {
    ConfigureRequest {
        trust_domain: TrustDomain::parse(fixture::DOMAIN).unwrap(),
        datacenter: Datacenter::parse("dc1").unwrap(),
        options: serde_json::Map::new(),
        secrets: SecretOptions::default(),
        state: None,
    }
}

fn settings(limits: Limits) -> GuardSettings {
    GuardSettings {
        algorithms: rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .all,
        leaf_signatures: SignatureCheck::Verify,
        clock: Arc::new(|| fixture::NOW),
        deadlines: Deadlines::default(),
        limits,
        observer: Arc::new(()),
    }
}

async fn guarded(provider: Scripted, limits: Limits) -> Guard<Scripted> {
    let guard = Guard::new(provider, settings(limits));
    guard
        .root(&fixture::root_request(KeySpec::EcP256))
        .await
        .unwrap();
    guard
}

fn unavailable() -> ProviderError {
    ProviderError::new(
        ErrorKind::Unavailable { retry_after: None },
        "connection refused",
    )
}

#[tokio::test(start_paused = true)]
async fn what_is_unavailable_is_asked_again() {
    let guard = guarded(
        Scripted::failing([unavailable(), unavailable()]),
        Limits::NONE,
    )
    .await;
    guard.issue_leaf(&fixture::leaf_request()).await.unwrap();
    assert_eq!(guard.provider.calls.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn it_gives_up_after_five_attempts_and_tells_the_story() {
    let guard = guarded(Scripted::failing(vec![unavailable(); 9]), Limits::NONE).await;
    let error = guard.clean_up(&everything()).await.unwrap_err();
    assert_eq!(error.to_string(), "connection refused");
    let call = error.call().unwrap();
    assert_eq!((call.attempts, call.operation), (5, Operation::CleanUp));
    assert_eq!(call.provider, "consul");
    assert!(
        error
            .report()
            .to_string()
            .starts_with("provider consul, clean up, unavailable after "),
        "{}",
        error.report()
    );
}

#[tokio::test(start_paused = true)]
async fn what_will_not_change_is_not_asked_again() {
    for error in [
        ProviderError::broken("x"),
        ProviderError::misconfigured("x"),
        ProviderError::refused("x"),
        ProviderError::new(ErrorKind::Unauthorised, "x"),
    ] {
        let kind = error.kind();
        let guard = guarded(Scripted::failing([error]), Limits::NONE).await;
        let error = guard
            .issue_leaf(&fixture::leaf_request())
            .await
            .unwrap_err();
        assert_eq!((error.kind(), error.call().unwrap().attempts), (kind, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_is_left_alone_as_long_as_it_asks() {
    let busy = |seconds| {
        ProviderError::new(
            ErrorKind::RateLimited {
                retry_after: Some(Duration::from_secs(seconds)),
            },
            "busy",
        )
    };
    let guard = guarded(Scripted::failing([busy(3)]), Limits::NONE).await;
    let started = Instant::now();
    guard.issue_leaf(&fixture::leaf_request()).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(3));

    // Longer than the deadline of ten seconds: there is no point in waiting.
    let guard = guarded(Scripted::failing([busy(11)]), Limits::NONE).await;
    let started = Instant::now();
    let error = guard
        .issue_leaf(&fixture::leaf_request())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), busy(11).kind());
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_is_cut_off_at_the_deadline() {
    let provider = Scripted {
        slowness: Duration::from_secs(3600),
        ..Scripted::default()
    };
    let guard = guarded(provider, Limits::NONE).await;
    let started = Instant::now();
    let error = guard
        .issue_leaf(&fixture::leaf_request())
        .await
        .unwrap_err();
    assert_eq!(started.elapsed(), Duration::from_secs(10));
    assert_eq!(error.to_string(), "no answer within 10000 ms");
    assert_eq!(error.kind(), ErrorKind::Unavailable { retry_after: None });
    assert_eq!(error.call().unwrap().attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn configuring_is_retried_too() {
    let provider = Scripted::failing([unavailable()]);
    let mut guard = Guard::new(provider, settings(Limits::NONE));
    guard.configure(&configuration()).await.unwrap();
    assert_eq!(guard.provider.calls.load(Ordering::Relaxed), 2);
}

/// Each forgery is told by its rule.
#[tokio::test]
async fn a_leaf_that_breaks_the_policy_is_refused_by_its_rule() {
    type Forgery = (fn(&mut LeafRequest), fn(&Violation) -> bool);
    let forgeries: [Forgery; 6] = [
        (
            |leaf| leaf.template.uri.push('2'),
            |rule| matches!(rule, Violation::WrongIdentity { .. }),
        ),
        (
            |leaf| leaf.public_key = fixture::leaf_request().public_key,
            |rule| matches!(rule, Violation::KeyMismatch),
        ),
        (
            |leaf| {
                let end = &mut leaf.template.validity.not_after;
                *end = end.saturating_add(Duration::from_secs(1));
            },
            |rule| matches!(rule, Violation::OutlivesRequest { .. }),
        ),
        (
            |leaf| leaf.template.key_usages = KeyUsages::NONE,
            |rule| matches!(rule, Violation::KeyUsageMissing { .. }),
        ),
        (
            |leaf| leaf.template.extended_key_usages.truncate(1),
            |rule| matches!(rule, Violation::Purpose { .. }),
        ),
        (
            |leaf| {
                leaf.template.validity.not_after =
                    fixture::NOW.saturating_sub(Duration::from_secs(1));
            },
            |rule| matches!(rule, Violation::Expired { .. }),
        ),
    ];
    for (place, (forge, is_rule)) in forgeries.into_iter().enumerate() {
        let provider = Scripted {
            forge: Some(forge),
            ..Scripted::default()
        };
        let guard = guarded(provider, Limits::NONE).await;
        let error = guard
            .issue_leaf(&fixture::leaf_request())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Broken, "{place}: {error}");
        assert!(is_rule(error.violation().unwrap()), "{place}: {error}");
    }
}

#[tokio::test]
async fn whoever_claims_to_take_serial_numbers_takes_them() {
    let own = |no_serials| Scripted {
        forge: Some(|leaf| leaf.template.serial = Serial::from_be_bytes(&[9; 16]).unwrap()),
        no_serials,
        ..Scripted::default()
    };
    let request = fixture::leaf_request();
    let claims = guarded(own(false), Limits::NONE).await;
    let error = claims.issue_leaf(&request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Broken);
    assert_eq!(error.rule(), Some("other_serial"), "{error}");
    let claims_nothing = guarded(own(true), Limits::NONE).await;
    claims_nothing.issue_leaf(&request).await.unwrap();
}

/// What it can do is known once it is configured, and not before.
#[tokio::test]
async fn what_counts_is_what_it_claims_once_it_is_configured() {
    let mut guard = Guard::new(Scripted::default(), settings(Limits::NONE));
    guard.provider.no_serials = true;
    guard.provider.forge =
        Some(|leaf| leaf.template.serial = Serial::from_be_bytes(&[9; 16]).unwrap());
    guard.configure(&configuration()).await.unwrap();
    guard
        .root(&fixture::root_request(KeySpec::EcP256))
        .await
        .unwrap();
    guard.issue_leaf(&fixture::leaf_request()).await.unwrap();
}

#[tokio::test]
async fn another_root_than_the_one_committed_is_an_error() {
    let committed = BuiltIn::new()
        .root(&fixture::root_request(KeySpec::EcP256))
        .await
        .unwrap();
    let guard = Guard::new(BuiltIn::new(), settings(Limits::NONE));
    guard.expect_issuers(&committed.certificate, None).unwrap();
    let error = guard
        .root(&fixture::root_request(KeySpec::EcP256))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Broken);
    assert!(
        error.to_string().starts_with("the provider's root changed"),
        "{error}"
    );
    // And a leaf under another issuer is caught as well.
    let error = guard
        .issue_leaf(&fixture::leaf_request())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Broken, "{error}");
}

const TEN_A_SECOND: Limits = Limits {
    per_second: 10.0,
    concurrent: 0,
};

#[tokio::test(start_paused = true)]
async fn leafs_wait_for_their_slot_and_no_longer_than_half_a_second() {
    let guard = guarded(Scripted::default(), TEN_A_SECOND).await;
    let request = fixture::leaf_request();
    let started = Instant::now();
    let mut waiting = Vec::new();
    for _ in 0..8 {
        waiting.push(guard.issue_leaf(&request));
    }
    let mut waits = Vec::new();
    let mut refused = 0;
    for answer in join_all(waiting, started).await {
        match answer {
            (Ok(_), waited) => waits.push(waited.as_millis() / 100),
            (Err(error), _) => {
                assert_eq!(error.to_string(), "Rate limit reached, try again later");
                assert!(matches!(error.kind(), ErrorKind::RateLimited { .. }));
                assert_eq!(error.call().unwrap().attempts, 0);
                refused += 1;
            }
        }
    }
    assert_eq!((waits, refused), (vec![0, 1, 2, 3, 4, 5], 2));
}

#[tokio::test(start_paused = true)]
async fn limits_change_at_run_time_and_zero_is_none() {
    let guard = guarded(
        Scripted::default(),
        Limits {
            per_second: 0.1,
            concurrent: 0,
        },
    )
    .await;
    let request = fixture::leaf_request();
    guard.issue_leaf(&request).await.unwrap();
    guard.issue_leaf(&request).await.unwrap_err();
    guard.set_limits(Limits::NONE);
    for _ in 0..20 {
        guard.issue_leaf(&request).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_at_once_counts_only_without_a_rate() {
    let slow = || Scripted {
        slowness: Duration::from_secs(1),
        ..Scripted::default()
    };
    let one = |per_second| Limits {
        per_second,
        concurrent: 1,
    };
    let request = fixture::leaf_request();
    let guard = guarded(slow(), one(0.0)).await;
    let (first, second) = tokio::join!(guard.issue_leaf(&request), guard.issue_leaf(&request));
    first.unwrap();
    let error = second.unwrap_err();
    assert_eq!(error.to_string(), "Rate limit reached, try again later");
    guard.issue_leaf(&request).await.unwrap();

    let guard = guarded(slow(), one(1000.0)).await;
    let (first, second) = tokio::join!(guard.issue_leaf(&request), guard.issue_leaf(&request));
    first.unwrap();
    second.unwrap();
}

/// All answers in order, each with the time it came after `started`.
async fn join_all<T>(
    futures: Vec<impl Future<Output = T>>,
    started: Instant,
) -> Vec<(T, Duration)> {
    let mut pinned: Vec<_> = futures
        .into_iter()
        .map(|future| Box::pin(async move { (future.await, started.elapsed()) }))
        .collect();
    let mut answers: Vec<Option<(T, Duration)>> = pinned.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, answer) in pinned.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *answer = Some(value);
            }
        }
        if answers.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    answers.into_iter().flatten().collect()
}
