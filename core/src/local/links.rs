//! Which checks belong to which service.

use std::collections::BTreeSet;
use std::sync::Arc;

/// Pairs of a service's id (empty: the node) and a check's. One set for all services, because
/// most have one check or two, and a set of its own for each would be mostly empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    pairs: BTreeSet<(Arc<str>, Arc<str>)>,
}

impl Links {
    pub(super) fn add(&mut self, service_id: Arc<str>, check_id: Arc<str>) {
        self.pairs.insert((service_id, check_id));
    }

    pub(super) fn take(&mut self, service_id: &str, check_id: &str) {
        self.pairs.remove(&(service_id.into(), check_id.into()));
    }

    /// The checks of a service, by id.
    pub(super) fn of<'a>(
        &'a self,
        service_id: &'a str,
    ) -> impl Iterator<Item = &'a Arc<str>> + use<'a> {
        let first = (Arc::from(service_id), Arc::from(""));
        self.pairs
            .range(first..)
            .take_while(move |(of, _)| **of == *service_id)
            .map(|(_, check_id)| check_id)
    }

    /// All checks, by service, then by id.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<str>> {
        self.pairs.iter().map(|(_, check_id)| check_id)
    }
}
