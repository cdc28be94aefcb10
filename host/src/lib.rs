//! The runtime of Chancery: configuration, store, server, agent, HTTP API, proxy and command line.
#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod definition;
pub mod proxy;
pub mod telemetry;
