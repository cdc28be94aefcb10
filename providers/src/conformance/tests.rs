use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use chancery_core::{OperationId, Secret};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};

use super::*;
use crate::{
    AcceptIntermediateRequest, BuiltIn, Capabilities, CleanUpRequest, ConfigureRequest,
    CrossSignRequest, Deadlines, Description, ErrorKind, Guard, GuardSettings, IntermediateAnswer,
    IntermediateRequest, LeafRequest, Limits, ProviderError, RootAnswer, RootRequest,
    SignIntermediateRequest,
};

fn setup(key: KeySpec) -> Setup {
    let algorithms = rustls::crypto::aws_lc_rs::default_provider()
        .signature_verification_algorithms
        .all;
    Setup::new(algorithms, Timestamp::from_unix(1_795_527_612), key)
}

async fn assert_built_in_passes(key: KeySpec) {
    let mut setup = setup(key);
    // Over all of them once is enough.
    if key != KeySpec::EcP256 {
        setup.rotation_keys = vec![key, KeySpec::EcP256];
    }
    let report = run(BuiltIn::new, &setup).await;
    assert!(report.passed(), "{report}");
    assert!(report.checks().len() >= 75, "{report}");
}

#[tokio::test]
async fn the_built_in_ca_passes_with_p256() {
    assert_built_in_passes(KeySpec::EcP256).await;
}

#[tokio::test]
async fn the_built_in_ca_passes_with_p384() {
    assert_built_in_passes(KeySpec::EcP384).await;
}

#[tokio::test]
async fn the_built_in_ca_passes_with_p521() {
    assert_built_in_passes(KeySpec::EcP521).await;
}

#[tokio::test]
async fn the_built_in_ca_passes_with_ed25519() {
    assert_built_in_passes(KeySpec::Ed25519).await;
}

#[tokio::test]
async fn the_built_in_ca_passes_with_rsa_2048() {
    assert_built_in_passes(KeySpec::Rsa2048).await;
}

/// The kit is for wrappers too. After a restart a guard wants to hear from the host who signs
/// (`expect_issuers`), which the kit does not know of.
#[tokio::test]
async fn a_guard_passes_but_signs_nothing_until_told_who_signs() {
    let mut setup = setup(KeySpec::EcP256);
    setup.rotation_keys = vec![KeySpec::EcP256];
    let clock = Arc::clone(&setup.clock);
    let algorithms = setup.algorithms;
    let make = || {
        let settings = GuardSettings {
            algorithms,
            leaf_signatures: chancery_core::SignatureCheck::Verify,
            clock: Arc::clone(&clock),
            deadlines: Deadlines::default(),
            limits: Limits::NONE,
            observer: Arc::new(()),
        };
        Guard::new(BuiltIn::new(), settings)
    };
    let report = run(make, &setup).await;
    let failed: Vec<_> = report.failures().map(|check| check.name).collect();
    assert_eq!(
        failed,
        [
            "restart: leafs come from the same root",
            "restart: two instances may live at once",
            "intermediate: accepted, it outlives a restart",
        ],
        "{report}"
    );
}

/// How a provider breaks its contract.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lie {
    AnotherRootEachTime,
    ClaimsWhatItRefuses,
    CleansUpAllOfItsKind,
    DeniesWhatItCan,
    ForgetsItsState,
    GivesTheRootAlong,
    IgnoresCleanUp,
    IgnoresOwnRoots,
    LeafForAnotherName,
    LeafOfYesterday,
    LeafTooLong,
    LeaksItsState,
    LeaksTheKey,
    RenewsEachTime,
    RenewsNothing,
    RequestsForAnother,
    RequestsNothing,
    UnavailableInsteadOfRefused,
}

/// The built-in CA with one lie.
struct Liar {
    inner: BuiltIn,
    lie: Lie,
    /// What all instances of one kind know of each other.
    shared: Arc<AtomicU64>,
}

#[tokio::test]
async fn every_lie_fails_the_check_that_names_it() {
    for (lie, check) in [
        (
            Lie::AnotherRootEachTime,
            "root: is the same when asked again",
        ),
        (
            Lie::ClaimsWhatItRefuses,
            "cross-sign: keeps name, key and key identifier",
        ),
        (
            Lie::DeniesWhatItCan,
            "sign intermediate: breaks no rule, or is refused",
        ),
        (Lie::ForgetsItsState, "restart: the root is the same"),
        (Lie::GivesTheRootAlong, "leaf: comes without the root"),
        (
            Lie::IgnoresCleanUp,
            "clean up: afterwards no leaf is signed",
        ),
        (
            Lie::LeafForAnotherName,
            "leaf: breaks no rule with an EC P-256 key",
        ),
        (
            Lie::LeafOfYesterday,
            "leaf: breaks no rule with an EC P-256 key",
        ),
        (
            Lie::LeafTooLong,
            "leaf: breaks no rule with an EC P-256 key",
        ),
        (
            Lie::LeaksItsState,
            "errors: no secret is in any error or description",
        ),
        (
            Lie::LeaksTheKey,
            "errors: no secret is in any error or description",
        ),
        (
            Lie::RenewsEachTime,
            "renew: one operation makes one root, also after a restart",
        ),
        (
            Lie::RenewsNothing,
            "renew: makes another root with another key",
        ),
        (
            Lie::RequestsForAnother,
            "root csr: has the root's name and key, if there is one",
        ),
        (
            Lie::RequestsNothing,
            "root csr: there is one if it is claimed, else none",
        ),
        (
            Lie::IgnoresOwnRoots,
            "import: the root is the one given, or it is refused",
        ),
        (
            Lie::CleansUpAllOfItsKind,
            "clean up: a successor with the same root goes on",
        ),
        (
            Lie::UnavailableInsteadOfRefused,
            "sign leaf: before the root is refused",
        ),
    ] {
        let shared = Arc::new(AtomicU64::new(0));
        let make = || Liar {
            inner: BuiltIn::new(),
            lie,
            shared: Arc::clone(&shared),
        };
        let mut setup = setup(KeySpec::EcP256);
        setup.rotation_keys = vec![KeySpec::EcP256];
        let report = run(make, &setup).await;
        assert!(
            report.failures().any(|failed| failed.name == check),
            "{lie:?} must fail \"{check}\"\n{report}"
        );
    }
}

