//! What happens around a running proxy never breaks what it carries: its registration changes,
//! certificates and roots are replaced, and its agent goes away.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use chancery_tests::{
    Agent, AgentKind, App, Process, ProxyKind, Service, Sidecar, against_each_agent,
    chancery_binary, eventually, free_port,
};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(15);

against_each_agent! {
    a_changed_registration_changes_only_what_changed
    an_agent_that_is_gone_leaves_its_last_word
    a_proxy_that_registers_itself_leaves_when_it_stops
}

/// `web` calls `db` through two of our proxies.
struct Stage {
    agent: Agent,
    app: App,
    web: Service,
    _proxies: [Sidecar; 2],
}

impl Stage {
    async fn set(kind: AgentKind) -> Self {
        let agent = Agent::start(kind).await.unwrap();
        let app = App::echo().await.unwrap();
        let db = Service::new("db", app.address()).unwrap();
        let web = Service::new("web", app.address())
            .unwrap()
            .calling("db")
            .unwrap();
        let proxies = [
            db.start(&agent, ProxyKind::Chancery).await.unwrap(),
            web.start(&agent, ProxyKind::Chancery).await.unwrap(),
        ];
        Self {
            agent,
            app,
            web,
            _proxies: proxies,
        }
    }
}

/// Sends a line and expects it back.
async fn echo(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"line").await?;
    let mut back = [0; 4];
    timeout(SOON, stream.read_exact(&mut back)).await??;
    assert_eq!(&back, b"line");
    Ok(())
}

async fn call(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    echo(&mut stream).await?;
    Ok(stream)
}

async fn a_changed_registration_changes_only_what_changed(kind: AgentKind) {
    let stage = Stage::set(kind).await;
    let mut old = call(stage.web.upstream("db")).await.unwrap();

    let more = stage.web.clone().calling("other").unwrap();
    more.register(&stage.agent).await.unwrap();
    eventually(SOON, async || {
        TcpStream::connect(more.upstream("other")).await
    })
    .await
    .unwrap();
    call(stage.web.upstream("db")).await.unwrap();
    echo(&mut old).await.unwrap();

    let none = stage.web.calling_nobody();
    none.register(&stage.agent).await.unwrap();
    eventually(SOON, async || {
        match TcpStream::connect(more.upstream("db")).await {
            Ok(_) => Err("the removed upstream still listens"),
            Err(_) => Ok(()),
        }
    })
    .await
    .unwrap();
    echo(&mut old).await.unwrap();
}

async fn an_agent_that_is_gone_leaves_its_last_word(kind: AgentKind) {
    let stage = Stage::set(kind).await;
    let mut old = call(stage.web.upstream("db")).await.unwrap();
    drop(stage.agent);
    for _ in 0..5 {
        call(stage.web.upstream("db")).await.unwrap();
    }
    echo(&mut old).await.unwrap();
    assert!(stage.app.accepted() >= 6);
}

async fn a_proxy_that_registers_itself_leaves_when_it_stops(kind: AgentKind) {
    let agent = Agent::start(kind).await.unwrap();
    let app = App::echo().await.unwrap();
    let listen = free_port().unwrap();
    let mut command = Command::new(chancery_binary().unwrap());
    command
        .args([
            "connect",
            "proxy",
            "-service=legacy",
            "-register",
            "-register-id=7",
        ])
        .arg(format!("-service-addr={}", app.address()))
        .arg(format!("-listen=127.0.0.1:{listen}"))
        .arg(format!("-http-addr={}", agent.http()));
    let mut proxy = Process::spawn("proxy", command).unwrap();
    let ids = async || {
        let found = agent.get("/v1/health/connect/legacy?passing=1").await?;
        let entries = found.as_array().cloned().unwrap_or_default();
        let ids: Vec<_> = entries
            .iter()
            .map(|entry| entry["Service"]["ID"].clone())
            .collect();
        Ok::<_, chancery_tests::AgentError>(ids)
    };
    eventually(SOON, async || match ids().await.unwrap() {
        ids if ids == [json!("legacy-proxy-7")] => Ok(()),
        ids => Err(format!("{ids:?} are registered")),
    })
    .await
    .unwrap();
    proxy.interrupt().unwrap();
    let status = proxy.wait_exit(Duration::from_secs(2)).await.unwrap();
    assert_eq!(status.code(), Some(0));
    eventually(SOON, async || match ids().await.unwrap().len() {
        0 => Ok(()),
        count => Err(format!("{count} are still registered")),
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn new_roots_are_taken_over_without_a_dropped_or_failed_connection() {
    let stage = Stage::set(AgentKind::Consul).await;
    let mut old = call(stage.web.upstream("db")).await.unwrap();
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let rotation = json!({"Provider": "consul", "Config": {"PrivateKey": key}});
    stage
        .agent
        .put("/v1/connect/ca/configuration", &rotation)
        .await
        .unwrap();
    // Through the rotation, and while both proxies load what came of it.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1500) {
        call(stage.web.upstream("db")).await.unwrap();
    }
    let roots = stage.agent.get("/v1/connect/ca/roots").await.unwrap();
    assert_eq!(roots["Roots"].as_array().unwrap().len(), 2);
    echo(&mut old).await.unwrap();
}
