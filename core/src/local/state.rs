//! The services and checks of one agent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::check_plan::{CheckPlan, Means};
use super::error::{LocalError, RegistrationError};
use super::links::Links;
use super::poll::SyncKey;
use super::registration::{CheckedCheck, CheckedRegistration};
use super::running::RunningCheck;
use super::settings::LocalSettings;
use super::sidecar::{Sidecar, sidecar_id};
use super::timers::{Alarm, Timers};
use crate::catalog::{Check, Node, ServiceAddress, ServiceInstance};
use crate::{Instant, Now};

/// What an agent looks after, as a machine without clock, sockets or tasks.
///
/// * Wishes: [`register`](Self::register), [`deregister_service`](Self::deregister_service),
///   [`register_check`](Self::register_check), [`deregister_check`](Self::deregister_check),
///   [`update_ttl`](Self::update_ttl).
/// * What happened outside: [`probed`](Self::probed) after a probe,
///   [`not_stored`](Self::not_stored) if the catalog did not take a command.
/// * What must be done: call [`poll`](Self::poll) until it returns nothing, then again at
///   [`next_deadline`](Self::next_deadline) or after any of the above.
/// * Getters, any time.
///
/// Only monotonic time counts here: setting the wall clock makes no check expire.
///
/// ```
/// use chancery_core::{
///     Catalog, LocalAction, LocalSettings, LocalState, Node, NodeId, Now, Registration,
/// };
///
/// let now = Now::default(); // the caller's clocks
/// let node = Node::new(NodeId::from_bytes([7; 16]), "n1", "127.0.0.1");
/// let mut agent = LocalState::new(node, LocalSettings::default(), 1);
/// let mut catalog = Catalog::default();
///
/// let web = Registration {
///     name: "web".to_owned(),
///     connect_native: true,
///     ..Registration::default()
/// };
/// let web = web.check("n1", agent.settings())?;
/// agent.register(web, false, now)?;
///
/// let mut revision = 2;
/// while let Some(action) = agent.poll(now) {
///     if let LocalAction::Sync { command, .. } = action {
///         for change in catalog.propose(command, revision)? {
///             catalog.apply(&change, &mut Vec::new());
///         }
///         revision += 1;
///     }
/// }
/// assert_eq!(catalog.connect("web").count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct LocalState {
    pub(super) node: Node,
    pub(super) settings: LocalSettings,
    pub(super) seed: u64,
    pub(super) services: BTreeMap<Arc<str>, LocalService>,
    pub(super) checks: BTreeMap<Arc<str>, Box<RunningCheck>>,
    /// Checks by instance; those of the node under the empty id.
    pub(super) by_service: Links,
    /// Alias checks by the instance that they follow.
    pub(super) aliases: Links,
    pub(super) timers: Timers,
    pub(super) unsaid: BTreeSet<SyncKey>,
    pub(super) epoch: u64,
    changes: u64,
    removals: u64,
    definitions: u64,
}

/// A service that the agent looks after.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LocalService {
    /// It, as the catalog has it or will have it; its indexes mean nothing. Once the catalog has
    /// it, this is the catalog's own.
    pub instance: Arc<ServiceInstance>,
    /// A hash of its definition: hexadecimal digits of 64 bits without leading zeros, as Consul
    /// shows it. Differs if any part of the definition does.
    pub content_hash: String,
    /// The instance whose sidecar it was registered as.
    pub sidecar_of: Option<String>,
}

impl LocalState {
    /// An agent on `node` without services. `seed` decides when probes first run, so that many
    /// of them do not run at once.
    ///
    /// The first thing it says to the catalog is that the node is alive.
    #[must_use]
    pub fn new(node: Node, settings: LocalSettings, seed: u64) -> Self {
        Self {
            node,
            settings,
            seed,
            services: BTreeMap::new(),
            checks: BTreeMap::new(),
            by_service: Links::default(),
            aliases: Links::default(),
            timers: Timers::default(),
            unsaid: BTreeSet::from([SyncKey::Node]),
            epoch: 0,
            changes: 0,
            removals: 0,
            definitions: 0,
        }
    }

    /// Looks after a service and its sidecar from now on, in place of what had its id.
    ///
    /// A check that stays keeps its state. One that is no longer said stays too, unless
    /// `replace_checks` (Consul's `replace-existing-checks`).
    ///
    /// # Errors
    /// [`RegistrationError`], and then nothing changes.
    pub fn register(
        &mut self,
        registration: CheckedRegistration,
        replace_checks: bool,
        now: Now,
    ) -> Result<(), RegistrationError> {
        let CheckedRegistration {
            service,
            plans,
            sidecar,
            said: _,
        } = registration;
        let parent = service.id.clone();
        let sidecar = sidecar
            .map(|sidecar| self.complete_sidecar(*sidecar, &service))
            .transpose()?;
        self.refuse_too_many(&service, &plans, sidecar.as_ref())?;
        self.put_service(service, plans, None, replace_checks, now.mono);
        if let Some(Sidecar { service, plans }) = sidecar {
            self.put_service(service, plans, Some(parent), replace_checks, now.mono);
        }
        Ok(())
    }

