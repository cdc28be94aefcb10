//! The same requests to our agent and to a real Consul, and what differs between the answers.

mod case;
mod player;

pub use case::{Case, Cases, Step};
pub use player::play;
