//! What the providers do for the host: each effect carried out, with what stands in its way.

use chancery_core::{AuthorityCommand, CaConfiguration, Effect, Epoch, Link, NewIssuer};

use super::bug::Bug;
use super::certificates::{Certificate, CertificateId, from_der, seconds, stamp, to_der};
use super::provider::{Answer, Order, Remembered, root_name, wish};
use super::rare::Rare;
use super::schedule::ProviderKind;
use super::world::{Outcome, World, short};

impl World {
    fn is_down(&self, kind: ProviderKind) -> bool {
        self.down
            .iter()
            .any(|(which, until)| *which == kind && *until > self.now)
    }

    /// The provider does it, now.
    pub(super) fn act(&mut self, effect: Effect) -> Outcome {
        let outcome = match effect {
            Effect::PrepareIssuer { .. } => self.prepare(effect),
            Effect::CrossSign { .. } => self.cross_sign(effect),
            Effect::TryIssuer {
                epoch,
                issuer,
                links,
                anchors,
            } => {
                let certificates = issuer.intermediates.iter();
                let links = links.iter().map(|link| &link.certificate);
                let chain: Vec<_> = certificates.chain(links).map(from_der).collect();
                let anchors: Vec<_> = anchors.iter().map(from_der).collect();
                self.try_issuer(epoch, &issuer, &chain, &anchors)
            }
            Effect::CleanUp { .. } => self.clean_up(effect),
            _ => Outcome::Failed,
        };
        let text = match &outcome {
            Outcome::Answer(command) => short(command),
            Outcome::Failed => "failed".to_owned(),
        };
        self.tell(|| format!("  provider: {text}"));
        outcome
    }

