//! Power failures: at every sync, every set of unsynced writes may have reached the disk or not.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::disk::{Disk, Op};
use super::workload::{History, Random, assert_recovered, commit, fresh_image, open, recover};

/// Up to this many unsynced changes, every subset of them is tried.
const ENUMERATED: usize = 8;

/// Above, so many random subsets are.
const SAMPLED: u64 = 64;

/// And so many in which some of the writes are torn.
const TORN: usize = 24;

/// The recovery from one in so many images is interrupted by a second power failure.
const INTERRUPTED: usize = 256;

/// The images that a power failure may leave: `durable` with any subset of `unsynced`.
fn crash_images(
    durable: &[u8],
    unsynced: &[Op],
    random: &mut Random,
    mut visit: impl FnMut(Vec<u8>),
) {
    let count = unsynced.len();
    if count <= ENUMERATED {
        for subset in 0..1_u64 << count {
            visit(image(
                durable,
                unsynced,
                |index| subset >> index & 1 == 1,
                None,
            ));
        }
    } else {
        for _ in 0..SAMPLED {
            let kept: Vec<_> = (0..count).map(|_| random.below(2) == 1).collect();
            visit(image(durable, unsynced, |index| kept[index], None));
        }
        // All but one, and one alone: the sets that a random choice among many never hits.
        for only in 0..count {
            visit(image(durable, unsynced, |index| index == only, None));
            visit(image(durable, unsynced, |index| index != only, None));
        }
    }
    for _ in 0..TORN.min(count * 4) {
        let kept: Vec<_> = (0..count).map(|_| random.below(3) > 0).collect();
        visit(image(durable, unsynced, |index| kept[index], Some(random)));
    }
}

/// One image. The length is a change like the others: when it is lost, what was written past the
/// old end is lost with it, and when a shortening is lost, the old bytes are still there.
fn image(
    durable: &[u8],
    unsynced: &[Op],
    kept: impl Fn(usize) -> bool,
    mut torn: Option<&mut Random>,
) -> Vec<u8> {
    let mut image = durable.to_vec();
    let mut length = durable.len();
    for (_, op) in unsynced
        .iter()
        .enumerate()
        .filter(|(index, _)| kept(*index))
    {
        match (op, torn.as_deref_mut()) {
            (Op::SetLength(set), _) => {
                length = *set;
                if image.len() > *set {
                    op.apply(&mut image);
                }
            }
            (Op::Write { .. }, None) => op.apply(&mut image),
            (Op::Write { offset, data }, Some(random)) => {
                let sector = if random.below(2) == 0 { 512 } else { 4096 };
                for piece in sectors(*offset, data, sector) {
                    if random.below(2) == 1 {
                        piece.apply(&mut image);
                    }
                }
            }
        }
    }
    image.resize(length, 0);
    image
}

/// A write, cut where sectors begin.
fn sectors(offset: usize, data: &[u8], sector: usize) -> Vec<Op> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < data.len() {
        let end = (start + sector - (offset + start) % sector).min(data.len());
        let data = data[start..end].to_vec();
        pieces.push(Op::Write {
            offset: offset + start,
            data,
        });
        start = end;
    }
    pieces
}

/// What a second power failure may leave, at every sync of the recovery from a first one.
fn images_while_recovering(image: Vec<u8>, random: &mut Random) -> Vec<Vec<u8>> {
    let images = Arc::new(Mutex::new(Vec::new()));
    let disk = Disk::new(image);
    let (seen, mut random) = (Arc::clone(&images), Random(random.next()));
    disk.watch(move |durable, unsynced| {
        let mut seen = seen.lock().unwrap();
        crash_images(durable, unsynced, &mut random, |image| seen.push(image));
    });
    drop(open(&disk).unwrap());
    std::mem::take(&mut *images.lock().unwrap())
}

/// Runs `groups` commits with an opening every `reopen` of them and checks the image of every
/// power failure on the way; how many there were, and how long the file is in the end.
fn crash_everywhere(seed: u64, groups: usize, reopen: usize, largest: usize) -> (usize, usize) {
    let disk = Disk::new(fresh_image());
    let history = Arc::new(Mutex::new(History::new(seed, largest)));
    let acknowledged = Arc::new(AtomicU64::new(1));
    let images = Arc::new(AtomicUsize::new(0));
    disk.watch({
        let (history, acknowledged) = (Arc::clone(&history), Arc::clone(&acknowledged));
        let images = Arc::clone(&images);
        let mut random = Random(seed);
        move |durable, unsynced| {
            let history = history.lock().unwrap();
            let acknowledged = acknowledged.load(Ordering::Relaxed);
            let mut interrupted = Vec::new();
            crash_images(durable, unsynced, &mut random, |image| {
                let number = images.fetch_add(1, Ordering::Relaxed);
                if number.is_multiple_of(INTERRUPTED) {
                    interrupted.push(image.clone());
                }
                assert_recovered(&recover(image).unwrap(), &history, acknowledged);
            });
            for image in interrupted {
                for image in images_while_recovering(image, &mut random) {
                    images.fetch_add(1, Ordering::Relaxed);
                    assert_recovered(&recover(image).unwrap(), &history, acknowledged);
                }
            }
        }
    });
    let mut database = open(&disk).unwrap();
    for number in 1..=groups {
        let group = history.lock().unwrap().group();
        let revision = group.batches.last().unwrap().revision;
        let syncs = disk.syncs();
        commit(&mut database, group).unwrap();
        acknowledged.store(revision, Ordering::Relaxed);
        assert!(disk.syncs() > syncs, "acknowledged without a sync");
        if number % reopen == 0 {
            database.close().unwrap();
            database = open(&disk).unwrap();
        }
    }
    database.close().unwrap();
    (images.load(Ordering::Relaxed), disk.current().len())
}

#[test]
fn every_power_failure_keeps_what_was_acknowledged() {
    let (images, _length) = crash_everywhere(1, 40, 10, 300);
    assert!(images > 10_000, "only {images} images");
}

#[test]
fn power_failures_while_the_file_grows_keep_what_was_acknowledged() {
    let (images, length) = crash_everywhere(2, 24, 7, 120_000);
    assert!(length > fresh_image().len(), "the file did not grow");
    assert!(images > 5_000, "only {images} images");
}
