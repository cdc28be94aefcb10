//! The time of day.

use crate::host;

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
pub type Timestamp = i64;

/// Now.
#[must_use]
pub fn now() -> Timestamp {
    host::now()
}
