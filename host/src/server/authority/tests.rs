use std::time::Duration;

use chancery_core::{
    HashSeed, PeerRole, ServiceId, ServiceName, Timestamp, Topic, TrustBundle, common_name,
};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use serde_json::json;

use super::*;
use crate::clock::Clock;
use crate::server::TABLES;
use crate::store::{MemoryStore, Store};

const START: i64 = 1_795_500_000;

async fn server(store: &Arc<MemoryStore>) -> Server {
    let clock = Clock::simulated(Timestamp::from_unix(START));
    let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(store);
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
    let leaf = host.sign_leaf(&csr(&server, "web")).await.unwrap();
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
        .open(&state.sealed, &state_context(Epoch::FIRST))
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
