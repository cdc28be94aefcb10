//! The story: an example plugin is built, loaded into the real sandbox, and put through the same
//! checks as the built-in CA and Vault. Those that sign elsewhere do so through a real server:
//! `remote-ca` through OpenBao, `aws-pca` through moto, corrected where AWS does otherwise.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chancery_core::Secret;
use chancery_providers::conformance::{self, Report, Setup};
use chancery_providers::{CaProvider, ConfigureRequest, KeySpec, PluginFile, SecretOptions, Wasm};
use chancery_tests::{
    Apart, Moto, OpenBao, Places, guest, js_guest, now, openbao_role, option_map, python_guest,
};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn local_ca_passes_every_check() {
    let plugin = Plugin::load("local-ca").await;
    plugin.conforms().await;
    assert_eq!(plugin.file.interface_version(), "1.1.0");
}

/// Whoever built a plugin for the first version need not build it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_for_the_first_interface_passes_every_check() {
    let plugin = Plugin::load("first-interface").await;
    plugin.conforms().await;
    assert_eq!(plugin.file.interface_version(), "1.0.0");
    let bytes = std::fs::read(plugin.file.path()).unwrap();
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
    let plugin = Plugin::at("local-ca-js", &js_guest().await).await;
    plugin.conforms().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn local_ca_in_python_passes_every_check() {
    let plugin = Plugin::at("local-ca-python", &python_guest().await).await;
    plugin.conforms().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn remote_ca_passes_every_check_through_openbao() {
    through_openbao(OpenBao::start().await.unwrap(), json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn remote_ca_passes_every_check_through_openbao_behind_tls() {
    let server = OpenBao::start_tls_for(&["127.0.0.1"]).await.unwrap();
    let options = json!({ "http_ca_file": server.ca_file() });
    through_openbao(server, options).await;
}

async fn through_openbao(server: OpenBao, mut options: Value) {
    let plugin = Plugin::load("remote-ca").await;
    let token = server.token("mesh", POLICY, json!({})).await.unwrap();
    options["allow_http"] = json!([server.address().to_string()]);
    let config = json!({ "address": server.url(), "token": token });
    let mut setup = plugin.setup(options, &config, &[("Token", &token)]);
    setup.rotation_keys = vec![KeySpec::EcP256, KeySpec::Rsa2048, KeySpec::Ed25519];
    let mounts: Arc<dyn Places> = Arc::new(Mounts(server));
    let report = plugin
        .run(|wasm| Apart::new(wasm, Arc::clone(&mounts)), &setup)
        .await;
    assert!(report.passed(), "{report}");
    assert!(report.checks().len() >= 40, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_pca_passes_every_check_through_moto_corrected() {
    let server = Moto::start_corrected().await.unwrap();
    let plugin = Plugin::load("aws-pca").await;
    let options = json!({
        "allow_http": [server.address().to_string()],
        // This machine may be busier than any of AWS's.
        "timeout": "30s",
    });
    // Consul's own spelling where it has one.
    let config = json!({
        "Region": "eu-central-1",
        "access_key_id": "AKIDEXAMPLE",
        "secret_access_key": Moto::SECRET,
        "endpoint": server.url(),
        "DeleteOnExit": true,
    });
    let mut setup = plugin.setup(options, &config, &[("Token", Moto::SECRET)]);
    setup.rotation_keys = vec![KeySpec::EcP256, KeySpec::EcP384, KeySpec::Rsa2048];
    let callers: Arc<dyn Places> = Arc::new(Callers);
    let report = plugin
        .run(|wasm| Apart::new(wasm, Arc::clone(&callers)), &setup)
        .await;
    assert!(report.passed(), "{report}");
    assert!(report.checks().len() >= 40, "{report}");
}

/// A caller for each CA: what one asks for twice with the same token is the same CA.
struct Callers;

#[async_trait]
impl Places for Callers {
    async fn take(&self, number: u32, request: &mut ConfigureRequest) {
        set(request, "access_key_id", &format!("AKIDEXAMPLE{number}"));
    }
}

/// What the README of `remote-ca` gives its token, for every mount.
const POLICY: &str = r#"
path "+/root/generate/internal"    { capabilities = ["update"] }
path "+/issuer/*"                  { capabilities = ["read", "update", "delete"] }
path "+/issuer/+/sign-self-issued" { capabilities = ["sudo", "update"] }
path "+/key/*"                     { capabilities = ["delete"] }
"#;

/// A mount for each CA.
struct Mounts(OpenBao);

#[async_trait]
impl Places for Mounts {
    async fn take(&self, number: u32, request: &mut ConfigureRequest) {
        let mount = format!("kit-{number}");
        // There are several instances of one CA.
        let _there = openbao_role(&self.0, &mount).await;
        set(request, "mount", &mount);
    }
}

/// Sets one of the plugin's own options.
fn set(request: &mut ConfigureRequest, name: &str, value: &str) {
    let sealed = request.secrets.find("Config").unwrap();
    let mut config: Value = serde_json::from_slice(sealed.expose()).unwrap();
    config[name] = json!(value);
    request.secrets = SecretOptions::from_iter([sealed_config(&config)]);
}

fn sealed_config(config: &Value) -> (&'static str, Secret) {
    ("Config", Secret::new(config.to_string().into_bytes()))
}

/// An example, loaded.
struct Plugin {
    file: PluginFile,
    _cache: tempfile::TempDir,
}

impl Plugin {
    async fn load(package: &str) -> Self {
        Self::at(package, &guest(package).await).await
    }

    async fn at(name: &str, path: &Path) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join("plugins");
        let file = PluginFile::load(path, None, Some(&folder)).await.unwrap();
        assert_eq!(file.name(), name);
        Self {
            file,
            _cache: cache,
        }
    }

    /// Needs nothing but itself.
    async fn conforms(&self) {
        let setup = self.setup(json!({}), &json!({}), &[]);
        let report = self.run(|wasm| wasm, &setup).await;
        assert!(report.passed(), "{report}");
    }

    /// The kit looks for `secrets` in every error; the plugin has them from `config`.
    fn setup(&self, options: Value, config: &Value, secrets: &[(&'static str, &str)]) -> Setup {
        let algorithms = rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .all;
        let mut setup = Setup::new(algorithms, now(), KeySpec::EcP256);
        setup.clock = Arc::new(now);
        setup.options = option_map(options);
        let path = self.file.path().to_string_lossy().into_owned();
        setup.options.insert("path".to_owned(), path.into());
        let secrets = secrets
            .iter()
            .map(|(name, text)| (*name, Secret::new(text.as_bytes().to_vec())));
        setup.secrets = SecretOptions::from_iter(secrets.chain([sealed_config(config)]));
        setup
    }

    async fn run<P: CaProvider + 'static>(
        &self,
        make: impl Fn(Wasm) -> P + Sync,
        setup: &Setup,
    ) -> Report {
        conformance::run(|| make(Wasm::of(self.file.clone())), setup).await
    }
}
