//! Changes of the CA that an operator asks for.

use std::time::Duration;

use chancery_core::{
    AuthorityCommand, AuthorityError, CaConfiguration, Caller, Command, Der, Epoch, Memory,
    OperationId, ProposeError, RotationCause, Secret, Step,
};
use chancery_providers::{OptionMap, SecretOptions, check_secrets, same_name, split_secrets};
use serde_json::Value;

use super::{AuthorityFailure, AuthorityHost, Incarnation, configuration, lock};
use crate::random::{self, NoRandomness};
use crate::server::SubmitError;

/// How long whoever asks for a change waits for it; then it goes on without anybody waiting.
const PATIENCE: Duration = Duration::from_secs(90);

/// What an operator wants.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever asks decides every part of it"
)]
pub struct Change {
    /// The provider's name.
    pub provider: String,
    /// Its options, secrets among them; they replace the old ones. A secret that is absent is
    /// kept, an empty one is dropped.
    pub options: OptionMap,
    /// Why.
    pub cause: RotationCause,
    /// Whether peers with an old bundle may be left behind.
    pub force: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Changed {
    /// Everything was so already.
    Nothing,
    /// New leafs are issued as wanted.
    Done {
        /// The incarnation that signs now.
        epoch: Epoch,
    },
    /// Somebody outside must sign the intermediate: its CSR is ready.
    SignatureWanted {
        /// The incarnation that waits.
        epoch: Epoch,
    },
}

/// Why there was no change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The provider, or its options.
    #[error(transparent)]
    Authority(#[from] AuthorityFailure),
    /// It was tried, and given up; nothing has changed.
    #[error("{0}")]
    GivenUp(String),
    /// Somebody else was quicker.
    #[error(
        "the CA configuration has changed since it was read: ModifyIndex is {found}, the current \
         one is {current}; read it again, or leave ModifyIndex out to overwrite it"
    )]
    Modified {
        /// The index that was read.
        found: u64,
        /// The index it has.
        current: u64,
    },
    /// A kept secret is bound to what it was given for: it must not be sent to somewhere else.
    #[error(
        "{secret} was given for the {bound} that is configured now, and is kept only as long as \
         that is the same: give {secret} anew, or an empty one to drop it"
    )]
    SecretBound {
        /// The secret.
        secret: &'static str,
        /// The option that changed.
        bound: &'static str,
    },
    /// There is no randomness.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// The authority refused, or the change was not stored.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// It takes long; it goes on.
    #[error(
        "the change is still {step} after 90 s and goes on: `chancery connect ca status` shows \
         how far it is{}",
        .reason.as_ref().map_or_else(String::new, |reason| format!(" (last: {reason})"))
    )]
    Slow {
        /// Where it is.
        step: &'static str,
        /// What failed last, if anything did.
        reason: Option<String>,
    },
}

impl AuthorityHost {
    /// Changes who signs, or with which options, and waits until new leafs are issued so. What
    /// is wrong is said before anything changes.
    ///
    /// # Errors
    ///
    /// See [`ChangeError`]. Except for [`ChangeError::Slow`] everything is as before.
    pub async fn change(&self, change: Change) -> Result<Changed, ChangeError> {
        self.change_unmodified(change, None).await
    }

    /// As [`change`](Self::change), if the configuration still has the index `modify_index`.
    ///
    /// # Errors
    ///
    /// See [`ChangeError`].
    pub async fn change_unmodified(
        &self,
        change: Change,
        modify_index: Option<u64>,
    ) -> Result<Changed, ChangeError> {
        match self.begin(&change, modify_index).await? {
            Some(epoch) => self.outcome(epoch).await,
            None => Ok(Changed::Nothing),
        }
    }

    /// Checks a change and starts it. Only one at a time, so that what was checked is what counts.
    async fn begin(
        &self,
        change: &Change,
        modify_index: Option<u64>,
    ) -> Result<Option<Epoch>, ChangeError> {
        let _alone = self.inner.changing.try_lock().map_err(|_taken| {
            SubmitError::Refused(ProposeError::Authority(AuthorityError::Busy {
                state: "RECONFIGURING",
            }))
        })?;
        let wanted = self.wanted(change)?;
        let command = self.foreseen(&wanted, change)?;
        let Some(command) = command else {
            return Ok(None);
        };
        if let Some(found) = modify_index {
            let current = self.modify_index();
            if found != current {
                return Err(ChangeError::Modified { found, current });
            }
        }
        self.check(&wanted, change.cause).await?;
        let before = self.newest_epoch();
        self.inner
            .server
            .submit(command, Caller::unrestricted())
            .await?;
        let begun = self.newest_epoch().filter(|newest| Some(*newest) != before);
        if let Some(epoch) = begun {
            tracing::info!(
                epoch = epoch.number(),
                provider = change.provider,
                force = change.force,
                "a change of the certificate authority has begun"
            );
        }
        Ok(begun)
    }

