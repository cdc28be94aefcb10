//! Randomness from the operating system, for the core that has none of its own.

use aws_lc_rs::rand;

/// `N` random bytes.
///
/// # Errors
///
/// Only when the system cannot give randomness, in which case nothing that needs it may go on.
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_unspecified| NoRandomness)?;
    Ok(bytes)
}

/// The bytes of a random UUID (RFC 9562 §5.4).
///
/// # Errors
///
/// As [`bytes()`].
pub fn uuid() -> Result<[u8; 16], NoRandomness> {
    let random = u128::from_be_bytes(bytes()?);
    let versioned = (random & !(0xf << 76)) | (0x4 << 76);
    Ok(((versioned & !(0x3 << 62)) | (0x2 << 62)).to_be_bytes())
}

/// A number spread evenly over 0 to 1. Falls back to the middle when there is no randomness:
/// it only spreads load.
#[must_use]
pub fn fraction() -> f64 {
    bytes::<4>().map_or(0.5, |bytes| {
        f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
    })
}

/// The operating system gave no randomness.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the operating system gives no random numbers")]
#[non_exhaustive]
pub struct NoRandomness;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_says_its_version_and_variant() {
        let uuid = uuid().unwrap();
        assert_eq!(uuid[6] >> 4, 4);
        assert_eq!(uuid[8] >> 6, 2);
        assert_ne!(uuid, super::uuid().unwrap());
    }
}
