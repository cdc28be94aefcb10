//! The time of day.

use crate::certificate::civil;
use crate::host;

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
pub type Timestamp = i64;

/// Now.
#[must_use]
pub fn now() -> Timestamp {
    host::now()
}

/// A moment as RFC 3339 has it, such as `2027-01-01T00:00:00Z`: what most CAs take.
#[must_use]
pub fn rfc3339(moment: Timestamp) -> String {
    let [year, month, day, hour, minute, second] = civil(moment);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_others_read_it() {
        for (moment, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_826_215, "2000-02-29T12:10:15Z"),
            (1_798_761_600, "2027-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(moment), text);
        }
    }
}
