//! The Vault provider passes the kit that every provider passes, against a real server and with
//! a token that has the rights of the documented policy and no other.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use chancery_core::Secret;
use chancery_providers::{
    AcceptIntermediateRequest, CaProvider, CleanUpRequest, ConfigureRequest, CrossSignRequest,
    Description, IntermediateAnswer, IntermediateRequest, KeySpec, LeafRequest, ProviderError,
    RootAnswer, RootRequest, SecretOptions, SignIntermediateRequest, Vault, VaultRights,
    conformance, vault_policy,
};
use chancery_tests::{OpenBao, now, option_map};
use rustls_pki_types::CertificateDer;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn the_kit_passes_with_p256() {
    assert_passes(KeySpec::EcP256).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kit_passes_with_p384() {
    assert_passes(KeySpec::EcP384).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kit_passes_with_rsa_2048() {
    assert_passes(KeySpec::Rsa2048).await;
}

async fn assert_passes(key: KeySpec) {
    let server = OpenBao::start().await.unwrap();
    let rights = VaultRights {
        mounts: true,
        roots: true,
        cross_signing: true,
    };
    // `+` is a segment: one policy for all the mounts that the kit comes to need.
    let policy = vault_policy("+/root", "+/intermediate", rights);
    let token = server.token("chancery", &policy, json!({})).await.unwrap();
    let algorithms = rustls::crypto::aws_lc_rs::default_provider()
        .signature_verification_algorithms
        .all;
    let mut setup = conformance::Setup::new(algorithms, now(), key);
    setup.clock = Arc::new(now);
    setup.rotation_keys = vec![KeySpec::EcP256, KeySpec::Rsa2048, KeySpec::Ed25519];
    setup.options = option_map(json!({ "Address": server.url() }));
    setup.secrets = SecretOptions::from_iter([("Token", Secret::new(token.into_bytes()))]);
    let report = conformance::run(InMountsOfItsOwn::default, &setup).await;
    assert!(report.passed(), "{report}");
    assert!(report.checks().len() >= 40, "{report}");
}

/// The kit means a new CA whenever it gives no state; in Vault that is another pair of mounts.
#[derive(Default)]
struct InMountsOfItsOwn {
    vault: Vault,
    number: u32,
}

impl InMountsOfItsOwn {
    fn state(&self, state: Secret) -> Secret {
        let mut numbered = self.number.to_be_bytes().to_vec();
        numbered.extend_from_slice(state.expose());
        Secret::new(numbered)
    }
}

#[async_trait]
impl CaProvider for InMountsOfItsOwn {
    fn describe(&self) -> Description {
        self.vault.describe()
    }

    async fn configure(&mut self, request: &ConfigureRequest) -> Result<(), ProviderError> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let mut request = request.clone();
        let (number, state) = match &request.state {
            None => (NEXT.fetch_add(1, Ordering::Relaxed), None),
            Some(state) => {
                let (number, rest) = state.expose().split_first_chunk().unwrap();
                (
                    u32::from_be_bytes(*number),
                    Some(Secret::new(rest.to_vec())),
                )
            }
        };
        // What was not numbered here is the kit's garbage.
        let number = number.min(1_000_000);
        self.number = number;
        request.state = state;
        let mounts = json!({
            "RootPKIPath": format!("kit-{number}/root"),
            "IntermediatePKIPath": format!("kit-{number}/intermediate/"),
        });
        request.options.extend(option_map(mounts));
        self.vault.configure(&request).await
    }

    async fn root(&self, request: &RootRequest) -> Result<RootAnswer, ProviderError> {
        let mut answer = self.vault.root(request).await?;
        answer.state = self.state(answer.state);
        Ok(answer)
    }

    async fn intermediate(
        &self,
        request: &IntermediateRequest,
    ) -> Result<IntermediateAnswer, ProviderError> {
        Ok(match self.vault.intermediate(request).await? {
            IntermediateAnswer::Ready { chain, state } => IntermediateAnswer::Ready {
                chain,
                state: self.state(state),
            },
            other => other,
        })
    }

    async fn accept_intermediate(
        &self,
        request: &AcceptIntermediateRequest,
    ) -> Result<Secret, ProviderError> {
        self.vault.accept_intermediate(request).await
    }

    async fn sign_leaf(
        &self,
        request: &LeafRequest,
    ) -> Result<Vec<CertificateDer<'static>>, ProviderError> {
        self.vault.sign_leaf(request).await
    }

    async fn sign_intermediate(
        &self,
        request: &SignIntermediateRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        self.vault.sign_intermediate(request).await
    }

    async fn cross_sign(
        &self,
        request: &CrossSignRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        self.vault.cross_sign(request).await
    }

    async fn clean_up(&self, request: &CleanUpRequest) -> Result<(), ProviderError> {
        self.vault.clean_up(request).await
    }
}
