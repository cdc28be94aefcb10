use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::*;

const START: i64 = 1_795_500_000;
const LIFE: Duration = Duration::from_secs(72 * 3600);

/// Between two slots: 25 a second, half of Consul's usual limit.
const SLOT: Duration = Duration::from_millis(40);

/// Makes leafs out of nothing and counts them.
struct CountingSource {
    clock: Clock,
    issued: AtomicU64,
    broken: AtomicBool,
    registered: Mutex<HashSet<String>>,
    issuer: watch::Sender<String>,
    /// The moment of each request, by tokio's clock.
    requests: Mutex<Vec<Instant>>,
    /// Whether the limit is reached.
    refusing: AtomicBool,
    schedule: Arc<Mutex<Instant>>,
}

#[async_trait]
impl LeafSource for CountingSource {
    async fn issue(&self, service: &ServiceName, after: u64) -> Result<Leaf, LeafError> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.requests.lock().unwrap().push(Instant::now());
        if self.refusing.load(Ordering::Relaxed) {
            return Err(LeafError::RateLimited);
        }
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
            issuer_key_id: self.issuer.borrow().clone(),
            index: after + 1,
            issued_at: now,
        })
    }

    fn issuer_key_id(&self) -> Option<String> {
        Some(self.issuer.borrow().clone())
    }

    async fn issuer_changed(&self, known: Option<&str>) {
        let mut issuer = self.issuer.subscribe();
        let changed = issuer.wait_for(|issuer| Some(issuer.as_str()) != known);
        changed.await.unwrap();
    }

    async fn reissue_slots(&self, _issuer: &str, count: usize) -> Vec<Duration> {
        let now = Instant::now();
        let mut next = self.schedule.lock().unwrap();
        let slots = (0..count).map(|_| {
            let slot = (*next).max(now);
            *next = slot + SLOT;
            slot - now
        });
        slots.collect()
    }

    fn registered(&self) -> HashSet<String> {
        self.registered.lock().unwrap().clone()
    }
}

impl CountingSource {
    fn register(&self, names: impl IntoIterator<Item = String>) {
        self.registered.lock().unwrap().extend(names);
    }
}

fn leafs() -> (Leafs, Arc<CountingSource>) {
    one_of_many(Arc::new(Mutex::new(Instant::now())))
}

