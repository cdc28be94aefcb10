//! The steps of a rotation, up to the switch.

use super::{At, expect_rotation};
use crate::authority::{
    Authority, AuthorityChange, AuthorityError, AuthorityRecord, CaConfiguration, Epoch, Link,
    NewIssuer, OperationId, Retired, Rotation, RotationCause, Stage, Step, trust,
};
use crate::{Der, Sealed, Timestamp};

impl Authority {
    pub(super) fn rotate(
        &self,
        configuration: CaConfiguration,
        cause: RotationCause,
        force: bool,
        operation: OperationId,
        at: At,
    ) -> Result<Vec<AuthorityChange>, AuthorityError> {
        let (record, current) = self.founded()?;
        self.expect_idle(record)?;
        if cause == RotationCause::Configured && configuration.says_as(current) {
            return Ok(Vec::new());
        }
        if !force && cause.wants_new_root() {
            let same_provider = configuration.provider == current.provider;
            let intermediates = self
                .active_root()
                .map_or(0, |root| root.intermediates.len());
            self.expect_short_path(if same_provider { intermediates } else { 0 }, at.wall)?;
        }
        let epoch = record.newest_epoch.next();
        let rotation = Rotation {
            epoch,
            operation,
            cause,
            configuration,
            force,
            step: Step::Preparing,
            step_since: at.wall,
            since: at.wall,
        };
        let record = AuthorityRecord {
            rotation: Some(Box::new(rotation)),
            newest_epoch: epoch,
            modify_index: at.index,
            ..record.clone()
        };
        Ok(vec![AuthorityChange::PutRecord(record)])
    }

    pub(super) fn abandon(
        &self,
        epoch: Epoch,
        at: At,
    ) -> Result<Vec<AuthorityChange>, AuthorityError> {
        let (record, rotation) = self.rotation_of(epoch)?;
        let nothing = || {
            let provider = &rotation.configuration.provider;
            let empty = Sealed::from_bytes(Vec::new());
            self.provider_memory(epoch, provider, rotation.operation, empty, at)
        };
        let given_up = self.provider_state(epoch).cloned().unwrap_or_else(nothing);
        let given_up = super::ProviderState {
            retired: Some(Retired {
                at: at.wall,
                configuration: rotation.configuration.clone(),
                over_at: None,
                issuing_cleaned: false,
            }),
            modify_index: at.index,
            ..given_up
        };
        let record = AuthorityRecord {
            rotation: None,
            given_up_at: Some(at.wall),
            modify_index: at.index,
            ..record.clone()
        };
        Ok(vec![
            AuthorityChange::PutProviderState(given_up),
            AuthorityChange::PutRecord(record),
        ])
    }

    /// The provider has its root, and the intermediate under it if it has one.
    pub(super) fn prepared(
        &self,
        record: &AuthorityRecord,
        rotation: &Rotation,
        operation: OperationId,
        issuer: NewIssuer,
        at: At,
    ) -> Result<Vec<AuthorityChange>, AuthorityError> {
        let awaited = matches!(rotation.step, Step::Preparing | Step::Accepting { .. });
        if !awaited || operation != rotation.operation {
            return Err(AuthorityError::WrongOperation {
                found: operation,
                expected: awaited.then_some(rotation.operation),
            });
        }
        let active = self.active_root().ok_or(AuthorityError::NotBootstrapped)?;
        let same_root = issuer.id == active.id;
        if same_root && rotation.cause.wants_new_root() {
            return Err(AuthorityError::SameRoot { root: issuer.id });
        }
        if !same_root && rotation.cause == RotationCause::Renewal {
            // A renewal is nobody's order for a new root.
            return self.abandon(rotation.epoch, at);
        }
        // Nothing that an expired root signs leads anywhere.
        let is_dead = rotation.force && active.not_after < at.wall;
        let step = if same_root || is_dead {
            let mut links = if same_root {
                trust::links_below(&issuer.id, active)
            } else {
                Vec::new()
            };
            if rotation.force {
                links.truncate(trust::most_links(&issuer));
            }
            Step::Trying {
                links,
                issuer: Box::new(issuer),
            }
        } else {
            Step::Linking {
                issuer: Box::new(issuer),
            }
        };
        Ok(vec![put_step(record, rotation, step, at)])
    }

    pub(super) fn signature_wanted(
        &self,
        epoch: Epoch,
        operation: OperationId,
        root: NewIssuer,
        csr: Der,
        state: Sealed,
        at: At,
    ) -> Result<Vec<AuthorityChange>, AuthorityError> {
        let (record, rotation) = self.rotation_of(epoch)?;
        if rotation.step != Step::Preparing || operation != rotation.operation {
            return Err(wrong_step(rotation, "a request for a signature"));
        }
        let provider = &rotation.configuration.provider;
        let memory = self.provider_memory(epoch, provider, operation, state, at);
        let step = Step::AwaitingSignature {
            root: Box::new(root),
            csr,
        };
        Ok(vec![
            AuthorityChange::PutProviderState(memory),
            put_step(record, rotation, step, at),
        ])
    }

