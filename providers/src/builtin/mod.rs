//! The CA that Chancery brings along, which Consul calls `consul`.
//!
//! Keys are used in this process. The root signs leafs directly, unless there is an
//! intermediate: see [`own_root`] for whose root and whose key there can be.

mod basis;
mod cross_sign;
mod der;
mod held;
pub(crate) mod import;
mod issuer;
pub(crate) mod keys;
mod own_root;
mod request;
mod sign;
mod state;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use chancery_core::{Secret, Timestamp, TrustDomain};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};
use tokio::sync::Mutex;

use self::held::{Held, Intermediate, Pending, Root};
use self::issuer::Issuer;
use self::keys::CaKey;
pub(crate) use self::keys::key_pair;
use self::own_root::{Expectations, Given, Source};
use crate::{
    AcceptIntermediateRequest, CaProvider, Capabilities, CleanUpRequest, ConfigureRequest,
    CrossSignRequest, DecodedOptions, Description, IntermediateAnswer, IntermediateRequest,
    LeafRequest, OptionMap, ProviderError, RootAnswer, RootRequest, SecretOptions,
    SignIntermediateRequest,
};

/// The name that selects this provider in a configuration: Consul's.
pub(crate) const NAME: &str = "consul";

/// The built-in certificate authority.
pub struct BuiltIn {
    held: RwLock<Held>,
    /// Held while a key is made, so that two calls never make two roots.
    making: Mutex<()>,
    source: Source,
    /// Consul's `DisableCrossSigning`, to see what happens without.
    cross_signing: bool,
    leaf_ttl: Duration,
    trust_domain: Option<TrustDomain>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Default for BuiltIn {
    fn default() -> Self {
        Self::with_clock(Arc::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            Timestamp::from_unix(0).saturating_add(since.unwrap_or_default())
        }))
    }
}

impl BuiltIn {
    /// An empty one, to be [configured](CaProvider::configure).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one with a wall clock of its own. Time counts only for certificates that
    /// somebody else made: whether they are valid, and long enough.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        Self {
            held: RwLock::default(),
            making: Mutex::default(),
            source: Source::default(),
            cross_signing: true,
            leaf_ttl: Duration::ZERO,
            trust_domain: None,
            clock,
        }
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
        held.check_alive()?;
        if let Some(intermediate) = &held.intermediate {
            return Ok((
                Arc::clone(&intermediate.issuer),
                Arc::clone(&intermediate.links),
            ));
        }
        match &self.source {
            Source::Made(_) | Source::Key(_) => {
                held.own_root().map(|issuer| (issuer, Arc::default()))
            }
            Source::Root(issuer) => Ok((Arc::clone(issuer), Arc::default())),
            Source::Chain(chain) => Ok((Arc::clone(&chain.issuer), Arc::clone(&chain.links))),
            Source::Offline(_) => Err(ProviderError::refused(
                "the intermediate under the root in RootCert has not been signed yet",
            )),
        }
    }

    /// The root with its key, unless that is elsewhere.
    fn root_with_key(&self) -> Result<Option<Arc<Issuer>>, ProviderError> {
        let held = self.held();
        held.check_alive()?;
        match &self.source {
            Source::Made(_) | Source::Key(_) => held.own_root().map(Some),
            Source::Root(issuer) => Ok(Some(Arc::clone(issuer))),
            Source::Chain(_) | Source::Offline(_) => Ok(None),
        }
    }

    /// The root with its key, which signs CAs.
    fn signing_root(&self) -> Result<Arc<Issuer>, ProviderError> {
        let issuer = self.root_with_key()?.ok_or_else(|| {
            ProviderError::refused(
                "the key of the root in RootCert is elsewhere: no CA can be signed with it",
            )
        })?;
        if issuer.may_sign_cas() {
            return Ok(issuer);
        }
        Err(ProviderError::refused(
            "the root's path length is 0: no CA may stand below it",
        ))
    }

    /// What a root that was given, or an intermediate for it, must be good for.
    fn expectations(&self) -> Result<Expectations<'_>, ProviderError> {
        let trust_domain = self.trust_domain.as_ref();
        Ok(Expectations {
            trust_domain: trust_domain
                .ok_or_else(|| ProviderError::refused("this CA is not configured"))?,
            leaf_ttl: self.leaf_ttl,
            now: (self.clock)(),
        })
    }

    /// Makes a root with a key of its own, or with the operator's.
    async fn make_root(&self, request: &RootRequest) -> Result<Arc<Issuer>, ProviderError> {
        let key = match &self.source {
            Source::Key(key) => key.copy()?,
            _ => CaKey::generate(request.template.key).await?,
        };
        let certificate = sign::root(&key, &request.template)?;
        Issuer::new(certificate, key).map(Arc::new)
    }
}

