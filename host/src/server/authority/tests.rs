use std::time::Duration;

use chancery_core::{
    HashSeed, PeerRole, RotationCause, ServiceId, ServiceName, Timestamp, Topic, TrustBundle,
    common_name,
};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use serde_json::json;

use super::secrets::memory_context;
use super::*;
use crate::clock::Clock;
use crate::crypto;
use crate::server::TABLES;
use crate::store::{Group, Loaded, MemoryStore, Store, StoreError};

const START: i64 = 1_795_500_000;

async fn server(store: &Arc<MemoryStore>) -> Server {
    server_on(Arc::<MemoryStore>::clone(store)).await
}

async fn server_on(store: Arc<dyn Store>) -> Server {
    let clock = Clock::simulated(Timestamp::from_unix(START));
    Server::start(store, HashSeed([1, 2]), clock)
        .await
        .unwrap()
        .0
}

fn host(server: &Server, sealer: &Arc<Sealer>) -> AuthorityHost {
    let datacenter = Datacenter::parse("dc1").unwrap();
    let host = AuthorityHost::new(server.clone(), Arc::clone(sealer), datacenter);
    tokio::spawn(host.clone().run());
    host
}

fn ephemeral() -> Arc<Sealer> {
    Arc::new(Sealer::ephemeral().unwrap())
}

async fn has_root(server: &Server) {
    let mut revisions = server.revisions();
    let wait = revisions.wait_for(|_| {
        let view = server.view();
        view.state().authority().active_root().is_some()
    });
    tokio::time::timeout(Duration::from_secs(60), wait)
        .await
        .expect("no root was made")
        .unwrap();
}

fn csr(server: &Server, service: &str) -> Vec<u8> {
    let view = server.view();
    let trust_domain = view.state().authority().trust_domain().unwrap();
    let identity = chancery_core::SpiffeId::Service(ServiceId::new(
        trust_domain.clone(),
        chancery_core::Namespace::DEFAULT,
        Datacenter::parse("dc1").unwrap(),
        ServiceName::parse(service).unwrap(),
    ));
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name(&identity).unwrap());
    params.subject_alt_names = vec![SanType::URI(identity.to_string().try_into().unwrap())];
    let key = KeyPair::generate().unwrap();
    params.serialize_request(&key).unwrap().der().to_vec()
}

#[tokio::test]
async fn a_leaf_of_a_founded_authority_verifies_against_the_published_roots() {
    let store = Arc::new(MemoryStore::new(&TABLES));
    let server = server(&store).await;
    let sealer = ephemeral();
    let host = host(&server, &sealer);
    host.found("consul", OptionMap::new(), &SecretOptions::default())
        .await
        .unwrap();
    has_root(&server).await;
    let leaf = host.sign_leaf(&csr(&server, "web")).await.unwrap().leaf;
    let view = server.view();
    let authority = view.state().authority();
    let root = authority.active_root().unwrap();
    assert_eq!(leaf.authority_key_id().to_string(), root.signing_key_id);
    let bundle = TrustBundle::from_pem(
        authority.trust_domain().unwrap().clone(),
        chancery_core::certificates_to_pem([root.certificate.as_bytes()]).as_bytes(),
    )
    .unwrap();
    let chain: Vec<&[u8]> = leaf.chain_der().iter().map(Vec::as_slice).collect();
    let peer = bundle
        .verify_peer(
            &chain,
            PeerRole::Client,
            crypto::algorithms(),
            Timestamp::from_unix(START + 5),
        )
        .unwrap();
    assert_eq!(peer.id().service().as_str(), "web");
    assert_eq!(root.name, "Consul CA Root Cert");
}

#[tokio::test]
async fn a_restarted_host_signs_with_the_same_root_and_a_foreign_seal_key_signs_nothing() {
    let store = Arc::new(MemoryStore::new(&TABLES));
    let sealer = ephemeral();
    let first = server(&store).await;
    host(&first, &sealer)
        .found("consul", OptionMap::new(), &SecretOptions::default())
        .await
        .unwrap();
    has_root(&first).await;
    let id = |server: &Server| {
        let view = server.view();
        let authority = view.state().authority();
        authority.active_root().unwrap().id.clone()
    };
    let root = id(&first);
    drop(first);

    let store = Arc::new(store.reopen());
    let second = server(&store).await;
    let again = host(&second, &sealer);
    again
        .found("consul", OptionMap::new(), &SecretOptions::default())
        .await
        .unwrap();
    again.sign_leaf(&csr(&second, "web")).await.unwrap();
    assert_eq!(id(&second), root);

    let thief = host(&second, &ephemeral());
    assert!(matches!(
        thief.sign_leaf(&csr(&second, "web")).await,
        Err(SignError::Authority(AuthorityFailure::Seal(_)))
    ));
}

