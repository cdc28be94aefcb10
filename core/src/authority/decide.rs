//! The authority's decisions: what each command changes, or why it is refused.

use crate::state::Revision;
use crate::{Now, Sealed, Timestamp, TrustDomain};

use super::{
    Authority, AuthorityChange, AuthorityCommand, AuthorityError, AuthorityRecord, CaConfiguration,
    CaRoot, Epoch, Lease, NewRoot, OperationId, ProviderState, Stage, lease,
};

impl Authority {
    /// Decides a command; the changes carry `revision`.
    pub(crate) fn propose(
        &self,
        command: AuthorityCommand,
        revision: Revision,
        now: Now,
    ) -> Result<Vec<AuthorityChange>, AuthorityError> {
        match command {
            AuthorityCommand::Bootstrap {
                cluster_id,
                configuration,
                operation,
            } => self.bootstrap(cluster_id, configuration, operation, revision, now.wall),
            AuthorityCommand::ExtendLease {
                epoch,
                issuer,
                until,
            } => self.extend_lease(epoch, issuer, until, revision),
            AuthorityCommand::RootGenerated {
                epoch,
                operation,
                root,
                state,
            } => self.root_generated(epoch, operation, root, state, revision, now.wall),
        }
    }

    fn bootstrap(
        &self,
        cluster_id: [u8; 16],
        mut configuration: CaConfiguration,
        operation: OperationId,
        revision: Revision,
        wall: Timestamp,
    ) -> Result<Vec<AuthorityChange>, AuthorityError> {
        if let Some(trust_domain) = self.trust_domain() {
            return Err(AuthorityError::AlreadyBootstrapped {
                trust_domain: trust_domain.clone(),
            });
        }
        let index = revision.number();
        configuration.create_index = index;
        configuration.modify_index = index;
        let record = AuthorityRecord {
            trust_domain: TrustDomain::for_cluster(cluster_id),
            stage: Stage::Bootstrapping {
                epoch: Epoch::FIRST,
                operation,
            },
            stage_since: wall,
            newest_epoch: Epoch::FIRST,
            create_index: index,
            modify_index: index,
        };
        Ok(vec![
            AuthorityChange::PutConfiguration(configuration),
            AuthorityChange::PutRecord(record),
        ])
    }

    fn root_generated(
        &self,
        epoch: Epoch,
        operation: OperationId,
        root: NewRoot,
        state: Sealed,
        revision: Revision,
        wall: Timestamp,
    ) -> Result<Vec<AuthorityChange>, AuthorityError> {
        let (record, configuration) = self.founded()?;
        expect_operation(record, epoch, operation)?;
        let index = revision.number();
        let until = lease::reach_from(wall, configuration.lifetimes.leaf);
        let lease = self.lease_reaching(root.signing_key_id.clone(), until, index);
        let provider_state = ProviderState {
            epoch,
            provider: configuration.provider.clone(),
            operation,
            sealed: state,
            create_index: index,
            modify_index: index,
        };
        let record = AuthorityRecord {
            stage: Stage::Serving { epoch },
            stage_since: wall,
            modify_index: index,
            ..record.clone()
        };
        let root = active_root(root, epoch, index, wall);
        Ok(vec![
            AuthorityChange::PutProviderState(provider_state),
            AuthorityChange::PutRoot(root),
            AuthorityChange::PutLease(lease),
            AuthorityChange::PutRecord(record),
        ])
    }

    fn extend_lease(
        &self,
        epoch: Epoch,
        issuer: String,
        until: Timestamp,
        revision: Revision,
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
        if self.lease(&issuer).is_some_and(|old| old.until >= until) {
            return Ok(Vec::new());
        }
        let lease = self.lease_reaching(issuer, until, revision.number());
        Ok(vec![AuthorityChange::PutLease(lease)])
    }

    fn founded(&self) -> Result<(&AuthorityRecord, &CaConfiguration), AuthorityError> {
        self.record()
            .zip(self.configuration())
            .ok_or(AuthorityError::NotBootstrapped)
    }

    /// The lease of `issuer`, made or extended. An issuer that comes back keeps the longer one:
    /// leafs of its first time may still be alive.
    fn lease_reaching(&self, issuer: String, until: Timestamp, index: u64) -> Lease {
        let old = self.lease(&issuer);
        Lease {
            until: old.map_or(until, |old| old.until.max(until)),
            create_index: old.map_or(index, |old| old.create_index),
            modify_index: index,
            issuer,
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

fn active_root(root: NewRoot, epoch: Epoch, index: u64, wall: Timestamp) -> CaRoot {
    CaRoot {
        id: root.id,
        name: root.name,
        serial_number: root.serial_number,
        signing_key_id: root.signing_key_id,
        not_before: root.not_before,
        not_after: root.not_after,
        certificate: root.certificate,
        intermediates: root.intermediates,
        active: true,
        added_at: wall,
        rotated_out_at: None,
        private_key_type: root.private_key_type,
        private_key_bits: root.private_key_bits,
        epoch,
        create_index: index,
        modify_index: index,
    }
}
