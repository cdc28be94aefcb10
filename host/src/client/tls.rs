//! How an agent that speaks https is asked.

use std::net::ToSocketAddrs as _;

use chancery_core::Secret;
use http::{HeaderMap, HeaderValue};
use reqwest::{Certificate, ClientBuilder, Identity};

use super::address::host_and_port;
use super::error::{ClientError, root_cause};

/// Whom to believe and what to show; the system's CAs if nothing is said.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClientTls {
    /// PEM files of the CAs that may have signed the agent's certificate.
    pub authorities: Vec<Vec<u8>>,
    /// The certificate to show and its key, in PEM.
    pub identity: Option<Secret>,
    /// The name that the agent's certificate must have; the host of the address if `None`.
    pub server_name: Option<String>,
    /// Whether any certificate will do. Whoever is in between can then read tokens.
    pub unverified: bool,
}

impl ClientTls {
    /// Gives a client what these settings ask for. The agent still sees the address that it was
    /// given in `Host`, whatever name its certificate has.
    pub(super) fn dress(
        &self,
        mut builder: ClientBuilder,
        authority: &str,
        headers: &mut HeaderMap,
    ) -> Result<ClientBuilder, ClientError> {
        crate::crypto::install();
        let unusable = |error: reqwest::Error| ClientError::Tls(root_cause(&error));
        if !self.authorities.is_empty() {
            let mut known = Vec::new();
            for file in &self.authorities {
                known.append(&mut Certificate::from_pem_bundle(file).map_err(unusable)?);
            }
            if known.is_empty() {
                let reason = "no certificate in the CA files".to_owned();
                return Err(ClientError::Tls(reason));
            }
            builder = builder.tls_certs_only(known);
        }
        if let Some(identity) = &self.identity {
            let identity = Identity::from_pem(identity.expose()).map_err(unusable)?;
            builder = builder.identity(identity);
        }
        if self.unverified {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        if let Some(name) = &self.server_name {
            let unknown = |error: std::io::Error| ClientError::Tls(format!("{authority}: {error}"));
            let found: Vec<_> = host_and_port(authority)
                .to_socket_addrs()
                .map_err(unknown)?
                .collect();
            builder = builder.resolve_to_addrs(name, &found);
            let host = HeaderValue::from_str(authority).or(Err(ClientError::BadToken))?;
            headers.insert("host", host);
        }
        Ok(builder)
    }
}
