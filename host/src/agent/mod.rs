//! The local agent.

pub mod leafs;
