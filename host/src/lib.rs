//! The runtime of Chancery: configuration, store, server, agent, HTTP API, proxy and command line.
#![forbid(unsafe_code)]

pub mod agent;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod definition;
mod demo;
pub mod doctor;
mod hardening;
pub mod http;
mod leaf_key;
pub mod metrics;
pub mod proxy;
pub mod random;
pub mod running;
pub mod server;
pub mod store;
pub mod telemetry;

pub use hardening::protect_memory;
