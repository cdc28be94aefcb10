//! A peer that comes back resumes its TLS session: it shows no certificate and computes no
//! signature. It is judged like a new one all the same: by the intentions of today, by the end of
//! the leaf that its session began with, and only by the listener that it began at.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use chancery_tests::hostile::{self, HostileCase, TestCa};
use chancery_tests::{
    Agent, AgentKind, App, Credentials, ProxyKind, Service, Sidecar, against_each_agent,
    connect_tls, eventually,
};
use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

against_each_agent! {
    a_peer_that_comes_back_resumes
    a_resumed_peer_that_was_denied_since_is_refused
    a_session_of_one_service_is_not_resumed_at_another
    our_own_proxies_resume_and_are_cut_and_refused
}

const SOON: Duration = Duration::from_secs(10);

/// `db` with an echo behind our proxy.
struct Stage {
    agent: Agent,
    app: App,
    db: Service,
    proxy: Sidecar,
}

impl Stage {
    async fn set(agent: Agent) -> Self {
        let app = App::echo().await.unwrap();
        let db = Service::new("db", app.address()).unwrap();
        let proxy = db.start(&agent, ProxyKind::Chancery).await.unwrap();
        Self {
            agent,
            app,
            db,
            proxy,
        }
    }

    async fn connector(&self, service: &str) -> TlsConnector {
        let credentials = Credentials::issued(&self.agent, service).await.unwrap();
        credentials.connector().unwrap()
    }
}

/// How the handshake went, and whether `ping` came back.
struct Visit {
    kind: Option<HandshakeKind>,
    echo: io::Result<()>,
}

async fn visit(connector: &TlsConnector, address: SocketAddr) -> io::Result<Visit> {
    let mut stream = connect_tls(connector, address).await?;
    let kind = stream.get_ref().1.handshake_kind();
    let ping = async {
        stream.write_all(b"ping").await?;
        let mut echoed = [0; 4];
        stream.read_exact(&mut echoed).await?;
        assert_eq!(&echoed, b"ping");
        Ok(())
    };
    let echo = timeout(SOON, ping).await.unwrap();
    Ok(Visit { kind, echo })
}

/// Gets in, and says how.
async fn get_in(connector: &TlsConnector, address: SocketAddr) -> Option<HandshakeKind> {
    let visit = visit(connector, address).await.unwrap();
    visit.echo.unwrap();
    visit.kind
}

async fn a_peer_that_comes_back_resumes(kind: AgentKind) {
    let stage = Stage::set(Agent::start(kind).await.unwrap()).await;
    let web = stage.connector("web").await;
    let first = get_in(&web, stage.db.public()).await;
    assert_eq!(first, Some(HandshakeKind::Full));
    for _ in 0..10 {
        let again = get_in(&web, stage.db.public()).await;
        assert_eq!(again, Some(HandshakeKind::Resumed));
    }
    assert_eq!(stage.app.accepted(), 11);
}

async fn a_resumed_peer_that_was_denied_since_is_refused(kind: AgentKind) {
    let stage = Stage::set(Agent::start(kind).await.unwrap()).await;
    let (web, api) = (stage.connector("web").await, stage.connector("api").await);
    get_in(&web, stage.db.public()).await;
    let denied = stage.agent.intend("web", "db", "deny").await.unwrap();
    // The one ticket is kept for when the rule is known to have arrived.
    let stranger = stage.connector("web").await;
    let known = async || match visit(&stranger, stage.db.public()).await {
        Ok(Visit { echo: Ok(()), .. }) => Err("let in"),
        _ => Ok(()),
    };
    eventually(SOON, known).await.unwrap();
    let before = stage.app.accepted();
    let refused = visit(&web, stage.db.public()).await.unwrap();
    assert_eq!(refused.kind, Some(HandshakeKind::Resumed));
    assert!(refused.echo.is_err());
    assert_eq!(stage.app.accepted(), before);
    let line = format!("Matched intention: DENY default/web => default/db (ID: {denied}");
    let process = stage.proxy.process();
    process.wait_printed(&line, SOON).await.unwrap();
    get_in(&api, stage.db.public()).await;
    stage.agent.withdraw(&denied).await.unwrap();
    let back = eventually(SOON, async || visit(&web, stage.db.public()).await?.echo).await;
    back.unwrap();
}

