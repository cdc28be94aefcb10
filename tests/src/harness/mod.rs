//! Processes that die with their test, ports from the operating system, deadlines.

mod binary;
mod deadline;
mod guests;
mod ports;
mod process;

pub use binary::{BinaryError, chancery_binary, profile, target_directory};
pub use deadline::eventually;
pub use guests::{GuestError, hostile_plugin, plugin};
pub use ports::{free_port, free_ports};
pub use process::{Process, ProcessError};
