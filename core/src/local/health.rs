//! How the services of this agent are.

use super::state::{LocalService, LocalState};
use crate::catalog::{Check, CheckKind, CheckStatus};

/// A service with the checks that count for it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LocalHealth<'a> {
    /// The service.
    pub service: &'a LocalService,
    /// The worst state of its checks; passing if it has none.
    pub status: CheckStatus,
    /// Its own checks and those of the node, by id.
    pub checks: Vec<&'a Check>,
}

impl LocalHealth<'_> {
    /// Whether it, or the node, was put into maintenance by hand.
    #[must_use]
    pub fn is_in_maintenance(&self) -> bool {
        self.checks
            .iter()
            .any(|check| check.kind == CheckKind::Maintenance)
    }
}

impl LocalState {
    /// How the instance `id` is.
    #[must_use]
    pub fn health_by_id(&self, id: &str) -> Option<LocalHealth<'_>> {
        self.services.get(id).map(|service| self.health_of(service))
    }

    /// How all instances of the service `name` are, by id.
    #[must_use]
    pub fn health_by_name(&self, name: &str) -> Vec<LocalHealth<'_>> {
        let named = self
            .services
            .values()
            .filter(|service| service.instance.name == name);
        named.map(|service| self.health_of(service)).collect()
    }

    fn health_of<'a>(&'a self, service: &'a LocalService) -> LocalHealth<'a> {
        let own = self.by_service.of(&service.instance.id);
        let ids = own.chain(self.by_service.of(""));
        let mut checks = ids.filter_map(|id| self.check(id)).collect::<Vec<_>>();
        checks.sort_by(|one, other| one.check_id.cmp(&other.check_id));
        LocalHealth {
            service,
            status: CheckStatus::worst(checks.iter().map(|check| check.status)),
            checks,
        }
    }
}