async fn a_session_of_one_service_is_not_resumed_at_another(kind: AgentKind) {
    let stage = Stage::set(Agent::start(kind).await.unwrap()).await;
    let cache = Service::new("cache", stage.app.address()).unwrap();
    let _proxy = cache
        .start(&stage.agent, ProxyKind::Chancery)
        .await
        .unwrap();
    let web = stage.connector("web").await;
    get_in(&web, stage.db.public()).await;
    // The client knows servers by their address, which both have; it offers what `db` gave it.
    let elsewhere = get_in(&web, cache.public()).await;
    assert_eq!(elsewhere, Some(HandshakeKind::Full));
}

async fn our_own_proxies_resume_and_are_cut_and_refused(kind: AgentKind) {
    let stage = Stage::set(Agent::start(kind).await.unwrap()).await;
    let web = Service::new("web", stage.app.address()).unwrap();
    let web = web.calling("db").unwrap();
    let _proxy = web.start(&stage.agent, ProxyKind::Chancery).await.unwrap();
    let call = async || {
        let mut stream = tokio::net::TcpStream::connect(web.upstream("db")).await?;
        stream.write_all(b"ping").await?;
        let mut echoed = [0; 4];
        timeout(SOON, stream.read_exact(&mut echoed))
            .await
            .unwrap()?;
        Ok::<_, io::Error>(stream)
    };
    let mut open = eventually(SOON, call).await.unwrap();
    for _ in 0..10 {
        drop(call().await.unwrap());
    }
    stage.agent.intend("web", "db", "deny").await.unwrap();
    drop(
        timeout(SOON, open.read_to_end(&mut Vec::new()))
            .await
            .unwrap(),
    );
    let before = stage.app.accepted();
    for _ in 0..10 {
        assert!(call().await.is_err());
    }
    assert_eq!(stage.app.accepted(), before);
}

/// An agent of Consul's whose root's key we have.
async fn signing() -> (Agent, TestCa) {
    let agent = Agent::start(AgentKind::Consul).await.unwrap();
    let ca = install(&agent).await;
    (agent, ca)
}

/// Gives the agent a new root.
async fn install(agent: &Agent) -> TestCa {
    let roots = agent.get("/v1/connect/ca/roots").await.unwrap();
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let now = i64::try_from(now).unwrap();
    let ca = TestCa::root(roots["TrustDomain"].as_str().unwrap(), now).unwrap();
    let config = json!({"PrivateKey": ca.key_pem(), "RootCert": ca.pem()});
    let body = json!({"Provider": "consul", "Config": config});
    agent
        .put("/v1/connect/ca/configuration", &body)
        .await
        .unwrap();
    ca
}

#[tokio::test]
async fn a_resumed_peer_whose_leaf_is_over_is_refused() {
    let (agent, ca) = signing().await;
    let stage = Stage::set(agent).await;
    for version in [&TLS13, &TLS12] {
        let end = SystemTime::now() + Duration::from_secs(4);
        let (leaf, key) = ca.leaf(|leaf| leaf.not_after = end.into()).unwrap();
        let mut case: HostileCase = hostile::controls(&ca).unwrap().swap_remove(0);
        (case.chain, case.key_pkcs8) = (vec![leaf], key);
        let web = hostile::connector(&case, version).unwrap();
        get_in(&web, stage.db.public()).await;
        let resumed = get_in(&web, stage.db.public()).await;
        assert_eq!(resumed, Some(HandshakeKind::Resumed));
        let refused = async || {
            let before = stage.app.accepted();
            let visit = visit(&web, stage.db.public()).await;
            match visit {
                Ok(visit) if visit.echo.is_err() => Ok((visit.kind, before)),
                _ => Err("let in"),
            }
        };
        let (kind, before) = eventually(SOON, refused).await.unwrap();
        assert_eq!(kind, Some(HandshakeKind::Resumed));
        assert_eq!(stage.app.accepted(), before);
    }
    let process = stage.proxy.process();
    let printed = process.wait_printed("certificate refused: ", SOON).await;
    printed.unwrap();
}

#[tokio::test]
async fn nobody_resumes_across_new_roots() {
    let (agent, ca) = signing().await;
    let stage = Stage::set(agent).await;
    let case = hostile::controls(&ca).unwrap().swap_remove(0);
    let web = hostile::connector(&case, &TLS13).unwrap();
    get_in(&web, stage.db.public()).await;
    let again = get_in(&web, stage.db.public()).await;
    assert_eq!(again, Some(HandshakeKind::Resumed));
    install(&stage.agent).await;
    // Consul goes on to trust the root of before, so the peer shows its certificate and gets in.
    let anew = async || match get_in(&web, stage.db.public()).await {
        Some(HandshakeKind::Resumed) => Err("resumed"),
        _ => Ok(()),
    };
    eventually(SOON, anew).await.unwrap();
}
