use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chancery_core::{DefaultPolicy, IntentionCommand, IntentionDraft, IntentionId, Timestamp};
use tokio::sync::Semaphore;

use super::*;
use crate::store::{Group, Loaded, MemoryStore};

const SEED: HashSeed = HashSeed([5, 6]);

/// A store whose commits wait for permits and can be made to fail.
struct GatedStore {
    inner: MemoryStore,
    gate: Semaphore,
    broken: AtomicBool,
    groups: Mutex<Vec<usize>>,
    waiting: AtomicUsize,
}

impl GatedStore {
    fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::new(&TABLES),
            gate: Semaphore::new(permits),
            broken: AtomicBool::new(false),
            groups: Mutex::default(),
            waiting: AtomicUsize::new(0),
        })
    }
}

#[async_trait]
impl Store for GatedStore {
    async fn load(&self) -> Result<Loaded, StoreError> {
        self.inner.load().await
    }

    async fn commit(&self, group: Group) -> Result<(), StoreError> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.gate.acquire().await.unwrap().forget();
        if self.broken.load(Ordering::Relaxed) {
            return Err(StoreError::Closed);
        }
        self.groups.lock().unwrap().push(group.batches.len());
        self.inner.commit(group).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}

async fn start(store: &Arc<GatedStore>) -> Server {
    let clock = Clock::simulated(Timestamp::from_unix(1_795_500_000));
    let store: Arc<dyn Store> = Arc::<GatedStore>::clone(store);
    Server::start(store, SEED, clock).await.unwrap().0
}

fn deny(number: u16, destination: &str) -> Command {
    Command::Intention(IntentionCommand::Create {
        id: IntentionId::from_bytes((u128::from(number) + 1).to_be_bytes()),
        draft: IntentionDraft {
            source_name: format!("source-{number}"),
            destination_name: destination.to_owned(),
            action: "deny".to_owned(),
            ..IntentionDraft::default()
        },
    })
}

async fn submit(server: &Server, command: Command) -> Result<Revision, SubmitError> {
    server.submit(command, Caller::unrestricted()).await
}

async fn until(condition: impl Fn() -> bool) {
    let patience = Duration::from_secs(10);
    tokio::time::timeout(patience, async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the condition did not come true");
}

#[tokio::test]
async fn nothing_is_acknowledged_or_shown_before_it_is_durable() {
    let store = GatedStore::new(0);
    let server = start(&store).await;
    let write = tokio::spawn({
        let server = server.clone();
        async move { submit(&server, deny(0, "db")).await }
    });
    until(|| store.waiting.load(Ordering::Relaxed) == 1).await;
    assert!(server.view().state().intentions().is_empty());
    assert!(!write.is_finished());
    store.gate.add_permits(1);
    assert_eq!(write.await.unwrap().unwrap(), Revision::new(2));
    let decision = |server: &Server| {
        let view = server.view();
        let intentions = view.state().intentions();
        intentions
            .decide("source-0", "db", DefaultPolicy::Allow)
            .allowed()
    };
    assert!(!decision(&server));
}

#[tokio::test]
async fn what_comes_in_while_a_group_is_stored_shares_the_next_one() {
    let store = GatedStore::new(0);
    let server = start(&store).await;
    let mut writes = tokio::task::JoinSet::new();
    for number in 0..101 {
        let server = server.clone();
        writes.spawn(async move { submit(&server, deny(number, "db")).await.unwrap() });
        if number == 0 {
            until(|| store.waiting.load(Ordering::Relaxed) == 1).await;
        }
    }
    // All of them are queued before the first group gets through.
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    store.gate.add_permits(1_000);
    let mut revisions: Vec<_> = writes.join_all().await;
    revisions.sort_unstable();
    assert_eq!(revisions, (2..103).map(Revision::new).collect::<Vec<_>>());
    assert_eq!(*store.groups.lock().unwrap(), [1, 100]);
}

#[tokio::test]
async fn after_a_failed_commit_nothing_is_acknowledged_and_readers_keep_the_durable_state() {
    let store = GatedStore::new(1);
    let server = start(&store).await;
    submit(&server, deny(0, "db")).await.unwrap();
    store.broken.store(true, Ordering::Relaxed);
    store.gate.add_permits(10);
    for number in 1..4 {
        assert!(matches!(
            submit(&server, deny(number, "db")).await,
            Err(SubmitError::Storage(_))
        ));
    }
    store.broken.store(false, Ordering::Relaxed);
    assert!(matches!(
        submit(&server, deny(9, "db")).await,
        Err(SubmitError::Storage(_))
    ));
    assert_eq!(server.view().state().revision(), Revision::new(2));
    assert_eq!(server.view().state().intentions().len(), 1);
}

#[tokio::test]
async fn a_repeated_wish_is_answered_only_when_the_first_is_durable() {
    let store = GatedStore::new(0);
    let server = start(&store).await;
    let upsert = || {
        Command::Intention(IntentionCommand::DeleteExact {
            source: "source-0".to_owned(),
            destination: "db".to_owned(),
        })
    };
    let spawn = |command| {
        let server = server.clone();
        tokio::spawn(async move { submit(&server, command).await })
    };
    let create = spawn(deny(0, "db"));
    until(|| store.waiting.load(Ordering::Relaxed) == 1).await;
    let first = spawn(upsert());
    let second = spawn(upsert());
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert!(!first.is_finished() && !second.is_finished());
    store.gate.add_permits(1);
    create.await.unwrap().unwrap();
    until(|| store.waiting.load(Ordering::Relaxed) == 2).await;
    assert!(
        !second.is_finished(),
        "its answer rests on a write that is not durable"
    );
    store.gate.add_permits(1);
    assert_eq!(first.await.unwrap().unwrap(), Revision::new(3));
    assert_eq!(second.await.unwrap().unwrap(), Revision::new(3));
}

#[tokio::test]
async fn a_restart_finds_the_same_state() {
    let store = GatedStore::new(1_000);
    let server = start(&store).await;
    for number in 0..50 {
        submit(&server, deny(number, "db")).await.unwrap();
    }
    let digest = server.view().state().digest();
    let again = start(&store).await;
    assert_eq!(again.view().state().digest(), digest);
    assert_eq!(again.view().state().revision(), Revision::new(51));
}

#[tokio::test]
async fn a_blocked_reader_wakes_for_its_topic_only() {
    let store = GatedStore::new(1_000);
    let server = start(&store).await;
    submit(&server, deny(0, "db")).await.unwrap();
    let topics = [Topic::IntentionDestination("db".into())];
    let far = Instant::now() + Duration::from_secs(3_600);
    let reader = tokio::spawn({
        let (server, topics) = (server.clone(), topics.clone());
        async move { server.wait(&topics, Revision::new(2), far).await }
    });
    submit(&server, deny(1, "cache")).await.unwrap();
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert!(!reader.is_finished());
    submit(&server, deny(2, "db")).await.unwrap();
    let view = reader.await.unwrap();
    assert_eq!(view.index(&topics), Revision::new(4));
}

#[tokio::test(start_paused = true)]
async fn a_blocked_reader_gets_the_old_state_at_its_deadline() {
    let store = GatedStore::new(1_000);
    let server = start(&store).await;
    let deadline = Instant::now() + Duration::from_secs(5);
    let view = server
        .wait(&[Topic::Intentions], Revision::new(7), deadline)
        .await;
    assert_eq!(view.state().revision(), Revision::EMPTY);
    assert!(Instant::now() >= deadline);
}
