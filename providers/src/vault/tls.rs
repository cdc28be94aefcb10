//! How the connection to Vault is made safe.
//!
//! `CAFile` and `CAPath` replace the system's roots instead of joining them, as in Vault's own
//! client: who names a CA means that one.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls_platform_verifier::BuilderVerifierExt as _;

use super::options::TlsOptions;
use crate::ProviderError;

/// The TLS configuration for `address`; files are only opened if it is an `https` one.
pub(super) fn client_config(
    address: &str,
    options: &TlsOptions,
) -> Result<ClientConfig, ProviderError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ProviderError::broken(format!("no TLS version is usable: {error}")))?;
    if !address.starts_with("https:") {
        let nobody = RootCertStore::empty();
        return Ok(builder.with_root_certificates(nobody).with_no_client_auth());
    }
    let builder = if options.skip_verify {
        let verifier = AnyCertificate(provider);
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
    } else if options.ca_file.is_empty() && options.ca_path.is_empty() {
        builder.with_platform_verifier().map_err(|error| {
            ProviderError::misconfigured(format!(
                "the system's CA certificates cannot be used: {error}"
            ))
        })?
    } else {
        builder.with_root_certificates(named_roots(options)?)
    };
    if options.cert_file.is_empty() {
        return Ok(builder.with_no_client_auth());
    }
    let (chain, key) = client_certificate(options)?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|_quotes| {
            ProviderError::misconfigured(
                "the key in KeyFile does not fit the certificate in CertFile",
            )
        })
}

fn named_roots(options: &TlsOptions) -> Result<RootCertStore, ProviderError> {
    let mut roots = RootCertStore::empty();
    let mut add = |name: &str, path: &Path| {
        let found = certificates(name, path)?;
        roots.add_parsable_certificates(found);
        Ok::<_, ProviderError>(())
    };
    // Vault's client takes the file alone if both are given.
    if options.ca_file.is_empty() {
        for file in files_in("CAPath", Path::new(&options.ca_path))? {
            add("CAPath", &file)?;
        }
    } else {
        add("CAFile", Path::new(&options.ca_file))?;
    }
    if roots.is_empty() {
        return Err(ProviderError::misconfigured(
            "CAFile and CAPath hold no CA certificate",
        ));
    }
    Ok(roots)
}

fn files_in(name: &str, folder: &Path) -> Result<Vec<PathBuf>, ProviderError> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(name, folder, &error))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    Ok(files)
}

fn client_certificate(
    options: &TlsOptions,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), ProviderError> {
    let chain = certificates("CertFile", Path::new(&options.cert_file))?;
    let path = Path::new(&options.key_file);
    let pem = std::fs::read(path).map_err(|error| unreadable("KeyFile", path, &error))?;
    let pem = zeroize::Zeroizing::new(pem);
    // The decoder's reason could quote the key.
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_quotes| {
        ProviderError::misconfigured(format!("KeyFile {path:?} holds no private key in PEM"))
    })?;
    Ok((chain, key))
}

fn certificates(name: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, ProviderError> {
    let pem = std::fs::read(path).map_err(|error| unreadable(name, path, &error))?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&pem).flatten().collect();
    if found.is_empty() {
        return Err(ProviderError::misconfigured(format!(
            "{name} {path:?} holds no certificate in PEM"
        )));
    }
    Ok(found)
}

fn unreadable(name: &str, path: &Path, error: &std::io::Error) -> ProviderError {
    ProviderError::misconfigured(format!("{name} {path:?} cannot be read: {error}"))
}

/// Connecting to one host under another's name.
pub(super) struct Renamed {
    pub(super) base: String,
    /// What the `Host` header says all the same.
    pub(super) host: String,
    pub(super) resolver: Elsewhere,
}

/// Makes `TLSServerName` the name that is asked for and verified, while the connection goes to
/// the host of the address.
pub(super) fn renamed(address: &str, server_name: &str) -> Result<Renamed, ProviderError> {
    let wrong =
        || ProviderError::misconfigured(format!("TLSServerName {server_name:?} is no DNS name"));
    let good = ServerName::try_from(server_name).map_err(|_reason| wrong())?;
    if !matches!(good, ServerName::DnsName(_)) {
        return Err(wrong());
    }
    let mut url = reqwest::Url::parse(address).map_err(|_reason| wrong())?;
    let real = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    url.set_host(Some(server_name)).map_err(|_reason| wrong())?;
    Ok(Renamed {
        base: url.as_str().trim_end_matches('/').to_owned(),
        host: format!("{real}:{port}"),
        resolver: Elsewhere {
            host: real.trim_matches(['[', ']']).to_owned(),
        },
    })
}

/// Resolves every name to the addresses of one host.
pub(super) struct Elsewhere {
    host: String,
}

impl Resolve for Elsewhere {
    fn resolve(&self, _name: Name) -> Resolving {
        let host = self.host.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = match host.parse::<IpAddr>() {
                Ok(ip) => vec![SocketAddr::new(ip, 0)],
                Err(_) => tokio::net::lookup_host((host, 0)).await?.collect(),
            };
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// `TLSSkipVerify`: any certificate will do, if whoever shows it has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
