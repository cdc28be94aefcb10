//! Services with sidecars around an agent under test: the stage of the proxy scenarios.

mod app;
mod credentials;
mod sidecar;

pub use app::App;
pub(crate) use credentials::Credulous;
pub use credentials::{Credentials, CredentialsError, anonymous_connector, connect_tls};
pub use sidecar::{MeshError, ProxyKind, Service, Sidecar};

/// Makes a test of each scenario (an `async fn` of an [`AgentKind`](crate::AgentKind)) for each
/// agent: the real Consul and ours.
#[macro_export]
macro_rules! against_each_agent {
    ($($scenario:ident)*) => {
        mod at_consul {
            $(#[tokio::test]
            async fn $scenario() {
                super::$scenario($crate::AgentKind::Consul).await;
            })*
        }
        mod at_chancery {
            $(#[tokio::test]
            async fn $scenario() {
                super::$scenario($crate::AgentKind::Chancery).await;
            })*
        }
    };
}
