//! Finding a sidecar's registration, and registering a proxy that has none.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::client::ClientError;
use crate::proxy::agent_api::AgentApi;

/// How often the heartbeat check is passed; it fails after thirty seconds.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Every how many heartbeats the registration is written again, for an agent that lost it.
const REGISTER_EVERY: u32 = 3;

/// How often leaving is tried.
const DEREGISTER_TRIES: usize = 3;

/// Why the sidecar of a service cannot be found. The texts are Consul's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SidecarError {
    /// The agent cannot be asked.
    #[error("Failed looking up sidecar proxy info for {service}: {source}")]
    Agent {
        /// The id of the service.
        service: String,
        /// What went wrong.
        source: ClientError,
    },
    /// There is more than one.
    #[error(
        "More than one sidecar proxy registered for {service}.\n    Start proxy with -proxy-id \
         and one of the following IDs: {}", ids.join(", ")
    )]
    Ambiguous {
        /// The id of the service.
        service: String,
        /// The ids of its proxies.
        ids: Vec<String>,
    },
    /// There is none.
    #[error("No sidecar proxy registered for {service}")]
    None {
        /// The id of the service.
        service: String,
    },
}

/// The id of the only sidecar proxy registered for the service instance `service`.
///
/// Ids are compared exactly (Consul 1.8 lower-cases one side of the comparison).
///
/// # Errors
/// [`SidecarError`]
pub async fn find_sidecar(agent: &AgentApi, service: &str) -> Result<String, SidecarError> {
    let services = agent
        .services()
        .await
        .map_err(|source| SidecarError::Agent {
            service: service.to_owned(),
            source,
        })?;
    let mut ids: Vec<String> = services
        .into_iter()
        .filter(|(_, found)| {
            let proxy = found.proxy.as_ref();
            found.kind == "connect-proxy"
                && proxy.is_some_and(|proxy| proxy.destination_service_id == service)
        })
        .map(|(id, _)| id)
        .collect();
    match (ids.len(), ids.pop()) {
        (1, Some(id)) => Ok(id),
        (_, Some(last)) => {
            ids.push(last);
            Err(SidecarError::Ambiguous {
                service: service.to_owned(),
                ids,
            })
        }
        (_, None) => Err(SidecarError::None {
            service: service.to_owned(),
        }),
    }
}

/// A proxy that registers itself (`-register`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Registration {
    /// The id: `<service>-proxy-<suffix>`.
    pub id: String,
    /// The name: `<service>-proxy`.
    pub name: String,
    /// The service proxied.
    pub service: String,
    /// The address listened on.
    pub address: String,
    /// The port listened on.
    pub port: u16,
}

impl Registration {
    /// The registration of a proxy for `service` that listens on `address` and `port`.
    #[must_use]
    pub fn new(service: &str, suffix: &str, address: &str, port: u16) -> Self {
        Self {
            id: format!("{service}-proxy-{suffix}"),
            name: format!("{service}-proxy"),
            service: service.to_owned(),
            address: address.to_owned(),
            port,
        }
    }

    /// Registers, and keeps the heartbeat going until `stop` fires; then deregisters.
    pub async fn keep(self, agent: &AgentApi, stop: CancellationToken) {
        let check = format!("{}-ttl", self.id);
        let mut beat = 0_u32;
        while !stop.is_cancelled() {
            let result = if beat.is_multiple_of(REGISTER_EVERY) {
                agent.register(&self.body(&check)).await
            } else {
                agent.pass_check(&check).await
            };
            match result {
                Ok(()) => beat = beat.wrapping_add(1),
                Err(error) => {
                    tracing::warn!("the registration of {} failed: {error}", self.id);
                    beat = 0;
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(HEARTBEAT) => {}
            }
        }
        for _ in 0..DEREGISTER_TRIES {
            match agent.deregister(&self.id).await {
                Ok(()) => return,
                Err(error) => tracing::warn!("leaving {} failed: {error}", self.id),
            }
        }
    }

    fn body(&self, check: &str) -> Value {
        json!({
            "Kind": "connect-proxy",
            "ID": self.id,
            "Name": self.name,
            "Port": self.port,
            "Address": self.address,
            "Check": {
                "CheckID": check,
                "Name": "proxy heartbeat",
                "TTL": "30s",
                "Status": "passing",
                "Notes": "Built-in proxy will heartbeat this check.",
            },
            "Proxy": {"DestinationServiceName": self.service},
        })
    }
}
