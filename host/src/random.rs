//! Randomness from the operating system, for the core that has none of its own.

use std::time::Duration;

use aws_lc_rs::rand;
use chancery_core::HashSeed;

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

/// A seed for the hashes of a set of intentions.
///
/// # Errors
///
/// As [`bytes()`].
pub fn hash_seed() -> Result<HashSeed, NoRandomness> {
    Ok(HashSeed([
        u64::from_le_bytes(bytes()?),
        u64::from_le_bytes(bytes()?),
    ]))
}

/// An index below `bound`; 0 if there is none. Falls back to 0 when there is no randomness: it
/// only spreads load.
#[must_use]
pub fn below(bound: usize) -> usize {
    let random = bytes().map_or(0, usize::from_le_bytes);
    random.checked_rem(bound).unwrap_or(0)
}

/// A span, give or take a quarter.
#[must_use]
pub fn around(span: Duration) -> Duration {
    span.mul_f64(0.75 + fraction() / 2.0)
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
    fn an_index_stays_below_its_bound() {
        assert_eq!((below(0), below(1)), (0, 0));
        let seen: std::collections::BTreeSet<_> = (0..1000).map(|_| below(3)).collect();
        assert_eq!(Vec::from_iter(seen), [0, 1, 2]);
    }

    #[test]
    fn a_span_moves_by_a_quarter_at_most() {
        let span = Duration::from_secs(4);
        for _ in 0..1000 {
            let moved = around(span);
            let allowed = Duration::from_secs(3)..=Duration::from_secs(5);
            assert!(allowed.contains(&moved), "{moved:?}");
        }
    }

    #[test]
    fn a_uuid_says_its_version_and_variant() {
        let uuid = uuid().unwrap();
        assert_eq!(uuid[6] >> 4, 4);
        assert_eq!(uuid[8] >> 6, 2);
        assert_ne!(uuid, super::uuid().unwrap());
    }
}
