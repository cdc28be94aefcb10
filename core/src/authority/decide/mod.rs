//! The authority's decisions: what each command changes, or why it is refused.

mod clean;
mod rotate;
mod switch;

use crate::state::Revision;
use crate::{Now, Sealed, Timestamp, TrustDomain};

use super::{
    Authority, AuthorityChange, AuthorityCommand, AuthorityError, AuthorityRecord, CaConfiguration,
    Epoch, Lease, NewIssuer, OperationId, ProviderState, Rotation, Stage, lease,
};

/// What every decision needs to know of the moment.
#[derive(Clone, Copy)]
struct At {
    /// The revision that the changes will have.
    index: u64,
    wall: Timestamp,
}

impl Authority {
    /// Decides a command; the changes carry `revision`. Nothing changes yet.
    ///
    /// # Errors
    ///
    /// Says why the command is refused. A late result of an effect is refused like any other
    /// command that does not fit; the host drops it.
    pub fn propose(
        &self,
        command: AuthorityCommand,
        revision: Revision,
        now: Now,
    ) -> Result<Vec<AuthorityChange>, AuthorityError> {
        let at = At {
            index: revision.number(),
            wall: now.wall,
        };
        match command {
            AuthorityCommand::Abandon { epoch } => self.abandon(epoch, at),
            AuthorityCommand::Bootstrap {
                cluster_id,
                configuration,
                operation,
            } => self.bootstrap(cluster_id, configuration, operation, at),
            AuthorityCommand::CannotCrossSign { epoch } => self.cannot_cross_sign(epoch, at),
            AuthorityCommand::CleanedUp { epoch, everything } => {
                self.cleaned_up(epoch, everything, at)
            }
            AuthorityCommand::CrossSigned { epoch, link } => self.cross_signed(epoch, link, at),
            AuthorityCommand::ExtendLease {
                epoch,
                issuer,
                until,
            } => self.extend_lease(epoch, issuer, until, at),
            AuthorityCommand::Forget { steady_since } => self.forget(steady_since, at),
            AuthorityCommand::IssuerPrepared {
                epoch,
                operation,
                issuer,
                state,
            } => self.issuer_prepared(epoch, operation, issuer, state, at),
            AuthorityCommand::IssuerTried { epoch } => self.issuer_tried(epoch, at),
            AuthorityCommand::Rotate {
                configuration,
                cause,
                force,
                operation,
            } => self.rotate(configuration, cause, force, operation, at),
            AuthorityCommand::SignatureGiven { chain } => self.signature_given(chain, at),
            AuthorityCommand::SignatureRefused { epoch } => self.signature_refused(epoch, at),
            AuthorityCommand::SignatureWanted {
                epoch,
                operation,
                root,
                csr,
                state,
            } => self.signature_wanted(epoch, operation, root, csr, state, at),
        }
    }

    fn bootstrap(
        &self,
        cluster_id: [u8; 16],
        mut configuration: CaConfiguration,
        operation: OperationId,
        at: At,
    ) -> Result<Vec<AuthorityChange>, AuthorityError> {
        if let Some(trust_domain) = self.trust_domain() {
            return Err(AuthorityError::AlreadyBootstrapped {
                trust_domain: trust_domain.clone(),
            });
        }
        configuration.create_index = at.index;
        configuration.modify_index = at.index;
        let record = AuthorityRecord {
            trust_domain: TrustDomain::for_cluster(cluster_id),
            stage: Stage::Bootstrapping {
                epoch: Epoch::FIRST,
                operation,
            },
            stage_since: at.wall,
            rotation: None,
            broken_at: None,
            bundles_until: None,
            given_up_at: None,
            newest_epoch: Epoch::FIRST,
            create_index: at.index,
            modify_index: at.index,
        };
        Ok(vec![
            AuthorityChange::PutConfiguration(configuration),
            AuthorityChange::PutRecord(record),
        ])
    }

    fn issuer_prepared(
        &self,
        epoch: Epoch,
        operation: OperationId,
        issuer: NewIssuer,
        state: Sealed,
        at: At,
    ) -> Result<Vec<AuthorityChange>, AuthorityError> {
        let (record, configuration) = self.founded()?;
        let Some(rotation) = &record.rotation else {
            expect_operation(record, epoch, operation)?;
            let memory = self.provider_memory(epoch, &configuration.provider, operation, state, at);
            let mut changes = vec![AuthorityChange::PutProviderState(memory)];
            changes.extend(self.first_issuer(record, configuration, epoch, issuer, at));
            return Ok(changes);
        };
        expect_rotation(rotation, epoch)?;
        let provider = &rotation.configuration.provider;
        let memory = self.provider_memory(epoch, provider, operation, state, at);
        let mut changes = vec![AuthorityChange::PutProviderState(memory)];
        changes.extend(self.prepared(record, rotation, operation, issuer, at)?);
        Ok(changes)
    }

