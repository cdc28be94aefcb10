//! Services with sidecars around an agent under test: the stage of the proxy scenarios.

mod app;
mod sidecar;

pub use app::App;
pub use sidecar::{MeshError, ProxyKind, Service, Sidecar};
