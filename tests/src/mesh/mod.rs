//! Services with sidecars around an agent under test: the stage of the proxy scenarios.

mod app;
mod credentials;
mod sidecar;

pub use app::App;
pub use credentials::{Credentials, CredentialsError, anonymous_connector, connect_tls};
pub use sidecar::{MeshError, ProxyKind, Service, Sidecar};
