use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_core::DefaultPolicy;
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::gate::ServerGate;
use super::material::provider;
use super::testing::TestCa;
use super::*;
use crate::proxy::agent_api::IntentionRow;
use crate::proxy::buffer::Buffer;
use crate::proxy::judge::{Judge, Rules, Verdict};
use crate::proxy::pipe::Leftover;

const SOON: Duration = Duration::from_secs(10);
const BYTES: usize = 64 * 1024;
const ADDRESS: &str = "192.0.2.7:21000";

type Shaken = Result<Leftover, HandshakeError>;

/// A judge who denies `denied`.
fn judge(denied: &[&str]) -> Arc<Judge> {
    let judge = Arc::new(Judge::new("db"));
    publish(&judge, denied);
    judge
}

fn publish(judge: &Judge, denied: &[&str]) {
    let rows: Vec<_> = denied
        .iter()
        .map(|source| IntentionRow {
            source_name: (*source).to_owned(),
            destination_name: "db".to_owned(),
            action: "deny".to_owned(),
            ..IntentionRow::default()
        })
        .collect();
    judge.publish(Rules::build(&rows, "db", Some(DefaultPolicy::Allow)).unwrap());
}

fn wanted(service: &str, datacenter: &str) -> Wanted {
    Wanted {
        service: service.to_owned(),
        datacenter: datacenter.to_owned(),
    }
}

/// Two sessions that met, and how their handshakes went.
struct Met {
    client: Session,
    server: Session,
    there: Shaken,
    here: Shaken,
}

/// Carries a handshake through, to the last byte of the client's.
async fn shake(session: &mut Session, stream: &mut TcpStream) -> Shaken {
    let mut left = handshake(session, stream, BYTES, SOON).await?;
    if !session.has_only_tickets_left() {
        stream.write_all(left.sealed.filled()).await?;
        left.sealed.consume(left.sealed.len());
    }
    Ok(left)
}

/// Carries a handshake through, and a byte from the server, with which tickets arrive.
async fn meet(mut client: Session, mut server: Session) -> Met {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (mut near, mut far) = (near.unwrap(), far.unwrap().0);
    let (there, here) = tokio::join!(shake(&mut client, &mut near), shake(&mut server, &mut far),);
    let mut met = Met {
        client,
        server,
        there,
        here,
    };
    if let (Ok(there), Ok(here)) = (&mut met.there, &mut met.here) {
        let sealed = &mut here.sealed;
        met.server.seal(b"!", &mut here.incoming, sealed).unwrap();
        far.write_all(sealed.filled()).await.unwrap();
        receive(&mut met.client, &mut near, there).await;
        assert_eq!(there.clear.filled(), b"!");
    }
    met
}

async fn receive(session: &mut Session, stream: &mut TcpStream, left: &mut Leftover) {
    let mut answer = Buffer::default();
    loop {
        session
            .open(&mut left.incoming, &mut left.clear, &mut answer)
            .unwrap();
        if !left.clear.is_empty() {
            return;
        }
        left.incoming.reserve(1024);
        let count = stream.read(left.incoming.space()).await.unwrap();
        assert_ne!(count, 0, "the stream ended");
        left.incoming.fill(count);
    }
}

/// What the gate said, which must have been the one to refuse.
fn refusal_of(shaken: &Shaken) -> &Refusal {
    refusal(shaken).unwrap()
}

/// What the gate said, if it was the gate.
fn refusal(shaken: &Shaken) -> Option<&Refusal> {
    match shaken {
        Err(HandshakeError::Session(SessionError::Refused(refusal))) => Some(refusal),
        _ => None,
    }
}

/// `caller` calls at [`ADDRESS`], where `called` answers, and wants `wanted`.
async fn call(caller: &Material, wanted: &Wanted, called: &Material) -> Met {
    let route = caller.route(wanted, ADDRESS).unwrap();
    meet(route.connect().unwrap(), called.accept().unwrap()).await
}

/// A caller and `db`, of one authority.
fn stage(caller: &str, judge: &Arc<Judge>) -> (TestCa, Material, Material) {
    let ca = TestCa::new();
    let (caller, db) = (ca.material(caller, judge), ca.material("db", judge));
    (ca, caller, db)
}

#[tokio::test]
async fn a_permitted_peer_is_known_by_its_identity() {
    let (_, web, db) = stage("web", &judge(&["bad"]));
    let met = call(&web, &wanted("db", "dc1"), &db).await;
    assert!(met.there.is_ok() && met.here.is_ok());
    let peer = db.peer(&met.server).unwrap();
    assert_eq!(peer.id().service().as_str(), "web");
}

#[tokio::test]
async fn the_hybrid_post_quantum_group_is_preferred() {
    let (_, web, db) = stage("web", &judge(&[]));
    for _ in ["new", "resumed"] {
        let met = call(&web, &wanted("db", "dc1"), &db).await;
        let group = met.server.key_exchange_group().unwrap();
        assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
    }
}

