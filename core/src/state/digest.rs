//! A fingerprint of the whole state that costs what a change costs.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::row::RowKind;

/// The sum of the SHA-256 of every row, as four 64-bit lanes.
///
/// Adding a row and removing it again cancel out, so the digest follows each change without
/// reading the rest of the state, and it does not depend on the order of writes. It finds
/// bugs and damage (a replay that came out different, a row lost by a store); it is no defence
/// against somebody who can choose rows freely.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest([u64; 4]);

impl Digest {
    /// 32 bytes, little-endian lanes, as stores keep it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, lane) in bytes.chunks_exact_mut(8).zip(self.0) {
            chunk.copy_from_slice(&lane.to_le_bytes());
        }
        bytes
    }

    pub(super) fn add(&mut self, kind: RowKind, key: &[u8], value: &[u8]) {
        self.combine(kind, key, value, u64::wrapping_add);
    }

    pub(super) fn remove(&mut self, kind: RowKind, key: &[u8], value: &[u8]) {
        self.combine(kind, key, value, u64::wrapping_sub);
    }

    fn combine(&mut self, kind: RowKind, key: &[u8], value: &[u8], by: fn(u64, u64) -> u64) {
        let mut hasher = Sha256::new();
        hasher.update([kind.tag()]);
        hasher.update((key.len() as u64).to_le_bytes());
        hasher.update(key);
        hasher.update(value);
        let hash = hasher.finalize();
        for (lane, chunk) in self.0.iter_mut().zip(hash.chunks_exact(8)) {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(chunk);
            *lane = by(*lane, u64::from_le_bytes(bytes));
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.to_bytes() {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_added_and_removed_leaves_no_trace_in_any_order() {
        let mut digest = Digest::default();
        digest.add(RowKind::Node, b"a", b"1");
        let one = digest;
        digest.add(RowKind::Node, b"b", b"2");
        digest.remove(RowKind::Node, b"a", b"1");
        digest.add(RowKind::Node, b"a", b"1");
        digest.remove(RowKind::Node, b"b", b"2");
        assert_eq!(digest, one);
        digest.remove(RowKind::Node, b"a", b"1");
        assert_eq!(digest, Digest::default());
    }

    #[test]
    fn kind_key_and_value_are_kept_apart() {
        let of = |kind, key: &[u8], value: &[u8]| {
            let mut digest = Digest::default();
            digest.add(kind, key, value);
            digest
        };
        let base = of(RowKind::Node, b"ab", b"c");
        assert_ne!(base, of(RowKind::Node, b"a", b"bc"));
        assert_ne!(base, of(RowKind::Service, b"ab", b"c"));
        assert_eq!(base.to_string().len(), 64);
    }
}
