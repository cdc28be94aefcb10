//! The certificate authority as operators see it: where it stands, and what a change would do.
//!
//! The same values are what the API answers, what the command line reads, and what it prints.

mod plan;
mod status;
mod text;

pub use plan::{Plan, Risk};
pub use status::{
    CaStatus, CleanUp, Coming, Failure, IntermediateStatus, LeafCounts, PluginStatus, RootState,
    RootStatus, RotationStatus, State,
};