    /// Forgets a service, its checks and its sidecar. One that is unknown is no error.
    ///
    /// # Errors
    /// [`LocalError::MissingServiceId`] if the id is empty.
    pub fn deregister_service(&mut self, id: &str, now: Now) -> Result<(), LocalError> {
        if id.is_empty() {
            return Err(LocalError::MissingServiceId);
        }
        self.remove_service(id, now.mono);
        Ok(())
    }

    /// Looks after a check of the node or of a service that is registered already.
    ///
    /// # Errors
    /// [`RegistrationError::MissingService`] if it is not, or [`RegistrationError::Limit`].
    pub fn register_check(
        &mut self,
        check: CheckedCheck,
        now: Now,
    ) -> Result<(), RegistrationError> {
        let CheckedCheck {
            plan, service_id, ..
        } = check;
        if !service_id.is_empty() && !self.services.contains_key(service_id.as_str()) {
            return Err(RegistrationError::MissingService { service_id });
        }
        self.refuse_too_many_checks(&service_id, &BTreeSet::from([plan.check_id.as_str()]))?;
        let id = self.put_check(plan, &service_id, now.mono);
        self.rename_in_checks(&service_id);
        self.unsaid.insert(SyncKey::Check(id));
        self.follow(&service_id, now.mono);
        Ok(())
    }

    /// Forgets a check. One that is unknown is no error.
    ///
    /// # Errors
    /// [`LocalError::MissingCheckId`] if the id is empty.
    pub fn deregister_check(&mut self, check_id: &str, now: Now) -> Result<(), LocalError> {
        if check_id.is_empty() {
            return Err(LocalError::MissingCheckId);
        }
        if let Some(gone) = self.remove_check(check_id) {
            self.follow(&gone.row.service_id, now.mono);
        }
        Ok(())
    }

    /// The node that the agent runs on.
    #[must_use]
    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// The limits that it was given.
    #[must_use]
    pub const fn settings(&self) -> &LocalSettings {
        &self.settings
    }

    /// All services by id.
    pub fn services(&self) -> impl Iterator<Item = &LocalService> {
        self.services.values()
    }

    /// One service.
    #[must_use]
    pub fn service(&self, id: &str) -> Option<&LocalService> {
        self.services.get(id)
    }

