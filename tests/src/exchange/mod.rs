//! Requests to an agent as they are on the wire, and what is compared of the answers when two
//! agents, or an agent and a record, are asked the same.

mod audit;
mod ledger;
mod mask;
mod wire;

pub use audit::{Audit, Differences};
pub use ledger::{Ledger, Meant};
pub use mask::masked;
pub use wire::{COMPARED_HEADERS, Reply, WireRequest};
