//! How connections are made safe: by the host, whatever the plugin thinks of it.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::ProviderError;

/// Trusts the CAs in `ca_file` alone: who names a CA means that one. Without, the system's.
pub(super) fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, ProviderError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ProviderError::broken(format!("no TLS version is usable: {error}")))?;
    let builder = match ca_file {
        Some(path) => builder.with_root_certificates(roots(path)?),
        None => builder.with_platform_verifier().map_err(|error| {
            ProviderError::misconfigured(format!(
                "the system's CA certificates cannot be used: {error}"
            ))
        })?,
    };
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn roots(path: &Path) -> Result<RootCertStore, ProviderError> {
    let pem = std::fs::read(path).map_err(|error| {
        ProviderError::misconfigured(format!("http_ca_file {path:?} cannot be read: {error}"))
    })?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
    if roots.is_empty() {
        return Err(ProviderError::misconfigured(format!(
            "http_ca_file {path:?} holds no CA certificate in PEM"
        )));
    }
    Ok(roots)
}
