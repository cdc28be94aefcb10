//! Sixteen bytes as people read them.

use std::fmt;

/// Prints as a lower-case UUID, with dashes after 8, 12, 16 and 20 digits.
///
/// The bytes are taken as they are: like Consul's, our ids have no version bits.
pub(crate) struct Uuid(pub(crate) [u8; 16]);

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}
