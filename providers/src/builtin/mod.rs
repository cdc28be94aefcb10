//! The CA that Chancery brings along, which Consul calls `consul`.
//!
//! Keys are made and used in this process. The root signs leafs directly, unless the CA was
//! given an intermediate by another one.

mod basis;
mod cross_sign;
mod held;
mod issuer;
mod keys;
mod name;
mod sign;
mod state;

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use chancery_core::Secret;
use rustls_pki_types::CertificateDer;
use tokio::sync::Mutex;

use self::basis::Basis;
use self::held::{Held, Intermediate, Pending, Root};
use self::issuer::Issuer;
use self::keys::CaKey;
pub(crate) use self::keys::key_pair;
use crate::options::Decoder;
use crate::{
    AcceptIntermediateRequest, CaProvider, Capabilities, CleanUpRequest, ConfigureRequest,
    CrossSignRequest, DecodedOptions, Description, IntermediateAnswer, IntermediateRequest,
    LeafRequest, ProviderError, RootAnswer, RootRequest, SignIntermediateRequest,
};

/// The name that selects this provider in a configuration: Consul's.
pub(crate) const NAME: &str = "consul";

/// The built-in certificate authority.
#[derive(Default)]
pub struct BuiltIn {
    held: RwLock<Held>,
    /// Held while a key is made, so that two calls never make two roots.
    making: Mutex<()>,
}

impl BuiltIn {
    /// An empty one, to be [configured](CaProvider::configure).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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

    /// What signs leafs now, and what links it to a root.
    fn leaf_issuer(&self) -> Result<(Arc<Issuer>, Arc<[CertificateDer<'static>]>), ProviderError> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(intermediate) = held.intermediate.as_ref().filter(|_| !held.retired) {
            return Ok((
                Arc::clone(&intermediate.issuer),
                Arc::clone(&intermediate.links),
            ));
        }
        held.signing_root().map(|root| (root, Arc::default()))
    }
}

#[async_trait]
impl CaProvider for BuiltIn {
    fn describe(&self) -> Description {
        Description::new(
            NAME,
            Capabilities {
                cross_sign: true,
                sign_intermediate: true,
                external_intermediate: true,
                own_intermediate: false,
                import_root: false,
                chooses_serials: true,
                keys: keys::KINDS.to_vec(),
            },
        )
    }

    async fn configure(&mut self, request: &ConfigureRequest) -> Result<(), ProviderError> {
        let options = DecodedOptions::decode(&request.options)?;
        refuse_own_root(request)?;
        let basis = Basis::made(options.check()?.private_key);
        let kept = request.state.as_ref().map(state::read).transpose()?;
        // What was kept for another root belongs to the instance before, which still has it.
        let held = kept.filter(|kept| kept.basis == basis);
        self.hold(held.unwrap_or_else(|| Held {
            basis,
            ..Held::default()
        }));
        Ok(())
    }

    async fn root(&self, request: &RootRequest) -> Result<RootAnswer, ProviderError> {
        let _making = self.making.lock().await;
        let mut held = self.held();
        held.check_alive()?;
        let root = match held.root_for(request.operation, request.renew) {
            Some(root) => root,
            None => {
                let key = CaKey::generate(request.template.key).await?;
                let certificate = sign::root(&key, &request.template)?;
                // What was asked for under the root before is of no use under this one.
                held.intermediate = None;
                held.pending = None;
                Root {
                    issuer: Arc::new(Issuer::new(certificate, key)?),
                    operation: Some(request.operation),
                }
            }
        };
        let certificate = root.issuer.certificate().clone();
        held.root = Some(root);
        let state = state::write(&held)?;
        self.hold(held);
        Ok(RootAnswer { certificate, state })
    }

