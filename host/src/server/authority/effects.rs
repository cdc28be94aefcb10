//! One effect, carried out.

use chancery_core::{
    Authority, AuthorityCommand, Caller, Command, Effect, OperationId, Rotation, RotationCause,
    SignatureCheck,
};
use chancery_providers::{CaProvider as _, CleanUpRequest, CleanUpScope, signature_check};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};

use super::issuer::Order;
use super::{AuthorityFailure, AuthorityHost, lock};
use crate::random;
use crate::server::Pending;

/// A new issuer is linked to each of the older roots that need it, and tried.
const STEPS_AHEAD: usize = 8;

impl AuthorityHost {
    /// Carries out `effect` and proposes what came of it.
    ///
    /// A rotation that fails in a way that trying again cannot mend is given up here; one that
    /// may succeed later is an error, and comes out of the agenda again.
    pub(super) async fn carry_out(&self, effect: Effect) -> Result<(), AuthorityFailure> {
        let rotating = match &effect {
            Effect::PrepareIssuer { epoch, .. }
            | Effect::CrossSign { epoch, .. }
            | Effect::TryIssuer { epoch, .. } => self.rotation_to(*epoch).then_some(*epoch),
            _ => None,
        };
        let accepting = matches!(
            &effect,
            Effect::PrepareIssuer {
                signed: Some(_),
                ..
            }
        );
        let (what, of) = effect.key();
        let Err(error) = self.try_to(effect).await else {
            // Leases are extended all the time, and nobody wants to read of it.
            if what != "extend lease" {
                let epoch = of.map(|epoch| epoch.number());
                tracing::info!(what, epoch, "the certificate authority has done a step");
            }
            return Ok(());
        };
        match rotating {
            Some(epoch) if !error.is_passing() => {
                tracing::warn!(%error, "a change of the certificate authority came to nothing");
                *lock(&self.inner.given_up) = Some((epoch, error.to_string()));
                self.inner.incarnations.forget(epoch);
                let command = if accepting {
                    AuthorityCommand::SignatureRefused { epoch }
                } else {
                    AuthorityCommand::Abandon { epoch }
                };
                self.submit(command).await
            }
            _ => Err(error),
        }
    }

    fn rotation_to(&self, epoch: chancery_core::Epoch) -> bool {
        let view = self.inner.server.view();
        let record = view.state().authority().record();
        record
            .and_then(|record| record.rotation.as_deref())
            .is_some_and(|rotation| rotation.epoch == epoch)
    }

    /// Does it and has stored what came of it; with that, what could be done ahead.
    async fn try_to(&self, effect: Effect) -> Result<(), AuthorityFailure> {
        let prepares = matches!(&effect, Effect::PrepareIssuer { .. });
        let Some(command) = self.perform(effect).await? else {
            return Ok(());
        };
        let ahead = match prepares {
            true => self.ahead(&command).await,
            false => Vec::new(),
        };
        let done = self.enqueue(command).await?;
        let mut following = Vec::new();
        for command in ahead {
            following.push(self.enqueue(command).await?);
        }
        done.settled().await?;
        for step in following {
            if let Err(error) = step.settled().await {
                // Something else came between: the step is on the agenda again.
                tracing::debug!(%error, "a step of the certificate authority was made in vain");
                break;
            }
        }
        Ok(())
    }

    /// The steps after `command` of a change between CAs that live in this program, done before
    /// `command` is stored, so that one write takes them all. Nobody gets to see what they make
    /// until that is durable, and nothing of it is anywhere else if it never is. A step that
    /// fails is left to its own turn, which says why.
    async fn ahead(&self, command: &AuthorityCommand) -> Vec<AuthorityCommand> {
        let mut state = self.inner.server.view().state().clone();
        let mut steps = Vec::new();
        let mut made = command.clone();
        while steps.len() < STEPS_AHEAD {
            let now = self.inner.server.clock().now();
            let command = Command::Authority(made);
            let Ok(changes) = state.propose(command, &Caller::unrestricted(), now) else {
                break;
            };
            if !is_at_home(state.authority()) || state.apply(&changes).is_err() {
                break;
            }
            let next = state
                .authority()
                .agenda(now)
                .due
                .into_iter()
                .find(|effect| {
                    matches!(effect, Effect::CrossSign { .. } | Effect::TryIssuer { .. })
                });
            let Some(next) = next else {
                break;
            };
            let Ok(Some(step)) = self.perform(next).await else {
                break;
            };
            made = step.clone();
            steps.push(step);
        }
        steps
    }

    async fn enqueue(&self, command: AuthorityCommand) -> Result<Pending, AuthorityFailure> {
        let command = Command::Authority(command);
        let server = &self.inner.server;
        Ok(server.enqueue(command, Caller::unrestricted()).await?)
    }