#[async_trait]
impl CaProvider for Liar {
    fn describe(&self) -> Description {
        let honest = self.inner.describe();
        match self.lie {
            Lie::DeniesWhatItCan => Description::new(honest.name, Capabilities::default()),
            _ => honest,
        }
    }

    async fn configure(&mut self, request: &ConfigureRequest) -> Result<(), ProviderError> {
        let mut request = request.clone();
        if self.lie == Lie::IgnoresOwnRoots {
            request.options.remove("RootCert");
            request.secrets = SecretOptions::default();
        }
        match (self.lie, request.state.take()) {
            (Lie::LeaksTheKey, state) => {
                request.state = state;
                let answer = self.inner.configure(&request).await;
                answer.map_err(|honest| {
                    let key = request.secrets.find("PrivateKey").map(Secret::expose);
                    let key = String::from_utf8_lossy(key.unwrap_or_default()).into_owned();
                    ProviderError::new(honest.kind(), format!("bad key {key}"))
                })
            }
            (Lie::ForgetsItsState, _) => self.inner.configure(&request).await,
            (Lie::LeaksItsState, Some(state)) => {
                request.state = Some(state.clone());
                let answer = self.inner.configure(&request).await;
                answer.map_err(|_honest| {
                    ProviderError::broken(String::from_utf8_lossy(state.expose()))
                })
            }
            (_, state) => {
                request.state = state;
                self.inner.configure(&request).await
            }
        }
    }

    async fn root(&self, request: &RootRequest) -> Result<RootAnswer, ProviderError> {
        if self.lie == Lie::AnotherRootEachTime {
            return BuiltIn::new().root(request).await;
        }
        let mut request = request.clone();
        match self.lie {
            Lie::RenewsNothing => request.renew = false,
            Lie::RenewsEachTime if request.renew => {
                let number = self.shared.fetch_add(1, Ordering::Relaxed);
                let mut operation = [0xff; 16];
                operation[..8].copy_from_slice(&number.to_be_bytes());
                request.operation = OperationId::from_bytes(operation);
            }
            _ => {}
        }
        self.inner.root(&request).await
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
        let mut request = request.clone();
        let day = std::time::Duration::from_secs(86_400);
        let validity = &mut request.template.validity;
        match self.lie {
            Lie::LeafForAnotherName => request.template.uri.push('2'),
            Lie::LeafOfYesterday => {
                validity.not_after = validity.not_before.saturating_add(day / 24 / 60 / 2);
            }
            Lie::LeafTooLong => validity.not_after = validity.not_after.saturating_add(day),
            _ => {}
        }
        if self.lie == Lie::CleansUpAllOfItsKind && self.shared.load(Ordering::Relaxed) > 0 {
            return Err(ProviderError::refused("the mount is gone"));
        }
        let answer = self.inner.sign_leaf(&request).await;
        match (self.lie, answer) {
            (Lie::UnavailableInsteadOfRefused, Err(error)) => Err(ProviderError::new(
                ErrorKind::Unavailable { retry_after: None },
                error.to_string(),
            )),
            (Lie::GivesTheRootAlong, Ok(mut chain)) => {
                // The same operation is asked for again: no second root is made.
                let setup = setup(KeySpec::EcP256);
                let stage = Stage::new(&BuiltIn::new, &setup);
                let request = stage.root_request(1, stage::YEAR).unwrap();
                chain.push(self.inner.root(&request).await?.certificate);
                Ok(chain)
            }
            (_, answer) => answer,
        }
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
        match self.lie {
            Lie::RequestsForAnother => {
                let another = BuiltIn::new();
                let request = fixture::root_request(KeySpec::EcP256);
                another.root(&request).await?;
                another.root_csr().await
            }
            Lie::RequestsNothing => Ok(None),
            _ => self.inner.root_csr().await,
        }
    }

    async fn cross_sign(
        &self,
        request: &CrossSignRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        if self.lie == Lie::ClaimsWhatItRefuses {
            return Err(ProviderError::refused("not today"));
        }
        self.inner.cross_sign(request).await
    }

    async fn clean_up(&self, request: &CleanUpRequest) -> Result<(), ProviderError> {
        if self.lie == Lie::IgnoresCleanUp {
            return Ok(());
        }
        self.shared.fetch_add(1, Ordering::Relaxed);
        self.inner.clean_up(request).await
    }
}