#[tokio::test]
async fn a_denied_peer_is_refused_with_the_reason() {
    let (_, bad, db) = stage("bad", &judge(&["bad"]));
    let met = call(&bad, &wanted("db", "dc1"), &db).await;
    let refusal = refusal_of(&met.here);
    let text = "Matched intention: DENY default/bad => default/db";
    assert!(refusal.reason.starts_with(text), "{refusal}");
    let peer = refusal.peer.as_ref().unwrap();
    assert_eq!(peer.service().as_str(), "bad");
}

#[tokio::test]
async fn another_service_or_datacenter_than_the_wanted_is_refused() {
    for wish in [wanted("cache", "dc1"), wanted("db", "dc2")] {
        let (_, web, db) = stage("web", &judge(&[]));
        let met = call(&web, &wish, &db).await;
        assert!(met.here.is_err());
        let refusal = refusal_of(&met.there);
        let text = "peer certificate mismatch got spiffe://";
        assert!(refusal.reason.starts_with(text), "{refusal}");
    }
}

#[tokio::test]
async fn a_peer_of_another_authority_is_refused() {
    let judge = judge(&[]);
    let (_, _, db) = stage("web", &judge);
    let stranger = TestCa::new().leaf("web");
    let client = raw_client(&db, stranger, &TLS13);
    let met = meet(client.session(), db.accept().unwrap()).await;
    assert_eq!(refusal_of(&met.here).peer, None);
}

#[tokio::test]
async fn a_refusal_is_not_said_of_the_next_failure() {
    let (_, bad, db) = stage("bad", &judge(&["bad"]));
    let met = call(&bad, &wanted("db", "dc1"), &db).await;
    assert!(refusal(&met.here).is_some());
    let mut garbage = Buffer::default();
    garbage.push(b"GET / HTTP/1.1\r\n\r\n");
    let (mut clear, mut sealed) = (Buffer::default(), Buffer::default());
    let mut server = db.accept().unwrap();
    let error = server.open(&mut garbage, &mut clear, &mut sealed);
    assert!(matches!(error, Err(SessionError::Tls(_))), "{error:?}");
}

/// A client that is not ours, with one configuration for all its connections.
struct RawClient(Arc<ClientConfig>);

impl RawClient {
    fn session(&self) -> Session {
        let name = ServerName::try_from("db.test").unwrap();
        let client = UnbufferedClientConnection::new(Arc::clone(&self.0), name).unwrap();
        Session::client(client)
    }
}

/// One that shows `leaf`, speaks `version` and believes what `trusting` believes.
fn raw_client(
    trusting: &Material,
    (leaf, key): (Vec<u8>, rcgen::KeyPair),
    version: &'static SupportedProtocolVersion,
) -> RawClient {
    let gate = Arc::new(ServerGate::new(trusting.trust(), wanted("db", "dc1")));
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(gate)
        .with_client_auth_cert(vec![leaf.into()], key)
        .unwrap();
    config.resumption = Resumption::in_memory_sessions(8);
    RawClient(Arc::new(config))
}

#[tokio::test]
async fn old_peers_get_in_over_tls_1_2_by_the_same_rules() {
    for (service, admitted) in [("web", true), ("bad", false)] {
        let (ca, _, db) = stage("web", &judge(&["bad"]));
        let client = raw_client(&db, ca.leaf(service), &TLS12);
        let met = meet(client.session(), db.accept().unwrap()).await;
        let through = (met.there.is_ok(), met.here.is_ok());
        assert_eq!(through, (admitted, admitted), "{service}");
        if admitted {
            assert!(!met.server.is_tls13());
        }
    }
}

impl Met {
    /// Whether the session was resumed, on which both ends agree.
    fn is_resumed(&self) -> bool {
        assert!(self.there.is_ok() && self.here.is_ok());
        assert_eq!(self.client.is_resumed(), self.server.is_resumed());
        self.server.is_resumed()
    }
}

#[tokio::test]
async fn a_peer_that_comes_back_resumes_again_and_again() {
    let (_, web, db) = stage("web", &judge(&[]));
    for number in 0..20 {
        let met = call(&web, &wanted("db", "dc1"), &db).await;
        assert_eq!(met.is_resumed(), number > 0);
        assert_eq!(db.peer(&met.server).unwrap().id().service().as_str(), "web");
        let route = web.route(&wanted("db", "dc1"), ADDRESS).unwrap();
        assert_eq!(route.check(&met.client), Ok(()));
    }
}

#[tokio::test]
async fn old_peers_resume_too() {
    let (ca, _, db) = stage("web", &judge(&[]));
    let client = raw_client(&db, ca.leaf("web"), &TLS12);
    for resumed in [false, true, true] {
        let met = meet(client.session(), db.accept().unwrap()).await;
        assert_eq!(met.is_resumed(), resumed);
        assert_eq!(db.peer(&met.server).unwrap().id().service().as_str(), "web");
    }
}

#[tokio::test]
async fn a_peer_denied_since_resumes_as_itself_and_is_judged() {
    let judge = judge(&[]);
    let (_, web, db) = stage("web", &judge);
    assert!(!call(&web, &wanted("db", "dc1"), &db).await.is_resumed());
    publish(&judge, &["web"]);
    let met = call(&web, &wanted("db", "dc1"), &db).await;
    assert!(met.is_resumed());
    let peer = db.peer(&met.server).unwrap();
    assert!(matches!(judge.verdict(peer.id()), Verdict::Denied(_)));
}