    /// The first root of all: it signs from now on.
    fn first_issuer(
        &self,
        record: &AuthorityRecord,
        configuration: &CaConfiguration,
        epoch: Epoch,
        issuer: NewIssuer,
        at: At,
    ) -> Vec<AuthorityChange> {
        let root = issuer.activated(epoch, Vec::new(), at.index, at.wall);
        let until = lease::reach_from(at.wall, configuration.lifetimes.leaf);
        let until = until.min(root.issuer_life().not_after);
        let lease = self.lease_reaching(root.signing_key_id.clone(), &root.id, until, at.index);
        let record = AuthorityRecord {
            stage: Stage::Serving { epoch },
            stage_since: at.wall,
            modify_index: at.index,
            ..record.clone()
        };
        vec![
            AuthorityChange::PutRoot(root),
            AuthorityChange::PutLease(lease),
            AuthorityChange::PutRecord(record),
        ]
    }

    fn extend_lease(
        &self,
        epoch: Epoch,
        issuer: String,
        until: Timestamp,
        at: At,
    ) -> Result<Vec<AuthorityChange>, AuthorityError> {
        let (record, _) = self.founded()?;
        expect_epoch(record, epoch)?;
        let signing = self.active_root().ok_or(AuthorityError::NotBootstrapped)?;
        if signing.signing_key_id != issuer {
            return Err(AuthorityError::WrongIssuer {
                found: issuer,
                expected: signing.signing_key_id.clone(),
            });
        }
        let until = until.min(signing.issuer_life().not_after);
        if self.lease(&issuer).is_some_and(|old| old.until >= until) {
            return Ok(Vec::new());
        }
        let lease = self.lease_reaching(issuer, &signing.id, until, at.index);
        Ok(vec![AuthorityChange::PutLease(lease)])
    }

    fn founded(&self) -> Result<(&AuthorityRecord, &CaConfiguration), AuthorityError> {
        self.record()
            .zip(self.configuration())
            .ok_or(AuthorityError::NotBootstrapped)
    }

    /// The lease of `issuer`, made or extended. An issuer that comes back keeps the longer one:
    /// leafs of its first time may still be alive.
    fn lease_reaching(&self, issuer: String, root: &str, until: Timestamp, index: u64) -> Lease {
        let old = self.lease(&issuer);
        Lease {
            until: old.map_or(until, |old| old.until.max(until)),
            create_index: old.map_or(index, |old| old.create_index),
            modify_index: index,
            root: root.to_owned(),
            issuer,
        }
    }

    fn provider_memory(
        &self,
        epoch: Epoch,
        provider: &str,
        operation: OperationId,
        sealed: Sealed,
        at: At,
    ) -> ProviderState {
        let created = self.provider_state(epoch).map(|old| old.create_index);
        ProviderState {
            epoch,
            provider: provider.to_owned(),
            operation,
            sealed,
            retired: None,
            create_index: created.unwrap_or(at.index),
            modify_index: at.index,
        }
    }
}

fn expect_operation(
    record: &AuthorityRecord,
    epoch: Epoch,
    operation: OperationId,
) -> Result<(), AuthorityError> {
    expect_epoch(record, epoch)?;
    let expected = match record.stage {
        Stage::Bootstrapping { operation, .. } => Some(operation),
        Stage::Serving { .. } => None,
    };
    if expected == Some(operation) {
        Ok(())
    } else {
        Err(AuthorityError::WrongOperation {
            found: operation,
            expected,
        })
    }
}

fn expect_epoch(record: &AuthorityRecord, epoch: Epoch) -> Result<(), AuthorityError> {
    let expected = record.stage.epoch();
    if epoch == expected {
        Ok(())
    } else {
        Err(AuthorityError::Stale {
            found: epoch,
            expected,
        })
    }
}

fn expect_rotation(rotation: &Rotation, epoch: Epoch) -> Result<(), AuthorityError> {
    if epoch == rotation.epoch {
        Ok(())
    } else {
        Err(AuthorityError::Stale {
            found: epoch,
            expected: rotation.epoch,
        })
    }
}
