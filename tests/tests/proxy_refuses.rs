//! Whoever may not reach an application does not reach it: the proxy refuses strangers, foreign
//! certificates and denied peers before the application hears of them, cuts what a new intention
//! denies, and gives an impostor no byte.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chancery_tests::{
    Agent, AgentKind, App, Credentials, ProxyKind, Service, Sidecar, against_each_agent,
    anonymous_connector, connect_tls, eventually,
};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

against_each_agent! {
    a_strangers_connection_never_reaches_the_application
    a_peer_without_a_certificate_is_refused
    the_right_name_from_a_foreign_authority_is_refused
    an_intention_decides_who_gets_in
    a_deny_cuts_what_is_open_and_nothing_else
    a_wildcard_rule_cuts_too_unless_a_more_exact_one_allows
    an_impostor_gets_no_byte
    a_dead_application_is_an_end_with_a_reason
    strangers_who_wait_do_not_keep_a_peer_out
    a_signal_ends_the_proxy_within_two_seconds
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
    async fn set(kind: AgentKind) -> Self {
        let agent = Agent::start(kind).await.unwrap();
        let app = App::echo().await.unwrap();
        let config = json!({"handshake_timeout_ms": 1000, "max_handshakes_per_source": 20});
        let db = Service::new("db", app.address())
            .unwrap()
            .configured(config);
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

    /// Connects, sends `ping` and waits for it to come back.
    async fn ping(&self, connector: &TlsConnector) -> io::Result<Vec<u8>> {
        let mut stream = connect_tls(connector, self.db.public()).await?;
        stream.write_all(b"ping").await?;
        let mut echoed = vec![0; 4];
        timeout(SOON, stream.read_exact(&mut echoed))
            .await
            .unwrap()?;
        Ok(echoed)
    }

    async fn assert_gets_in(&self, connector: &TlsConnector) {
        assert_eq!(self.ping(connector).await.unwrap(), b"ping");
    }

    /// Waits until the proxy knows of a deny: what is let in until then is cut again.
    async fn wait_until_refused(&self, connector: &TlsConnector) {
        let refused = async || {
            let before = self.app.accepted();
            match self.ping(connector).await {
                Err(_refused) if self.app.accepted() == before => Ok(()),
                Err(_cut) => Err("let in, and cut"),
                Ok(_) => Err("let in"),
            }
        };
        eventually(SOON, refused).await.unwrap();
    }

    /// The refusal that the peer sees, after which the application has seen nobody.
    async fn assert_refused(&self, connector: &TlsConnector) -> String {
        let before = self.app.accepted();
        let refused = self.ping(connector).await.unwrap_err();
        assert_eq!(self.app.accepted(), before, "the application was reached");
        refused.to_string()
    }
}

/// Waits for the end of a stream, whichever way it ends.
async fn assert_ends(stream: &mut (impl AsyncRead + Unpin)) {
    let mut scrap = Vec::new();
    drop(timeout(SOON, stream.read_to_end(&mut scrap)).await.unwrap());
}

async fn a_strangers_connection_never_reaches_the_application(kind: AgentKind) {
    let stage = Stage::set(kind).await;
    let mut silent = TcpStream::connect(stage.db.public()).await.unwrap();
    let mut garbage = TcpStream::connect(stage.db.public()).await.unwrap();
    garbage.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut endless = TcpStream::connect(stage.db.public()).await.unwrap();
    // One record of a handshake that promises sixteen megabytes.
    let hello = [&[22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff][..], &[0; 16_380]].concat();
    drop(endless.write_all(&hello).await);
    drop(
        endless
            .write_all(&[&[22, 3, 3, 0x40, 0][..], &[0; 16_384]].concat().repeat(8))
            .await,
    );
    drop(TcpStream::connect(stage.db.public()).await.unwrap());
    for stream in [&mut garbage, &mut endless, &mut silent] {
        assert_ends(stream).await;
    }
    assert_eq!(stage.app.accepted(), 0);
    stage.assert_gets_in(&stage.connector("web").await).await;
    assert_eq!(stage.app.accepted(), 1);
}

async fn a_peer_without_a_certificate_is_refused(kind: AgentKind) {
    let stage = Stage::set(kind).await;
    let refused = stage.assert_refused(&anonymous_connector().unwrap()).await;
    assert!(refused.contains("CertificateRequired"), "{refused}");
}

async fn the_right_name_from_a_foreign_authority_is_refused(kind: AgentKind) {
    let stage = Stage::set(kind).await;
    let roots = stage.agent.get("/v1/connect/ca/roots").await.unwrap();
    let domain = roots["TrustDomain"].as_str().unwrap();
    let uri = format!("spiffe://{domain}/ns/default/dc/dc1/svc/web");
    let foreign = Credentials::foreign(&uri).unwrap();
    let refused = stage.assert_refused(&foreign.connector().unwrap()).await;
    assert!(refused.contains("UnknownCA"), "{refused}");
    let process = stage.proxy.process();
    process
        .wait_printed("certificate refused", SOON)
        .await
        .unwrap();
}

async fn an_intention_decides_who_gets_in(kind: AgentKind) {
    let stage = Stage::set(kind).await;
    let web = stage.connector("web").await;
    let api = stage.connector("api").await;
    stage.assert_gets_in(&web).await;
    let denied = stage.agent.intend("web", "db", "deny").await.unwrap();
    stage.wait_until_refused(&web).await;
    let reason = format!("Matched intention: DENY default/web => default/db (ID: {denied}");
    stage
        .proxy
        .process()
        .wait_printed(&reason, SOON)
        .await
        .unwrap();
    // Whoever was let in before the deny arrived has been counted once a later one is answered.
    stage.assert_gets_in(&api).await;
    stage.assert_refused(&web).await;
    stage.agent.withdraw(&denied).await.unwrap();
    let back = eventually(SOON, async || stage.ping(&web).await).await;
    assert_eq!(back.unwrap(), b"ping");
}

async fn a_deny_cuts_what_is_open_and_nothing_else(kind: AgentKind) {
    let stage = Stage::set(kind).await;
    let (web, api) = (stage.connector("web").await, stage.connector("api").await);
    let mut cut = Vec::new();
    for _ in 0..50 {
        let mut stream = connect_tls(&web, stage.db.public()).await.unwrap();
        stream.write_all(b"x").await.unwrap();
        stream.read_u8().await.unwrap();
        cut.push(stream);
    }
    let mut kept = connect_tls(&api, stage.db.public()).await.unwrap();
    stage.agent.intend("web", "db", "deny").await.unwrap();
    let written = Instant::now();
    for stream in &mut cut {
        assert_ends(stream).await;
    }
    let took = written.elapsed();
    assert!(took < Duration::from_secs(1), "the cut took {took:?}");
    kept.write_all(b"y").await.unwrap();
    assert_eq!(kept.read_u8().await.unwrap(), b'y');
}

async fn a_wildcard_rule_cuts_too_unless_a_more_exact_one_allows(kind: AgentKind) {
    let stage = Stage::set(kind).await;
    stage.agent.intend("api", "db", "allow").await.unwrap();
    let (web, api) = (stage.connector("web").await, stage.connector("api").await);
    let mut denied = connect_tls(&web, stage.db.public()).await.unwrap();
    let mut allowed = connect_tls(&api, stage.db.public()).await.unwrap();
    for stream in [&mut denied, &mut allowed] {
        stream.write_all(b"x").await.unwrap();
        stream.read_u8().await.unwrap();
    }
    stage.agent.intend("*", "db", "deny").await.unwrap();
    assert_ends(&mut denied).await;
    allowed.write_all(b"y").await.unwrap();
    assert_eq!(allowed.read_u8().await.unwrap(), b'y');
}

async fn an_impostor_gets_no_byte(kind: AgentKind) {
    let agent = Agent::start(kind).await.unwrap();
    // It has a good certificate, but another service's.
    let acceptor = Credentials::issued(&agent, "evil")
        .await
        .unwrap()
        .acceptor()
        .unwrap();
    let (shaken, stolen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (Arc::clone(&shaken), Arc::clone(&stolen));
    let impostor = App::start(move |stream| {
        let (acceptor, (shaken, stolen)) = (acceptor.clone(), counts.clone());
        async move {
            let accepted = acceptor.accept(stream).await;
            shaken.fetch_add(1, Ordering::SeqCst);
            let mut bytes = Vec::new();
            drop(accepted?.read_to_end(&mut bytes).await);
            stolen.fetch_add(bytes.len(), Ordering::SeqCst);
            Ok(())
        }
    })
    .await
    .unwrap();
    let registered = json!({
        "Kind": "connect-proxy", "Name": "db-sidecar-proxy",
        "Address": "127.0.0.1", "Port": impostor.address().port(),
        "Proxy": {"DestinationServiceName": "db"},
    });
    agent.register(&registered).await.unwrap();
    let web = Service::new("web", impostor.address())
        .unwrap()
        .calling("db")
        .unwrap();
    let proxy = web.start(&agent, ProxyKind::Chancery).await.unwrap();
    let mut stream = TcpStream::connect(web.upstream("db")).await.unwrap();
    drop(stream.write_all(b"secret").await);
    assert_ends(&mut stream).await;
    proxy
        .process()
        .wait_printed("peer certificate mismatch got", SOON)
        .await
        .unwrap();
    eventually(SOON, async || match shaken.load(Ordering::SeqCst) {
        0 => Err("the impostor's handshake has not ended"),
        _ => Ok(()),
    })
    .await
    .unwrap();
    assert_eq!(stolen.load(Ordering::SeqCst), 0);
}

async fn a_dead_application_is_an_end_with_a_reason(kind: AgentKind) {
    let mut stage = Stage::set(kind).await;
    let web = stage.connector("web").await;
    stage.assert_gets_in(&web).await;
    let address = stage.app.address();
    stage.app = App::echo().await.unwrap();
    eventually(SOON, async || match TcpStream::connect(address).await {
        Ok(_) => Err("the application still listens"),
        Err(_) => Ok(()),
    })
    .await
    .unwrap();
    stage.assert_refused(&web).await;
    let reason = format!("the application at {address} cannot be reached");
    stage
        .proxy
        .process()
        .wait_printed(&reason, SOON)
        .await
        .unwrap();
}

async fn strangers_who_wait_do_not_keep_a_peer_out(kind: AgentKind) {
    let stage = Stage::set(kind).await;
    let web = stage.connector("web").await;
    let mut strangers = Vec::new();
    for _ in 0..100 {
        strangers.push(TcpStream::connect(stage.db.public()).await.unwrap());
    }
    let begun = Instant::now();
    stage.assert_gets_in(&web).await;
    let took = begun.elapsed();
    assert!(
        took < Duration::from_millis(900),
        "getting in took {took:?}"
    );
}

async fn a_signal_ends_the_proxy_within_two_seconds(kind: AgentKind) {
    let mut stage = Stage::set(kind).await;
    let web = stage.connector("web").await;
    let mut open = connect_tls(&web, stage.db.public()).await.unwrap();
    open.write_all(b"x").await.unwrap();
    open.read_u8().await.unwrap();
    stage.proxy.process().terminate().unwrap();
    let status = stage
        .proxy
        .process_mut()
        .wait_exit(Duration::from_secs(2))
        .await
        .unwrap();
    assert_eq!(status.code(), Some(0));
    let output = stage.proxy.process().output();
    assert!(
        output.ends_with("==> Consul Connect proxy shutdown\n"),
        "{output}"
    );
    assert_ends(&mut open).await;
}
