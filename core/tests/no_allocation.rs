//! A decision allocates nothing: not from strings, not for unknown names, not with capitals.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use chancery_core::{
    DefaultPolicy, HashSeed, IntentionCommand, IntentionDraft, IntentionId, IntentionSet, Now,
};

struct Counting;

thread_local! {
    // Of this thread alone: the test harness allocates on others.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: hands every call on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(action: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    action();
    ALLOCATIONS.get() - before
}

#[test]
fn decisions_and_snapshots_allocate_nothing() {
    let mut set = IntentionSet::new(HashSeed([1, 2]));
    for number in 0..5_000_u64 {
        let command = IntentionCommand::Create {
            id: IntentionId::from_bytes(u128::from(number).to_be_bytes()),
            draft: IntentionDraft {
                source_name: if number < 100 {
                    "*".into()
                } else {
                    format!("source-{number}")
                },
                destination_name: format!("destination-{}", number % 100),
                action: "deny".into(),
                ..IntentionDraft::default()
            },
        };
        for change in set.propose(&command, &|_| true, 2, Now::default()).unwrap() {
            set.apply(change);
        }
    }
    let questions = [
        ("source-4711", "destination-11", false),
        ("SOURCE-4711", "DESTINATION-11", false),
        ("nobody", "destination-0", false),
        ("nobody", "nowhere", true),
    ];
    let count = allocations(|| {
        for (source, destination, expected) in questions {
            let decision = set.decide(source, destination, DefaultPolicy::Allow);
            assert_eq!(decision.allowed(), expected);
            assert_eq!(decision.winner().is_none(), expected);
            let snapshot = set.clone();
            let resolved = (snapshot.resolve(source), snapshot.resolve(destination));
            let decision = snapshot.decide_resolved(resolved.0, resolved.1, DefaultPolicy::Allow);
            assert_eq!(decision.allowed(), expected);
        }
    });
    assert_eq!(count, 0);
    assert!(
        allocations(|| drop(
            set.decide("a", "b", DefaultPolicy::Allow)
                .explain()
                .to_string()
        )) > 0
    );
}
