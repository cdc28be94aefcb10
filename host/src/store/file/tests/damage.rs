//! Files that were cut or altered: refused, or read in full, and never anything between.

use std::time::{Duration, Instant};

use super::disk::Disk;
use super::workload::{History, Random, commit, fresh_image, open, recover};
use crate::store::Loaded;

/// A store with some history, closed, and what it holds.
fn closed_store() -> (Vec<u8>, Loaded) {
    let disk = Disk::new(fresh_image());
    let mut history = History::new(4, 2_000);
    let mut database = open(&disk).unwrap();
    for _ in 0..60 {
        commit(&mut database, history.group()).unwrap();
    }
    let expected = history.at(history.revision()).unwrap().clone();
    database.close().unwrap();
    (disk.current(), expected)
}

/// Reads an image that was damaged; whether it was read in full.
fn assert_refused_or_whole(what: &str, image: Vec<u8>, expected: &Loaded) -> bool {
    let start = Instant::now();
    let result = recover(image);
    assert!(start.elapsed() < Duration::from_secs(5), "{what}: hung");
    match result {
        Ok(loaded) => {
            assert_eq!(loaded.revision, expected.revision, "{what}: an old state");
            assert!(loaded == *expected, "{what}: a wrong state");
            true
        }
        Err(error) => {
            let error = error.to_string();
            assert!(
                !error.contains("unexpectedly"),
                "{what}: redb panicked: {error}"
            );
            false
        }
    }
}

#[test]
fn a_shortened_file_is_refused() {
    let (image, expected) = closed_store();
    let mut random = Random(5);
    let mut lengths = vec![0, 1, 9, 64, 320, 511, 512, 4095, 4096, image.len() - 1];
    lengths.resize_with(50, || random.below(image.len()));
    for length in lengths {
        let what = format!("cut to {length} of {} bytes", image.len());
        let whole = assert_refused_or_whole(&what, image[..length].to_vec(), &expected);
        assert!(!whole, "{what}: read all the same");
    }
}

#[test]
fn no_flipped_bit_makes_another_state() {
    let (image, expected) = closed_store();
    let mut random = Random(6);
    // The header with both commit slots, bit by bit, then anywhere.
    let mut bits: Vec<_> = (0..HEADER * 8).collect();
    bits.resize_with(HEADER * 8 + 300, || random.below(image.len() * 8));
    let mut refused = 0;
    for bit in bits {
        let mut image = image.clone();
        image[bit / 8] ^= 1 << (bit % 8);
        let what = format!("bit {} of byte {}", bit % 8, bit / 8);
        refused += usize::from(!assert_refused_or_whole(&what, image, &expected));
    }
    assert!(refused > 1_000, "only {refused} were refused");
}

#[test]
fn no_page_of_zeros_makes_another_state() {
    let (image, expected) = closed_store();
    let mut refused = 0;
    for page in 0..image.len() / PAGE {
        let mut image = image.clone();
        image[page * PAGE..(page + 1) * PAGE].fill(0);
        let what = format!("page {page} of zeros");
        refused += usize::from(!assert_refused_or_whole(&what, image, &expected));
    }
    assert!(refused > 0, "nothing was refused");
}

/// redb's header: the file's own fields and two commit slots.
const HEADER: usize = 320;

const PAGE: usize = 4096;
