//! The healthy instances of an upstream, and which of them comes next.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::proxy::agent_api::HealthEntry;
use crate::proxy::settings::host_port;
use crate::proxy::tls::Wanted;
use crate::random;

/// How long an endpoint that failed comes last.
const COOLING: Duration = Duration::from_secs(2);

/// One instance, and how busy this proxy keeps it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) address: String,
    /// The identity that it must prove.
    pub(crate) wanted: Wanted,
    open: AtomicUsize,
    failed: Mutex<Option<Instant>>,
}

impl Endpoint {
    /// Counts a connection for as long as the result lives.
    pub(crate) fn occupy(self: &Arc<Self>) -> Occupied {
        self.open.fetch_add(1, Ordering::Relaxed);
        Occupied(Arc::clone(self))
    }

    /// Notes whether it could be reached.
    pub(crate) fn note(&self, reached: bool) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = (!reached).then(Instant::now);
    }

    fn is_cooling(&self) -> bool {
        let failed = *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_some_and(|at| at.elapsed() < COOLING)
    }

    fn load(&self) -> (bool, usize) {
        (self.is_cooling(), self.open.load(Ordering::Relaxed))
    }
}

/// A connection to an endpoint.
#[derive(Debug)]
pub(crate) struct Occupied(Arc<Endpoint>);

impl Drop for Occupied {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All instances of one upstream.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    list: Mutex<Vec<Arc<Endpoint>>>,
}

impl Endpoints {
    /// Takes a new list over. Endpoints that stay keep their counts.
    pub(crate) fn replace(&self, service: &str, entries: &[HealthEntry]) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known: HashMap<String, Arc<Endpoint>> = list
            .drain(..)
            .map(|endpoint| (endpoint.address.clone(), endpoint))
            .collect();
        list.extend(entries.iter().filter_map(|entry| {
            let wanted = wanted(service, entry)?;
            let address = address(entry);
            let kept = known
                .remove(&address)
                .filter(|endpoint| endpoint.wanted == wanted);
            Some(kept.unwrap_or_else(|| {
                Arc::new(Endpoint {
                    address,
                    wanted,
                    open: AtomicUsize::new(0),
                    failed: Mutex::default(),
                })
            }))
        }));
    }

    /// The less busy of two random instances that are not in `tried`, rested ones first.
    pub(crate) fn choose(&self, tried: &[Arc<Endpoint>]) -> Option<Arc<Endpoint>> {
        let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let left: Vec<&Arc<Endpoint>> = list
            .iter()
            .filter(|endpoint| !tried.iter().any(|old| Arc::ptr_eq(old, endpoint)))
            .collect();
        let rested: Vec<&Arc<Endpoint>> = left
            .iter()
            .filter(|endpoint| !endpoint.is_cooling())
            .copied()
            .collect();
        let from = if rested.is_empty() { left } else { rested };
        let first = from.get(random::below(from.len()))?;
        let second = from.get(random::below(from.len()))?;
        let better = if second.load() < first.load() {
            second
        } else {
            first
        };
        Some(Arc::clone(better))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.len()
    }
}

/// The identity that an entry of the catalog must prove: the service that was asked for,
/// spelled as registered. An entry for anything else is nothing we asked for.
fn wanted(service: &str, entry: &HealthEntry) -> Option<Wanted> {
    let native = entry
        .service
        .connect
        .as_ref()
        .is_some_and(|connect| connect.native);
    let name = match &entry.service.proxy {
        _ if native => &entry.service.service,
        Some(proxy) => &proxy.destination_service_name,
        None => &entry.service.service,
    };
    if !name.eq_ignore_ascii_case(service) {
        tracing::error!("upstream {service:?}: the agent offered an instance of {name:?} for it");
        return None;
    }
    Some(Wanted {
        service: name.clone(),
        datacenter: entry.node.datacenter.clone(),
    })
}

fn address(entry: &HealthEntry) -> String {
    let host = if entry.service.address.is_empty() {
        &entry.node.address
    } else {
        &entry.service.address
    };
    host_port(host, entry.service.port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(service: &str, port: u16) -> HealthEntry {
        serde_json::from_value(json!({
            "Node": {"Address": "192.0.2.7", "Datacenter": "dc1"},
            "Service": {"Kind": "connect-proxy", "ID": "x", "Service": "x-proxy", "Address": "",
                        "Port": port, "Proxy": {"DestinationServiceName": service}},
        }))
        .unwrap()
    }

    fn endpoints(ports: &[u16]) -> Endpoints {
        let endpoints = Endpoints::default();
        let entries: Vec<_> = ports.iter().map(|port| entry("db", *port)).collect();
        endpoints.replace("db", &entries);
        endpoints
    }

    #[test]
    fn every_endpoint_is_tried_once() {
        let endpoints = endpoints(&[1, 2, 3]);
        let mut tried = Vec::new();
        while let Some(next) = endpoints.choose(&tried) {
            tried.push(next);
        }
        let mut seen: Vec<_> = tried
            .iter()
            .map(|endpoint| endpoint.address.as_str())
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, ["192.0.2.7:1", "192.0.2.7:2", "192.0.2.7:3"]);
    }

    #[test]
    fn a_failed_endpoint_comes_last() {
        let endpoints = endpoints(&[1, 2]);
        let failed = endpoints.choose(&[]).unwrap();
        failed.note(false);
        for _ in 0..50 {
            assert!(!Arc::ptr_eq(&endpoints.choose(&[]).unwrap(), &failed));
        }
        failed.note(true);
        assert!((0..1000).any(|_| Arc::ptr_eq(&endpoints.choose(&[]).unwrap(), &failed)));
    }

    #[test]
    fn load_is_spread() {
        let endpoints = endpoints(&[1, 2, 3, 4]);
        let held: Vec<_> = (0..400)
            .map(|_| endpoints.choose(&[]).unwrap().occupy())
            .collect();
        let list = endpoints.list.lock().unwrap();
        for endpoint in list.iter() {
            let open = endpoint.load().1;
            assert!((80..=120).contains(&open), "{}: {open}", endpoint.address);
        }
        drop(held);
        assert!(list.iter().all(|endpoint| endpoint.load().1 == 0));
    }

    #[test]
    fn endpoints_that_stay_keep_their_counts() {
        let endpoints = endpoints(&[1]);
        let _held = endpoints.choose(&[]).unwrap().occupy();
        endpoints.replace("db", &[entry("db", 1), entry("db", 2)]);
        let loads: Vec<_> = endpoints
            .list
            .lock()
            .unwrap()
            .iter()
            .map(|one| one.load().1)
            .collect();
        assert_eq!(loads, [1, 0]);
    }

    #[test]
    fn an_instance_of_another_service_is_not_taken() {
        let endpoints = Endpoints::default();
        endpoints.replace("db", &[entry("web", 1), entry("DB", 2)]);
        assert_eq!(endpoints.len(), 1);
        assert_eq!(endpoints.choose(&[]).unwrap().wanted.service, "DB");
    }
}
