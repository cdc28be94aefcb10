//! Two services talk through a pair of sidecars at a real Consul 1.8.7, and each sidecar may be
//! ours or Consul's own: whoever replaces one proxy at a time notices nothing.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use chancery_tests::{Agent, AgentKind, App, ProxyKind, Service};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn assert_pair_carries(caller: ProxyKind, called: ProxyKind) {
    let agent = Agent::start(AgentKind::Consul).await.unwrap();
    let app = App::echo().await.unwrap();
    let db = Service::new("db", app.address()).unwrap();
    let web = Service::new("web", app.address())
        .unwrap()
        .calling("db")
        .unwrap();
    let _db_proxy = db.start(&agent, called).await.unwrap();
    let _web_proxy = web.start(&agent, caller).await.unwrap();
    for size in [1, 1000, 100_000, 3_000_000] {
        let sent: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let mut stream = TcpStream::connect(web.upstream("db")).await.unwrap();
        let (mut from, mut to) = stream.split();
        let mut received = vec![0; size];
        let (wrote, read) = tokio::join!(to.write_all(&sent), from.read_exact(&mut received));
        wrote.unwrap();
        read.unwrap();
        assert!(received == sent, "{size} bytes came back changed");
    }
}

#[tokio::test]
async fn ours_calls_ours() {
    assert_pair_carries(ProxyKind::Chancery, ProxyKind::Chancery).await;
}

#[tokio::test]
async fn ours_calls_consuls() {
    assert_pair_carries(ProxyKind::Chancery, ProxyKind::Consul).await;
}

#[tokio::test]
async fn consuls_calls_ours() {
    assert_pair_carries(ProxyKind::Consul, ProxyKind::Chancery).await;
}
