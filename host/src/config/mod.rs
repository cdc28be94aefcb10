//! The configuration of an agent.

pub mod hcl;
