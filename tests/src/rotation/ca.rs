//! The certificate authority behind an agent, as its API shows it.

use chancery_core::{
    Algorithms, PeerRole, Timestamp, TrustBundle, TrustDomain, VerifiedPeer, Violation,
    certificates_from_pem,
};
use rustls::crypto::aws_lc_rs;
use serde_json::{Value, json};

use crate::agent::AgentClient;
use crate::mesh::CredentialsError;
use crate::peers::AgentError;

/// Why the CA could not be asked, or what it gave not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RotationError {
    /// The agent refuses or is gone.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// A certificate cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A socket or a handshake failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// An answer is not what an agent serves.
    #[error("the agent's answer has no {what}: {answer}")]
    Shape {
        /// What is missing or wrong.
        what: &'static str,
        /// The answer.
        answer: String,
    },
    /// A certificate breaks a rule.
    #[error(transparent)]
    Violation(#[from] Violation),
}

/// Asks one agent about its CA, and changes it.
#[derive(Clone, Debug)]
pub struct Ca {
    api: AgentClient,
}

/// The roots that an agent served at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CaRoots {
    /// The trust domain.
    pub trust_domain: TrustDomain,
    /// Id of the root that signs.
    pub active: String,
    /// Id and certificate, PEM, of each.
    pub roots: Vec<(String, String)>,
}

/// A leaf with its key, as an agent served it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sent {
    /// The leaf and all that is sent with it, PEM.
    pub chain_pem: String,
    /// The private key, PEM.
    pub key_pem: String,
    /// The serial number.
    pub serial: String,
}

impl Ca {
    /// The CA behind the agent that `api` asks.
    #[must_use]
    pub fn new(api: AgentClient) -> Self {
        Self { api }
    }

    /// Changes provider and options; comes back when new leafs are issued so.
    ///
    /// # Errors
    /// [`RotationError::Agent`] with what the agent answered.
    pub async fn configure(&self, provider: &str, config: &Value) -> Result<(), RotationError> {
        self.put(&json!({"Provider": provider, "Config": config}))
            .await
    }

    /// The same although peers with older roots will refuse new leafs.
    ///
    /// # Errors
    /// [`RotationError::Agent`] with what the agent answered.
    pub async fn force(&self, provider: &str, config: &Value) -> Result<(), RotationError> {
        self.put(&json!({
            "Provider": provider,
            "Config": config,
            "ForceWithoutCrossSigning": true,
        }))
        .await
    }

    async fn put(&self, body: &Value) -> Result<(), RotationError> {
        let path = "/v1/connect/ca/configuration";
        let answer = self.api.call("PUT", path, Some(body)).await;
        answer.map_err(AgentError::from)?.checked()?;
        Ok(())
    }

    /// Gives the provider another key with its present options, so that it has another root; any
    /// client of Consul's API can do so. Comes back when the new root signs.
    ///
    /// # Errors
    /// [`RotationError`]
    pub async fn give_key(&self) -> Result<(), RotationError> {
        let mut configuration = self.get("/v1/connect/ca/configuration").await?;
        let key = rcgen::KeyPair::generate().map_err(CredentialsError::from)?;
        configuration["Config"]["PrivateKey"] = key.serialize_pem().into();
        self.put(&configuration).await
    }

    /// Has a new root made on the same provider; comes back when it signs.
    ///
    /// # Errors
    /// [`RotationError::Agent`] with what the agent answered.
    pub async fn rotate(&self) -> Result<(), RotationError> {
        self.order(&json!({})).await
    }

    /// The same, and the old root goes after `retire_after` (`30s`), whoever still needs it.
    ///
    /// # Errors
    /// [`RotationError::Agent`] with what the agent answered.
    pub async fn rotate_in_emergency(&self, retire_after: &str) -> Result<(), RotationError> {
        self.order(&json!({"Emergency": true, "RetireAfter": retire_after}))
            .await
    }

    /// What a new root on the same provider would mean; nothing is done.
    ///
    /// # Errors
    /// [`RotationError::Agent`] with what the agent answered.
    pub async fn plan(&self) -> Result<Value, RotationError> {
        let path = "/v1/chancery/ca/rotate";
        let body = json!({"DryRun": true});
        let answer = self.api.call("PUT", path, Some(&body)).await;
        Ok(answer.map_err(AgentError::from)?.checked()?)
    }

