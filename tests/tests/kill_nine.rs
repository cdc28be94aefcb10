//! An agent is killed with SIGKILL while many clients write, a hundred times over, on one data
//! directory. Whatever it acknowledged is there when it is back, and nothing else but what was
//! under way; what nobody touched is unchanged to the byte; indexes never go back; the authority
//! is the same and signs.
//!
//! `CHANCERY_KILL_ROUNDS` and `CHANCERY_KILL_SEED` choose more rounds and another seed.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chancery_core::{PeerRole, Timestamp, TrustBundle, TrustDomain, certificates_from_pem};
use chancery_tests::{AgentClient, AgentHome, RunningAgent, eventually};
use serde_json::{Value, json};

const WRITERS: [usize; 4] = [16, 24, 40, 64];
/// Names that each writer has to itself: few, so that each is written again and again.
const NAMES: u64 = 4;
/// A leaf is asked for after every so many kills.
const SIGN_EVERY: usize = 10;

/// A thing that one writer alone writes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Intention(String),
    Service(String),
}

/// What is known of a thing; `None` where there is none. Intentions: identifier, action and
/// description; services: the port.
type Known = Option<Value>;

/// What a writer knows when the agent is gone.
#[derive(Default)]
struct Account {
    /// The last acknowledged value of what was written in this round.
    acknowledged: BTreeMap<Key, Known>,
    /// The one write that got no answer, and what it would have made.
    under_way: Option<(Key, Known)>,
    writes: usize,
}

/// xorshift64*: the seed is printed, so a failure can be had again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}

