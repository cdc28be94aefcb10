//! The switch: in one commit another incarnation signs.

use super::At;
use crate::Timestamp;
use crate::authority::{
    Authority, AuthorityChange, AuthorityError, AuthorityRecord, CaConfiguration, CaRoot, Epoch,
    Link, NewIssuer, Retired, Rotation, RotationCause, Stage, Step, lease, trust,
};

impl Authority {
    pub(super) fn issuer_tried(
        &self,
        epoch: Epoch,
        at: At,
    ) -> Result<Vec<AuthorityChange>, AuthorityError> {
        let (record, rotation) = self.rotation_of(epoch)?;
        let Step::Trying { issuer, links } = &rotation.step else {
            return Err(AuthorityError::WrongStep {
                found: "a trial leaf",
                step: rotation.step.name(),
            });
        };
        let active = self.active_root().ok_or(AuthorityError::NotBootstrapped)?;
        if let Some(again) = self.link_again(record, rotation, active, at) {
            return Ok(vec![again]);
        }
        let left = self.left_behind(rotation, issuer, links);
        let links = self.links_from(rotation, active, issuer, links, at);
        let mut changes = self.roots_at_switch(rotation, active, issuer, links, at);
        self.leave_behind(&left, &mut changes, at);
        changes.extend(self.retire(record.stage.epoch(), at));
        changes.push(AuthorityChange::PutConfiguration(
            self.configuration_at_switch(rotation, at),
        ));
        changes.push(AuthorityChange::PutRecord(AuthorityRecord {
            stage: Stage::Serving { epoch },
            stage_since: at.wall,
            rotation: None,
            broken_at: if left.is_empty() {
                record.broken_at
            } else {
                Some(at.wall)
            },
            bundles_until: self.bundles_until(record, rotation, at),
            modify_index: at.index,
            ..record.clone()
        }));
        Ok(changes)
    }

    /// A link that was made so long ago that it would end too soon is made once more.
    fn link_again(
        &self,
        record: &AuthorityRecord,
        rotation: &Rotation,
        active: &CaRoot,
        at: At,
    ) -> Option<AuthorityChange> {
        let Step::Trying { issuer, links } = &rotation.step else {
            return None;
        };
        let newest = links.first().filter(|link| link.subject == issuer.id)?;
        let least = self.link_needed_until(rotation, at).min(active.not_after);
        if issuer.id == active.id || newest.not_after >= least {
            return None;
        }
        let rotation = Rotation {
            step: Step::Linking {
                issuer: issuer.clone(),
            },
            step_since: at.wall,
            ..rotation.clone()
        };
        Some(AuthorityChange::PutRecord(AuthorityRecord {
            rotation: Some(Box::new(rotation)),
            modify_index: at.index,
            ..record.clone()
        }))
    }

    /// The links as they count from now on: the new one is needed until every bundle in use was
    /// taken after this moment.
    fn links_from(
        &self,
        rotation: &Rotation,
        active: &CaRoot,
        issuer: &NewIssuer,
        links: &[Link],
        at: At,
    ) -> Vec<Link> {
        let until = self.link_needed_until(rotation, at);
        let is_new = |link: &Link| link.subject == issuer.id && link.signer == active.id;
        let mut links = links.to_vec();
        if let Some(link) = links.first_mut().filter(|link| is_new(link)) {
            link.needed_until = until;
        }
        links
    }

    /// Roots that nothing leads to any more: no bundle in which one is the newest counts.
    fn leave_behind(&self, left: &[&str], changes: &mut Vec<AuthorityChange>, at: At) {
        for id in left {
            let changed = changes.iter_mut().find_map(|change| match change {
                AuthorityChange::PutRoot(root) if root.id == **id => Some(root),
                _ => None,
            });
            if let Some(root) = changed {
                root.bundles_until = Some(Timestamp::ZERO);
            } else if let Some(root) = self.root(id) {
                changes.push(AuthorityChange::PutRoot(CaRoot {
                    bundles_until: Some(Timestamp::ZERO),
                    modify_index: at.index,
                    ..root.clone()
                }));
            }
        }
    }

    /// Bundles of before this moment are used as long as was allowed then.
    fn bundles_until(
        &self,
        record: &AuthorityRecord,
        rotation: &Rotation,
        at: At,
    ) -> Option<Timestamp> {
        let old = self.configuration().map(|current| current.lifetimes.bundle);
        let longer = old.filter(|old| *old > rotation.configuration.lifetimes.bundle);
        let until = longer.map(|old| at.wall.saturating_add(old));
        record.bundles_until.max(until)
    }

