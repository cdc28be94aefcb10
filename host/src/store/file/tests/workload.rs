//! A reproducible history of commits, and what every revision of it must look like.

use std::collections::BTreeMap;
use std::path::Path;

use super::disk::Disk;
use crate::store::file::database::Database;
use crate::store::{Batch, FRESH_REVISION, Group, Loaded, Row, RowKind, StoreError, Write};

pub(super) const KINDS: &[RowKind] = &[
    RowKind::new("intention"),
    RowKind::new("node"),
    RowKind::new("service"),
];

/// Small numbers from a seed (SplitMix64), the same in every run.
#[derive(Clone, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

/// Makes groups and keeps, for each revision, what a store at it holds.
#[derive(Debug)]
pub(super) struct History {
    random: Random,
    rows: BTreeMap<(RowKind, Vec<u8>), Vec<u8>>,
    /// By revision, from the fresh one on.
    expected: Vec<Loaded>,
    largest: usize,
}

impl History {
    /// Values have up to `largest` bytes.
    pub(super) fn new(seed: u64, largest: usize) -> Self {
        let fresh = Loaded {
            revision: FRESH_REVISION,
            digest: None,
            rows: vec![],
        };
        Self {
            random: Random(seed),
            rows: BTreeMap::new(),
            expected: vec![fresh],
            largest,
        }
    }

    pub(super) fn revision(&self) -> u64 {
        self.expected.last().unwrap().revision
    }

    /// What a store at `revision` holds; `None` when there is no such revision.
    pub(super) fn at(&self, revision: u64) -> Option<&Loaded> {
        let place = revision.checked_sub(FRESH_REVISION)?;
        self.expected.get(usize::try_from(place).unwrap())
    }

    pub(super) fn group(&mut self) -> Group {
        let digest = self
            .random
            .next()
            .to_be_bytes()
            .repeat(4)
            .try_into()
            .unwrap();
        let batches = (0..=self.random.below(3))
            .map(|_| self.batch(digest))
            .collect();
        Group { batches, digest }
    }

    fn batch(&mut self, digest: [u8; 32]) -> Batch {
        let revision = self.revision() + 1;
        let writes: Vec<_> = (0..=self.random.below(4)).map(|_| self.write()).collect();
        for write in &writes {
            match write.clone() {
                Write::Delete { kind, key } => self.rows.remove(&(kind, key)),
                Write::Put(row) => self.rows.insert((row.kind, row.key), row.value),
            };
        }
        let rows = self.rows.iter().map(|((kind, key), value)| Row {
            kind: *kind,
            key: key.clone(),
            value: value.clone(),
        });
        self.expected.push(Loaded {
            revision,
            digest: Some(digest),
            rows: rows.collect(),
        });
        Batch { revision, writes }
    }

    fn write(&mut self) -> Write {
        let kind = KINDS[self.random.below(KINDS.len())];
        let key = format!("key-{}", self.random.below(40)).into_bytes();
        if self.random.below(4) == 0 {
            return Write::Delete { kind, key };
        }
        let length = self.random.below(self.largest);
        let value = (0..length)
            .map(|_| self.random.next().to_be_bytes()[0])
            .collect();
        Write::Put(Row { kind, key, value })
    }
}

/// The image of a store to which nothing was committed.
pub(super) fn fresh_image() -> Vec<u8> {
    let disk = Disk::new(vec![]);
    Database::create(disk.clone()).unwrap();
    disk.current()
}

pub(super) fn open(disk: &Disk) -> Result<Database, StoreError> {
    Database::open(disk.clone(), Path::new("chancery.redb"), KINDS)
}

/// Opens an image and reads all of it.
pub(super) fn recover(image: Vec<u8>) -> Result<Loaded, StoreError> {
    open(&Disk::new(image))?.load()
}

pub(super) fn commit(database: &mut Database, group: Group) -> Result<(), StoreError> {
    database.commit(&[group]).remove(0)
}

/// Asserts that what was recovered is the history at a revision of at least `acknowledged`.
pub(super) fn assert_recovered(loaded: &Loaded, history: &History, acknowledged: u64) {
    assert!(
        loaded.revision >= acknowledged,
        "revision {} was acknowledged, the store holds {}",
        acknowledged,
        loaded.revision
    );
    assert_eq!(Some(loaded), history.at(loaded.revision));
}
