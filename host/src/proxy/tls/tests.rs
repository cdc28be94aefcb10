use std::sync::Arc;
use std::time::Duration;

use chancery_core::DefaultPolicy;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::version::TLS12;
use rustls::{ClientConfig, ProtocolVersion};
use tokio::net::{TcpListener, TcpStream};

use super::material::provider;
use super::testing::TestCa;
use super::*;
use crate::proxy::agent_api::IntentionRow;
use crate::proxy::judge::{Judge, Rules};
use crate::proxy::pipe::Leftover;

const SOON: Duration = Duration::from_secs(10);
const BYTES: usize = 64 * 1024;

type Shaken = Result<Leftover, HandshakeError>;

async fn shake(client: &mut Session, server: &mut Session) -> (Shaken, Shaken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (here, there) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (mut here, mut there) = (here.unwrap(), there.unwrap().0);
    tokio::join!(
        handshake(client, &mut here, BYTES, SOON),
        handshake(server, &mut there, BYTES, SOON),
    )
}

/// The judge of `db`, who denies `denied`.
fn judge(denied: &str) -> Arc<Judge> {
    let row = IntentionRow {
        source_name: denied.to_owned(),
        destination_name: "db".to_owned(),
        action: "deny".to_owned(),
        ..IntentionRow::default()
    };
    let judge = Judge::new("db");
    judge.publish(Rules::build(&[row], "db", Some(DefaultPolicy::Allow)).unwrap());
    Arc::new(judge)
}

fn wanted(service: &str, datacenter: &str) -> Wanted {
    Wanted {
        service: service.to_owned(),
        datacenter: datacenter.to_owned(),
    }
}

/// `caller` connects to `db` and wants `wanted`: both gates, and how the handshake went.
async fn meet(caller: &str, wanted: Wanted) -> (Arc<ServerGate>, Arc<ClientGate>, Shaken, Shaken) {
    let ca = TestCa::new();
    let (web, db) = (ca.material(caller), ca.material("db"));
    let server_gate = Arc::new(ServerGate::new(web.trust(), wanted));
    let client_gate = Arc::new(ClientGate::new(db.trust(), judge("bad")));
    let mut client = web.connect(Arc::clone(&server_gate)).unwrap();
    let mut server = db.accept(Arc::clone(&client_gate)).unwrap();
    let (there, here) = shake(&mut client, &mut server).await;
    (server_gate, client_gate, there, here)
}

#[tokio::test]
async fn a_permitted_peer_is_known_by_its_identity() {
    let (server_gate, client_gate, there, here) = meet("web", wanted("db", "dc1")).await;
    there.unwrap();
    here.unwrap();
    assert_eq!(client_gate.peer().unwrap().id().service().as_str(), "web");
    assert_eq!((server_gate.refusal(), client_gate.refusal()), (None, None));
}

#[tokio::test]
async fn the_hybrid_post_quantum_group_is_preferred() {
    let ca = TestCa::new();
    let (web, db) = (ca.material("web"), ca.material("db"));
    let gate = Arc::new(ServerGate::new(web.trust(), wanted("db", "dc1")));
    let mut client = web.connect(gate).unwrap();
    let gate = Arc::new(ClientGate::new(db.trust(), judge("bad")));
    let mut server = db.accept(gate).unwrap();
    let (there, here) = shake(&mut client, &mut server).await;
    assert!(there.is_ok() && here.is_ok());
    let group = server.key_exchange_group().unwrap();
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
}

#[tokio::test]
async fn a_denied_peer_is_refused_with_the_reason() {
    let (_, client_gate, _, here) = meet("bad", wanted("db", "dc1")).await;
    assert!(here.is_err());
    let reason = client_gate.refusal().unwrap();
    assert!(
        reason.starts_with("Matched intention: DENY default/bad => default/db"),
        "{reason}"
    );
}

#[tokio::test]
async fn another_service_or_datacenter_than_the_wanted_is_refused() {
    for wish in [wanted("cache", "dc1"), wanted("db", "dc2")] {
        let (server_gate, _, there, here) = meet("web", wish).await;
        assert!(there.is_err() && here.is_err());
        let reason = server_gate.refusal().unwrap();
        assert!(
            reason.starts_with("peer certificate mismatch got spiffe://"),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn a_peer_of_another_authority_is_refused() {
    let (web, db) = (TestCa::new().material("web"), TestCa::new().material("db"));
    let gate = Arc::new(ServerGate::new(db.trust(), wanted("db", "dc1")));
    let mut client = web.connect(gate).unwrap();
    let client_gate = Arc::new(ClientGate::new(db.trust(), judge("bad")));
    let mut server = db.accept(Arc::clone(&client_gate)).unwrap();
    let (_, here) = shake(&mut client, &mut server).await;
    assert!(here.is_err());
    assert!(client_gate.refusal().is_some() && client_gate.peer().is_none());
}

#[tokio::test]
async fn old_peers_get_in_over_tls_1_2_by_the_same_rules() {
    for (service, admitted) in [("web", true), ("bad", false)] {
        let ca = TestCa::new();
        let db = ca.material("db");
        let server_gate = Arc::new(ServerGate::new(db.trust(), wanted("db", "dc1")));
        let (leaf, key) = ca.leaf(service);
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::clone(provider()))
            .with_protocol_versions(&[&TLS12])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(server_gate)
            .with_client_auth_cert(vec![leaf.into()], key)
            .unwrap();
        let name = ServerName::try_from("db.test").unwrap();
        let client = UnbufferedClientConnection::new(Arc::new(config), name).unwrap();
        let mut client = Session::client(client);
        let gate = Arc::new(ClientGate::new(db.trust(), judge("bad")));
        let mut server = db.accept(gate).unwrap();
        let (there, here) = shake(&mut client, &mut server).await;
        assert_eq!(
            (there.is_ok(), here.is_ok()),
            (admitted, admitted),
            "{service}"
        );
        if admitted {
            assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_2));
        }
    }
}
