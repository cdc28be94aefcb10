//! Calls that fail: after the first failure nothing is acknowledged, and nothing is lost.

use super::disk::{Call, Disk, Fault};
use super::workload::{History, assert_recovered, commit, fresh_image, open, recover};
use crate::store::StoreError;

const CALLS: [Call; 5] = [
    Call::Length,
    Call::Read,
    Call::SetLength,
    Call::Sync,
    Call::Write,
];

const GROUPS: usize = 6;

/// Runs a history on a disk with `fault`; whether the fault was met.
fn run(image: &[u8], fault: Fault) -> bool {
    let disk = Disk::new(image.to_vec());
    disk.fail(fault);
    let mut history = History::new(3, 9_000);
    let mut acknowledged = 1;
    let mut failed = false;
    if let Ok(mut database) = open(&disk) {
        for _ in 0..GROUPS {
            let group = history.group();
            let revision = group.batches.last().unwrap().revision;
            match commit(&mut database, group) {
                Ok(()) => {
                    assert!(!failed, "{fault:?}: acknowledged after a failure");
                    acknowledged = revision;
                }
                Err(StoreError::Stopped { .. }) => assert!(failed, "{fault:?}: stopped too early"),
                Err(error) => {
                    assert!(!failed, "{fault:?}: tried again after a failure: {error}");
                    failed = true;
                }
            }
        }
        // With the call still failing, for this is how a process ends on a failing disk.
        let _ = database.close();
    }
    let met = disk.heal();
    let loaded = recover(disk.current()).unwrap();
    assert_recovered(&loaded, &history, acknowledged);
    // A power failure now: what a failed sync dropped never reached the disk.
    let (durable, unsynced) = disk.after_power_failure();
    let mut all = durable.clone();
    unsynced.iter().for_each(|op| op.apply(&mut all));
    for image in [durable, all] {
        let loaded = recover(image).unwrap();
        assert_recovered(&loaded, &history, acknowledged);
    }
    met
}

#[test]
fn after_a_failed_call_nothing_is_acknowledged_and_nothing_is_lost() {
    let image = fresh_image();
    let mut runs = 0;
    for call in CALLS {
        for (sticky, errno) in [(false, libc::EIO), (true, libc::EIO), (true, libc::ENOSPC)] {
            let mut after = 0;
            while run(
                &image,
                Fault {
                    call,
                    after,
                    sticky,
                    errno,
                    met: false,
                },
            ) {
                after += 1;
                runs += 1;
            }
        }
    }
    assert!(runs > 300, "only {runs} runs");
}