/// Everything that an agent shows of its durable state.
#[derive(Debug, PartialEq)]
struct Shown {
    intentions: BTreeMap<Key, Value>,
    services: BTreeMap<Key, Value>,
    index: u64,
    authority: Value,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_in_a_hundred_kills() {
    let rounds = from_environment("CHANCERY_KILL_ROUNDS").unwrap_or(100);
    let seed = from_environment("CHANCERY_KILL_SEED")
        .unwrap_or_else(|| u64::from(std::process::id()) << 20 | 0xC0FF_EE00);
    println!("CHANCERY_KILL_SEED={seed}");
    let mut random = Random(seed);
    let home = AgentHome::new().unwrap();
    let mut agent = home.start().await.unwrap();
    agent.wait_for_root().await.unwrap();
    let mut shown = show(&agent).await;
    let (mut writes, mut slowest) = (0, Duration::ZERO);
    for round in 0..usize::try_from(rounds).unwrap() {
        let writers = WRITERS[round % WRITERS.len()];
        let accounts = write_until_killed(agent, &shown, writers, &mut random).await;
        let started = Instant::now();
        agent = home.start().await.unwrap();
        slowest = slowest.max(started.elapsed());
        let after = show(&agent).await;
        writes += accounts.iter().map(|account| account.writes).sum::<usize>();
        assert_kept(
            &shown,
            &after,
            &accounts,
            &format!("seed {seed} round {round}"),
        );
        if round % SIGN_EVERY == 0 {
            assert_signs(&agent).await;
        }
        shown = after;
    }
    println!("{rounds} kills, {writes} acknowledged writes, slowest start {slowest:?}");
    assert!(
        writes > usize::try_from(rounds).unwrap() * 10,
        "only {writes} writes were acknowledged: the kills came too early to prove anything"
    );
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

async fn write_until_killed(
    agent: RunningAgent,
    shown: &Shown,
    writers: usize,
    random: &mut Random,
) -> Vec<Account> {
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let own = |key: &&Key| owner(key) == writer;
            let known = shown.known();
            let known: BTreeMap<_, _> = known
                .keys()
                .filter(own)
                .map(|key| (key.clone(), known[key].clone()))
                .collect();
            let random = Random(random.below(u64::MAX >> 33) << 16 | 1 | writer as u64);
            tokio::spawn(write(agent.api(), writer, known, random))
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(5 + random.below(146))).await;
    agent.kill().await.unwrap();
    let mut accounts = Vec::new();
    for task in tasks {
        accounts.push(task.await.unwrap());
    }
    accounts
}

/// Writes one thing after another until the agent no longer answers.
async fn write(
    api: AgentClient,
    writer: usize,
    mut known: BTreeMap<Key, Known>,
    mut random: Random,
) -> Account {
    let mut account = Account::default();
    loop {
        let name = format!("w{writer}-{}", random.below(NAMES));
        let step = random.below(1_000_000);
        let (key, wanted) = if random.below(4) == 0 {
            (Key::Service(name), Some(json!(1 + step % 60_000)))
        } else {
            let action = if step.is_multiple_of(2) {
                "allow"
            } else {
                "deny"
            };
            (
                Key::Intention(name),
                Some(json!([action, step.to_string()])),
            )
        };
        let before = known.get(&key).cloned().flatten();
        let wanted = wanted.filter(|_| before.is_none() || random.below(3) > 0);
        match attempt(&api, &key, before.as_ref(), wanted.as_ref()).await {
            Some(now) => {
                known.insert(key.clone(), now.clone());
                account.acknowledged.insert(key, now);
                account.writes += 1;
            }
            None => {
                account.under_way = Some((key, wanted));
                return account;
            }
        }
    }
}

/// One write; what is there afterwards if it was acknowledged.
async fn attempt(
    api: &AgentClient,
    key: &Key,
    before: Option<&Value>,
    wanted: Option<&Value>,
) -> Option<Known> {
    let (method, path, body) = match (key, before, wanted) {
        (Key::Service(name), _, Some(port)) => (
            "PUT",
            "/v1/agent/service/register".to_owned(),
            Some(json!({"Name": name, "Port": port})),
        ),
        (Key::Service(name), _, None) => {
            ("PUT", format!("/v1/agent/service/deregister/{name}"), None)
        }
        (Key::Intention(name), None, Some(wanted)) => (
            "POST",
            "/v1/connect/intentions".to_owned(),
            Some(intention(name, wanted)),
        ),
        (Key::Intention(name), Some(before), Some(wanted)) => (
            "PUT",
            format!("/v1/connect/intentions/{}", before[0].as_str().unwrap()),
            Some(intention(name, wanted)),
        ),
        (Key::Intention(_), before, None) => (
            "DELETE",
            format!(
                "/v1/connect/intentions/{}",
                before.unwrap()[0].as_str().unwrap()
            ),
            None,
        ),
    };
    // An agent that is being killed does not answer at all: any answer must be a good one.
    let answer = api.call(method, &path, body.as_ref()).await.ok()?;
    let text = answer.text.clone();
    let said = answer
        .checked()
        .unwrap_or_else(|error| panic!("{error} {text}"));
    Some(wanted.map(|wanted| match key {
        Key::Service(_) => wanted.clone(),
        Key::Intention(_) => json!([said["ID"], wanted[0], wanted[1]]),
    }))
}

fn intention(name: &str, wanted: &Value) -> Value {
    json!({
        "SourceName": name,
        "DestinationName": "db",
        "Action": wanted[0],
        "Description": wanted[1],
    })
}

async fn show(agent: &RunningAgent) -> Shown {
    let api = agent.api();
    let list = api
        .call("GET", "/v1/connect/intentions", None)
        .await
        .unwrap();
    let index = list.index.unwrap();
    let list = list.checked().unwrap();
    let services = agent.get("/v1/agent/services").await.unwrap();
    let roots = agent.get("/v1/connect/ca/roots").await.unwrap();
    let shown = Shown {
        intentions: list
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (Key::Intention(text(&row["SourceName"])), row.clone()))
            .collect(),
        services: services
            .as_object()
            .unwrap()
            .iter()
            .map(|(id, row)| (Key::Service(id.clone()), row.clone()))
            .collect(),
        index,
        authority: roots,
    };
    // What the agent looks after and what the catalog says become one.
    eventually(Duration::from_secs(5), async || {
        let catalog = agent.get("/v1/catalog/services").await.unwrap();
        let mut listed: Vec<_> = catalog.as_object().unwrap().keys().cloned().collect();
        listed.retain(|name| name != "consul");
        let wanted: Vec<_> = services.as_object().unwrap().keys().cloned().collect();
        (listed == wanted).then_some(()).ok_or((listed, wanted))
    })
    .await
    .unwrap();
    shown
}

