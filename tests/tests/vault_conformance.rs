//! The Vault provider passes the kit that every provider passes, against a real server and with
//! a token that has the rights of the documented policy and no other, and with one that lacks
//! the right which takes `sudo`.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::sync::Arc;

use async_trait::async_trait;
use chancery_core::Secret;
use chancery_providers::{
    ConfigureRequest, KeySpec, SecretOptions, Vault, VaultRights, conformance, vault_policy,
};
use chancery_tests::{Apart, OpenBao, Places, now, option_map};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn the_kit_passes_with_p256() {
    assert_passes(KeySpec::EcP256, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kit_passes_with_p384_and_without_sudo() {
    assert_passes(KeySpec::EcP384, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kit_passes_with_rsa_2048_and_without_sudo() {
    assert_passes(KeySpec::Rsa2048, false).await;
}

async fn assert_passes(key: KeySpec, any_root: bool) {
    let server = OpenBao::start().await.unwrap();
    let rights = VaultRights {
        mounts: true,
        roots: true,
        any_root,
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
    let report = conformance::run(|| Apart::new(Vault::new(), Arc::new(Mounts)), &setup).await;
    assert!(report.passed(), "{report}");
    assert!(report.checks().len() >= 40, "{report}");
}

/// A pair of mounts for each CA.
struct Mounts;

#[async_trait]
impl Places for Mounts {
    async fn take(&self, number: u32, request: &mut ConfigureRequest) {
        let mounts = json!({
            "RootPKIPath": format!("kit-{number}/root"),
            "IntermediatePKIPath": format!("kit-{number}/intermediate/"),
        });
        request.options.extend(option_map(mounts));
    }
}