fn one_of_many(schedule: Arc<Mutex<Instant>>) -> (Leafs, Arc<CountingSource>) {
    let clock = Clock::simulated(Timestamp::from_unix(START));
    let source = Arc::new(CountingSource {
        clock,
        issued: AtomicU64::new(0),
        broken: AtomicBool::new(false),
        registered: Mutex::default(),
        issuer: watch::Sender::new("aa".to_owned()),
        requests: Mutex::default(),
        refusing: AtomicBool::new(false),
        schedule,
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
    source.register(["web".to_owned()]);
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
    source.register(["web".to_owned()]);
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
async fn a_new_issuer_renews_a_few_leafs_within_a_second_and_at_once_for_a_plain_reader() {
    let (leafs, source) = leafs();
    let web_leaf = leafs.current(&web()).await.unwrap().leaf;
    let db = ServiceName::parse("db").unwrap();
    let db_leaf = leafs.current(&db).await.unwrap().leaf;
    source.issuer.send_replace("bb".to_owned());
    let plain = leafs.current(&web()).await.unwrap().leaf;
    assert_eq!(plain.issuer_key_id, "bb");
    assert_ne!(plain.index, web_leaf.index);
    let begin = Instant::now();
    let blocked = leafs.next(&db, db_leaf.index, None).await.unwrap().leaf;
    assert_eq!(blocked.issuer_key_id, "bb");
    assert!(begin.elapsed() <= Duration::from_secs(1));
}

/// Counts what came in each second since `begin`.
fn per_second(sources: &[Arc<CountingSource>], begin: Instant) -> Vec<usize> {
    let mut seconds = vec![0; 1];
    for source in sources {
        for at in source.requests.lock().unwrap().iter() {
            let Some(after) = at.checked_duration_since(begin) else {
                continue;
            };
            let second = usize::try_from(after.as_secs()).unwrap();
            if seconds.len() <= second {
                seconds.resize(second + 1, 0);
            }
            seconds[second] += 1;
        }
    }
    seconds
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_services_of_twenty_agents_move_evenly() {
    const AGENTS: usize = 20;
    const SERVICES: usize = 500;
    let schedule = Arc::new(Mutex::new(Instant::now()));
    let agents: Vec<_> = (0..AGENTS)
        .map(|_| one_of_many(Arc::clone(&schedule)))
        .collect();
    let mut readers = tokio::task::JoinSet::new();
    for (leafs, source) in &agents {
        source.register((0..SERVICES).map(|number| format!("service-{number}")));
        for number in 0..SERVICES {
            let leafs = leafs.clone();
            let service = ServiceName::parse(&format!("service-{number}")).unwrap();
            readers.spawn(async move {
                let first = leafs.current(&service).await.unwrap().leaf;
                leafs.next(&service, first.index, None).await.unwrap().leaf
            });
        }
    }
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let begin = Instant::now();
    for (_, source) in &agents {
        source.issuer.send_replace("bb".to_owned());
    }
    for leaf in readers.join_all().await {
        assert_eq!(leaf.issuer_key_id, "bb");
    }
    let sources: Vec<_> = agents.into_iter().map(|(_, source)| source).collect();
    let seconds = per_second(&sources, begin);
    assert_eq!(seconds.iter().sum::<usize>(), AGENTS * SERVICES);
    // 10,000 at 25 a second.
    assert!(seconds.len() <= 402, "{} s", seconds.len());
    let even = AGENTS * SERVICES / seconds.len();
    let peak = seconds.iter().max().unwrap();
    assert!(*peak < 2 * even, "peak {peak}, even {even}");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_comes_to_wait_after_the_change_waits_for_the_slot() {
    let (leafs, source) = leafs();
    let first = leafs.current(&web()).await.unwrap().leaf;
    let at = Instant::now() + Duration::from_secs(60);
    *source.schedule.lock().unwrap() = at;
    source.issuer.send_replace("bb".to_owned());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let next = leafs.next(&web(), first.index, None).await.unwrap().leaf;
    assert_eq!(next.issuer_key_id, "bb");
    assert!(Instant::now() >= at);
}

#[tokio::test(start_paused = true)]
async fn a_reader_whose_leaf_ends_while_it_waits_is_not_given_that_one() {
    let (leafs, source) = leafs();
    let first = leafs.current(&web()).await.unwrap().leaf;
    source.broken.store(true, Ordering::Relaxed);
    let deadline = Instant::now() + LIFE + Duration::from_secs(1);
    let served = leafs.next(&web(), first.index, Some(deadline)).await;
    assert!(matches!(served, Err(LeafError::Failed(_))), "{served:?}");
}

#[tokio::test(start_paused = true)]
async fn a_limited_agent_comes_back_once_in_a_window() {
    let (leafs, source) = leafs();
    source.register((0..500).map(|number| format!("service-{number}")));
    let mut readers = tokio::task::JoinSet::new();
    let names: Vec<_> = (0..500)
        .map(|number| ServiceName::parse(&format!("service-{number}")).unwrap())
        .collect();
    for name in names.clone() {
        let leafs = leafs.clone();
        readers.spawn(async move { leafs.current(&name).await.is_ok() });
    }
    assert!(readers.join_all().await.into_iter().all(|done| done));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    source.refusing.store(true, Ordering::Relaxed);
    let begin = Instant::now();
    source.issuer.send_replace("bb".to_owned());
    // Plain readers too get what there is and cost nothing.
    tokio::time::sleep(Duration::from_secs(5)).await;
    for name in &names {
        let served = leafs.current(name).await.unwrap();
        assert_eq!(served.leaf.issuer_key_id, "aa");
    }
    tokio::time::sleep(Duration::from_secs(25)).await;
    let seconds = per_second(&[Arc::clone(&source)], begin);
    assert!(seconds.iter().all(|requests| *requests <= 2), "{seconds:?}");
    assert!(seconds.iter().sum::<usize>() >= 25, "{seconds:?}");

    source.refusing.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let facts = leafs.facts();
    let moved = |leaf: &&LeafFacts| leaf.issuer_key_id.as_deref() == Some("bb");
    assert_eq!(facts.iter().filter(moved).count(), 500);
    assert!(facts.iter().all(|leaf| leaf.failure.is_none()));
}

#[tokio::test(start_paused = true)]
async fn an_idle_leaf_is_forgotten_unless_its_service_is_registered() {
    let (leafs, source) = leafs();
    leafs.current(&web()).await.unwrap();
    tokio::time::sleep(IDLE + Duration::from_secs(61)).await;
    assert!(leafs.is_empty());
    source.register(["web".to_owned()]);
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

#[tokio::test(start_paused = true)]
async fn strangers_push_out_each_other_and_never_a_registered_service() {
    let (leafs, source) = leafs();
    let own: Vec<_> = (0..200).map(|number| format!("own-{number}")).collect();
    source.register(own.clone());
    let strangers = (0..table::STRANGERS + 300).map(|number| format!("stranger-{number}"));
    let mut readers = tokio::task::JoinSet::new();
    for name in own.iter().cloned().chain(strangers) {
        let leafs = leafs.clone();
        let name = ServiceName::parse(&name).unwrap();
        readers.spawn(async move { leafs.current(&name).await.is_ok() });
    }
    assert!(readers.join_all().await.into_iter().all(|done| done));
    assert!(leafs.len() <= table::STRANGERS + own.len());
    let facts = leafs.facts();
    let kept = facts.iter().filter(|leaf| leaf.registered).count();
    assert_eq!(kept, own.len());
}

#[tokio::test(start_paused = true)]
async fn registered_services_have_no_limit() {
    const SERVICES: usize = 10_000;
    let (leafs, source) = leafs();
    source.register((0..SERVICES).map(|number| format!("service-{number}")));
    let mut readers = tokio::task::JoinSet::new();
    for number in 0..SERVICES {
        let leafs = leafs.clone();
        let name = ServiceName::parse(&format!("service-{number}")).unwrap();
        readers.spawn(async move { leafs.current(&name).await.is_ok() });
    }
    assert!(readers.join_all().await.into_iter().all(|done| done));
    assert_eq!(leafs.len(), SERVICES);
}
