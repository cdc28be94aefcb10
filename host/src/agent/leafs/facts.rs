//! What there is to know about the leafs, for whoever looks after them.

use chancery_core::{ServiceName, Timestamp};

use super::Leafs;

/// One service's leaf as it stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LeafFacts {
    /// The service.
    pub service: ServiceName,
    /// Key identifier of the leaf's issuer; `None` while there is no leaf.
    pub issuer_key_id: Option<String>,
    /// When the leaf ends.
    pub valid_before: Option<Timestamp>,
    /// When it is to be renewed, if that is known.
    pub due: Option<Timestamp>,
    /// Since when it could not be renewed, and why.
    pub failure: Option<(Timestamp, String)>,
    /// Whether its service is registered with this agent.
    pub registered: bool,
}

impl Leafs {
    /// All leafs, by service.
    #[must_use]
    pub fn facts(&self) -> Vec<LeafFacts> {
        let entries: Vec<_> = self.lock().values().cloned().collect();
        let registered = self.inner.source.registered();
        let mut facts: Vec<_> = entries
            .iter()
            .map(|entry| {
                let leaf = entry.leaf();
                LeafFacts {
                    service: entry.service().clone(),
                    issuer_key_id: leaf.as_ref().map(|leaf| leaf.issuer_key_id.clone()),
                    valid_before: leaf.as_ref().map(|leaf| leaf.valid_before),
                    due: entry.due().moment.map(|(_, wall)| wall),
                    failure: entry.failure(),
                    registered: registered.contains(entry.service().as_str()),
                }
            })
            .collect();
        facts.sort_by(|one, other| one.service.cmp(&other.service));
        facts
    }
}
