//! The story: an example plugin is built, loaded into the real sandbox, and put through the same
//! checks as the built-in CA and Vault.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use chancery_core::Timestamp;
use chancery_providers::conformance::{self, Setup};
use chancery_providers::{KeySpec, PluginFile, Wasm};
use chancery_tests::{guest, js_guest, python_guest};

#[tokio::test(flavor = "multi_thread")]
async fn local_ca_passes_every_check() {
    let file = conforms("local-ca", &guest("local-ca").await).await;
    assert_eq!(file.interface_version(), "1.1.0");
}

/// Whoever built a plugin for the first version need not build it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_for_the_first_interface_passes_every_check() {
    let file = conforms("first-interface", &guest("first-interface").await).await;
    assert_eq!(file.interface_version(), "1.0.0");
    let bytes = std::fs::read(file.path()).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    for name in ["clock", "keys", "log", "provider", "state"] {
        assert!(
            text.contains(&format!("chancery:ca/{name}@1.0.0")),
            "{name}"
        );
    }
    assert!(!text.contains("chancery:ca/findings"));
    assert!(!text.contains("@1.1.0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn local_ca_in_javascript_passes_every_check() {
    conforms("local-ca-js", &js_guest().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn local_ca_in_python_passes_every_check() {
    conforms("local-ca-python", &python_guest().await).await;
}

async fn conforms(name: &str, path: &Path) -> PluginFile {
    let cache = tempfile::tempdir().unwrap();
    let cache = cache.path().join("plugins");
    let file = PluginFile::load(path, None, Some(&cache)).await.unwrap();
    assert_eq!(file.name(), name);
    let algorithms = rustls::crypto::aws_lc_rs::default_provider()
        .signature_verification_algorithms
        .all;
    let mut setup = Setup::new(algorithms, now(), KeySpec::EcP256);
    setup.clock = Arc::new(now);
    let path = path.to_string_lossy().into_owned();
    setup.options.insert("path".to_owned(), path.into());
    let report = conformance::run(|| Wasm::of(file.clone()), &setup).await;
    assert!(report.passed(), "{report}");
    file
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_unix(0).saturating_add(since)
}