impl Shown {
    fn known(&self) -> BTreeMap<Key, Known> {
        let intentions = self.intentions.iter().map(|(key, row)| {
            let known = json!([row["ID"], row["Action"], row["Description"]]);
            (key.clone(), Some(known))
        });
        let services = self
            .services
            .iter()
            .map(|(key, row)| (key.clone(), Some(row["Port"].clone())));
        intentions.chain(services).collect()
    }

    fn rows(&self) -> BTreeMap<&Key, &Value> {
        self.intentions.iter().chain(&self.services).collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn owner(key: &Key) -> usize {
    let (Key::Intention(name) | Key::Service(name)) = key;
    let writer = name
        .strip_prefix('w')
        .and_then(|name| name.split('-').next());
    writer.unwrap().parse().unwrap()
}

fn assert_kept(before: &Shown, after: &Shown, accounts: &[Account], round: &str) {
    assert_eq!(
        after.authority, before.authority,
        "{round}: the authority changed"
    );
    assert!(
        after.index >= before.index,
        "{round}: the index went back from {} to {}",
        before.index,
        after.index
    );
    let mut expected = before.known();
    let mut under_way = BTreeMap::new();
    let mut touched = BTreeMap::new();
    for account in accounts {
        for (key, known) in &account.acknowledged {
            expected.insert(key.clone(), known.clone());
            touched.insert(key.clone(), true);
        }
        under_way.extend(account.under_way.clone());
    }
    expected.retain(|_, known| known.is_some());
    let mut found = after.known();
    for (key, wanted) in &under_way {
        let (had, has) = (expected.remove(key).flatten(), found.remove(key).flatten());
        assert!(
            has == had || same_content(key, has.as_ref(), wanted.as_ref()),
            "{round}: {key:?} is {has:?}, neither {had:?} nor what was under way, {wanted:?}"
        );
    }
    assert_eq!(
        found, expected,
        "{round}: the state is not what was acknowledged"
    );
    for (key, row) in after.rows() {
        if under_way.contains_key(key) {
            continue;
        }
        if let Key::Intention(_) = key {
            let modified = row["ModifyIndex"].as_u64().unwrap();
            let is_new = modified > before.index;
            assert_eq!(is_new, touched.contains_key(key), "{round}: {row}");
            assert!(
                modified <= after.index,
                "{round}: {row} is newer than the list"
            );
        }
        if !touched.contains_key(key) {
            assert_eq!(
                Some(&row),
                before.rows().get(key),
                "{round}: {key:?} was not written"
            );
        }
    }
}

/// Whether `has` is what a write without an answer would have made. Only the agent knows the
/// identifier that it gave.
fn same_content(key: &Key, has: Option<&Value>, wanted: Option<&Value>) -> bool {
    match (key, has, wanted) {
        (Key::Intention(_), Some(has), Some(wanted)) => {
            (&has[1], &has[2]) == (&wanted[0], &wanted[1])
        }
        _ => has == wanted,
    }
}

/// A leaf can be had, and it stands on the root that everybody has.
async fn assert_signs(agent: &RunningAgent) {
    let roots = agent.get("/v1/connect/ca/roots").await.unwrap();
    let leaf = agent.get("/v1/agent/connect/ca/leaf/web").await.unwrap();
    let trust_domain = TrustDomain::parse(roots["TrustDomain"].as_str().unwrap()).unwrap();
    let root = text(&roots["Roots"][0]["RootCert"]);
    let bundle = TrustBundle::from_pem(trust_domain, root.as_bytes()).unwrap();
    let chain = certificates_from_pem(text(&leaf["CertPEM"]).as_bytes()).unwrap();
    let chain: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).collect();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let algorithms = provider.signature_verification_algorithms.all;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let now = Timestamp::from_unix(i64::try_from(now.as_secs()).unwrap());
    let peer = bundle
        .verify_peer(&chain, PeerRole::Server, algorithms, now)
        .unwrap();
    assert_eq!(peer.id().service().as_str(), "web");
}
