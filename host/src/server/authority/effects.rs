//! The run loop: what core's authority says must happen next, done.

use std::time::Duration;

use chancery_core::{
    AuthorityCommand, CheckedRoot, Der, Effect, NewRoot, OperationId, Sealed, Serial, Timestamp,
};
use chancery_providers::{CaProvider as _, ProviderError, RootRequest, RootTemplate};

use super::{Active, AuthorityFailure, AuthorityHost};
use crate::random::{self, NoRandomness};

/// The first pause after a failed effect, doubled with each further one up to the longest.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_LONGEST: Duration = Duration::from_secs(60);

/// The longest sleep before the wall clock is looked at again: it may have been set.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// What carrying out an effect came to.
enum Done {
    /// The state has changed: ask for the next effect.
    Changed,
    /// Nothing to do before this moment.
    Sleep(Timestamp),
}

impl AuthorityHost {
    /// Carries out effects until dropped. A failed one is tried again with growing pauses; it is
    /// said once when it begins to fail and once when it works again.
    pub async fn run(self) {
        let mut revisions = self.inner.server.revisions();
        let mut failures = 0_u32;
        loop {
            let pause = match self.step().await {
                Ok(Some(Done::Changed)) => {
                    if failures > 0 {
                        tracing::info!(failures, "the certificate authority works again");
                    }
                    failures = 0;
                    continue;
                }
                Ok(Some(Done::Sleep(until))) => {
                    let now = self.inner.server.clock().now().wall;
                    until.saturating_since(now).min(LOOK_AGAIN)
                }
                Ok(None) => LOOK_AGAIN,
                Err(error) => {
                    failures = failures.saturating_add(1);
                    let pause = RETRY_FIRST
                        .saturating_mul(1 << (failures - 1).min(8))
                        .min(RETRY_LONGEST);
                    if failures == 1 {
                        tracing::error!(%error, "the certificate authority cannot go on, trying again");
                    }
                    tokio::time::sleep(pause).await;
                    continue;
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                changed = revisions.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Carries out what is due now, so that a server that has just founded its trust domain has
    /// a root before it answers its first request. Returns when nothing is due or something
    /// failed: [`AuthorityHost::run`] goes on from there.
    pub async fn settle(&self) {
        while let Ok(Some(Done::Changed)) = self.step().await {}
    }

    async fn step(&self) -> Result<Option<Done>, AuthorityFailure> {
        let view = self.inner.server.view();
        let authority = view.state().authority();
        let now = self.inner.server.clock().now();
        let Some(effect) = authority.next_effect(now) else {
            return Ok(None);
        };
        match effect {
            Effect::ExtendLease {
                epoch,
                issuer,
                until,
            } => {
                let command = AuthorityCommand::ExtendLease {
                    epoch,
                    issuer,
                    until,
                };
                self.submit(command).await?;
                Ok(Some(Done::Changed))
            }
            Effect::GenerateRoot {
                epoch,
                operation,
                configuration,
                state,
            } => {
                let active = self.provider(epoch, &configuration, state.as_ref()).await?;
                let (root, state) = self.generate_root(&active, operation).await?;
                let command = AuthorityCommand::RootGenerated {
                    epoch,
                    operation,
                    root,
                    state,
                };
                self.submit(command).await?;
                Ok(Some(Done::Changed))
            }
            Effect::WakeAt(moment) => Ok(Some(Done::Sleep(moment))),
            // An effect that a newer core may ask for; this host would have to know it.
            _ => Ok(None),
        }
    }

    async fn generate_root(
        &self,
        active: &Active,
        operation: OperationId,
    ) -> Result<(NewRoot, Sealed), AuthorityFailure> {
        let view = self.inner.server.view();
        let authority = view.state().authority();
        let provider = active.guard.describe().name;
        let failed = |error| AuthorityFailure::Provider {
            provider: provider.clone(),
            error,
        };
        let trust_domain = authority
            .trust_domain()
            .ok_or(AuthorityFailure::NotFounded)?;
        let request = RootRequest {
            operation,
            renew: false,
            template: RootTemplate::new(
                &provider,
                trust_domain,
                random::bytes()?,
                root_serial()?,
                active.options.private_key,
                active.options.root_cert_ttl,
                self.inner.server.clock().now().wall,
            ),
        };
        let answer = active.guard.root(&request).await.map_err(failed)?;
        let root = CheckedRoot::restore(&answer.certificate)
            .map_err(|violation| failed(ProviderError::violating(violation)))?;
        let sealed = self.seal_state(active.epoch, &answer.state)?;
        Ok((new_root(&root, &provider), sealed))
    }
}

/// A random serial of 63 bits: clients read a root's serial as a JSON number.
fn root_serial() -> Result<Serial, NoRandomness> {
    let number = u64::from_be_bytes(random::bytes()?) >> 1;
    // Zero, once in 2^63, is replaced by one.
    Serial::from_be_bytes(&number.max(1).to_be_bytes()).ok_or(NoRandomness)
}

fn new_root(root: &CheckedRoot, provider: &str) -> NewRoot {
    let issuer = root.issuer();
    NewRoot {
        id: root.id(),
        name: format!("{} CA Root Cert", title(provider)),
        serial_number: issuer.serial().low_u64(),
        signing_key_id: issuer.subject_key_id().to_string(),
        not_before: issuer.not_before(),
        not_after: issuer.not_after(),
        certificate: Der::new(issuer.der()),
        intermediates: Vec::new(),
        private_key_type: issuer.key().consul_type().to_owned(),
        private_key_bits: u32::try_from(issuer.key().bits()).unwrap_or(0),
    }
}

/// `aws-pca` as `Aws-Pca`: how Consul writes a provider in the name of its root.
fn title(provider: &str) -> String {
    let mut start = true;
    provider
        .chars()
        .map(|letter| {
            let shown = if start {
                letter.to_ascii_uppercase()
            } else {
                letter
            };
            start = !letter.is_alphanumeric();
            shown
        })
        .collect()
}