#[tokio::test]
async fn wrong_options_are_refused_before_anything_is_stored() {
    let store = Arc::new(MemoryStore::new(&TABLES));
    let server = server(&store).await;
    let host = host(&server, &ephemeral());
    let options = |value: serde_json::Value| value.as_object().unwrap().clone();
    let error = host
        .found("nope", OptionMap::new(), &SecretOptions::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains(r#"unknown CA provider "nope""#));
    let error = host
        .found(
            "consul",
            options(json!({"LeafCertTTL": "1m"})),
            &SecretOptions::default(),
        )
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "error configuring provider: leaf cert TTL must be greater or equal than 1h0m0s"
    );
    assert_eq!(server.view().state().revision().number(), 1);
}

#[tokio::test]
async fn the_key_of_the_root_is_stored_sealed_only() {
    let store = Arc::new(MemoryStore::new(&TABLES));
    let server = server(&store).await;
    let sealer = ephemeral();
    host(&server, &sealer)
        .found("consul", OptionMap::new(), &SecretOptions::default())
        .await
        .unwrap();
    has_root(&server).await;
    let view = server.view();
    let state = view
        .state()
        .authority()
        .provider_state(Epoch::FIRST)
        .unwrap();
    let secret = sealer
        .open(&state.sealed, &memory_context(Epoch::FIRST))
        .unwrap();
    assert!(!secret.expose().is_empty());
    let rows = store.load().await.unwrap().rows;
    let canary = &secret.expose()[..secret.expose().len().min(24)];
    assert!(
        rows.iter()
            .all(|row| !row.value.windows(canary.len()).any(|part| part == canary))
    );
    assert_eq!(view.index(&[Topic::CaRoots]).number(), 3);
}

fn change(value: serde_json::Value, cause: RotationCause) -> Change {
    Change {
        provider: "consul".to_owned(),
        options: value.as_object().unwrap().clone(),
        cause,
        force: false,
    }
}

async fn founded() -> (Server, AuthorityHost) {
    let store = Arc::new(MemoryStore::new(&TABLES));
    let server = server(&store).await;
    let host = host(&server, &ephemeral());
    host.found("consul", OptionMap::new(), &SecretOptions::default())
        .await
        .unwrap();
    has_root(&server).await;
    (server, host)
}

fn root_ids(server: &Server) -> Vec<String> {
    let view = server.view();
    let authority = view.state().authority();
    authority.roots().map(|root| root.id.clone()).collect()
}

/// Whether a leaf with what is sent with it is accepted by a peer that holds only `root`.
fn verifies(server: &Server, signed: &SignedLeaf, root: &chancery_core::Der) -> bool {
    let view = server.view();
    let pem = chancery_core::certificates_to_pem([root.as_bytes()]);
    let trust_domain = view.state().authority().trust_domain().unwrap().clone();
    let bundle = TrustBundle::from_pem(trust_domain, pem.as_bytes()).unwrap();
    let mut chain: Vec<&[u8]> = signed.leaf.chain_der().iter().map(Vec::as_slice).collect();
    chain.extend(signed.links.iter().map(chancery_core::Der::as_bytes));
    let now = server.clock().now().wall;
    bundle
        .verify_peer(&chain, PeerRole::Client, crypto::algorithms(), now)
        .is_ok()
}

fn active_root(server: &Server) -> chancery_core::CaRoot {
    let view = server.view();
    view.state().authority().active_root().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn leafs_after_three_new_keys_verify_for_whoever_holds_an_older_root() {
    let (server, host) = founded().await;
    let mut roots = vec![active_root(&server).certificate];
    let old_leaf = host.sign_leaf(&csr(&server, "web")).await.unwrap();
    for _ in 0..3 {
        let wanted = change(json!({}), RotationCause::NewKey);
        let changed = host.change(wanted).await.unwrap();
        assert!(matches!(changed, Changed::Done { .. }));
        roots.push(active_root(&server).certificate);
    }
    let leaf = host.sign_leaf(&csr(&server, "web")).await.unwrap();
    assert_eq!(leaf.links.len(), 3);
    for root in &roots {
        assert!(verifies(&server, &leaf, root));
    }
    assert!(verifies(&server, &old_leaf, &roots[0]));
    assert!(!verifies(&server, &old_leaf, &roots[1]));
    assert_eq!(root_ids(&server).len(), 4);

    // What is over goes by itself: roots, links, and what the old incarnations had to remember.
    tokio::time::sleep(Duration::from_secs(8 * 24 * 3600)).await;
    let mut revisions = server.revisions();
    let forgotten = revisions
        .wait_for(|_| root_ids(&server).len() == 1 && active_root(&server).links.is_empty());
    tokio::time::timeout(Duration::from_secs(3 * 3600), forgotten)
        .await
        .expect("the old roots are kept")
        .unwrap();
    let view = server.view();
    assert_eq!(view.state().authority().provider_states().count(), 1);
    let leaf = host.sign_leaf(&csr(&server, "web")).await.unwrap();
    assert!(leaf.links.is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_a_longer_life_keeps_the_root_and_nobody_who_reads_roots_notices() {
    let (server, host) = founded().await;
    let before = active_root(&server);
    let wanted = change(json!({"LeafCertTTL": "24h"}), RotationCause::Configured);
    assert!(matches!(
        host.change(wanted.clone()).await.unwrap(),
        Changed::Done { .. }
    ));
    let after = active_root(&server);
    assert_eq!(
        (after.id, after.modify_index),
        (before.id, before.modify_index)
    );
    let leaf = host.sign_leaf(&csr(&server, "web")).await.unwrap();
    let now = server.clock().now().wall;
    assert_eq!(
        leaf.leaf.not_after().unix_seconds(),
        now.unix_seconds() + 86_400
    );
    let revision = server.view().state().revision();
    assert_eq!(host.change(wanted).await.unwrap(), Changed::Nothing);
    assert_eq!(server.view().state().revision(), revision);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_change_is_refused_before_anything_is_stored() {
    let (server, host) = founded().await;
    let revision = server.view().state().revision();
    let refused = [
        (
            json!({"LeafCertTTL": "1m"}),
            "error configuring provider: leaf cert TTL must be greater or equal than 1h0m0s",
        ),
        (
            json!({"PrivateKey": ["x"]}),
            "error configuring provider: error decoding config: 1 error(s) decoding:\n\n* \
             'PrivateKey' expected type 'string', got unconvertible type '[]interface {}'",
        ),
        (
            json!({"RootCert": "x"}),
            "error configuring provider: must provide a private key when providing a root cert",
        ),
    ];
    for (options, text) in refused {
        let wanted = change(options, RotationCause::Configured);
        assert_eq!(host.change(wanted).await.unwrap_err().to_string(), text);
    }
    let mut unknown = change(json!({}), RotationCause::Configured);
    unknown.provider = "nope".to_owned();
    assert_eq!(
        host.change(unknown).await.unwrap_err().to_string(),
        "could not initialize provider: unknown CA provider \"nope\""
    );
    assert_eq!(server.view().state().revision(), revision);
}

/// A store that notes how many changes each of its commits took.
struct Counted {
    store: MemoryStore,
    commits: Mutex<Vec<usize>>,
}

#[async_trait::async_trait]
impl Store for Counted {
    async fn load(&self) -> Result<Loaded, StoreError> {
        self.store.load().await
    }

    async fn commit(&self, group: Group) -> Result<(), StoreError> {
        lock(&self.commits).push(group.batches.len());
        self.store.commit(group).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.store.close().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_within_this_program_is_one_write_after_its_begin() {
    let store = Arc::new(Counted {
        store: MemoryStore::new(&TABLES),
        commits: Mutex::default(),
    });
    let server = server_on(Arc::<Counted>::clone(&store)).await;
    let host = host(&server, &ephemeral());
    host.found("consul", OptionMap::new(), &SecretOptions::default())
        .await
        .unwrap();
    has_root(&server).await;
    let old = active_root(&server);
    let before = lock(&store.commits).len();
    let wanted = change(json!({}), RotationCause::NewKey);
    host.change(wanted).await.unwrap();
    // The order; then issuer, link and trial together.
    assert_eq!(lock(&store.commits)[before..][..2], [1, 3]);
    assert_ne!(active_root(&server).id, old.id);
    let leaf = host.sign_leaf(&csr(&server, "web")).await.unwrap();
    assert!(verifies(&server, &leaf, &old.certificate));
}
