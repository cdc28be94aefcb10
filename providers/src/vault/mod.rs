//! HashiCorp Vault or OpenBao as the certificate authority.
//!
//! Two mounts of the PKI engine: one holds the root, the other an intermediate under it that
//! signs leafs. Keys are made there and never leave. Issuers are named by their id in every
//! call; what a mount takes by default is never relied on.

mod auth;
mod clean_up;
mod cross_sign;
mod der;
mod endpoints;
mod failure;
mod findings;
mod held;
mod intermediate;
mod issuers;
mod keeper;
mod leaf;
mod mounts;
mod options;
mod pem;
mod preflight;
mod redact;
mod root;
mod root_csr;
mod session;
mod set_up;
mod state;
mod tls;
mod token;
mod transport;

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use chancery_core::{KeyKind, Secret};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};
use tokio::sync::Mutex;

use self::held::{Held, Intermediate, Root};
pub(crate) use self::options::check_options;
use self::preflight::Abilities;
pub use self::preflight::{VaultRights, vault_policy};
use self::session::Session;
use crate::{
    AcceptIntermediateRequest, CaProvider, Capabilities, CleanUpRequest, ConfigureRequest,
    CrossSignRequest, Description, Finding, IntermediateAnswer, IntermediateRequest, KeySpec,
    LeafRequest, ProviderError, RootAnswer, RootRequest, SignIntermediateRequest,
};

/// The name that selects this provider in a configuration: Consul's.
pub(crate) const NAME: &str = "vault";

/// Vault as a certificate authority.
#[derive(Default)]
pub struct Vault {
    configured: Option<Configured>,
    held: RwLock<Held>,
    /// Held while something is made in Vault, so that two calls never make two.
    making: Mutex<()>,
}

/// What `configure` has set up.
struct Configured {
    session: Session,
    abilities: Abilities,
}

impl Vault {
    /// An empty one, to be [configured](CaProvider::configure).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn session(&self) -> Result<&Session, ProviderError> {
        self.configured
            .as_ref()
            .map(|configured| &configured.session)
            .ok_or_else(|| ProviderError::refused("Vault is not configured yet"))
    }

    /// What the token may do; all of it before it is known.
    fn abilities(&self) -> Abilities {
        let configured = self.configured.as_ref();
        configured.map_or(Abilities::ALL, |configured| configured.abilities)
    }

    fn held(&self) -> Held {
        // Nothing panics under this lock; were it so, what it guards would still be whole.
        self.held
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn hold(&self, held: Held) {
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = held;
    }
}

#[async_trait]
impl CaProvider for Vault {
    fn describe(&self) -> Description {
        let held = self.held();
        let direct = held.root.is_none_or(|root| root.is_direct());
        let abilities = self.abilities();
        Description::new(
            NAME,
            Capabilities {
                cross_sign: direct,
                sign_intermediate: direct,
                external_intermediate: false,
                own_intermediate: true,
                import_root: false,
                chooses_serials: false,
                root_csr: direct && abilities.root_csr,
                needs_root_csr: !abilities.any_root,
                keys: KEYS.to_vec(),
            },
        )
    }

    async fn configure(&mut self, request: &ConfigureRequest) -> Result<(), ProviderError> {
        let ready = set_up::set_up(request).await?;
        self.hold(ready.held);
        self.configured = Some(Configured {
            session: ready.session,
            abilities: ready.abilities,
        });
        Ok(())
    }

    async fn root(&self, request: &RootRequest) -> Result<RootAnswer, ProviderError> {
        let session = self.session()?;
        let _making = self.making.lock().await;
        let mut held = self.held();
        held.check_alive()?;
        let known = held.root.take().filter(|root| serves(root, request));
        let root = match known {
            Some(root) => root,
            None => {
                held.intermediate = None;
                Arc::new(root::obtain(session, request).await?)
            }
        };
        held.root = Some(Arc::clone(&root));
        let state = state::write(&session.address, &held)?;
        self.hold(held);
        Ok(RootAnswer {
            certificate: root.certificate.clone(),
            state,
        })
    }

