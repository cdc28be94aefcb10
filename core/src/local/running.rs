//! Checks that run: what they found last, and what follows from what they find now.

use std::sync::Arc;
use std::time::Duration;

use super::check_plan::{CheckPlan, Means, Probing};
use super::error::LocalError;
use super::poll::{ProbeSpec, SyncKey};
use super::result::CheckResult;
use super::state::LocalState;
use super::timers::Alarm;
use crate::catalog::{Check, CheckStatus};
use crate::{Instant, Now};

/// A check with its state.
#[derive(Clone, Debug)]
pub(super) struct RunningCheck {
    /// As the catalog has it or will have it; once the catalog has it, this is the catalog's own.
    pub(super) row: Arc<Check>,
    pub(super) means: Means,
    deregister_after: Option<Duration>,
    output_limit: Option<usize>,
    pub(super) memory: Memory,
}

/// What a check remembers for as long as its means stay the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// Tells results of this definition from those of an older one.
    epoch: u64,
    /// When the catalog was last told about it.
    pub(super) said: Option<Instant>,
    /// How many probes in a row succeeded.
    successes: u32,
    /// How many probes in a row failed.
    failures: u32,
    /// What the service itself said last.
    last_word: Box<str>,
}

impl LocalState {
    /// Takes a word about a check that waits for words, which counts until its TTL is over.
    ///
    /// # Errors
    /// [`LocalError::NotTtl`] if there is no such check.
    pub fn update_ttl(
        &mut self,
        check_id: &str,
        status: CheckStatus,
        output: &str,
        now: Now,
    ) -> Result<(), LocalError> {
        let ttl = match self.checks.get(check_id).map(|check| &check.means) {
            Some(Means::Ttl(ttl)) => *ttl,
            _ => {
                return Err(LocalError::NotTtl {
                    check_id: check_id.to_owned(),
                });
            }
        };
        let output = self.captured(check_id, output);
        if let Some(check) = self.checks.get_mut(check_id) {
            check.memory.last_word = output.as_str().into();
        }
        let id = self.check_key(check_id);
        self.look_at(id, now.mono.saturating_add(ttl));
        self.found(check_id, status, output, now.mono);
        Ok(())
    }

    /// Takes what a probe found. A result for a definition that has changed since is ignored.
    pub fn probed(&mut self, probe: &ProbeSpec, result: &CheckResult, now: Now) {
        let known = self.checks.get_mut(&probe.check_id);
        let Some(check) = known.filter(|check| check.memory.epoch == probe.epoch) else {
            return;
        };
        let Means::Probe(probing) = &check.means else {
            return;
        };
        let (next, needed) = (probing.interval, (probing.successes, probing.failures));
        let counts = if result.status == CheckStatus::Critical {
            check.memory.successes = 0;
            check.memory.failures = check.memory.failures.saturating_add(1);
            check.memory.failures >= needed.1
        } else {
            check.memory.failures = 0;
            check.memory.successes = check.memory.successes.saturating_add(1);
            check.memory.successes >= needed.0
        };
        let id = self.check_key(&probe.check_id);
        self.look_at(id, now.mono.saturating_add(next));
        if counts {
            let output = self.captured(&probe.check_id, &result.output);
            self.found(&probe.check_id, result.status, output, now.mono);
        }
    }

    /// Looks after a check. One that was known keeps its state, and its schedule too if it is
    /// the same probe: registering again and again does not keep it from running.
    pub(super) fn put_check(
        &mut self,
        plan: CheckPlan,
        service_id: &str,
        now: Instant,
    ) -> Arc<str> {
        let old = self.checks.remove_entry(plan.check_id.as_str());
        let id = match &old {
            Some((id, _)) => Arc::clone(id),
            None => plan.check_id.as_str().into(),
        };
        let status = plan.status.unwrap_or(CheckStatus::Critical);
        let mut row = Check::new(self.node.name.as_str(), plan.check_id, plan.name, status);
        row.notes = plan.notes;
        service_id.clone_into(&mut row.service_id);
        row.kind = plan.means.kind();
        let mut memory = None;
        let mut left = None;
        if let Some((_, old)) = old {
            self.forget_places(&old);
            if old.deregister_after != plan.deregister_after {
                self.timers.clear(&Alarm::Remove {
                    check_id: Arc::clone(&id),
                });
            }
            row.status = old.row.status;
            row.output.clone_from(&old.row.output);
            memory = Some(old.memory).filter(|_| old.means == plan.means);
            left = Some(old.row.service_id.clone()).filter(|left| left != service_id);
        }
        self.schedule_first(&id, &plan.means, memory.is_some(), now);
        let memory = memory.unwrap_or_else(|| self.new_memory());
        self.by_service
            .add(self.service_key(service_id), Arc::clone(&id));
        if let Means::Alias { service_id } = &plan.means {
            self.aliases
                .add(self.service_key(service_id), Arc::clone(&id));
        }
        let check = RunningCheck {
            row: Arc::new(row),
            means: plan.means,
            deregister_after: plan.deregister_after,
            output_limit: plan.output_limit,
            memory,
        };
        self.checks.insert(Arc::clone(&id), Box::new(check));
        self.watch_over(&id, now);
        self.changed();
        if let Some(left) = left {
            self.follow(&left, now);
        }
        id
    }

    fn new_memory(&mut self) -> Memory {
        self.epoch += 1;
        Memory {
            epoch: self.epoch,
            ..Memory::default()
        }
    }

