//! TLS before a server that speaks none, as an operator puts it before an agent.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrontError {
    /// A certificate cannot be made.
    #[error(transparent)]
    Certificate(#[from] rcgen::Error),
    /// A file cannot be written, or no port is free.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What was made cannot be read.
    #[error(transparent)]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// rustls does not take it.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// rustls does not take the CA for clients.
    #[error(transparent)]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// A terminator of TLS with a CA of its own. Dropping it closes its port and removes its files.
///
/// In its folder: `ca.pem`, the same alone in `cas/`, `client.pem` and `client.key` of the same
/// CA, and `stranger.pem`, a CA that has signed nothing here.
#[derive(Debug)]
pub struct TlsFront {
    address: SocketAddr,
    folder: TempDir,
    task: JoinHandle<()>,
}

impl TlsFront {
    /// Starts one before `target` that shows a certificate for `name`, a host name or an IP
    /// address, and lets in all clients or only those with a certificate of its CA.
    ///
    /// # Errors
    /// [`FrontError`]
    pub async fn start(
        target: SocketAddr,
        name: &str,
        asks_for_certificate: bool,
    ) -> Result<Self, FrontError> {
        let folder = tempfile::tempdir()?;
        let config = server(folder.path(), name, asks_for_certificate)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                // How a connection ends is the client's to observe.
                tokio::spawn(async move { drop(forward(&acceptor, stream, target).await) });
            }
        });
        Ok(Self {
            address,
            folder,
            task,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The path of one of its files.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(acceptor: &TlsAcceptor, stream: TcpStream, target: SocketAddr) -> io::Result<()> {
    let mut client = acceptor.accept(stream).await?;
    let mut server = TcpStream::connect(target).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

fn server(folder: &Path, name: &str, asks: bool) -> Result<ServerConfig, FrontError> {
    let (ca, ca_pem) = authority("The operator's CA")?;
    let (_, stranger_pem) = authority("A stranger's CA")?;
    fs::create_dir(folder.join("cas"))?;
    for (file, text) in [
        ("ca.pem", &ca_pem),
        ("cas/ca.pem", &ca_pem),
        ("stranger.pem", &stranger_pem),
    ] {
        fs::write(folder.join(file), text)?;
    }
    let (certificate, key) = leaf(&ca, "client", ExtendedKeyUsagePurpose::ClientAuth)?;
    fs::write(folder.join("client.pem"), certificate)?;
    fs::write(folder.join("client.key"), key)?;
    let (certificate, key) = leaf(&ca, name, ExtendedKeyUsagePurpose::ServerAuth)?;

    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = if asks {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes())?)?;
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes())?];
    Ok(builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?)?)
}

fn authority(name: &str) -> Result<(Issuer<'static, KeyPair>, String), rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    Ok((Issuer::new(params, key), pem))
}

fn leaf(
    ca: &Issuer<'_, KeyPair>,
    name: &str,
    usage: ExtendedKeyUsagePurpose,
) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    Ok((params.signed_by(&key, ca)?.pem(), key.serialize_pem()))
}
