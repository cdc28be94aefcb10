//! What the host does for each effect: the calls on the provider, and the command that comes of
//! it.

use std::time::Duration;

use chancery_core::{
    AuthorityCommand, CaConfiguration, Der, Effect, Epoch, Life, Link, NewIssuer, OperationId,
    Sealed, Secret,
};
use chancery_providers::{
    AcceptIntermediateRequest, CaProvider, CleanUpRequest, CleanUpScope, CrossSignRequest,
    IntermediateAnswer, IntermediateRequest, IntermediateTemplate, KeySpec, ProviderError,
    RootRequest, RootTemplate, Validity,
};
use rustls_pki_types::CertificateDer;

use super::bug::Bug;
use super::certificates::{CertificateId, Party, from_bytes, from_der, stamp};
use super::rare::Rare;
use super::remembered::Remembered;
use super::world::{Outcome, World, short};

/// Why nothing came of an effect.
pub(super) enum Failure {
    Provider(ProviderError),
    NoCrossSigning,
    /// The trial leaf does not verify.
    Trial,
    /// What it was for is over.
    Over,
}

impl Failure {
    /// Whether the same may succeed later, as the host sees it.
    fn is_passing(&self) -> bool {
        match self {
            Self::Provider(error) => error.kind().is_retryable(),
            Self::NoCrossSigning | Self::Trial => false,
            Self::Over => true,
        }
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        Self::Provider(error)
    }
}

type Answer = Result<AuthorityCommand, Failure>;

impl World {
    /// The host carries an effect out, now. A rotation that fails for good is given up.
    pub(super) fn act(&mut self, effect: Effect) -> Outcome {
        self.took = 0;
        let rotating = match &effect {
            Effect::PrepareIssuer { epoch, .. }
            | Effect::CrossSign { epoch, .. }
            | Effect::TryIssuer { epoch, .. } => self.is_wanted(*epoch).then_some(*epoch),
            _ => None,
        };
        let accepting = matches!(
            &effect,
            Effect::PrepareIssuer {
                signed: Some(_),
                ..
            }
        );
        let answer = match effect {
            Effect::PrepareIssuer { .. } => self.prepare(effect),
            Effect::CrossSign { .. } => self.link(effect),
            Effect::TryIssuer { .. } => self.try_issuer(effect),
            Effect::CleanUp { .. } => self.clean_up(effect),
            _ => Err(Failure::Over),
        };
        let outcome = match (answer, rotating) {
            (Ok(command), _) => Outcome::Answer(command),
            (Err(failure), Some(epoch)) if !failure.is_passing() => {
                self.incarnations.remove(&epoch);
                Outcome::Answer(if accepting {
                    self.see(Rare::SignatureWrong);
                    AuthorityCommand::SignatureRefused { epoch }
                } else {
                    AuthorityCommand::Abandon { epoch }
                })
            }
            _ => Outcome::Failed,
        };
        self.tell(|| match &outcome {
            Outcome::Answer(command) => format!("  provider: {}", short(command)),
            Outcome::Failed => "  provider: failed".to_owned(),
        });
        outcome
    }

    fn prepare(&mut self, effect: Effect) -> Answer {
        let Effect::PrepareIssuer {
            epoch,
            operation,
            configuration,
            memory,
            renew_root,
            renew_intermediate,
            signed,
        } = effect
        else {
            return Err(Failure::Over);
        };
        let memory = memory.map(|memory| memory.sealed);
        let incarnation = self.incarnation(epoch, &configuration, memory.as_ref())?;
        let request = self.root_request(&configuration, operation, renew_root);
        let root = self.call(incarnation.root(&request))?;
        let mut state = root.state;
        let root = from_bytes(&root.certificate);
        let mut issuer = self.new_issuer(root);
        if let Some(chain) = signed {
            state = self.accept(&*incarnation, &chain)?;
            self.sign_by_intermediate(&mut issuer, chain);
            issuer.signed_outside = true;
        } else if incarnation.describe().capabilities.own_intermediate {
            let request = self.intermediate_request(&configuration, operation, renew_intermediate);
            match self.call(incarnation.intermediate(&request))? {
                IntermediateAnswer::Ready {
                    chain,
                    state: newer,
                } => {
                    state = newer;
                    let chain = chain.iter().map(|der| Der::new(der)).collect();
                    self.sign_by_intermediate(&mut issuer, chain);
                    issuer.signed_outside = self.is_lasting(&issuer, renew_intermediate);
                }
                IntermediateAnswer::Csr { csr, state } => {
                    return Ok(AuthorityCommand::SignatureWanted {
                        epoch,
                        operation,
                        root: issuer,
                        csr: Der::new(&csr),
                        state: seal(&state),
                    });
                }
                _ => return Err(Failure::Over),
            }
        }
        self.answers.push((operation, signs(&issuer)));
        Ok(AuthorityCommand::IssuerPrepared {
            epoch,
            operation,
            issuer,
            state: seal(&state),
        })
    }

