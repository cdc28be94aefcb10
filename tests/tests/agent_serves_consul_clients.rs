//! The real Consul 1.8.7 command line and its sidecar proxy, pointed at our agent: they work as
//! with their own, to the line that they print and the code that they exit with.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::process::Command;
use std::time::Duration;

use chancery_tests::{
    Agent, AgentHome, AgentKind, App, Process, ProxyKind, RunningAgent, Service, consul_binary,
    eventually,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const LONG: Duration = Duration::from_secs(20);

/// Runs `consul` with `words` against `agent`; its exit code and what it printed.
async fn consul(agent: &RunningAgent, words: &[&str]) -> (i32, String) {
    let mut command = Command::new(consul_binary().unwrap());
    command
        .args(words)
        .env("CONSUL_HTTP_ADDR", agent.http().to_string());
    let mut process = Process::spawn("consul", command).unwrap();
    let status = process.wait_exit(LONG).await.unwrap();
    (
        status.code().unwrap(),
        process.output().trim_end().to_owned(),
    )
}

async fn durable_agent() -> (AgentHome, RunningAgent) {
    let home = AgentHome::new().unwrap();
    let agent = home.start().await.unwrap();
    agent.wait_for_root().await.unwrap();
    (home, agent)
}

#[tokio::test]
async fn the_intention_commands_print_and_exit_as_with_consul() {
    let (_home, agent) = durable_agent().await;
    for (words, code, printed) in [
        (&["check", "web", "db"][..], 0, "Allowed"),
        (
            &["create", "-deny", "web", "db"],
            0,
            "Created: web => db (deny)",
        ),
        (&["check", "web", "db"], 1, "Denied"),
        (&["match", "db"], 0, "web => db (deny)"),
        // Consul says nothing when it replaces.
        (&["create", "-allow", "-replace", "web", "db"], 0, ""),
        (&["check", "web", "db"], 0, "Allowed"),
        (&["delete", "web", "db"], 0, "Intention deleted."),
        (&["match", "db"], 0, ""),
    ] {
        let mut all = vec!["intention"];
        all.extend(words);
        assert_eq!(
            consul(&agent, &all).await,
            (code, printed.to_owned()),
            "{all:?}"
        );
    }
    let (code, said) = consul(&agent, &["intention", "get", "web", "db"]).await;
    assert_eq!(code, 1, "{said}");
    consul(&agent, &["intention", "create", "-deny", "web", "db"]).await;
    let (code, said) = consul(&agent, &["intention", "get", "web", "db"]).await;
    assert_eq!(code, 0, "{said}");
    for line in [
        "Source:",
        "Destination:",
        "Action:",
        "deny",
        "ID:",
        "Created At:",
    ] {
        assert!(said.contains(line), "{line} is missing in {said}");
    }
}

#[tokio::test]
async fn the_services_commands_register_and_deregister() {
    let (_home, agent) = durable_agent().await;
    let register = ["services", "register", "-name=web", "-port=8080", "-tag=v1"];
    let said = consul(&agent, &register).await;
    assert_eq!(said, (0, "Registered service: web".to_owned()));
    let services = agent.get("/v1/agent/services").await.unwrap();
    assert_eq!(services["web"]["Port"], 8080);
    assert_eq!(services["web"]["Tags"][0], "v1");
    let said = consul(&agent, &["services", "deregister", "-id=web"]).await;
    assert_eq!(said, (0, "Deregistered service: web".to_owned()));
    let services = agent.get("/v1/agent/services").await.unwrap();
    assert_eq!(services, serde_json::json!({}));
}

#[tokio::test]
async fn consuls_own_proxies_carry_traffic_in_our_mesh() {
    let agent = Agent::start(AgentKind::Chancery).await.unwrap();
    let app = App::echo().await.unwrap();
    let db = Service::new("db", app.address()).unwrap();
    let web = Service::new("web", app.address())
        .unwrap()
        .calling("db")
        .unwrap();
    let _db_proxy = db.start(&agent, ProxyKind::Consul).await.unwrap();
    let _web_proxy = web.start(&agent, ProxyKind::Consul).await.unwrap();
    assert_echoes(&web).await.unwrap();
    let deny = agent.intend("web", "db", "deny").await.unwrap();
    eventually(LONG, async || match assert_echoes(&web).await {
        Ok(()) => Err("a denied connection is answered"),
        Err(_) => Ok(()),
    })
    .await
    .unwrap();
    agent.withdraw(&deny).await.unwrap();
    eventually(LONG, async || assert_echoes(&web).await)
        .await
        .unwrap();
}

async fn assert_echoes(web: &Service) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(web.upstream("db")).await?;
    stream.write_all(b"hello").await?;
    let mut answer = [0; 5];
    let read = stream.read_exact(&mut answer);
    tokio::time::timeout(LONG, read).await??;
    assert_eq!(&answer, b"hello");
    Ok(())
}