#[async_trait]
impl CaProvider for BuiltIn {
    fn describe(&self) -> Description {
        let signs_cas = match &self.source {
            Source::Made(_) | Source::Key(_) => true,
            Source::Root(issuer) => issuer.may_sign_cas(),
            Source::Chain(_) | Source::Offline(_) => false,
        };
        Description::new(
            NAME,
            Capabilities {
                cross_sign: signs_cas && self.cross_signing,
                sign_intermediate: signs_cas,
                external_intermediate: !matches!(self.source, Source::Chain(_)),
                own_intermediate: matches!(self.source, Source::Chain(_) | Source::Offline(_)),
                import_root: true,
                chooses_serials: true,
                root_csr: self.source.has_root_key(),
                needs_root_csr: false,
                keys: keys::KINDS.to_vec(),
            },
        )
    }

    async fn configure(&mut self, request: &ConfigureRequest) -> Result<(), ProviderError> {
        let decoded = DecodedOptions::decode(&request.options)?;
        let given = Given::decode(&request.options, &request.secrets)?;
        let options = decoded.check()?;
        let cross_signing = given.cross_signing();
        let source = given.read(&options)?;
        let basis = source.basis();
        let kept = request.state.as_ref().map(state::read).transpose()?;
        // What was kept for another root belongs to the instance before, which still has it.
        let kept = kept.filter(|kept| kept.basis == basis);
        self.leaf_ttl = options.leaf_cert_ttl;
        self.trust_domain = Some(request.trust_domain.clone());
        self.cross_signing = cross_signing;
        if kept.is_none() {
            // Once it signs, that it grows old is no reason to stop early.
            own_root::vet(&source, &self.expectations()?)?;
        }
        self.source = source;
        self.hold(kept.unwrap_or_else(|| Held {
            basis,
            ..Held::default()
        }));
        Ok(())
    }

    async fn root(&self, request: &RootRequest) -> Result<RootAnswer, ProviderError> {
        let _making = self.making.lock().await;
        let mut held = self.held();
        held.check_alive()?;
        let certificate = if let Some(root) = self.source.given_root() {
            if request.renew {
                return Err(ProviderError::refused(
                    "the root is the one in RootCert: to have another, change RootCert and \
                     PrivateKey",
                ));
            }
            root.clone()
        } else {
            let root = match held.root_for(request.operation, request.renew) {
                Some(root) => root,
                None if held.root.is_some() && matches!(self.source, Source::Key(_)) => {
                    return Err(ProviderError::refused(
                        "the root's key is the one in PrivateKey: to have another root, change \
                         PrivateKey",
                    ));
                }
                None => {
                    // What was asked for under the root before is of no use under this one.
                    held.intermediate = None;
                    held.pending = None;
                    Root {
                        issuer: self.make_root(request).await?,
                        operation: Some(request.operation),
                    }
                }
            };
            let certificate = root.issuer.certificate().clone();
            held.root = Some(root);
            certificate
        };
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
        if let Source::Chain(chain) = &self.source {
            if request.renew {
                return Err(ProviderError::refused(
                    "the intermediate is the one in RootCert: to renew it, put a newer one there",
                ));
            }
            let issuer = std::iter::once(chain.issuer.certificate());
            return Ok(IntermediateAnswer::Ready {
                chain: issuer.chain(chain.links.iter()).cloned().collect(),
                state: state::write(&held)?,
            });
        }
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
            let issuer = Issuer::new(certificate.clone(), pending.key.copy()?)?;
            let links = issuer::without_root(links)?;
            if let Source::Offline(root) = &self.source {
                own_root::vet_external(root, &issuer, &links, &self.expectations()?)?;
            }
            held.intermediate = Some(Intermediate {
                issuer: Arc::new(issuer),
                links: links.into(),
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
        let root = self.signing_root()?;
        sign::intermediate(&root, &request.public_key, &request.template)
    }

    async fn root_csr(
        &self,
    ) -> Result<Option<CertificateSigningRequestDer<'static>>, ProviderError> {
        let root = self.root_with_key()?;
        root.map(|root| request::for_root(&root)).transpose()
    }

    async fn cross_sign(
        &self,
        request: &CrossSignRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        let root = self.signing_root()?;
        if !self.cross_signing {
            return Err(ProviderError::refused(
                "cross-signing is switched off by DisableCrossSigning",
            ));
        }
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

/// Reads and checks, and keeps nothing.
pub(crate) fn check_options(
    options: &OptionMap,
    secrets: &SecretOptions,
) -> Result<(), ProviderError> {
    let decoded = DecodedOptions::decode(options)?;
    let given = Given::decode(options, secrets)?;
    given.read(&decoded.check()?).map(drop)
}

#[cfg(test)]
mod tests;
