//! The sidecar proxy: it gives an application that knows nothing of TLS an identity, and lets
//! in only whom the intentions permit.
//!
//! ```text
//!             ┌────────────────────── sidecar of web ─┐  ┌─ sidecar of db ──────────────────────┐
//! web ──tcp──▶│ upstream listener ─▶ endpoints ─▶ TLS ├─▶│ public listener ─▶ gate ─▶ judge ─▶ … ├─tcp─▶ db
//!             └───────────────────────────────────────┘  └──────────────────────────────────────┘
//! ```
//!
//! Everything it knows it watches at its agent by blocking queries (`watch`): the
//! registration ([`Settings`]), the leaf certificate and the roots (`tls`), the intentions
//! (`judge`), and for each upstream its healthy instances (`endpoints`). When the agent
//! does not answer, what was known last stays in use for a bounded time
//! ([`Limits::agent_silence`]).

mod agent_api;
mod buffer;
mod bundle_age;
mod context;
mod endpoints;
mod judge;
mod limits;
mod pipe;
mod public;
mod registration;
mod registry;
mod settings;
mod supervisor;
mod tls;
mod upstream;
mod watch;

pub use agent_api::AgentApi;
pub use limits::Limits;
pub use registration::{Registration, SidecarError, find_sidecar};
pub use settings::{PublicSettings, Settings, SettingsError, UpstreamSettings};
pub use supervisor::{Proxy, ProxyError};
