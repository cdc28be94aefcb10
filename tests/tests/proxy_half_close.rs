//! Either side of a proxied connection may stop sending while the other goes on, and a
//! connection that breaks never looks like one that ended.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::io;
use std::time::Duration;

use chancery_tests::{Agent, AgentKind, App, ProxyKind, Service, Sidecar};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);

struct Stage {
    agent: Agent,
    web: Service,
    proxies: Vec<Sidecar>,
}

impl Stage {
    /// `web` calls `db`, whose application is `app`, through two of our proxies.
    async fn set(app: &App) -> Self {
        let agent = Agent::start(AgentKind::Consul).await.unwrap();
        let db = Service::new("db", app.address()).unwrap();
        let web = Service::new("web", app.address())
            .unwrap()
            .calling("db")
            .unwrap();
        let proxies = vec![
            db.start(&agent, ProxyKind::Chancery).await.unwrap(),
            web.start(&agent, ProxyKind::Chancery).await.unwrap(),
        ];
        Self {
            agent,
            web,
            proxies,
        }
    }

    async fn call(&self) -> TcpStream {
        assert!(!self.proxies.is_empty() && self.agent.kind() == AgentKind::Consul);
        TcpStream::connect(self.web.upstream("db")).await.unwrap()
    }
}

async fn read_all(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    timeout(SOON, stream.read_to_end(&mut all)).await.unwrap()?;
    Ok(all)
}

#[tokio::test]
async fn a_client_may_stop_sending_and_still_be_answered() {
    let app = App::start(|mut stream: TcpStream| async move {
        let mut asked = Vec::new();
        stream.read_to_end(&mut asked).await?;
        for _ in 0..3 {
            stream.write_all(&asked).await?;
            tokio::task::yield_now().await;
        }
        stream.shutdown().await
    })
    .await
    .unwrap();
    let stage = Stage::set(&app).await;
    let mut stream = stage.call().await;
    stream.write_all(b"question").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(read_all(&mut stream).await.unwrap(), b"question".repeat(3));
}

#[tokio::test]
async fn a_server_may_stop_sending_and_still_be_told() {
    let (told, mut hear) = tokio::sync::mpsc::unbounded_channel();
    let app = App::start(move |mut stream: TcpStream| {
        let told = told.clone();
        async move {
            stream.write_all(b"greeting").await?;
            stream.shutdown().await?;
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await?;
            // The stage itself connects once, to see whether the proxy listens.
            if heard.is_empty() {
                return Ok(());
            }
            told.send(heard).map_err(io::Error::other)
        }
    })
    .await
    .unwrap();
    let stage = Stage::set(&app).await;
    let mut stream = stage.call().await;
    assert_eq!(read_all(&mut stream).await.unwrap(), b"greeting");
    stream.write_all(&[7; 200_000]).await.unwrap();
    stream.shutdown().await.unwrap();
    let heard = timeout(SOON, hear.recv()).await.unwrap().unwrap();
    assert_eq!(heard.len(), 200_000);
}

#[tokio::test]
async fn a_server_that_breaks_off_is_an_error_and_no_end() {
    let app = App::start(|mut stream: TcpStream| async move {
        stream.write_all(b"half an ans").await?;
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        stream.set_zero_linger()
    })
    .await
    .unwrap();
    let stage = Stage::set(&app).await;
    let mut stream = stage.call().await;
    let mut first = [0; 11];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"half an ans");
    stream.write_all(b"x").await.unwrap();
    let end = read_all(&mut stream).await;
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_killed_proxy_is_an_error_and_no_end() {
    let app = App::echo().await.unwrap();
    let mut stage = Stage::set(&app).await;
    let mut stream = stage.call().await;
    stream.write_all(b"ping").await.unwrap();
    let mut echoed = [0; 4];
    stream.read_exact(&mut echoed).await.unwrap();
    // The first proxy is that of `db`.
    drop(stage.proxies.remove(0));
    let end = read_all(&mut stream).await;
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn an_answer_arrives_whole_although_the_server_closes_without_reading_on() {
    let app = App::start(|mut stream: TcpStream| async move {
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        stream.write_all(b"no, thank you").await
        // Dropped with bytes unread: the kernel resets the connection.
    })
    .await
    .unwrap();
    let stage = Stage::set(&app).await;
    for _ in 0..20 {
        let mut stream = stage.call().await;
        stream.write_all(&[1; 50_000]).await.unwrap();
        let mut answer = [0; 13];
        timeout(SOON, stream.read_exact(&mut answer))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&answer, b"no, thank you");
    }
}
