//! A deterministic simulation of the authority: whole lives of a trust domain in virtual time,
//! with crashes, lost and late answers, wrong clocks and impatient operators.
//!
//! It drives the product's own [`Authority`](chancery_core::Authority); only certificates are
//! symbols. A seed decides everything, see [`simulate`].

mod backends;
mod bug;
mod certificates;
mod checks;
mod clock;
mod configuration;
mod der;
mod effects;
mod host;
mod incarnation;
mod law;
mod misdeed;
mod provider;
mod random;
mod rare;
mod realm;
mod remembered;
mod run;
mod schedule;
mod shrink;
mod signature;
mod trial;
mod world;

pub use bug::Bug;
pub use shrink::{Failure, Summary, replay, simulate};
