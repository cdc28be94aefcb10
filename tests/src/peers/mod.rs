//! The real programs we are compared with, fetched by the tests themselves.

mod agent;
mod consul;
mod error;

pub use agent::{Agent, AgentError, AgentKind};
pub use consul::consul_binary;
pub use error::PeerError;
