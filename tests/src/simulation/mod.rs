//! A deterministic simulation of the authority: whole lives of a trust domain in virtual time,
//! with crashes, lost and late answers, wrong clocks and impatient operators.
//!
//! It drives the product's own [`Authority`](chancery_core::Authority), and calls its providers
//! through the product's own [`Guard`](chancery_providers::Guard), in the order in which the host
//! does. The providers are simulated, and now and then fail, hang, or answer with what the guard
//! must refuse. The certificates are real to whoever parses them, only their signatures are symbols;
//! what the guard waits for passes in virtual time. One call is made at a time. A seed decides
//! everything, see [`simulate`].
//!
//! | subject | where |
//! |---|---|
//! | what happens when, and that it is the same each time | `schedule`, `random`, `run`, `rest` |
//! | the server: state, clocks, effects, crashes | `world`, `host`, `effects`, `trial`, `leafs` |
//! | providers behind their guards, and the guards' time | `incarnation`, `realm`, `clock` |
//! | what providers are, have, and do wrong | `provider`, `backends`, `remembered`, `misdeed` |
//! | certificates as symbols and as bytes | `certificates`, `der`, `signature` |
//! | what must hold, and what must have been reached | `law`, `checks`, `rare`, `bug`, `shrink` |

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
mod leafs;
mod misdeed;
mod provider;
mod random;
mod rare;
mod realm;
mod remembered;
mod rest;
mod run;
mod schedule;
mod shrink;
mod signature;
mod trial;
mod world;

pub use bug::Bug;
pub use shrink::{Failure, Summary, replay, simulate, simulate_on_all_cores};
