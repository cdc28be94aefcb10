//! The runtime of Chancery: configuration, store, server, agent, HTTP API, proxy and command line.
#![forbid(unsafe_code)]

pub mod cli;
pub mod client;
pub mod config;
pub mod definition;
pub mod telemetry;