    async fn intermediate(
        &self,
        request: &IntermediateRequest,
    ) -> Result<IntermediateAnswer, ProviderError> {
        let session = self.session()?;
        let _making = self.making.lock().await;
        let mut held = self.held();
        let root = held.root()?;
        let known = held
            .intermediate
            .take()
            .filter(|intermediate| signs(intermediate, &root, request));
        let intermediate = match known {
            Some(intermediate) => intermediate,
            None => Arc::new(intermediate::obtain(session, &root, request).await?),
        };
        held.intermediate = Some(Arc::clone(&intermediate));
        let state = state::write(&session.address, &held)?;
        self.hold(held);
        Ok(IntermediateAnswer::Ready {
            chain: intermediate.chain.clone(),
            state,
        })
    }

    async fn accept_intermediate(
        &self,
        _request: &AcceptIntermediateRequest,
    ) -> Result<Secret, ProviderError> {
        Err(ProviderError::refused(
            "no intermediate was asked for: Vault makes its own",
        ))
    }

    async fn sign_leaf(
        &self,
        request: &LeafRequest,
    ) -> Result<Vec<CertificateDer<'static>>, ProviderError> {
        let session = self.session()?;
        let intermediate = self.held().intermediate()?;
        leaf::sign(session, &intermediate, request).await
    }

    async fn sign_intermediate(
        &self,
        request: &SignIntermediateRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        let session = self.session()?;
        let root = direct(self.held().root()?)?;
        let csr = pem::of_request(&request.csr);
        intermediate::sign(session, &root, &csr, &request.template).await
    }

    async fn root_csr(
        &self,
    ) -> Result<Option<CertificateSigningRequestDer<'static>>, ProviderError> {
        let session = self.session()?;
        let root = self.held().root()?;
        if !root.is_direct() {
            return Ok(None);
        }
        root_csr::of_root(session, &root).await
    }

    async fn cross_sign(
        &self,
        request: &CrossSignRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        let session = self.session()?;
        let root = direct(self.held().root()?)?;
        cross_sign::cross_sign(session, &root, request, self.abilities().any_root).await
    }

    async fn clean_up(&self, request: &CleanUpRequest) -> Result<(), ProviderError> {
        let session = self.session()?;
        let _making = self.making.lock().await;
        let mut held = self.held();
        held.retired = true;
        self.hold(held.clone());
        clean_up::clean_up(session, &held, request).await
    }

    async fn findings(&self) -> Vec<Finding> {
        match &self.configured {
            Some(configured) => {
                findings::of(&configured.session, configured.abilities.any_root).await
            }
            None => Vec::new(),
        }
    }
}

/// Whether the root that is there is the one that `request` wants.
fn serves(root: &Root, request: &RootRequest) -> bool {
    match root.signer.operation {
        // An administrator's root is what it is.
        None => !request.renew,
        Some(operation) => {
            let new_enough = !request.renew || operation == request.operation;
            new_enough && *root.issuer.key() == KeyKind::from(request.template.key)
        }
    }
}

/// Whether the intermediate that is there is the one that `request` wants.
fn signs(intermediate: &Intermediate, root: &Root, request: &IntermediateRequest) -> bool {
    let new_enough = !request.renew || intermediate.authority.operation == Some(request.operation);
    new_enough
        && intermediate.root == root.certificate
        && *intermediate.issuer.key() == KeyKind::from(request.key)
}

/// The root, if it is in Vault: an authority somewhere below it cannot sign in its name.
fn direct(root: Arc<Root>) -> Result<Arc<Root>, ProviderError> {
    if root.is_direct() {
        return Ok(root);
    }
    Err(ProviderError::refused(
        "the root's key is not in Vault, which holds an intermediate under it",
    ))
}

const KEYS: [KeySpec; 6] = [
    KeySpec::EcP256,
    KeySpec::EcP384,
    KeySpec::EcP521,
    KeySpec::Ed25519,
    KeySpec::Rsa2048,
    KeySpec::Rsa4096,
];
