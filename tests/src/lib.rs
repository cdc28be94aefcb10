//! What the scenarios share: processes, ports, deadlines and the real peers.
#![forbid(unsafe_code)]

pub mod hostile;
