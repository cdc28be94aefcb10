//! The simulated providers, as the product's guard calls them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chancery_core::Secret;
use chancery_providers::{
    AcceptIntermediateRequest, CaProvider, CleanUpRequest, CleanUpScope, ConfigureRequest,
    CrossSignRequest, Description, ErrorKind, IntermediateAnswer, IntermediateRequest, LeafRequest,
    ProviderError, RootAnswer, RootRequest, SignIntermediateRequest,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};

use super::backends::Order;
use super::bug::Bug;
use super::certificates::{Certificate, CertificateId, Certificates, from_bytes, seconds};
use super::der::{LeafText, public_key_info};
use super::misdeed::{Fault, Misdeed, spoilt};
use super::realm::{Desk, Realm, TrueLeaf};
use super::remembered::Remembered;
use super::schedule::{DAY, ProviderKind, Wish};

/// One incarnation of a provider, in this process.
pub(super) struct SimProvider {
    desk: Arc<Desk>,
    epoch: u64,
    wish: Wish,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// What it was configured with.
    before: Option<Remembered>,
    /// What it has made or found since.
    now: Option<Remembered>,
    /// Whether it has answered with its root, and so cannot answer with another.
    is_known: bool,
}

impl Memory {
    fn newest(&self) -> Result<Remembered, ProviderError> {
        let newest = self.now.or(self.before);
        newest.ok_or_else(|| ProviderError::refused("there is no root yet"))
    }
}