    /// The command for a change, if it would change anything and nothing speaks against it now.
    pub(super) fn foreseen(
        &self,
        wanted: &CaConfiguration,
        change: &Change,
    ) -> Result<Option<Command>, ChangeError> {
        let command = Command::Authority(AuthorityCommand::Rotate {
            configuration: wanted.clone(),
            cause: change.cause,
            force: change.force,
            operation: OperationId::from_bytes(random::bytes()?),
        });
        let view = self.inner.server.view();
        let changes = view.state().propose(
            command.clone(),
            &Caller::unrestricted(),
            self.inner.server.clock().now(),
        );
        let changes = changes.map_err(SubmitError::Refused)?;
        Ok((!changes.is_empty()).then_some(command))
    }

    fn modify_index(&self) -> u64 {
        let view = self.inner.server.view();
        let configuration = view.state().authority().configuration();
        configuration.map_or(0, |configuration| configuration.modify_index)
    }

    /// Hands in the intermediate that was signed outside, leaf-most first, and waits until it
    /// signs.
    ///
    /// # Errors
    ///
    /// See [`ChangeError`]; if the chain does not fit, the request goes on waiting for another.
    pub async fn accept_signed(&self, chain: Vec<Der>) -> Result<Changed, ChangeError> {
        let waiting = self.waiting_epoch();
        let command = AuthorityCommand::SignatureGiven { chain };
        self.inner
            .server
            .submit(Command::Authority(command), Caller::unrestricted())
            .await?;
        let Some(epoch) = waiting else {
            return Ok(Changed::Nothing);
        };
        match self.outcome(epoch).await? {
            Changed::SignatureWanted { .. } => Err(self.given_up(epoch)),
            changed => Ok(changed),
        }
    }

    /// Gives up the change that is under way.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn abandon(&self) -> Result<(), ChangeError> {
        let view = self.inner.server.view();
        let record = view.state().authority().record();
        let epoch = record
            .and_then(|record| record.rotation.as_deref())
            .map(|rotation| rotation.epoch)
            .ok_or(SubmitError::Refused(ProposeError::Authority(
                AuthorityError::NoRotation,
            )))?;
        *lock(&self.inner.given_up) = Some((epoch, "an operator gave it up".to_owned()));
        self.submit(AuthorityCommand::Abandon { epoch }).await?;
        Ok(())
    }

    /// The configuration that `change` asks for: checked options, and secrets given or kept.
    pub(super) fn wanted(&self, change: &Change) -> Result<CaConfiguration, ChangeError> {
        check_secrets(&change.options).map_err(AuthorityFailure::Options)?;
        let (plain, given) = split_secrets(change.options.clone());
        let mut wanted = configuration(&change.provider, plain)?;
        wanted.force_without_cross_signing = change.force;
        let view = self.inner.server.view();
        let Some(current) = view.state().authority().configuration() else {
            return Err(AuthorityFailure::NotFounded.into());
        };
        let old = if current.provider == wanted.provider {
            self.open_secrets(current)?
        } else {
            SecretOptions::default()
        };
        let kept = kept(&change.options, &wanted, current, &old, &given)?;
        let unchanged = same(&kept, &old);
        wanted.secrets = if unchanged && current.provider == wanted.provider {
            current.secrets.clone()
        } else {
            self.seal_secrets(&kept)?
        };
        Ok(wanted)
    }

    /// Sets up the provider as it would be, so that what is wrong is said before anything changes.
    /// `None` if the provider that signs is configured so already.
    pub(super) async fn check(
        &self,
        wanted: &CaConfiguration,
        cause: RotationCause,
    ) -> Result<Option<Incarnation>, ChangeError> {
        let view = self.inner.server.view();
        let authority = view.state().authority();
        let Some(record) = authority.record() else {
            return Err(AuthorityFailure::NotFounded.into());
        };
        let same = authority.configuration().is_some_and(|current| {
            current.provider == wanted.provider
                && current.options == wanted.options
                && current.secrets == wanted.secrets
        });
        if same && cause == RotationCause::Configured {
            return Ok(None);
        }
        let memory: Option<Memory> = authority
            .configuration()
            .filter(|current| current.provider == wanted.provider)
            .and_then(|_| authority.memory(record.stage.epoch()));
        // Not kept: the rotation sets up its own, for its own epoch.
        let epoch = record.newest_epoch.next();
        let made = self.configure(epoch, wanted, memory.as_ref()).await?;
        Ok(Some(made))
    }

    async fn outcome(&self, epoch: Epoch) -> Result<Changed, ChangeError> {
        let mut revisions = self.inner.server.revisions();
        let settled = revisions.wait_for(|_| self.settled(epoch).is_some());
        match tokio::time::timeout(PATIENCE, settled).await {
            Ok(Ok(_)) => {}
            Ok(Err(_closed)) => return Err(SubmitError::ShuttingDown.into()),
            Err(_elapsed) => return Err(self.slow(epoch)),
        }
        match self.settled(epoch) {
            Some(Outcome::Done) => Ok(Changed::Done { epoch }),
            Some(Outcome::SignatureWanted) => Ok(Changed::SignatureWanted { epoch }),
            _ => Err(self.given_up(epoch)),
        }
    }

    fn settled(&self, epoch: Epoch) -> Option<Outcome> {
        let view = self.inner.server.view();
        let record = view.state().authority().record()?;
        match record.rotation.as_deref() {
            Some(rotation) if rotation.epoch == epoch => match rotation.step {
                Step::AwaitingSignature { .. } => Some(Outcome::SignatureWanted),
                _ => None,
            },
            _ if record.stage.epoch() >= epoch => Some(Outcome::Done),
            _ => Some(Outcome::GivenUp),
        }
    }

    fn given_up(&self, epoch: Epoch) -> ChangeError {
        let reason = lock(&self.inner.given_up)
            .clone()
            .filter(|(of, _)| *of == epoch)
            .map_or_else(
                || "the change was given up".to_owned(),
                |(_, reason)| reason,
            );
        ChangeError::GivenUp(reason)
    }

    fn slow(&self, epoch: Epoch) -> ChangeError {
        let view = self.inner.server.view();
        let record = view.state().authority().record();
        let step = record
            .and_then(|record| record.rotation.as_deref())
            .map_or("under way", |rotation| rotation.step.name());
        let reason = lock(&self.inner.failures)
            .iter()
            .find(|((_, of), _)| *of == Some(epoch))
            .map(|(_, failure)| failure.reason.clone());
        ChangeError::Slow { step, reason }
    }

    fn newest_epoch(&self) -> Option<Epoch> {
        let view = self.inner.server.view();
        Some(view.state().authority().record()?.newest_epoch)
    }

    fn waiting_epoch(&self) -> Option<Epoch> {
        let view = self.inner.server.view();
        let record = view.state().authority().record()?;
        Some(record.rotation.as_deref()?.epoch)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    GivenUp,
    SignatureWanted,
}