    /// Providers here name and number what they make by its place in the table.
    fn root_request(
        &mut self,
        configuration: &CaConfiguration,
        operation: OperationId,
        renew: bool,
    ) -> RootRequest {
        let now = stamp(self.wall());
        RootRequest {
            operation,
            renew,
            template: RootTemplate {
                common_name: String::new(),
                uri: String::new(),
                serial: self.serial(),
                key: KeySpec::EcP256,
                validity: Validity {
                    not_before: now,
                    not_after: now.saturating_add(configuration.lifetimes.root),
                },
            },
        }
    }

    fn intermediate_request(
        &mut self,
        configuration: &CaConfiguration,
        operation: OperationId,
        renew: bool,
    ) -> IntermediateRequest {
        let life = configuration.lifetimes.intermediate;
        IntermediateRequest {
            operation,
            renew,
            template: IntermediateTemplate {
                common_name: String::new(),
                uri: String::new(),
                serial: self.serial(),
                validity: Validity::backdated(life, stamp(self.wall())),
                path_length: 0,
            },
            key: KeySpec::EcP256,
        }
    }

    fn accept(&mut self, incarnation: &dyn CaProvider, chain: &[Der]) -> Result<Secret, Failure> {
        let chain = chain.iter();
        let request = AcceptIntermediateRequest {
            chain: chain
                .map(|der| CertificateDer::from(der.as_bytes().to_vec()))
                .collect(),
        };
        Ok(self.call(incarnation.accept_intermediate(&request))?)
    }

    /// Whether the intermediate of `issuer` cannot be renewed here: it is the one that signs
    /// already, and came from outside, or another was asked for in vain.
    fn is_lasting(&self, issuer: &NewIssuer, renewing: bool) -> bool {
        let active = self.authority.active_root();
        active.is_some_and(|active| {
            active.intermediates.first() == issuer.intermediates.first()
                && (renewing || active.signed_outside)
        })
    }

    /// Whether a rotation to this epoch is under way still.
    pub(super) fn is_wanted(&self, epoch: Epoch) -> bool {
        let rotation = self
            .authority
            .record()
            .and_then(|it| it.rotation.as_deref());
        rotation.is_some_and(|rotation| rotation.epoch == epoch)
    }

    /// A link to the root before, or the news that there can be none.
    fn link(&mut self, effect: Effect) -> Answer {
        let Effect::CrossSign { by, epoch, .. } = effect else {
            return Err(Failure::Over);
        };
        let rotation = self
            .authority
            .record()
            .and_then(|it| it.rotation.as_deref());
        let force = rotation.is_some_and(|rotation| rotation.force);
        let failure = match self.cross_sign(by, effect) {
            Ok(command) => return Ok(command),
            Err(failure) => failure,
        };
        if force {
            return Ok(AuthorityCommand::CannotCrossSign { epoch });
        }
        if matches!(failure, Failure::NoCrossSigning) && self.is_wanted(epoch) {
            self.see(Rare::NoCrossSigning);
        }
        Err(failure)
    }

