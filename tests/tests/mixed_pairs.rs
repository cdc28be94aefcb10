//! Two services talk through a pair of sidecars at a real Consul 1.8.7 or at our agent, and each
//! sidecar may be ours or Consul's own: whoever replaces one proxy at a time notices nothing.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use chancery_tests::{Agent, AgentKind, App, ProxyKind, Service, against_each_agent};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

against_each_agent! {
    ours_calls_ours
    ours_calls_consuls
    consuls_calls_ours
}

async fn assert_pair_carries(kind: AgentKind, caller: ProxyKind, called: ProxyKind) {
    let agent = Agent::start(kind).await.unwrap();
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

async fn ours_calls_ours(kind: AgentKind) {
    assert_pair_carries(kind, ProxyKind::Chancery, ProxyKind::Chancery).await;
}

async fn ours_calls_consuls(kind: AgentKind) {
    assert_pair_carries(kind, ProxyKind::Chancery, ProxyKind::Consul).await;
}

async fn consuls_calls_ours(kind: AgentKind) {
    assert_pair_carries(kind, ProxyKind::Consul, ProxyKind::Chancery).await;
}