    async fn perform(&self, effect: Effect) -> Result<Option<AuthorityCommand>, AuthorityFailure> {
        Ok(Some(match effect {
            Effect::Abandon { epoch, reason } => {
                *lock(&self.inner.given_up) = Some((epoch, reason));
                AuthorityCommand::Abandon { epoch }
            }
            Effect::CleanUp { .. } => self.clean_up(effect).await?,
            Effect::CrossSign { .. } => self.link(effect).await?,
            Effect::ExtendLease {
                epoch,
                issuer,
                until,
            } => AuthorityCommand::ExtendLease {
                epoch,
                issuer,
                until,
            },
            Effect::Forget { .. } => AuthorityCommand::Forget {
                steady_since: lock(&self.inner.steadiness).since(),
            },
            Effect::PrepareIssuer {
                epoch,
                operation,
                configuration,
                memory,
                renew_root,
                renew_intermediate,
                signed,
            } => {
                let made = self.incarnation(epoch, &configuration, memory.as_ref());
                let order = Order {
                    operation,
                    renew_root,
                    renew_intermediate,
                    signed,
                };
                self.prepare(&*made.await?, order).await?
            }
            Effect::RenewIntermediate { configuration } => AuthorityCommand::Rotate {
                configuration,
                cause: RotationCause::Renewal,
                force: false,
                operation: OperationId::from_bytes(random::bytes()?),
            },
            Effect::TryIssuer {
                epoch,
                issuer,
                links,
                anchors,
            } => {
                let view = self.inner.server.view();
                let authority = view.state().authority();
                let Some(rotation) = rotation(authority) else {
                    return Ok(None);
                };
                let memory = authority.memory(epoch);
                let incarnation = self
                    .incarnation(epoch, &rotation.configuration, memory.as_ref())
                    .await?;
                self.try_issuer(&incarnation, &issuer, &links, &anchors)
                    .await?;
                AuthorityCommand::IssuerTried { epoch }
            }
            // An effect that a newer core may ask for; this host would have to know it.
            _ => return Ok(None),
        }))
    }

    /// A link to the root before, or the news that there can be none.
    async fn link(&self, effect: Effect) -> Result<AuthorityCommand, AuthorityFailure> {
        let view = self.inner.server.view();
        let authority = view.state().authority();
        let (Effect::CrossSign { by, epoch, .. }, Some(configuration), Some(rotation)) =
            (&effect, authority.configuration(), rotation(authority))
        else {
            return Err(AuthorityFailure::NotFounded);
        };
        let memory = authority.memory(*by);
        let signed = match self.incarnation(*by, configuration, memory.as_ref()).await {
            Ok(signer) if signer.guard.describe().capabilities.cross_sign => {
                let csr = match signer.guard.describe().capabilities.needs_root_csr {
                    true => self.root_csr(authority, rotation).await,
                    false => None,
                };
                self.cross_sign(&signer, &effect, csr).await
            }
            Ok(_) => Err(AuthorityFailure::NoCrossSigning),
            Err(error) => Err(error),
        };
        match signed {
            Ok(command) => Ok(command),
            // Who forces it does so because the old CA cannot, or is gone.
            Err(error) if rotation.force => {
                tracing::warn!(%error, "the new root is not cross-signed: peers that have not \
                    taken it yet will refuse new leafs");
                Ok(AuthorityCommand::CannotCrossSign { epoch: *epoch })
            }
            Err(error) => Err(error),
        }
    }

    /// A request for the new root by its own CA. Without one the signer does what it can.
    async fn root_csr(
        &self,
        authority: &Authority,
        rotation: &Rotation,
    ) -> Option<CertificateSigningRequestDer<'static>> {
        let epoch = rotation.epoch;
        let memory = authority.memory(epoch);
        let made = async {
            let new = self
                .incarnation(epoch, &rotation.configuration, memory.as_ref())
                .await?;
            let csr = new.guard.root_csr().await;
            csr.map_err(|error| AuthorityFailure::Provider {
                provider: new.provider(),
                error,
            })
        };
        made.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the new CA makes no request for its root");
            None
        })
    }

    async fn clean_up(&self, effect: Effect) -> Result<AuthorityCommand, AuthorityFailure> {
        let Effect::CleanUp {
            epoch,
            configuration,
            memory,
            everything,
            keep,
        } = effect
        else {
            return Err(AuthorityFailure::NotFounded);
        };
        let retired = self
            .incarnation(epoch, &configuration, memory.as_ref())
            .await?;
        let request = CleanUpRequest {
            scope: if everything {
                CleanUpScope::Everything
            } else {
                CleanUpScope::Issuing
            },
            keep: keep
                .iter()
                .map(|der| CertificateDer::from(der.as_bytes().to_vec()))
                .collect(),
        };
        let done = retired.guard.clean_up(&request).await;
        done.map_err(|error| AuthorityFailure::Provider {
            provider: retired.provider(),
            error,
        })?;
        self.inner.incarnations.forget(epoch);
        Ok(AuthorityCommand::CleanedUp { epoch, everything })
    }
}

/// Whether both the CA that signs and the one that follows it keep everything in this program.
fn is_at_home(authority: &Authority) -> bool {
    let providers = [
        authority.configuration(),
        rotation(authority).map(|rotation| &rotation.configuration),
    ];
    providers.iter().all(|configuration| {
        configuration.is_some_and(|configuration| {
            signature_check(&configuration.provider) == SignatureCheck::ParseOnly
        })
    })
}

fn rotation(authority: &Authority) -> Option<&Rotation> {
    authority.record()?.rotation.as_deref()
}