    fn schedule_first(&mut self, id: &Arc<str>, means: &Means, is_known: bool, now: Instant) {
        match means {
            Means::Alias { .. } | Means::Maintenance => self.timers.clear(&Alarm::Look {
                check_id: Arc::clone(id),
            }),
            Means::Probe(_) if is_known => {}
            Means::Probe(probing) => {
                let first = now.saturating_add(self.first_delay(id, probing));
                self.look_at(Arc::clone(id), first);
            }
            Means::Ttl(ttl) => self.look_at(Arc::clone(id), now.saturating_add(*ttl)),
        }
    }

    /// A TTL is over, or a probe is due: returns the probe to run.
    pub(super) fn look(&mut self, check_id: &Arc<str>, now: Instant) -> Option<ProbeSpec> {
        let check = self.checks.get(check_id)?;
        let probing = match &check.means {
            Means::Alias { .. } | Means::Maintenance => return None,
            Means::Probe(probing) => probing,
            Means::Ttl(_) => {
                let output = if check.memory.last_word.is_empty() {
                    "TTL expired".to_owned()
                } else {
                    format!(
                        "TTL expired (last output before timeout follows): {}",
                        check.memory.last_word
                    )
                };
                self.found(check_id, CheckStatus::Critical, output, now);
                return None;
            }
        };
        let spec = ProbeSpec {
            check_id: Arc::clone(check_id),
            target: probing.target.clone(),
            timeout: probing.timeout,
            interval: probing.interval,
            epoch: check.memory.epoch,
        };
        // Should its result get lost, the next one is due after this.
        let lost = now
            .saturating_add(spec.timeout)
            .saturating_add(spec.interval);
        self.look_at(Arc::clone(check_id), lost);
        Some(spec)
    }

    /// Writes down what a check found, and tells those who follow its service.
    pub(super) fn found(
        &mut self,
        check_id: &str,
        status: CheckStatus,
        output: String,
        now: Instant,
    ) {
        if let Some(service_id) = self.note(check_id, status, output, now) {
            self.follow(&service_id, now);
        }
    }

    /// Writes down what a check found; returns the id of its service if that is news.
    pub(super) fn note(
        &mut self,
        check_id: &str,
        status: CheckStatus,
        output: String,
        now: Instant,
    ) -> Option<String> {
        let key = self.check_key(check_id);
        let check = self.checks.get_mut(check_id)?;
        let new_status = check.row.status != status;
        if !new_status && check.row.output == output {
            return None;
        }
        let row = Arc::make_mut(&mut check.row);
        row.status = status;
        row.output = output;
        let service_id = check.row.service_id.clone();
        let may_be_said = check
            .memory
            .said
            .map(|said| said.saturating_add(self.settings.output_interval));
        let key = SyncKey::Check(key);
        match may_be_said {
            Some(at) if !new_status && at > now => {
                let offer = Alarm::Offer(key);
                if !self.timers.is_set(&offer) {
                    self.timers.set(offer, at);
                }
            }
            _ => {
                self.unsaid.insert(key);
            }
        }
        self.watch_over(check_id, now);
        self.changed();
        Some(service_id)
    }

    /// Remembers to remove the service of a check that is critical, if the check says so.
    fn watch_over(&mut self, check_id: &str, now: Instant) {
        let Some(check) = self.checks.get(check_id) else {
            return;
        };
        let alarm = Alarm::Remove {
            check_id: self.check_key(check_id),
        };
        let critical = check.row.status == CheckStatus::Critical && !check.row.is_of_node();
        match check.deregister_after.filter(|_| critical) {
            None => self.timers.clear(&alarm),
            Some(after) if !self.timers.is_set(&alarm) => {
                self.timers.set(alarm, now.saturating_add(after));
            }
            Some(_) => {}
        }
    }

    fn look_at(&mut self, check_id: Arc<str>, at: Instant) {
        self.timers.set(Alarm::Look { check_id }, at);
    }

    /// The id of a check, shared if it is known.
    fn check_key(&self, id: &str) -> Arc<str> {
        let known = self.checks.get_key_value(id);
        known.map_or_else(|| id.into(), |(known, _)| Arc::clone(known))
    }

    /// Takes an older definition out of the indexes.
    fn forget_places(&mut self, old: &RunningCheck) {
        let check_id = &old.row.check_id;
        self.by_service.take(&old.row.service_id, check_id);
        if let Means::Alias { service_id } = &old.means {
            self.aliases.take(service_id, check_id);
        }
    }

    /// When a probe first runs: somewhere within its interval, as the seed decides.
    fn first_delay(&self, check_id: &str, probing: &Probing) -> Duration {
        let mut mixed = self.seed;
        for byte in check_id.bytes() {
            mixed = (mixed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let interval = u64::try_from(probing.interval.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(mixed % interval.max(1))
    }

    /// As much of an output as is kept, with Consul's remark if that is not all.
    fn captured(&self, check_id: &str, output: &str) -> String {
        let said = self
            .checks
            .get(check_id)
            .and_then(|check| check.output_limit);
        let limit = said.map_or(self.settings.max_output, |said| {
            said.min(self.settings.max_output)
        });
        if output.len() <= limit {
            return output.to_owned();
        }
        let end = output.floor_char_boundary(limit);
        let kept = output.get(..end).unwrap_or_default();
        let (some, all) = (kept.len(), output.len());
        format!("{kept} ... (captured {some} of {all} bytes)")
    }
}
