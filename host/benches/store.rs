//! How many commits a second the store makes durable, beside a bare append and sync.
//!
//! Run with `cargo bench -p chancery --bench store`. It writes to the directory for temporary
//! files (`TMPDIR`), which should lie on the disk that is to be measured.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints its numbers, and has nobody to report an error to"
)]

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery::store::{Batch, DataDir, FileStore, Group, Row, RowKind, Store, Write};

const KINDS: &[RowKind] = &[RowKind::new("row")];

/// What an intention takes, roughly.
const VALUE_BYTES: usize = 300;

const COMMITS: usize = 4_000;

fn main() {
    let root = tempfile::tempdir().unwrap();
    println!("{COMMITS} commits of {VALUE_BYTES} bytes   commits/s    p50 µs    p99 µs");
    report("append and fdatasync, 1 at a time", append(root.path()));
    for committers in [1, 64] {
        let path = root.path().join(committers.to_string());
        let directory = DataDir::open_or_create(&path).unwrap();
        let store = Arc::new(FileStore::open(&directory, KINDS).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let measured = runtime.block_on(commits(&store, committers));
        report(&format!("store, {committers} at a time"), measured);
    }
}

fn append(root: &std::path::Path) -> (Duration, Vec<Duration>) {
    let mut file = std::fs::File::create(root.join("log")).unwrap();
    let start = Instant::now();
    let latencies = (0..COMMITS).map(|_| {
        let start = Instant::now();
        file.write_all(&[b'x'; VALUE_BYTES]).unwrap();
        file.sync_data().unwrap();
        start.elapsed()
    });
    let latencies = latencies.collect();
    (start.elapsed(), latencies)
}

/// Keeps `committers` commits under way, started in order as the server's loop does.
async fn commits(store: &Arc<FileStore>, committers: usize) -> (Duration, Vec<Duration>) {
    let start = Instant::now();
    let mut latencies = Vec::with_capacity(COMMITS);
    let mut waiting = std::collections::VecDeque::new();
    for revision in (2..).take(COMMITS) {
        if waiting.len() == committers
            && let Some(oldest) = waiting.pop_front()
        {
            latencies.push(finish(oldest).await);
        }
        let store = Arc::clone(store);
        waiting.push_back(tokio::spawn(async move {
            let start = Instant::now();
            store.commit(group(revision)).await.unwrap();
            start.elapsed()
        }));
    }
    for oldest in waiting {
        latencies.push(finish(oldest).await);
    }
    (start.elapsed(), latencies)
}

async fn finish(commit: tokio::task::JoinHandle<Duration>) -> Duration {
    commit.await.unwrap()
}

fn group(revision: u64) -> Group {
    let kind = RowKind::new("row");
    let key = (revision.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40)
        .to_be_bytes()
        .to_vec();
    let row = Row {
        kind,
        key,
        value: vec![b'x'; VALUE_BYTES],
    };
    let batch = Batch {
        revision,
        writes: vec![Write::Put(row)],
    };
    Group {
        batches: vec![batch],
        digest: [0; 32],
    }
}

fn report(what: &str, (elapsed, mut latencies): (Duration, Vec<Duration>)) {
    latencies.sort_unstable();
    let at = |percent: usize| latencies.get(COMMITS * percent / 100).unwrap().as_micros();
    let rate = COMMITS as f64 / elapsed.as_secs_f64();
    println!("{what:<34} {rate:>9.0} {:>9} {:>9}", at(50), at(99));
}