    fn prepare(&mut self, effect: Effect) -> Outcome {
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
            return Outcome::Failed;
        };
        let wish = wish(&configuration);
        if self.is_down(wish.kind) {
            return Outcome::Failed;
        }
        let order = Order {
            epoch: epoch.number(),
            operation,
            wish,
            memory: memory.as_ref().and_then(|memory| {
                Some((Remembered::open(&memory.sealed)?, memory.epoch == epoch))
            }),
            renew_root,
            renew_intermediate,
            signed: signed.as_deref(),
            now: self.wall(),
        };
        let answer = self.backends.prepare(&order, &mut self.certificates);
        if let Answer::Ready(memory) = &answer {
            let signs = memory.intermediate.unwrap_or(memory.root);
            self.answers.push((operation, signs));
        }
        match answer {
            Answer::Ready(memory) => Outcome::Answer(AuthorityCommand::IssuerPrepared {
                epoch,
                operation,
                issuer: self
                    .certificates
                    .issuer(&memory, wish.kind == ProviderKind::Offline),
                state: memory.seal(),
            }),
            Answer::Request(memory) => Outcome::Answer(AuthorityCommand::SignatureWanted {
                epoch,
                operation,
                root: self.certificates.issuer(&memory, true),
                csr: chancery_core::Der::new(b"csr"),
                state: memory.seal(),
            }),
            Answer::WrongSignature => {
                self.see(Rare::SignatureWrong);
                Outcome::Answer(AuthorityCommand::SignatureRefused { epoch })
            }
            Answer::Refused => Outcome::Failed,
        }
    }

    fn kind_of(&self, epoch: Epoch) -> Option<(ProviderKind, Remembered)> {
        let state = self.authority.provider_state(epoch)?;
        let none = CaConfiguration::new(
            &state.provider,
            serde_json::Map::new(),
            chancery_core::Lifetimes::default(),
        );
        Some((wish(&none).kind, Remembered::open(&state.sealed)?))
    }

    /// Whether a rotation to this epoch is under way still.
    fn is_wanted(&self, epoch: Epoch) -> bool {
        let rotation = self
            .authority
            .record()
            .and_then(|it| it.rotation.as_deref());
        rotation.is_some_and(|rotation| rotation.epoch == epoch)
    }

    fn cross_sign(&mut self, effect: Effect) -> Outcome {
        let Effect::CrossSign {
            by,
            epoch,
            subject,
            root,
            signer,
            not_after,
        } = effect
        else {
            return Outcome::Failed;
        };
        let Some((kind, memory)) = self.kind_of(by) else {
            return Outcome::Failed;
        };
        if matches!(kind, ProviderKind::Plain | ProviderKind::Offline) {
            return Outcome::Answer(AuthorityCommand::CannotCrossSign { epoch });
        }
        if self.is_down(kind) {
            return Outcome::Failed;
        }
        if self.backends.is_lost(memory.root) {
            return Outcome::Failed;
        }
        if root_name(memory.root) != signer || !self.backends.has(memory.root) {
            if self.is_wanted(epoch) {
                self.complain(|| format!("epoch {by} must sign as {signer} and cannot"));
            }
            return Outcome::Failed;
        }
        let above = self.certificates.of(memory.root);
        let end = seconds(not_after).min(above.not_after);
        let real = if self.has(Bug::WeakLink) {
            self.wall() + (end - self.wall()) / 3
        } else {
            end
        };
        let made = self.certificates.add(Certificate {
            subject: self.certificates.of(from_der(&root)).subject,
            issuer: above.subject,
            not_before: self.wall() - 60,
            not_after: real,
        });
        Outcome::Answer(AuthorityCommand::CrossSigned {
            epoch,
            link: Link {
                subject,
                signer,
                certificate: to_der(made),
                not_after: stamp(end),
                needed_until: stamp(0),
            },
        })
    }

    fn try_issuer(
        &mut self,
        epoch: Epoch,
        issuer: &NewIssuer,
        chain: &[CertificateId],
        anchors: &[CertificateId],
    ) -> Outcome {
        let Some((kind, memory)) = self.kind_of(epoch) else {
            return Outcome::Failed;
        };
        if self.is_down(kind) {
            return Outcome::Failed;
        }
        let signs = issuer
            .intermediates
            .first()
            .map_or_else(|| from_der(&issuer.certificate), from_der);
        if self.backends.is_lost(signs) {
            return Outcome::Failed;
        }
        if memory.intermediate.unwrap_or(memory.root) != signs || !self.backends.has(signs) {
            if self.is_wanted(epoch) {
                self.complain(|| format!("epoch {epoch} is tried and has no key"));
            }
            return Outcome::Failed;
        }
        let key = self.certificates.of(signs).subject;
        let wall = self.wall();
        let reaches = |anchor| {
            let spans = self.certificates.spans(key, chain, &[anchor]);
            spans
                .iter()
                .any(|(from, until)| *from <= wall && wall <= *until)
        };
        let good = anchors.iter().all(|anchor| reaches(*anchor));
        Outcome::Answer(if good {
            AuthorityCommand::IssuerTried { epoch }
        } else {
            self.tell(|| format!("  trial fails: {chain:?} against {anchors:?}"));
            AuthorityCommand::Abandon { epoch }
        })
    }

    fn clean_up(&mut self, effect: Effect) -> Outcome {
        let Effect::CleanUp {
            epoch,
            configuration,
            memory: _,
            everything,
            mut keep,
        } = effect
        else {
            return Outcome::Failed;
        };
        if self.is_down(wish(&configuration).kind) {
            return Outcome::Failed;
        }
        if self.has(Bug::NothingKept) {
            keep.clear();
        }
        let gone = self.backends.clean_up(epoch.number(), everything, &keep);
        for certificate in gone {
            let der = to_der(certificate);
            let trusted = self
                .authority
                .roots()
                .find(|root| root.certificate == der || (root.active && *root.issuer() == der));
            if let Some(root) = trusted {
                let text = format!("cleaning up epoch {epoch} deletes of {}", root.id);
                self.complain(|| text);
            }
        }
        Outcome::Answer(AuthorityCommand::CleanedUp { epoch, everything })
    }
}