    async fn order(&self, body: &Value) -> Result<(), RotationError> {
        let path = "/v1/chancery/ca/rotate";
        let answer = self.api.call("PUT", path, Some(body)).await;
        answer.map_err(AgentError::from)?.checked()?;
        Ok(())
    }

    /// Where it stands: what is running, what failed, what comes next.
    ///
    /// # Errors
    /// [`RotationError::Agent`] with what the agent answered.
    pub async fn status(&self) -> Result<Value, RotationError> {
        self.get("/v1/chancery/ca/status").await
    }

    /// The roots that it serves now.
    ///
    /// # Errors
    /// [`RotationError`]
    pub async fn roots(&self) -> Result<CaRoots, RotationError> {
        let answer = self.get("/v1/agent/connect/ca/roots").await?;
        let missing = |what| RotationError::Shape {
            what,
            answer: answer.to_string(),
        };
        let trust_domain = text(&answer, "TrustDomain").ok_or_else(|| missing("TrustDomain"))?;
        let roots = answer
            .get("Roots")
            .and_then(Value::as_array)
            .ok_or_else(|| missing("Roots"))?
            .iter()
            .map(|root| Some((text(root, "ID")?, text(root, "RootCert")?)))
            .collect::<Option<_>>()
            .ok_or_else(|| missing("RootCert"))?;
        Ok(CaRoots {
            trust_domain: TrustDomain::parse(&trust_domain)
                .map_err(|_error| missing("usable TrustDomain"))?,
            active: text(&answer, "ActiveRootID").ok_or_else(|| missing("ActiveRootID"))?,
            roots,
        })
    }

    /// The leaf that it serves now for `service`.
    ///
    /// # Errors
    /// [`RotationError`]
    pub async fn leaf(&self, service: &str) -> Result<Sent, RotationError> {
        let answer = self
            .get(&format!("/v1/agent/connect/ca/leaf/{service}"))
            .await?;
        let part = |key: &'static str| {
            text(&answer, key).ok_or_else(|| RotationError::Shape {
                what: key,
                answer: answer.to_string(),
            })
        };
        Ok(Sent {
            chain_pem: part("CertPEM")?,
            key_pem: part("PrivateKeyPEM")?,
            serial: part("SerialNumber")?,
        })
    }

    /// An answer to GET, as JSON.
    ///
    /// # Errors
    /// [`RotationError::Agent`] with what the agent answered.
    pub async fn get(&self, path: &str) -> Result<Value, RotationError> {
        let answer = self.api.call("GET", path, None).await;
        Ok(answer.map_err(AgentError::from)?.checked()?)
    }
}

impl CaRoots {
    /// Their ids.
    #[must_use]
    pub fn ids(&self) -> Vec<&str> {
        self.roots.iter().map(|(id, _)| id.as_str()).collect()
    }

    /// What a peer that has them trusts.
    ///
    /// # Errors
    /// [`RotationError::Violation`]
    pub fn bundle(&self) -> Result<TrustBundle, RotationError> {
        let pem: String = self.roots.iter().map(|(_, pem)| pem.as_str()).collect();
        Ok(TrustBundle::from_pem(
            self.trust_domain.clone(),
            pem.as_bytes(),
        )?)
    }
}

impl Sent {
    /// Whether a peer that trusts `bundle` lets it in now, and as whom.
    ///
    /// # Errors
    /// [`Violation`]
    pub fn verify(&self, bundle: &TrustBundle) -> Result<VerifiedPeer, Violation> {
        let chain = certificates_from_pem(self.chain_pem.as_bytes())?;
        let chain: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).collect();
        bundle.verify_peer(&chain, PeerRole::Server, algorithms(), now())
    }

    /// How many certificates are sent, the leaf among them.
    #[must_use]
    pub fn length(&self) -> usize {
        self.chain_pem.matches("-----BEGIN CERTIFICATE").count()
    }
}

pub(super) fn algorithms() -> Algorithms<'static> {
    aws_lc_rs::default_provider()
        .signature_verification_algorithms
        .all
}

pub(super) fn now() -> Timestamp {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_unix(i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}