#[tokio::test]
async fn a_denied_peer_is_given_nothing_to_resume() {
    let judge = judge(&["bad"]);
    let (_, bad, db) = stage("bad", &judge);
    assert!(call(&bad, &wanted("db", "dc1"), &db).await.here.is_err());
    publish(&judge, &[]);
    assert!(!call(&bad, &wanted("db", "dc1"), &db).await.is_resumed());
}

/// Waits until a leaf of `life` that was made before is over.
async fn outlive(life: Duration) {
    let end = Instant::now() + life + Duration::from_secs(1);
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_peer_whose_leaf_is_over_is_refused_although_it_resumes() {
    let judge = judge(&[]);
    let ca = TestCa::new();
    let life = Duration::from_secs(2);
    let db = ca.material("db", &judge);
    for version in [&TLS13, &TLS12] {
        let client = raw_client(&db, ca.short_leaf("web", life), version);
        assert!(
            !meet(client.session(), db.accept().unwrap())
                .await
                .is_resumed()
        );
        outlive(life).await;
        let met = meet(client.session(), db.accept().unwrap()).await;
        assert!(met.is_resumed());
        let refusal = db.peer(&met.server).unwrap_err();
        assert!(refusal.reason.contains("expired"), "{refusal}");
    }
}

#[tokio::test]
async fn a_server_whose_leaf_is_over_is_refused_although_it_resumes() {
    let judge = judge(&[]);
    let ca = TestCa::new();
    let life = Duration::from_secs(2);
    let web = ca.material("web", &judge);
    let db = ca.short_material("db", life, &judge);
    assert!(!call(&web, &wanted("db", "dc1"), &db).await.is_resumed());
    let route = web.route(&wanted("db", "dc1"), ADDRESS).unwrap();
    let session = call(&web, &wanted("db", "dc1"), &db).await.client;
    assert_eq!(route.check(&session), Ok(()));
    outlive(life).await;
    // What an end that goes on resuming would be told.
    let refusal = route.check(&session).unwrap_err();
    assert!(refusal.reason.contains("expired"), "{refusal}");
    // Ours does not go on: it shows its leaf, and is refused for it.
    let met = call(&web, &wanted("db", "dc1"), &db).await;
    assert!(refusal_of(&met.there).reason.contains("expired"));
}

#[tokio::test]
async fn a_caller_whose_own_leaf_is_over_shows_it_again() {
    let judge = judge(&[]);
    let ca = TestCa::new();
    let life = Duration::from_secs(2);
    let web = ca.short_material("web", life, &judge);
    let db = ca.material("db", &judge);
    assert!(!call(&web, &wanted("db", "dc1"), &db).await.is_resumed());
    outlive(life).await;
    let met = call(&web, &wanted("db", "dc1"), &db).await;
    assert!(refusal_of(&met.here).reason.contains("expired"));
}

#[tokio::test]
async fn nobody_resumes_across_a_new_leaf_or_other_roots() {
    let judge = judge(&[]);
    let (ca, web, db) = stage("web", &judge);
    let other = TestCa::new();
    let renewed = ca.material("db", &judge);
    let db_route = wanted("db", "dc1");
    assert!(!call(&web, &db_route, &db).await.is_resumed());
    assert!(!call(&web, &db_route, &renewed).await.is_resumed());
    assert!(call(&web, &db_route, &renewed).await.is_resumed());
    // Our root was dropped: the peer that could resume is a stranger now.
    let client = raw_client(&db, ca.leaf("web"), &TLS13);
    assert!(
        !meet(client.session(), db.accept().unwrap())
            .await
            .is_resumed()
    );
    let moved = other.material("db", &judge);
    let met = meet(client.session(), moved.accept().unwrap()).await;
    assert!(met.here.is_err() && db.peer(&met.server).is_err());
    // The caller's own new leaf.
    let web = ca.material("web", &judge);
    assert!(!call(&web, &db_route, &renewed).await.is_resumed());
}

#[tokio::test]
async fn a_session_is_resumed_with_the_service_and_address_that_it_began_with() {
    let judge = judge(&[]);
    let (ca, web, db) = stage("web", &judge);
    let cache = ca.material("cache", &judge);
    assert!(!call(&web, &wanted("db", "dc1"), &db).await.is_resumed());
    // Another service at the same address, and the same service at another address.
    let met = call(&web, &wanted("cache", "dc1"), &cache).await;
    assert!(!met.is_resumed());
    let route = web.route(&wanted("db", "dc1"), "192.0.2.8:21000").unwrap();
    let met = meet(route.connect().unwrap(), db.accept().unwrap()).await;
    assert!(!met.is_resumed());
    // A listener of another service does not know the session, and is not what was wanted.
    let met = call(&web, &wanted("db", "dc1"), &cache).await;
    let text = "peer certificate mismatch got spiffe://";
    assert!(refusal_of(&met.there).reason.starts_with(text));
}