    /// All checks by id, as the catalog has them or will have them; their indexes mean nothing.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        self.checks.values().map(|check| check.row.as_ref())
    }

    /// One check.
    #[must_use]
    pub fn check(&self, check_id: &str) -> Option<&Check> {
        self.checks.get(check_id).map(|check| check.row.as_ref())
    }

    /// A count that grows whenever a getter may answer differently, for those who wait.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// A count that grows whenever the definition of a service changes, for those who wait for
    /// that and not for the checks, of which there are many more.
    #[must_use]
    pub const fn definitions(&self) -> u64 {
        self.definitions
    }

    /// A count that grows whenever a service or a check goes.
    #[must_use]
    pub const fn removals(&self) -> u64 {
        self.removals
    }

    pub(super) const fn changed(&mut self) {
        self.changes += 1;
    }

    pub(super) fn put_service(
        &mut self,
        mut instance: ServiceInstance,
        plans: Vec<CheckPlan>,
        sidecar_of: Option<String>,
        replace_checks: bool,
        now: Instant,
    ) {
        tag_address(&mut instance);
        let id = self.service_key(&instance.id);
        let plans = with_ids(plans, &instance);
        let service = LocalService {
            content_hash: content_hash(&instance),
            instance: Arc::new(instance),
            sidecar_of,
        };
        let known = self.services.get(&id).map(|known| &known.content_hash);
        self.definitions += u64::from(known != Some(&service.content_hash));
        self.services.insert(Arc::clone(&id), service);
        let known = self.by_service.of(&id).filter(|_| replace_checks);
        for gone in known.cloned().collect::<Vec<_>>() {
            if plans.iter().all(|plan| *plan.check_id != *gone) {
                self.remove_check(&gone);
            }
        }
        for plan in plans {
            self.put_check(plan, &id, now);
        }
        self.rename_in_checks(&id);
        self.unsaid.insert(SyncKey::Service(Arc::clone(&id)));
        self.changed();
        self.follow(&id, now);
    }

    pub(super) fn remove_service(&mut self, id: &str, now: Instant) {
        if self.services.remove(id).is_none() {
            return;
        }
        for check_id in self.by_service.of(id).cloned().collect::<Vec<_>>() {
            self.remove_check(&check_id);
        }
        self.unsaid.insert(SyncKey::Service(id.into()));
        self.removals += 1;
        self.definitions += 1;
        self.changed();
        self.follow(id, now);
        let sidecar = sidecar_id(id);
        let is_ours = self
            .services
            .get(sidecar.as_str())
            .is_some_and(|found| found.sidecar_of.as_deref() == Some(id));
        if is_ours {
            self.remove_service(&sidecar, now);
        }
    }

    fn remove_check(&mut self, check_id: &str) -> Option<Box<RunningCheck>> {
        let (id, gone) = self.checks.remove_entry(check_id)?;
        self.by_service.take(&gone.row.service_id, check_id);
        if let Means::Alias { service_id } = &gone.means {
            self.aliases.take(service_id, check_id);
        }
        for alarm in [
            Alarm::Look {
                check_id: Arc::clone(&id),
            },
            Alarm::Remove {
                check_id: Arc::clone(&id),
            },
            Alarm::Offer(SyncKey::Check(Arc::clone(&id))),
        ] {
            self.timers.clear(&alarm);
        }
        self.unsaid.insert(SyncKey::Check(id));
        self.removals += 1;
        self.changed();
        Some(gone)
    }

    /// Every check carries the name and the tags of its service.
    pub(super) fn rename_in_checks(&mut self, service_id: &str) {
        let Some(service) = self.services.get(service_id) else {
            return;
        };
        let ServiceInstance { name, tags, .. } = service.instance.as_ref();
        for check_id in self.by_service.of(service_id) {
            let Some(check) = self.checks.get_mut(check_id) else {
                continue;
            };
            if check.row.service_name != *name || check.row.service_tags != *tags {
                let row = Arc::make_mut(&mut check.row);
                row.service_name.clone_from(name);
                row.service_tags.clone_from(tags);
            }
        }
    }

    /// The id of a service, shared if it is known.
    pub(super) fn service_key(&self, id: &str) -> Arc<str> {
        let known = self.services.get_key_value(id);
        known.map_or_else(|| id.into(), |(known, _)| Arc::clone(known))
    }

    fn refuse_too_many(
        &self,
        service: &ServiceInstance,
        plans: &[CheckPlan],
        sidecar: Option<&Sidecar>,
    ) -> Result<(), RegistrationError> {
        let sidecar_id = sidecar.map(|sidecar| sidecar.service.id.as_str());
        let ids = [Some(service.id.as_str()), sidecar_id];
        let new = ids
            .into_iter()
            .flatten()
            .filter(|id| !self.services.contains_key(*id));
        let found = self.services.len() + new.count();
        if found > self.settings.max_services {
            return Err(RegistrationError::Limit {
                what: "services of an agent",
                found,
                allowed: self.settings.max_services,
            });
        }
        let plans = with_ids(plans.to_vec(), service);
        let check_ids = plans.iter().map(|plan| plan.check_id.as_str()).collect();
        self.refuse_too_many_checks(&service.id, &check_ids)
    }

    fn refuse_too_many_checks(
        &self,
        service_id: &str,
        added: &BTreeSet<&str>,
    ) -> Result<(), RegistrationError> {
        let known = self.by_service.of(service_id);
        let found = added.len() + known.filter(|id| !added.contains(id.as_ref())).count();
        if found > self.settings.max_checks {
            return Err(RegistrationError::Limit {
                what: "checks of a service",
                found,
                allowed: self.settings.max_checks,
            });
        }
        Ok(())
    }
}

/// Consul's ids and names for checks that have none. A check with an id of its own still counts.
fn with_ids(mut plans: Vec<CheckPlan>, service: &ServiceInstance) -> Vec<CheckPlan> {
    let several = plans.len() > 1;
    for (position, plan) in (1..).zip(&mut plans) {
        if plan.check_id.is_empty() {
            plan.check_id = if several {
                format!("service:{}:{position}", service.id)
            } else {
                format!("service:{}", service.id)
            };
        }
        if plan.name.is_empty() {
            plan.name = format!("Service '{}' check", service.name);
        }
    }
    plans
}

/// An IP address is also listed under the tags that say of which version it is, unless they say
/// something else.
fn tag_address(instance: &mut ServiceInstance) {
    let Ok(ip) = instance.address.parse::<IpAddr>() else {
        return;
    };
    let tags = if ip.to_canonical().is_ipv4() {
        ["lan_ipv4", "wan_ipv4"]
    } else {
        ["lan_ipv6", "wan_ipv6"]
    };
    for tag in tags {
        let address = || ServiceAddress {
            address: instance.address.clone(),
            port: instance.port,
        };
        let known = instance.tagged_addresses.entry(tag.to_owned());
        known.or_insert_with(address);
    }
}

/// Consul's algorithm is unknown to its clients; ours is the start of SHA-256 over the row.
fn content_hash(instance: &ServiceInstance) -> String {
    // A row of maps with text keys always has a JSON form.
    let row = serde_json::to_vec(instance).unwrap_or_default();
    let hash = Sha256::digest(&row);
    let start = hash.iter().take(8);
    let number = start.fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:x}")
}
