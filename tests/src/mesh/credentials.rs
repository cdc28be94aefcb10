//! Certificates for peers that a test plays itself, honest or not.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client};

use crate::peers::{Agent, AgentError};

/// Why credentials cannot be made or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The agent gives no leaf.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// A certificate cannot be made.
    #[error(transparent)]
    Made(#[from] rcgen::Error),
    /// A certificate or key cannot be read.
    #[error(transparent)]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// rustls does not take them.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

/// A chain and its key.
#[derive(Debug)]
pub struct Credentials {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Credentials {
    /// The leaf that the agent issues for `service`.
    ///
    /// # Errors
    /// [`CredentialsError`]
    pub async fn issued(agent: &Agent, service: &str) -> Result<Self, CredentialsError> {
        let leaf = agent
            .get(&format!("/v1/agent/connect/ca/leaf/{service}"))
            .await?;
        let text = |key: &str| {
            let value = leaf.get(key).and_then(serde_json::Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        Ok(Self {
            chain: CertificateDer::pem_slice_iter(text("CertPEM").as_bytes())
                .collect::<Result<_, _>>()?,
            key: PrivateKeyDer::from_pem_slice(text("PrivateKeyPEM").as_bytes())?,
        })
    }

    /// A leaf with the identity `uri`, as good as the agent's in every way but one: a CA that
    /// nobody trusts signed it.
    ///
    /// # Errors
    /// [`CredentialsError`]
    pub fn foreign(uri: &str) -> Result<Self, CredentialsError> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_certificate = ca.self_signed(&ca_key)?;
        let issuer = Issuer::new(ca, ca_key);
        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::default();
        leaf.subject_alt_names = vec![SanType::URI(uri.try_into()?)];
        leaf.is_ca = IsCa::ExplicitNoCa;
        leaf.use_authority_key_identifier_extension = true;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        let certificate = leaf.signed_by(&key, &issuer)?;
        Ok(Self {
            chain: vec![certificate.into(), ca_certificate.into()],
            key: PrivateKeyDer::try_from(key.serialize_der())
                .map_err(|reason| rustls::Error::General(reason.to_owned()))?,
        })
    }

    /// A client that shows these and believes any server. Offers `h2`, as Consul's proxy does.
    ///
    /// # Errors
    /// [`CredentialsError`]
    pub fn connector(&self) -> Result<TlsConnector, CredentialsError> {
        let mut config =
            trusting()?.with_client_auth_cert(self.chain.clone(), self.key.clone_key())?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(TlsConnector::from(Arc::new(config)))
    }

    /// A server that shows these and takes any client.
    ///
    /// # Errors
    /// [`CredentialsError`]
    pub fn acceptor(&self) -> Result<TlsAcceptor, CredentialsError> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), self.key.clone_key())?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// A client that shows no certificate and believes any server.
///
/// # Errors
/// [`CredentialsError::Tls`]
pub fn anonymous_connector() -> Result<TlsConnector, CredentialsError> {
    let config = trusting()?.with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Connects over TLS by `connector` to `address`.
///
/// # Errors
/// What the socket or the handshake says.
pub async fn connect_tls(
    connector: &TlsConnector,
    address: std::net::SocketAddr,
) -> std::io::Result<client::TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::IpAddress(address.ip().into());
    connector.connect(name, stream).await
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn trusting()
-> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, CredentialsError> {
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous)))
}

/// Believes everybody: the tests are about what the other side believes.
#[derive(Debug)]
pub(crate) struct Credulous;

impl ServerCertVerifier for Credulous {
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
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