impl SimProvider {
    pub(super) fn new(desk: Arc<Desk>, epoch: u64, wish: Wish) -> Self {
        Self {
            desk,
            epoch,
            wish,
            memory: Mutex::default(),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Comes to work, or does not. Says what it does wrong this time, of what it is able to.
    async fn come(&self, able: &[Misdeed]) -> Result<Option<Misdeed>, ProviderError> {
        let fault = self.desk.realm().fault(self.wish.kind, able);
        match fault {
            Fault::None => Ok(None),
            Fault::Does(misdeed) => Ok(Some(misdeed)),
            Fault::Hangs => std::future::pending().await,
            Fault::Fails => Err(ProviderError::new(
                ErrorKind::Unavailable { retry_after: None },
                "the backend is not available",
            )),
        }
    }

    fn root_of(
        &self,
        request: &RootRequest,
        realm: &mut Realm,
    ) -> Result<Remembered, ProviderError> {
        let memory = self.memory();
        if let Some(now) = memory.now {
            return match realm.backends.has(now.root) {
                true => Ok(now),
                false => Err(ProviderError::broken("the root's key has been deleted")),
            };
        }
        let order = Order {
            epoch: self.epoch,
            kind: self.wish.kind,
            variant: self.wish.variant,
            operation: request.operation,
            renew: request.renew,
            validity: request.template.validity,
            now: realm.wall_clock(),
        };
        let kept = memory.before.filter(|before| {
            before.root_for == request.operation
                || (before.variant == order.variant && !request.renew)
        });
        let root = match order.kind {
            ProviderKind::Given | ProviderKind::Offline if request.renew => {
                return Err(ProviderError::refused(
                    "only the operator can give another root",
                ));
            }
            ProviderKind::Given | ProviderKind::Offline => {
                realm.backends.file(&order, &mut realm.certificates)
            }
            ProviderKind::Local => match kept {
                Some(kept) => kept.root,
                None => realm.certificates.root(order.validity),
            },
            ProviderKind::Remote | ProviderKind::Plain => {
                let kept = kept.map(|kept| kept.root);
                realm.backends.root(&order, kept, &mut realm.certificates)
            }
        };
        let same = memory.before.filter(|before| before.root == root);
        Ok(Remembered {
            variant: order.variant,
            root,
            root_for: kept.map_or(request.operation, |kept| kept.root_for),
            intermediate: same.and_then(|same| same.intermediate),
            requested: same.and_then(|same| same.requested),
            intermediate_for: same.map_or(request.operation, |same| same.intermediate_for),
        })
    }

    /// `None` if somebody outside must sign it first.
    fn intermediate_of(
        &self,
        request: &IntermediateRequest,
        now: Remembered,
        realm: &mut Realm,
    ) -> Option<CertificateId> {
        let order = Order {
            epoch: self.epoch,
            kind: self.wish.kind,
            variant: self.wish.variant,
            operation: request.operation,
            renew: request.renew,
            validity: request.template.validity,
            now: realm.wall_clock(),
        };
        let wall = realm.wall;
        let all = &mut realm.certificates;
        let will_do = !request.renew || now.intermediate_for == request.operation;
        let old = now
            .intermediate
            .filter(|id| will_do && all.of(*id).not_after > wall);
        match order.kind {
            ProviderKind::Remote | ProviderKind::Plain => {
                Some(realm.backends.intermediate(&order, now.root, all))
            }
            ProviderKind::Local => Some(old.unwrap_or_else(|| {
                let key = all.party();
                all.intermediate(key, now.root, order.validity)
            })),
            ProviderKind::Offline | ProviderKind::Given => {
                old.filter(|_| now.requested.is_none() || now.intermediate_for != request.operation)
            }
        }
    }
}

#[async_trait]
impl CaProvider for SimProvider {
    fn describe(&self) -> Description {
        Description::new(self.wish.kind.name(), self.wish.capabilities())
    }

    async fn configure(&mut self, request: &ConfigureRequest) -> Result<(), ProviderError> {
        self.come(&[]).await?;
        let state = request.state.as_ref().map(Secret::expose);
        self.memory().before = state.and_then(Remembered::from_state);
        Ok(())
    }

    async fn root(&self, request: &RootRequest) -> Result<RootAnswer, ProviderError> {
        let misdeed = self.come(&[Misdeed::RootChanges, Misdeed::Forged]).await?;
        let mut realm = self.desk.realm();
        let known = self.memory().is_known;
        let now = self.root_of(request, &mut realm)?;
        self.memory().now = Some(now);
        let mut told = now;
        match misdeed {
            Some(Misdeed::RootChanges) if known => {
                told.root = realm.certificates.root(request.template.validity);
                told.intermediate = None;
                realm.notes.misdeed = misdeed;
            }
            Some(Misdeed::Forged) => {
                let stranger = realm.certificates.party();
                let honest = realm.certificates.of(now.root);
                told.root = realm
                    .certificates
                    .add_saying(honest, |text| text.signer = stranger);
                realm.notes.misdeed = misdeed;
            }
            _ => self.memory().is_known = true,
        }
        Ok(RootAnswer {
            certificate: bytes(&realm.certificates, told.root),
            state: told.to_state(),
        })
    }

    async fn intermediate(
        &self,
        request: &IntermediateRequest,
    ) -> Result<IntermediateAnswer, ProviderError> {
        let misdeed = self
            .come(&[Misdeed::OtherRoot, Misdeed::TooLong, Misdeed::Forged])
            .await?;
        let mut realm = self.desk.realm();
        let mut now = self.memory().newest()?;
        let Some(ready) = self.intermediate_of(request, now, &mut realm) else {
            if now.requested.is_none() || now.intermediate_for != request.operation {
                now.requested = Some(realm.certificates.party());
                now.intermediate_for = request.operation;
            }
            self.memory().now = Some(now);
            return Ok(IntermediateAnswer::Csr {
                csr: CertificateSigningRequestDer::from(b"a request".to_vec()),
                state: now.to_state(),
            });
        };
        if now.intermediate != Some(ready) {
            now.intermediate = Some(ready);
            now.intermediate_for = request.operation;
        }
        now.requested = None;
        self.memory().now = Some(now);
        if let Some(misdeed) = misdeed {
            let end = realm.certificates.of(now.root).not_after;
            now.intermediate = Some(spoilt(&mut realm, ready, misdeed, end));
        }
        Ok(IntermediateAnswer::Ready {
            chain: vec![bytes(&realm.certificates, now.signs())],
            state: now.to_state(),
        })
    }

    async fn accept_intermediate(
        &self,
        request: &AcceptIntermediateRequest,
    ) -> Result<Secret, ProviderError> {
        self.come(&[]).await?;
        let realm = self.desk.realm();
        let mut memory = self.memory();
        let mut now = memory.newest()?;
        let given = request.chain.first().map(|der| from_bytes(der));
        let key = given.map(|given| realm.certificates.of(given).subject);
        if now.requested.is_some() && key == now.requested {
            now.intermediate = given;
            now.requested = None;
        } else if given.is_none() || now.intermediate != given {
            return Err(ProviderError::refused("it is for another key"));
        }
        memory.now = Some(now);
        Ok(now.to_state())
    }

    async fn sign_leaf(
        &self,
        request: &LeafRequest,
    ) -> Result<Vec<CertificateDer<'static>>, ProviderError> {
        let misdeed = self.come(Misdeed::with_leafs(self.wish.kind)).await?;
        let mut realm = self.desk.realm();
        let now = self.memory().newest()?;
        if !realm.backends.has(now.signs()) {
            return Err(ProviderError::refused("the key has been deleted"));
        }
        let above = realm.certificates.of(now.signs());
        let template = &request.template;
        let mut text = LeafText {
            serial: template.serial.as_bytes(),
            common_name: &template.common_name,
            uri: &template.uri,
            key: &request.public_key,
            issuer: above.subject,
            signer: above.subject,
            not_before: template
                .validity
                .not_before
                .max(super::certificates::stamp(above.not_before)),
            not_after: template
                .validity
                .not_after
                .min(super::certificates::stamp(above.not_after)),
            is_ca: false,
        };
        let stranger = misdeed.map(|_| realm.certificates.party());
        let stranger = stranger.unwrap_or(above.subject);
        let other_key = public_key_info(stranger);
        match misdeed {
            Some(Misdeed::Forged) => text.signer = stranger,
            Some(Misdeed::TooLong) => {
                text.not_after = text
                    .not_after
                    .saturating_add(std::time::Duration::from_secs(30 * DAY.unsigned_abs()));
            }
            Some(Misdeed::OtherKey) => text.key = &other_key,
            Some(Misdeed::OtherName) => text.uri = OTHER_SERVICE,
            Some(Misdeed::LeafIsCa) => text.is_ca = true,
            _ => {}
        }
        realm.notes.misdeed = misdeed;
        realm.notes.leaf = Some(TrueLeaf {
            signer: text.signer,
            until: seconds(text.not_after),
        });
        let mut chain = vec![CertificateDer::from(text.write())];
        chain.extend(now.intermediate.map(|id| bytes(&realm.certificates, id)));
        Ok(chain)
    }

    async fn sign_intermediate(
        &self,
        _request: &SignIntermediateRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        Err(ProviderError::refused("nobody asks for that here"))
    }

    async fn cross_sign(
        &self,
        request: &CrossSignRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        let misdeed = self
            .come(&[
                Misdeed::OtherKey,
                Misdeed::OtherName,
                Misdeed::TooLong,
                Misdeed::Forged,
            ])
            .await?;
        if !self.wish.capabilities().cross_sign {
            return Err(ProviderError::refused("it cannot cross-sign"));
        }
        let mut realm = self.desk.realm();
        let now = self.memory().newest()?;
        if !realm.backends.has(now.root) {
            return Err(ProviderError::refused("the root's key has been deleted"));
        }
        let above = realm.certificates.of(now.root);
        let wall = realm.wall;
        let mut end = seconds(request.validity.not_after).min(above.not_after);
        if realm.bug == Some(Bug::WeakLink) {
            end = wall + (end - wall) / 3;
        }
        let foreign = realm.certificates.of(from_bytes(&request.root));
        let mut made = realm.certificates.add(Certificate {
            subject: foreign.subject,
            issuer: above.subject,
            not_before: seconds(request.validity.not_before).max(above.not_before),
            not_after: end,
        });
        if let Some(misdeed) = misdeed {
            let end = seconds(request.validity.not_after);
            made = spoilt(&mut realm, made, misdeed, end);
        }
        Ok(bytes(&realm.certificates, made))
    }

    async fn clean_up(&self, request: &CleanUpRequest) -> Result<(), ProviderError> {
        self.come(&[]).await?;
        let mut realm = self.desk.realm();
        let keep = request.keep.iter().map(AsRef::as_ref);
        let everything = request.scope == CleanUpScope::Everything;
        realm.notes.gone = realm.backends.clean_up(self.epoch, everything, keep);
        Ok(())
    }
}

fn bytes(all: &Certificates, id: CertificateId) -> CertificateDer<'static> {
    CertificateDer::from(all.der(id).as_bytes().to_vec())
}

const OTHER_SERVICE: &str =
    "spiffe://5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a.consul/ns/default/dc/dc1/svc/somebody-else";