    fn roots_at_switch(
        &self,
        rotation: &Rotation,
        active: &CaRoot,
        issuer: &NewIssuer,
        links: Vec<Link>,
        at: At,
    ) -> Vec<AuthorityChange> {
        let fresh = issuer
            .clone()
            .activated(rotation.epoch, links, at.index, at.wall);
        let until = lease::reach_from(at.wall, rotation.configuration.lifetimes.leaf)
            .min(fresh.issuer_life().not_after);
        let lease = self.lease_reaching(fresh.signing_key_id.clone(), &fresh.id, until, at.index);
        let mut changes = vec![AuthorityChange::PutLease(lease)];
        if issuer.id == active.id {
            changes.push(AuthorityChange::PutRoot(same_root(active, fresh)));
            return changes;
        }
        let known = self.root(&fresh.id);
        changes.push(AuthorityChange::PutRoot(CaRoot {
            added_at: known.map_or(at.wall, |old| old.added_at),
            create_index: known.map_or(at.index, |old| old.create_index),
            leafs_until: known.and_then(|old| old.leafs_until),
            ..fresh
        }));
        let retire_at = match rotation.cause {
            RotationCause::Emergency { retire_after } => Some(at.wall.saturating_add(retire_after)),
            _ => active.retire_at,
        };
        changes.push(AuthorityChange::PutRoot(CaRoot {
            active: false,
            rotated_out_at: Some(at.wall),
            bundles_until: Some(self.link_needed_until(rotation, at)),
            leafs_until: self.leafs_over_at(&active.id).max(active.leafs_until),
            retire_at,
            links: Vec::new(),
            modify_index: at.index,
            ..active.clone()
        }));
        changes
    }

    /// The incarnation that signed until now is over.
    fn retire(&self, epoch: Epoch, at: At) -> Option<AuthorityChange> {
        let state = self.provider_state(epoch)?.clone();
        Some(AuthorityChange::PutProviderState(super::ProviderState {
            retired: Some(Retired {
                at: at.wall,
                configuration: self.configuration()?.clone(),
                over_at: None,
                issuing_cleaned: false,
            }),
            modify_index: at.index,
            ..state
        }))
    }

    /// A renewal and a new key leave the configuration as it is, its index too.
    fn configuration_at_switch(&self, rotation: &Rotation, at: At) -> CaConfiguration {
        let current = self.configuration();
        let wanted = &rotation.configuration;
        if let Some(current) = current.filter(|current| wanted.says_as(current)) {
            return current.clone();
        }
        CaConfiguration {
            create_index: current.map_or(at.index, |current| current.create_index),
            modify_index: at.index,
            ..wanted.clone()
        }
    }

    /// Until when a link made for `rotation` will be needed if the switch is now.
    fn link_needed_until(&self, rotation: &Rotation, at: At) -> Timestamp {
        self.bundles_of_before_end(rotation, at.wall)
    }

    /// The end that a link made now for `rotation` shall have: the switch may take its time, and
    /// a leaf that is sent with it lives on.
    pub(in crate::authority) fn link_end_at(
        &self,
        rotation: &Rotation,
        wall: Timestamp,
    ) -> Timestamp {
        self.bundles_of_before_end(rotation, wall)
            .saturating_add(rotation.configuration.lifetimes.leaf)
            .saturating_add(trust::PATIENCE)
            .whole_seconds()
    }

    /// What a link must reach at least.
    pub(super) fn link_end(&self, rotation: &Rotation, at: At) -> Timestamp {
        self.bundles_of_before_end(rotation, at.wall)
            .saturating_add(rotation.configuration.lifetimes.leaf)
            .whole_seconds()
    }

    /// When the last bundle of before `wall` goes out of use: by the greater of the old and the
    /// new bound on their age, or by one that counted still earlier.
    fn bundles_of_before_end(&self, rotation: &Rotation, wall: Timestamp) -> Timestamp {
        let old = self.configuration().map(|current| current.lifetimes.bundle);
        let new = rotation.configuration.lifetimes.bundle;
        let by_age = wall.saturating_add(new.max(old.unwrap_or_default()));
        let earlier = self.record().and_then(|record| record.bundles_until);
        earlier.map_or(by_age, |earlier| earlier.max(by_age))
    }
}

/// The same root with another intermediate, or only another incarnation behind it, which nobody
/// who reads roots can see.
fn same_root(active: &CaRoot, fresh: CaRoot) -> CaRoot {
    let unseen = active.signing_key_id == fresh.signing_key_id
        && active.intermediates == fresh.intermediates
        && active.links == fresh.links;
    CaRoot {
        name: active.name.clone(),
        added_at: active.added_at,
        leafs_until: active.leafs_until,
        create_index: active.create_index,
        modify_index: if unseen {
            active.modify_index
        } else {
            fresh.modify_index
        },
        ..fresh
    }
}
