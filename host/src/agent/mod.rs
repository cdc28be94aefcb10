//! The local agent.

pub mod authorize;
pub mod leafs;
pub mod local;
