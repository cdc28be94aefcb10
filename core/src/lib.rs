//! The rules of Chancery as a pure, synchronous state machine.
#![forbid(unsafe_code)]

mod secret;
mod time;

pub use secret::{Sealed, Secret};
pub use time::{Instant, Now, Timestamp};
