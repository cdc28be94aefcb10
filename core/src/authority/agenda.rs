//! What the authority wants done, from its rows and the time.

use super::{
    Agenda, Authority, AuthorityRecord, CaConfiguration, CaRoot, Effect, Epoch, Memory,
    ProviderState, Rotation, RotationCause, Stage, Step, lease, trust,
};
use crate::{Der, Now, Timestamp};

impl Authority {
    /// What is due now, and when to ask again. Ask after every commit and at
    /// [`wake_at`](Agenda::wake_at). Empty before the trust domain is founded.
    #[must_use]
    pub fn agenda(&self, now: Now) -> Agenda {
        let mut agenda = Agenda::default();
        let (Some(record), Some(configuration)) = (&self.record, &self.configuration) else {
            return agenda;
        };
        match record.stage {
            Stage::Bootstrapping { epoch, operation } => {
                agenda.due.push(Effect::PrepareIssuer {
                    epoch,
                    operation,
                    configuration: configuration.clone(),
                    memory: self.memory(epoch),
                    renew_root: false,
                    renew_intermediate: false,
                    signed: None,
                });
            }
            Stage::Serving { epoch } => {
                self.lease_due(epoch, configuration, now.wall, &mut agenda);
                match &record.rotation {
                    Some(rotation) => self.rotation_due(record, rotation, now.wall, &mut agenda),
                    None => self.renewal_due(configuration, now.wall, &mut agenda),
                }
            }
        }
        self.forgetting_due(now.wall, &mut agenda);
        for state in self.provider_states.values() {
            self.clean_up_due(state, now.wall, &mut agenda);
        }
        agenda
    }

    fn lease_due(
        &self,
        epoch: Epoch,
        configuration: &CaConfiguration,
        wall: Timestamp,
        agenda: &mut Agenda,
    ) {
        let Some(root) = self.active_root() else {
            return;
        };
        let life = configuration.lifetimes.leaf;
        let end = root.issuer_life().not_after;
        let lease = self.leases.get(&root.signing_key_id);
        let due = lease.map(|lease| lease::due_at(lease.until, life));
        match due {
            Some(due) if wall < due => agenda.wake(due),
            // It reaches the issuer's end already: nothing can be promised beyond that.
            Some(_) if lease.is_some_and(|lease| lease.until >= end) => {}
            _ => agenda.due.push(Effect::ExtendLease {
                epoch,
                issuer: root.signing_key_id.clone(),
                until: lease::reach_from(wall, life).min(end),
            }),
        }
    }

    fn rotation_due(
        &self,
        record: &AuthorityRecord,
        rotation: &Rotation,
        wall: Timestamp,
        agenda: &mut Agenda,
    ) {
        if !matches!(rotation.step, Step::AwaitingSignature { .. }) {
            let ends = rotation.step_since.saturating_add(trust::PATIENCE);
            // A beginning that far ahead was told by a clock that has been set back since.
            let is_odd = wall.saturating_add(trust::PATIENCE) < rotation.step_since;
            if wall >= ends || is_odd {
                agenda.due.push(Effect::Abandon {
                    epoch: rotation.epoch,
                    reason: format!("{} did not succeed within an hour", rotation.step.name()),
                });
                return;
            }
            agenda.wake(ends);
        }
        agenda
            .due
            .extend(self.step_effect(record.stage.epoch(), rotation, wall));
    }

    fn step_effect(&self, serving: Epoch, rotation: &Rotation, wall: Timestamp) -> Option<Effect> {
        let epoch = rotation.epoch;
        let active = self.active_root()?;
        Some(match &rotation.step {
            Step::AwaitingSignature { .. } => return None,
            Step::Preparing => self.prepare(serving, rotation, None),
            Step::Accepting { chain, .. } => self.prepare(serving, rotation, Some(chain.clone())),
            Step::Linking { issuer } => {
                // The link that is to come counts like an intermediate.
                let intermediates = issuer.intermediates.len() + 1;
                let below = trust::links_below(&issuer.id, active);
                let short = trust::expect_short(&below, intermediates, wall);
                if let Err(too_long) = short
                    && !rotation.force
                {
                    return Some(Effect::Abandon {
                        epoch,
                        reason: too_long.to_string(),
                    });
                }
                Effect::CrossSign {
                    by: serving,
                    epoch,
                    subject: issuer.id.clone(),
                    root: issuer.certificate.clone(),
                    signer: active.id.clone(),
                    not_after: self.link_end_at(rotation, wall),
                }
            }
            Step::Trying { issuer, links } => {
                let short = trust::expect_short(links, issuer.intermediates.len(), wall);
                if let Err(too_long) = short
                    && !rotation.force
                {
                    return Some(Effect::Abandon {
                        epoch,
                        reason: too_long.to_string(),
                    });
                }
                let mut anchors = vec![issuer.certificate.clone()];
                let led = self.led_by(rotation, issuer, links, wall);
                anchors.extend(led.into_iter().map(|root| root.certificate.clone()));
                Effect::TryIssuer {
                    epoch,
                    issuer: (**issuer).clone(),
                    links: links.clone(),
                    anchors,
                }
            }
        })
    }

