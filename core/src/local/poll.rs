//! What has to be done outside: say something to the catalog, or look at a service.

use std::sync::Arc;
use std::time::Duration;

use super::check_plan::ProbeTarget;
use super::state::LocalState;
use super::timers::Alarm;
use crate::catalog::{CatalogCommand, Check, CheckStatus, NODE_ALIVE_CHECK, ServiceInstance};
use crate::{Instant, Now};

/// What the host has to do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LocalAction {
    /// Run this probe, and report by [`LocalState::probed`].
    Probe(ProbeSpec),
    /// Give this command to the catalog; if that fails, report by [`LocalState::not_stored`].
    Sync {
        /// What it is about.
        key: SyncKey,
        /// The command.
        command: CatalogCommand,
    },
}

/// What a command to the catalog is about. A command always says how that is now, so that two of
/// them about one thing can be given in any order, and twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SyncKey {
    /// The node.
    Node,
    /// A service with all its checks.
    Service(Arc<str>),
    /// One check.
    Check(Arc<str>),
}

/// A probe to run once.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProbeSpec {
    /// The check that it is for.
    pub check_id: Arc<str>,
    /// What to look at.
    pub target: ProbeTarget,
    /// After how long it has failed.
    pub timeout: Duration,
    /// How long after its end the next one runs.
    pub interval: Duration,
    pub(super) epoch: u64,
}

impl LocalState {
    /// The next thing to do now, if there is one.
    ///
    /// What is due is done first, so that of several changes to one thing only the last is said.
    pub fn poll(&mut self, now: Now) -> Option<LocalAction> {
        while let Some(alarm) = self.timers.take_due(now.mono) {
            match alarm {
                Alarm::Look { check_id } => {
                    if let Some(probe) = self.look(&check_id, now.mono) {
                        return Some(LocalAction::Probe(probe));
                    }
                }
                Alarm::Offer(key) => {
                    self.unsaid.insert(key);
                }
                Alarm::Remove { check_id } => {
                    let owner = self
                        .checks
                        .get(&check_id)
                        .map(|check| &check.row.service_id);
                    if let Some(service_id) = owner.cloned() {
                        self.remove_service(&service_id, now.mono);
                    }
                }
            }
        }
        let key = self.unsaid.pop_first()?;
        let command = self.command_about(&key, now.mono);
        Some(LocalAction::Sync { key, command })
    }

    /// When [`poll`](Self::poll) next has something to do; the start of time if it has already.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.unsaid.is_empty() {
            self.timers.first()
        } else {
            Some(Instant::default())
        }
    }

    /// The catalog did not take a command: it is made and given again after the retry interval.
    pub fn not_stored(&mut self, key: SyncKey, now: Now) {
        let at = now.mono.saturating_add(self.settings.retry_interval);
        self.timers.set(Alarm::Offer(key), at);
    }

    fn command_about(&mut self, key: &SyncKey, now: Instant) -> CatalogCommand {
        let node = self.node.clone();
        match key {
            SyncKey::Node => CatalogCommand::Register {
                checks: vec![alive(&node.name)],
                node,
                keep_node: false,
                service: None,
            },
            SyncKey::Service(id) => {
                let Some(service) = self.services.get(id) else {
                    let (node, id) = (node.name, id.to_string());
                    return CatalogCommand::DeregisterService { node, id };
                };
                let service = Some(Box::new(service.instance.as_ref().clone()));
                let ids = self.by_service.of(id).cloned().collect::<Vec<_>>();
                let checks = ids
                    .iter()
                    .filter_map(|id| self.say_check(id, now))
                    .collect();
                CatalogCommand::Register {
                    node,
                    keep_node: false,
                    service,
                    checks,
                }
            }
            SyncKey::Check(check_id) => match self.say_check(check_id, now) {
                // With its service (as Consul does it), in case the catalog lacks that still.
                Some(check) => CatalogCommand::Register {
                    node,
                    keep_node: false,
                    service: self.instance_of(&check),
                    checks: vec![check],
                },
                None => CatalogCommand::DeregisterCheck {
                    node: node.name,
                    check_id: check_id.to_string(),
                },
            },
        }
    }

    fn instance_of(&self, check: &Check) -> Option<Box<ServiceInstance>> {
        let service = self.services.get(check.service_id.as_str())?;
        Some(Box::new(service.instance.as_ref().clone()))
    }

    /// The row of a check, which counts as said from now on.
    fn say_check(&mut self, check_id: &Arc<str>, now: Instant) -> Option<Check> {
        let check = self.checks.get_mut(check_id)?;
        check.memory.said = Some(now);
        let key = SyncKey::Check(Arc::clone(check_id));
        self.unsaid.remove(&key);
        self.timers.clear(&Alarm::Offer(key));
        Some(check.row.as_ref().clone())
    }
}

fn alive(node: &str) -> Check {
    let name = "Serf Health Status";
    let mut check = Check::new(node, NODE_ALIVE_CHECK, name, CheckStatus::Passing);
    "Agent alive and reachable".clone_into(&mut check.output);
    check
}
