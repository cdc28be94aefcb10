//! The one row beside the tables: which format, who writes, how far it got.

use super::{FRESH_REVISION, Group, RowKind, StateDigest, StoreError};

/// What a commit compares and replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Grows by one with every opening for writing.
    pub(super) epoch: u64,
    pub(super) revision: u64,
    pub(super) digest: Option<StateDigest>,
}

impl Head {
    /// The head of a store that nobody has written to.
    pub(super) const FRESH: Self = Self {
        epoch: 0,
        revision: FRESH_REVISION,
        digest: None,
    };

    /// The head after `group`, or why the group must not be written.
    ///
    /// `epoch` is the writer's own.
    pub(super) fn after(
        self,
        group: &Group,
        epoch: u64,
        kinds: &[RowKind],
    ) -> Result<Self, StoreError> {
        if self.epoch != epoch {
            return Err(StoreError::Superseded {
                found: self.epoch,
                held: epoch,
            });
        }
        let mut head = self;
        for batch in &group.batches {
            if head.revision.checked_add(1) != Some(batch.revision) {
                return Err(StoreError::RevisionGap {
                    found: batch.revision,
                    head: head.revision,
                });
            }
            if let Some(kind) = batch
                .writes
                .iter()
                .map(super::Write::kind)
                .find(|kind| !kinds.contains(kind))
            {
                return Err(StoreError::UnknownKind { kind: kind.name() });
            }
            head.revision = batch.revision;
            head.digest = Some(group.digest);
        }
        Ok(head)
    }

    /// The row: format, epoch, revision (big endian), then nothing or the digest.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(FIXED + 32);
        row.extend_from_slice(&FORMAT.to_be_bytes());
        row.extend_from_slice(&self.epoch.to_be_bytes());
        row.extend_from_slice(&self.revision.to_be_bytes());
        row.extend_from_slice(self.digest.as_ref().map_or(&[][..], |digest| digest));
        row
    }

    /// Reads the row. The format comes first so that every later version can be refused by name.
    pub(super) fn decode(row: &[u8]) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged {
            reason: format!(
                "its head has {} bytes, not {FIXED} or {}",
                row.len(),
                FIXED + 32
            )
            .into(),
        };
        let (format, rest) = row.split_first_chunk().ok_or_else(damaged)?;
        let found = u32::from_be_bytes(*format);
        if found > FORMAT {
            return Err(StoreError::NewerFormat {
                found,
                supported: FORMAT,
            });
        }
        if found < FORMAT {
            return Err(StoreError::Damaged {
                reason: format!("its format is {found}, the first was {FORMAT}").into(),
            });
        }
        let (epoch, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let (revision, digest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let digest = match digest {
            [] => None,
            digest => Some(StateDigest::try_from(digest).map_err(|_length| damaged())?),
        };
        Ok(Self {
            epoch: u64::from_be_bytes(*epoch),
            revision: u64::from_be_bytes(*revision),
            digest,
        })
    }
}

/// The newest format that this version reads, and the one it writes.
pub(super) const FORMAT: u32 = 1;

/// The length of a head without a digest.
const FIXED: usize = 4 + 8 + 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_survives_its_encoding() {
        for head in [
            Head::FRESH,
            Head {
                epoch: 3,
                revision: u64::MAX,
                digest: Some([7; 32]),
            },
        ] {
            assert_eq!(Head::decode(&head.encode()).unwrap(), head);
        }
    }

    #[test]
    fn a_newer_format_is_named_whatever_follows() {
        let mut row = Head::FRESH.encode();
        row[3] = 2;
        row.truncate(6);
        let error = Head::decode(&row).unwrap_err();
        assert!(matches!(
            error,
            StoreError::NewerFormat {
                found: 2,
                supported: 1
            }
        ));
    }

    #[test]
    fn a_head_of_another_length_is_damaged() {
        let row = Head {
            digest: Some([7; 32]),
            ..Head::FRESH
        }
        .encode();
        for length in (0..row.len()).filter(|length| *length != FIXED) {
            let error = Head::decode(&row[..length]).unwrap_err();
            assert!(
                matches!(error, StoreError::Damaged { .. }),
                "{length}: {error}"
            );
        }
    }
}
