//! What is over is forgotten: by proof, and never because a clock was set.

use super::At;
use crate::Timestamp;
use crate::authority::trust::End;
use crate::authority::{
    Authority, AuthorityChange, AuthorityError, CaRoot, Epoch, Link, ProviderState, Retired,
};

impl Authority {
    pub(super) fn cleaned_up(
        &self,
        epoch: Epoch,
        everything: bool,
        at: At,
    ) -> Result<Vec<AuthorityChange>, AuthorityError> {
        let state = self
            .provider_state(epoch)
            .ok_or(AuthorityError::NotRetired { epoch })?;
        let retired = state
            .retired
            .as_ref()
            .ok_or(AuthorityError::NotRetired { epoch })?;
        if everything && !self.is_trusted(epoch) {
            return Ok(vec![AuthorityChange::DeleteProviderState(epoch)]);
        }
        if retired.issuing_cleaned {
            return Ok(Vec::new());
        }
        let retired = Retired {
            issuing_cleaned: true,
            ..retired.clone()
        };
        Ok(vec![AuthorityChange::PutProviderState(ProviderState {
            retired: Some(retired),
            modify_index: at.index,
            ..state.clone()
        })])
    }

    pub(super) fn forget(
        &self,
        steady_since: Timestamp,
        at: At,
    ) -> Result<Vec<AuthorityChange>, AuthorityError> {
        self.founded()?;
        let proven = |end: End| end.is_proven(steady_since, at.wall);
        let mut changes = Vec::new();
        let mut going = Vec::new();
        for root in self.roots().filter(|root| !self.is_coming(&root.id)) {
            if self.root_end(root).is_some_and(proven) {
                going.push(root.id.as_str());
                changes.push(AuthorityChange::DeleteRoot(root.id.clone()));
            }
        }
        for lease in self.leases().filter(|lease| !self.signs(&lease.issuer)) {
            let root_goes = going.contains(&self.root_of_lease(lease));
            if root_goes || proven(self.lease_end(lease)) {
                changes.push(AuthorityChange::DeleteLease(lease.issuer.clone()));
            }
        }
        if let Some(active) = self.active_root() {
            let needed = |link: &&Link| !proven(self.link_end_of(link));
            let links: Vec<_> = active.links.iter().filter(needed).cloned().collect();
            if links.len() < active.links.len() {
                changes.push(AuthorityChange::PutRoot(CaRoot {
                    links,
                    modify_index: at.index,
                    ..active.clone()
                }));
            }
        }
        for state in self.provider_states() {
            if self.given_up_at(state).is_some_and(proven) {
                changes.push(AuthorityChange::DeleteProviderState(state.epoch));
            } else if let Some(retired) = &state.retired
                && self
                    .roots()
                    .any(|root| root.epoch == state.epoch && going.contains(&root.id.as_str()))
            {
                let retired = Retired {
                    over_at: Some(at.wall),
                    ..retired.clone()
                };
                changes.push(AuthorityChange::PutProviderState(ProviderState {
                    retired: Some(retired),
                    modify_index: at.index,
                    ..state.clone()
                }));
            }
        }
        Ok(changes)
    }
}
