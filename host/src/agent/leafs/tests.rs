use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::*;

const START: i64 = 1_795_500_000;
const LIFE: Duration = Duration::from_secs(72 * 3600);

/// Makes leafs out of nothing and counts them.
struct CountingSource {
    clock: Clock,
    issued: AtomicU64,
    broken: AtomicBool,
    registered: AtomicBool,
    issuer: Mutex<String>,
}

#[async_trait]
impl LeafSource for CountingSource {
    async fn issue(&self, service: &ServiceName, after: u64) -> Result<Leaf, LeafError> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if self.broken.load(Ordering::Relaxed) {
            return Err(LeafError::Failed("the provider is away".to_owned()));
        }
        self.issued.fetch_add(1, Ordering::Relaxed);
        let now = self.clock.now().wall;
        Ok(Leaf {
            service: service.clone(),
            uri: format!("spiffe://td.consul/ns/default/dc/dc1/svc/{service}"),
            certificates_pem: String::new(),
            private_key_pem: Secret::new(Vec::new()),
            serial: "01".to_owned(),
            valid_after: now,
            valid_before: now.saturating_add(LIFE),
            issuer_key_id: self.issuer.lock().unwrap().clone(),
            index: after + 1,
            issued_at: now,
        })
    }

    fn issuer_key_id(&self) -> Option<String> {
        Some(self.issuer.lock().unwrap().clone())
    }

    fn is_registered(&self, _service: &str) -> bool {
        self.registered.load(Ordering::Relaxed)
    }
}

fn leafs() -> (Leafs, Arc<CountingSource>) {
    let clock = Clock::simulated(Timestamp::from_unix(START));
    let source = Arc::new(CountingSource {
        clock,
        issued: AtomicU64::new(0),
        broken: AtomicBool::new(false),
        registered: AtomicBool::new(false),
        issuer: Mutex::new("aa".to_owned()),
    });
    let leafs = Leafs::new(Arc::<CountingSource>::clone(&source), clock);
    tokio::spawn(leafs.clone().renew());
    (leafs, source)
}

fn web() -> ServiceName {
    ServiceName::parse("web").unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_hundred_readers_at_once_cost_one_signature() {
    let (leafs, source) = leafs();
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let leafs = leafs.clone();
        readers.spawn(async move { leafs.current(&web()).await.unwrap().leaf.index });
    }
    assert!(readers.join_all().await.into_iter().all(|index| index == 1));
    assert_eq!(source.issued.load(Ordering::Relaxed), 1);
    assert!(leafs.current(&web()).await.unwrap().hit);
}

#[tokio::test(start_paused = true)]
async fn a_blocked_reader_gets_the_next_leaf_within_the_renewal_window() {
    let (leafs, source) = leafs();
    let first = leafs.current(&web()).await.unwrap().leaf;
    let next = leafs.next(&web(), first.index, None).await.unwrap().leaf;
    assert_eq!(next.index, first.index + 1);
    let age = next.valid_after.saturating_since(first.valid_after);
    assert!(age >= LIFE.mul_f64(0.59), "{age:?}");
    assert!(age <= LIFE.mul_f64(0.91), "{age:?}");
    assert_eq!(source.issued.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_blocked_reader_gets_the_old_leaf_at_its_deadline() {
    let (leafs, _source) = leafs();
    let first = leafs.current(&web()).await.unwrap().leaf;
    let deadline = Instant::now() + Duration::from_secs(5);
    let served = leafs
        .next(&web(), first.index, Some(deadline))
        .await
        .unwrap();
    assert_eq!((served.leaf.index, served.hit), (first.index, false));
    assert!(Instant::now() >= deadline);
}

#[tokio::test(start_paused = true)]
async fn an_index_from_another_life_of_the_agent_does_not_wait() {
    let (leafs, _source) = leafs();
    let served = leafs.next(&web(), 999, None).await.unwrap();
    assert_eq!(served.leaf.index, 1);
}

#[tokio::test(start_paused = true)]
async fn failed_renewals_never_take_away_a_valid_leaf_and_end_when_the_source_is_back() {
    let (leafs, source) = leafs();
    source.registered.store(true, Ordering::Relaxed);
    let first = leafs.current(&web()).await.unwrap().leaf;
    source.broken.store(true, Ordering::Relaxed);
    tokio::time::sleep(LIFE.mul_f64(0.95)).await;
    assert_eq!(leafs.current(&web()).await.unwrap().leaf.index, first.index);
    source.broken.store(false, Ordering::Relaxed);
    let served = leafs.next(&web(), first.index, None).await.unwrap();
    assert_eq!(served.leaf.index, first.index + 1);
}

#[tokio::test(start_paused = true)]
async fn an_expired_leaf_is_never_served() {
    let (leafs, source) = leafs();
    source.registered.store(true, Ordering::Relaxed);
    leafs.current(&web()).await.unwrap();
    source.broken.store(true, Ordering::Relaxed);
    tokio::time::sleep(LIFE - Duration::from_secs(1)).await;
    assert!(leafs.current(&web()).await.is_ok());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(matches!(
        leafs.current(&web()).await,
        Err(LeafError::Failed(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_new_issuer_renews_within_half_a_minute_and_at_once_for_a_plain_reader() {
    let (leafs, source) = leafs();
    let web_leaf = leafs.current(&web()).await.unwrap().leaf;
    let db = ServiceName::parse("db").unwrap();
    let db_leaf = leafs.current(&db).await.unwrap().leaf;
    "bb".clone_into(&mut source.issuer.lock().unwrap());
    let plain = leafs.current(&web()).await.unwrap().leaf;
    assert_eq!(plain.issuer_key_id, "bb");
    assert_ne!(plain.index, web_leaf.index);
    let begin = Instant::now();
    let blocked = leafs.next(&db, db_leaf.index, None).await.unwrap().leaf;
    assert_eq!(blocked.issuer_key_id, "bb");
    assert!(begin.elapsed() <= Duration::from_secs(61));
}

#[tokio::test(start_paused = true)]
async fn an_idle_leaf_is_forgotten_unless_its_service_is_registered() {
    let (leafs, source) = leafs();
    leafs.current(&web()).await.unwrap();
    tokio::time::sleep(IDLE + Duration::from_secs(61)).await;
    assert!(leafs.is_empty());
    source.registered.store(true, Ordering::Relaxed);
    leafs.current(&web()).await.unwrap();
    tokio::time::sleep(IDLE * 2).await;
    assert_eq!(leafs.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn names_that_cannot_be_issued_leave_nothing_behind() {
    let (leafs, source) = leafs();
    source.broken.store(true, Ordering::Relaxed);
    for number in 0..50 {
        let name = ServiceName::parse(&format!("stranger-{number}")).unwrap();
        assert!(leafs.current(&name).await.is_err());
    }
    assert!(leafs.is_empty());
}
