//! The real programs we are compared with, fetched by the tests themselves.

mod agent;
mod clients;
mod consul;
mod envoy;
mod error;
mod faulty;
mod front;
mod moto;
mod openbao;
mod package;
mod python;

pub use agent::{Agent, AgentError, AgentKind};
pub use clients::{npm_consul, py_consul};
pub use consul::consul_binary;
pub use envoy::{EnvoyError, EnvoyPair, envoy_binary};
pub use error::PeerError;
pub use faulty::{Fault, FaultyProxy};
pub use front::{FrontError, TlsFront};
pub use moto::{Moto, MotoError};
pub use openbao::{OpenBao, OpenBaoError, openbao_binary, openbao_role, vault_folder};
