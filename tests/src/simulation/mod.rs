//! A deterministic simulation of the authority: whole lives of a trust domain in virtual time,
//! with crashes, lost and late answers, wrong clocks and impatient operators.
//!
//! It drives the product's own [`Authority`](chancery_core::Authority); only certificates are
//! symbols. A seed decides everything, see [`simulate`].

mod bug;
mod certificates;
mod checks;
mod effects;
mod host;
mod law;
mod provider;
mod random;
mod rare;
mod run;
mod schedule;
mod shrink;
mod world;

pub use bug::Bug;
pub use shrink::{Failure, Summary, replay, simulate};