    fn prepare(&self, serving: Epoch, rotation: &Rotation, signed: Option<Vec<Der>>) -> Effect {
        let provider = &rotation.configuration.provider;
        let before = || {
            self.provider_states
                .get(&serving)
                .filter(|state| state.provider == *provider)
                .and_then(|_| self.memory(serving))
        };
        Effect::PrepareIssuer {
            epoch: rotation.epoch,
            operation: rotation.operation,
            configuration: rotation.configuration.clone(),
            memory: self.memory(rotation.epoch).or_else(before),
            renew_root: rotation.cause.wants_new_root(),
            renew_intermediate: rotation.cause == RotationCause::Renewal
                || rotation.cause.wants_new_root(),
            signed,
        }
    }

    /// When the intermediate that signs is renewed, as far as is known at `now`: at half its life,
    /// or later if a change was given up lately. `None` if the root signs itself, if the
    /// intermediate reaches the root's end already, or if somebody outside signed it.
    #[must_use]
    pub fn renewal_at(&self, now: Timestamp) -> Option<Timestamp> {
        let root = self.active_root()?;
        let life = root.intermediate_life?;
        let lengthens = life.not_after.saturating_add(lease::SLACK) < root.not_after;
        if !lengthens || root.signed_outside {
            return None;
        }
        let record = self.record.as_ref();
        let again = record
            .and_then(|record| record.given_up_at)
            .filter(|given_up| *given_up <= now)
            .map(|given_up| given_up.saturating_add(trust::PATIENCE));
        let middle = life.middle();
        Some(again.map_or(middle, |again| again.max(middle)))
    }

    fn renewal_due(&self, configuration: &CaConfiguration, wall: Timestamp, agenda: &mut Agenda) {
        let Some(due) = self.renewal_at(wall) else {
            return;
        };
        if wall < due {
            agenda.wake(due);
        } else {
            agenda.due.push(Effect::RenewIntermediate {
                configuration: configuration.clone(),
            });
        }
    }

    fn forgetting_due(&self, wall: Timestamp, agenda: &mut Agenda) {
        let roots = self
            .roots
            .values()
            .filter(|root| !self.is_coming(&root.id))
            .filter_map(|root| self.root_end(root));
        let links = self
            .active_root()
            .into_iter()
            .flat_map(|root: &CaRoot| &root.links)
            .map(|link| self.link_end_of(link));
        let leases = self
            .leases
            .values()
            .filter(|lease| !self.signs(&lease.issuer))
            .map(|lease| self.lease_end(lease));
        let states = self
            .provider_states
            .values()
            .filter_map(|state| self.given_up_at(state));
        let mut since = None;
        for end in roots.chain(links).chain(leases).chain(states) {
            if end.over <= wall {
                // The one of which a clock that was set lately spoils the proof least.
                since = since.max(Some(end.began));
            } else {
                agenda.wake(end.over);
            }
        }
        agenda
            .due
            .extend(since.map(|since| Effect::Forget { since }));
    }

    fn clean_up_due(&self, state: &ProviderState, wall: Timestamp, agenda: &mut Agenda) {
        let Some(retired) = &state.retired else {
            return;
        };
        // A rotation may be about to go on with what the incarnation left.
        if self.record.as_ref().is_some_and(|it| it.rotation.is_some()) {
            return;
        }
        let everything = !self.is_trusted(state.epoch);
        if retired.issuing_cleaned && !everything {
            return;
        }
        let due = retired.at.saturating_add(trust::GRACE);
        let is_odd = wall.saturating_add(trust::GRACE) < retired.at;
        if wall < due && !is_odd {
            agenda.wake(due);
            return;
        }
        agenda.due.push(Effect::CleanUp {
            epoch: state.epoch,
            configuration: retired.configuration.clone(),
            memory: self.memory(state.epoch),
            everything,
            keep: self.in_use(),
        });
    }

    /// Every certificate that is trusted or signs, the running rotation's too.
    fn in_use(&self) -> Vec<Der> {
        let mut kept: Vec<Der> = Vec::new();
        for root in self.roots.values() {
            kept.push(root.certificate.clone());
            kept.extend(root.intermediates.iter().filter(|_| root.active).cloned());
        }
        let rotation = self.record.as_ref().and_then(|it| it.rotation.as_deref());
        let coming = match rotation.map(|rotation| &rotation.step) {
            Some(Step::Linking { issuer } | Step::Trying { issuer, .. }) => Some(issuer),
            Some(Step::AwaitingSignature { root, .. } | Step::Accepting { root, .. }) => Some(root),
            Some(Step::Preparing) | None => None,
        };
        if let Some(issuer) = coming {
            kept.push(issuer.certificate.clone());
            kept.extend_from_slice(&issuer.intermediates);
        }
        kept
    }

    /// What the provider of `epoch` must remember, if anything was committed.
    #[must_use]
    pub fn memory(&self, epoch: Epoch) -> Option<Memory> {
        let state = self.provider_states.get(&epoch)?;
        (!state.sealed.as_bytes().is_empty()).then(|| Memory {
            epoch,
            sealed: state.sealed.clone(),
        })
    }
}