    pub(super) fn signature_given(
        &self,
        chain: Vec<Der>,
        at: At,
    ) -> Result<Vec<AuthorityChange>, AuthorityError> {
        let (record, _) = self.founded()?;
        let waiting = record.rotation.as_deref().and_then(|rotation| {
            let Step::AwaitingSignature { root, csr } = &rotation.step else {
                return None;
            };
            Some((rotation, root.clone(), csr.clone()))
        });
        let Some((rotation, root, csr)) = waiting else {
            return Err(AuthorityError::NoSignatureWanted);
        };
        let step = Step::Accepting { root, csr, chain };
        Ok(vec![put_step(record, rotation, step, at)])
    }

    pub(super) fn signature_refused(
        &self,
        epoch: Epoch,
        at: At,
    ) -> Result<Vec<AuthorityChange>, AuthorityError> {
        let (record, rotation) = self.rotation_of(epoch)?;
        let Step::Accepting { root, csr, .. } = &rotation.step else {
            return Err(wrong_step(rotation, "a refused signature"));
        };
        let step = Step::AwaitingSignature {
            root: root.clone(),
            csr: csr.clone(),
        };
        Ok(vec![put_step(record, rotation, step, at)])
    }

    pub(super) fn cross_signed(
        &self,
        epoch: Epoch,
        link: Link,
        at: At,
    ) -> Result<Vec<AuthorityChange>, AuthorityError> {
        let (record, rotation) = self.rotation_of(epoch)?;
        let Step::Linking { issuer } = &rotation.step else {
            return Err(wrong_step(rotation, "a cross-signed certificate"));
        };
        let active = self.active_root().ok_or(AuthorityError::NotBootstrapped)?;
        if link.subject != issuer.id || link.signer != active.id {
            return Err(AuthorityError::WrongLink {
                found: format!("{} signed by {}", link.subject, link.signer),
                expected: format!("{} signed by {}", issuer.id, active.id),
            });
        }
        let least = self.link_end(rotation, at).min(active.not_after);
        if link.not_after < least {
            return Err(AuthorityError::LinkEnds {
                found: link.not_after,
                least,
            });
        }
        let mut links = vec![link];
        links.extend(trust::links_below(&issuer.id, active));
        if rotation.force {
            // The oldest bundles are left behind.
            links.truncate(trust::most_links(issuer));
        } else {
            trust::expect_short(&links, issuer.intermediates.len(), at.wall)?;
        }
        let step = Step::Trying {
            issuer: issuer.clone(),
            links,
        };
        Ok(vec![put_step(record, rotation, step, at)])
    }

    pub(super) fn cannot_cross_sign(
        &self,
        epoch: Epoch,
        at: At,
    ) -> Result<Vec<AuthorityChange>, AuthorityError> {
        let (record, rotation) = self.rotation_of(epoch)?;
        let Step::Linking { issuer } = &rotation.step else {
            return Err(wrong_step(rotation, "a refusal to cross-sign"));
        };
        if !rotation.force {
            return self.abandon(epoch, at);
        }
        let step = Step::Trying {
            issuer: issuer.clone(),
            links: Vec::new(),
        };
        Ok(vec![put_step(record, rotation, step, at)])
    }

    /// The running rotation, if it is the one to `epoch`.
    pub(super) fn rotation_of(
        &self,
        epoch: Epoch,
    ) -> Result<(&AuthorityRecord, &Rotation), AuthorityError> {
        let (record, _) = self.founded()?;
        let rotation = record
            .rotation
            .as_deref()
            .ok_or(AuthorityError::NoRotation)?;
        expect_rotation(rotation, epoch)?;
        Ok((record, rotation))
    }

    fn expect_idle(&self, record: &AuthorityRecord) -> Result<(), AuthorityError> {
        let state = match (&record.stage, &record.rotation) {
            (Stage::Bootstrapping { .. }, _) => "INITIALIZING",
            (_, None) => return Ok(()),
            (_, Some(rotation)) if rotation.cause == RotationCause::Renewal => "RENEWING",
            (_, Some(_)) => "RECONFIGURING",
        };
        Err(AuthorityError::Busy { state })
    }

    /// Whether a root that was never trusted could still be linked by a path that peers accept.
    fn expect_short_path(
        &self,
        intermediates: usize,
        wall: Timestamp,
    ) -> Result<(), AuthorityError> {
        let Some(active) = self.active_root() else {
            return Ok(());
        };
        // The link that is to come counts like an intermediate.
        trust::expect_short(&active.links, intermediates + 1, wall)
    }
}

fn put_step(record: &AuthorityRecord, rotation: &Rotation, step: Step, at: At) -> AuthorityChange {
    let rotation = Rotation {
        step,
        step_since: at.wall,
        ..rotation.clone()
    };
    AuthorityChange::PutRecord(AuthorityRecord {
        rotation: Some(Box::new(rotation)),
        modify_index: at.index,
        ..record.clone()
    })
}

fn wrong_step(rotation: &Rotation, found: &'static str) -> AuthorityError {
    AuthorityError::WrongStep {
        found,
        step: rotation.step.name(),
    }
}
