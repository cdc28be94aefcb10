//! The file under crashes, failing calls and damage.
//!
//! redb does all its input and output through one trait, so a disk in memory that keeps apart
//! what was synced and what was not shows every state that a power failure can leave behind.

mod crash;
mod damage;
mod disk;
mod faults;
mod files;
mod workload;