/// Options to which a kept secret is bound: a credential must not be sent to another address, and
/// a key does not fit another certificate.
const fn bounds(secret: &str) -> &'static [&'static str] {
    match secret.as_bytes() {
        b"PrivateKey" => &["RootCert"],
        b"Token" => &["Address", "Namespace"],
        _ => &["Address", "Namespace", "AuthMethod"],
    }
}

/// Whether `options` say what shall be with the secret `name`: `null` says nothing. Whoever
/// leaves out the whole authentication method wants it gone, its parameters too.
fn mentions(options: &OptionMap, name: &str) -> bool {
    let said = |options: &OptionMap, name: &str| {
        options
            .iter()
            .any(|(key, value)| same_name(name, key) && !value.is_null())
    };
    let Some(inner) = name.strip_prefix("AuthMethod.") else {
        return said(options, name);
    };
    options
        .iter()
        .find(|(key, _)| same_name("AuthMethod", key))
        .and_then(|(_, method)| method.as_object())
        .is_none_or(|method| said(method, inner))
}

/// The secrets after the change: given ones, and old ones that were not mentioned.
fn kept(
    options: &OptionMap,
    wanted: &CaConfiguration,
    current: &CaConfiguration,
    old: &SecretOptions,
    given: &SecretOptions,
) -> Result<SecretOptions, ChangeError> {
    let mut kept: Vec<(&'static str, Secret)> = Vec::new();
    for name in old.names().filter(|name| !mentions(options, name)) {
        let moved = bounds(name)
            .iter()
            .find(|bound| option(&wanted.options, bound) != option(&current.options, bound));
        if let Some(bound) = moved {
            return Err(ChangeError::SecretBound {
                secret: name,
                bound,
            });
        }
        kept.extend(old.find(name).map(|secret| (name, secret.clone())));
    }
    for name in given.names() {
        kept.extend(given.find(name).map(|secret| (name, secret.clone())));
    }
    Ok(kept.into_iter().collect())
}

/// An option by either spelling of its name; absent, null and empty are the same.
fn option<'a>(options: &'a OptionMap, name: &str) -> Option<&'a Value> {
    options
        .iter()
        .find(|(key, _)| same_name(name, key))
        .map(|(_, value)| value)
        .filter(|value| !value.is_null() && value.as_str() != Some(""))
}

fn same(one: &SecretOptions, other: &SecretOptions) -> bool {
    one.names().eq(other.names())
        && one
            .names()
            .all(|name| one.find(name).map(Secret::expose) == other.find(name).map(Secret::expose))
}