    fn cross_sign(&mut self, by: Epoch, effect: Effect) -> Answer {
        let Effect::CrossSign {
            epoch,
            subject,
            root,
            signer,
            not_after,
            ..
        } = effect
        else {
            return Err(Failure::Over);
        };
        let signing = self.committed(by, |authority, _| authority.configuration().cloned())?;
        if !signing.describe().capabilities.cross_sign {
            return Err(Failure::NoCrossSigning);
        }
        let state = self.authority.provider_state(by);
        let remembered = state.map(|state| Remembered::from_state(state.sealed.as_bytes()));
        let has = remembered.flatten().is_some_and(|memory| {
            root_name(memory.root) == signer
                && (self.realm.backends.has(memory.root)
                    || self.realm.backends.is_lost(memory.root))
        });
        if !has && self.is_wanted(epoch) {
            self.complain(|| format!("epoch {by} must sign as {signer} and cannot"));
        }
        let request = CrossSignRequest {
            root: CertificateDer::from(root.as_bytes().to_vec()),
            csr: None,
            serial: self.serial(),
            validity: Validity {
                not_after,
                ..Validity::backdated(Duration::ZERO, stamp(self.wall()))
            },
        };
        let signed = self.call(signing.cross_sign(&request))?;
        let real = stamp(self.realm.certificates.of(from_bytes(&signed)).not_after);
        let not_after = if self.has(Bug::WeakLink) {
            not_after
        } else {
            real
        };
        Ok(AuthorityCommand::CrossSigned {
            epoch,
            link: Link {
                subject,
                signer,
                certificate: Der::new(&signed),
                not_after,
                needed_until: stamp(0),
            },
        })
    }

    fn clean_up(&mut self, effect: Effect) -> Answer {
        let Effect::CleanUp {
            epoch,
            configuration,
            memory,
            everything,
            mut keep,
        } = effect
        else {
            return Err(Failure::Over);
        };
        if self.has(Bug::NothingKept) {
            keep.clear();
        }
        let memory = memory.map(|memory| memory.sealed);
        let retired = self.incarnation(epoch, &configuration, memory.as_ref())?;
        let keep = keep.iter();
        let request = CleanUpRequest {
            scope: match everything {
                true => CleanUpScope::Everything,
                false => CleanUpScope::Issuing,
            },
            keep: keep
                .map(|der| CertificateDer::from(der.as_bytes().to_vec()))
                .collect(),
        };
        self.call(retired.clean_up(&request))?;
        self.incarnations.remove(&epoch);
        for certificate in std::mem::take(&mut self.realm.notes.gone) {
            let der = self.realm.certificates.der(certificate);
            let trusted = self
                .authority
                .roots()
                .find(|root| root.certificate == der || (root.active && *root.issuer() == der));
            if let Some(root) = trusted {
                let text = format!("cleaning up epoch {epoch} deletes of {}", root.id);
                self.complain(|| text);
            }
        }
        Ok(AuthorityCommand::CleanedUp { epoch, everything })
    }

    /// The issuer as the host would describe it: from the certificate, here from the table.
    fn new_issuer(&self, root: CertificateId) -> NewIssuer {
        let certificate = self.realm.certificates.of(root);
        NewIssuer {
            id: root_name(root),
            name: String::new(),
            serial_number: u64::from(root.0),
            signing_key_id: key_name(certificate.subject),
            not_before: stamp(certificate.not_before),
            not_after: stamp(certificate.not_after),
            certificate: self.realm.certificates.der(root),
            intermediates: Vec::new(),
            intermediate_life: None,
            signed_outside: false,
            private_key_type: String::new(),
            private_key_bits: 0,
        }
    }

    fn sign_by_intermediate(&self, issuer: &mut NewIssuer, chain: Vec<Der>) {
        if let Some(first) = chain.first() {
            let certificate = self.realm.certificates.of(from_der(first));
            issuer.signing_key_id = key_name(certificate.subject);
            issuer.intermediate_life = Some(Life {
                not_before: stamp(certificate.not_before),
                not_after: stamp(certificate.not_after),
            });
        }
        issuer.intermediates = chain;
    }
}

/// What leafs of it are signed with.
fn signs(issuer: &NewIssuer) -> CertificateId {
    from_der(issuer.intermediates.first().unwrap_or(&issuer.certificate))
}

fn seal(state: &Secret) -> Sealed {
    Sealed::from_bytes(state.expose().to_vec())
}

pub(super) fn root_name(id: CertificateId) -> String {
    format!("r{}", id.0)
}

fn key_name(party: Party) -> String {
    format!("k{}", party.0)
}
