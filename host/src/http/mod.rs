//! The HTTP API: Consul's, for everything about Connect.
//!
//! A request is admitted (`guard`), finds its line in the one table (`router`, `v1`), and
//! becomes an answer; errors get their status and text in one place (`error`). What a web page
//! could send is refused from the first route on, and everything that a client can hold is
//! bounded ([`HttpLimits`]).
//!
//! Consul's deviations from what one would expect (500 for mistakes of the caller, `null` for no
//! match) are kept, because clients compare texts and shapes. Where we differ on purpose, the
//! transcripts' ledger says so.

mod answer;
mod api;
mod blocking;
mod decode;
mod dispatch;
mod error;
mod filter;
mod guard;
mod json;
mod listener;
mod paced;
mod params;
mod parked;
mod query;
mod render;
mod request;
mod router;
mod serve;
mod settings;
mod slots;
#[cfg(test)]
mod tests;
mod v1;

pub use api::Api;
pub use listener::{Listener, SocketFile};
pub use router::{Endpoint, Right, endpoints};
pub use serve::serve;
pub use settings::{HttpLimits, HttpSettings};