    async fn intermediate(
        &self,
        request: &IntermediateRequest,
    ) -> Result<IntermediateAnswer, ProviderError> {
        let _making = self.making.lock().await;
        let mut held = self.held();
        held.check_alive()?;
        let known = held
            .pending
            .take()
            .filter(|pending| pending.operation == request.operation);
        if known.is_none()
            && let Some(made) = held.intermediate_for(request.operation, request.renew)
        {
            let issuer = std::iter::once(made.issuer.certificate());
            let chain = issuer.chain(made.links.iter()).cloned().collect();
            return Ok(IntermediateAnswer::Ready {
                chain,
                state: state::write(&self.held())?,
            });
        }
        let pending = match known {
            Some(pending) => pending,
            None => {
                let key = CaKey::generate(request.key).await?;
                Pending {
                    operation: request.operation,
                    csr: sign::request(&key, &request.template)?,
                    key: Arc::new(key),
                }
            }
        };
        let csr = pending.csr.clone();
        held.pending = Some(pending);
        let state = state::write(&held)?;
        self.hold(held);
        Ok(IntermediateAnswer::Csr { csr, state })
    }

    async fn accept_intermediate(
        &self,
        request: &AcceptIntermediateRequest,
    ) -> Result<Secret, ProviderError> {
        let _making = self.making.lock().await;
        let mut held = self.held();
        held.check_alive()?;
        let Some((certificate, links)) = request.chain.split_first() else {
            return Err(ProviderError::refused("the chain is empty"));
        };
        let already = held
            .intermediate
            .as_ref()
            .is_some_and(|made| made.issuer.certificate() == certificate);
        if !already {
            let pending = held
                .pending
                .take()
                .ok_or_else(|| ProviderError::refused("no intermediate was asked for"))?;
            let key = CaKey::from_pkcs8(pending.key.kind(), &pending.key.pkcs8())?;
            let issuer = Issuer::new(certificate.clone(), key)?;
            held.intermediate = Some(Intermediate {
                issuer: Arc::new(issuer),
                links: issuer::without_root(links)?.into(),
                operation: Some(pending.operation),
            });
        }
        let state = state::write(&held)?;
        self.hold(held);
        Ok(state)
    }

    async fn sign_leaf(
        &self,
        request: &LeafRequest,
    ) -> Result<Vec<CertificateDer<'static>>, ProviderError> {
        let (issuer, links) = self.leaf_issuer()?;
        let leaf = sign::leaf(&issuer, &request.public_key, &request.template)?;
        let mut chain = vec![leaf];
        if !issuer.is_self_signed() {
            chain.push(issuer.certificate().clone());
            chain.extend_from_slice(&links);
        }
        Ok(chain)
    }

    async fn sign_intermediate(
        &self,
        request: &SignIntermediateRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        let root = self.held().signing_root()?;
        sign::intermediate(&root, &request.public_key, &request.template)
    }

    async fn cross_sign(
        &self,
        request: &CrossSignRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        let root = self.held().signing_root()?;
        cross_sign::cross_sign(&root, request)
    }

    async fn clean_up(&self, _request: &CleanUpRequest) -> Result<(), ProviderError> {
        let _making = self.making.lock().await;
        // Nobody asks it to sign again, whatever is kept: what signs by then is another.
        self.hold(Held {
            retired: true,
            ..Held::default()
        });
        Ok(())
    }
}

/// `import_root` is not among the capabilities. To make another root in silence, when somebody
/// gave their own, would be the worst answer.
fn refuse_own_root(request: &ConfigureRequest) -> Result<(), ProviderError> {
    let mut decoder = Decoder::new(&request.options);
    let certificate = decoder.text("RootCert", "");
    decoder.finish()?;
    match (certificate.is_empty(), request.secrets.find("PrivateKey")) {
        (true, None) => Ok(()),
        (false, None) => Err(ProviderError::misconfigured(
            "must provide a private key when providing a root cert",
        )),
        (_, Some(_)) => Err(ProviderError::misconfigured(
            "PrivateKey and RootCert are not supported, without them the CA makes its own root",
        )),
    }
}

#[cfg(test)]
mod tests;
