//! Which instances of a plugin serve which calls.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_providers::{CaProvider as _, PluginCounts, PluginFile, plugins};
use chancery_tests::leaf_request;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::stage::{LONG, Stage};

/// A plugin in a file of its own, by which it is told from the same one in other tests.
struct Alone {
    stage: Stage,
    path: PathBuf,
    _folder: TempDir,
}

impl Alone {
    async fn new(guest: &str) -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alone.wasm");
        std::fs::copy(Stage::guest(guest).await, &path).unwrap();
        let file = PluginFile::load(&path, None, None).await.unwrap();
        Arc::new(Self {
            stage: Stage::set(file, &json!({}), LONG).await.unwrap(),
            path,
            _folder: folder,
        })
    }

    fn counts(&self) -> PluginCounts {
        let all = plugins();
        all.iter().find(|it| it.path == self.path).unwrap().counts
    }

    /// Whether it signs.
    async fn signs(&self) -> bool {
        let leaf = self.stage.guard.issue_leaf(&leaf_request("web")).await;
        leaf.is_ok()
    }

    /// A call, and nobody waits for it.
    fn call(self: &Arc<Self>) -> JoinHandle<bool> {
        let alone = Arc::clone(self);
        tokio::spawn(async move { alone.signs().await })
    }

    async fn wait_for(&self, what: &str, is: impl Fn(&PluginCounts) -> bool) {
        let ends = Instant::now() + Duration::from_secs(120);
        while !is(&self.counts()) {
            assert!(Instant::now() < ends, "{what}: {:?}", self.counts());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_instance_serves_call_after_call() {
    let honest = Alone::new("honest").await;
    assert!(honest.signs().await);
    let first = honest.counts();
    assert!(first.memory > 0);
    for _ in 0..30 {
        assert!(honest.signs().await);
    }
    let last = honest.counts();
    assert_eq!(last.calls, first.calls + 30);
    assert_eq!(last.instances, first.instances);
    assert_eq!(last.memory, first.memory);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_it_how_it_is_is_a_call() {
    let honest = Alone::new("honest").await;
    let before = honest.counts().calls;
    for asked in 1..=2 {
        honest.stage.guard.findings().await;
        assert_eq!(honest.counts().calls, before + asked);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_trap_comes_a_fresh_one() {
    let traps = Alone::new("traps_on_third_call").await;
    let mut signed = Vec::new();
    for _ in 0..6 {
        let before = traps.counts();
        signed.push(traps.signs().await);
        let after = traps.counts();
        // The first of each life and the one that comes after a trap.
        let fresh = signed.len() == 1 || signed.ends_with(&[false, true]);
        let [made, trapped] = [fresh, signed.ends_with(&[false])].map(u64::from);
        assert_eq!(after.instances - before.instances, made, "{signed:?}");
        assert_eq!(after.traps - before.traps, trapped, "{signed:?}");
        assert_eq!(after.memory == 0, trapped == 1, "{signed:?}");
    }
    assert_eq!(signed, [true, true, false, true, true, false]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_whose_call_is_given_up_gives_its_memory_back_and_serves_nobody() {
    let spins = Alone::new("never_returns").await;
    let before = spins.counts().instances;
    for made in 1..=2 {
        let call = spins.call();
        spins
            .wait_for("a call begins", |it| {
                it.instances == before + made && it.memory > 0
            })
            .await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        spins
            .wait_for("its memory comes back", |it| it.memory == 0)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_seventeenth_call_at_once_waits_for_one_to_end() {
    let spins = Alone::new("never_returns").await;
    let before = spins.counts().instances;
    let mut calls: Vec<_> = (0..16).map(|_| spins.call()).collect();
    spins
        .wait_for("sixteen begin", |it| it.instances == before + 16)
        .await;
    let mut next = pin!(spins.signs());
    tokio::select! {
        biased;
        _ = &mut next => panic!("it never returns"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(spins.counts().instances, before + 16);
    calls.pop().unwrap().abort();
    tokio::select! {
        _ = &mut next => panic!("it never returns"),
        () = spins.wait_for("the next begins", |it| it.instances == before + 17) => {}
    }
    for call in calls {
        call.abort();
    }
}
