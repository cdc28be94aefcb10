//! The mesh of the demo: an agent, two applications, two sidecars.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chancery_core::{CertificateSummary, NameError, ServiceName, Violation, certificates_from_pem};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::application::{Connection, serve};
use super::{PATIENCE, day};
use crate::agent::Agent;
use crate::agent::leafs::LeafError;
use crate::client::{Client, ClientError, Endpoint};
use crate::config::{Config, FlagValue, Report, Sources};
use crate::proxy::{AgentApi, Proxy, ProxyError};
use crate::running::{RunError, Running};
use crate::store::StoreError;

/// Why the demo did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error("the agent refused: {0}")]
    Client(#[from] ClientError),
    #[error("the connection was closed")]
    Closed,
    #[error("{0}")]
    Config(Report),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("there is no leaf: {0}")]
    Leaf(#[from] LeafError),
    #[error("{0}")]
    Name(#[from] NameError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("this should not have happened: {0}")]
    Unexpected(&'static str),
    #[error("{0}")]
    Violation(#[from] Violation),
}

pub(super) struct Mesh {
    running: Running,
    client: Client,
    address: SocketAddr,
    upstream: SocketAddr,
    stop: CancellationToken,
    proxies: Vec<JoinHandle<Result<(), ProxyError>>>,
    application: JoinHandle<()>,
}

impl Mesh {
    pub(super) async fn start() -> Result<Self, DemoError> {
        let running = Running::start(&config()?).await?;
        let address = *running
            .addresses()
            .first()
            .ok_or(DemoError::Unexpected("the agent has no address"))?;
        let client = Client::new(&Endpoint {
            address: address.to_string(),
            ..Endpoint::default()
        })?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let application_port = listener.local_addr()?.port();
        let mut mesh = Self {
            running,
            client,
            address,
            upstream: SocketAddr::from((Ipv4Addr::LOCALHOST, free_port().await?)),
            stop: CancellationToken::new(),
            proxies: Vec::new(),
            application: tokio::spawn(serve(listener)),
        };
        mesh.register("db", application_port, json!({})).await?;
        let to_db = json!({"Upstreams": [{
            "DestinationName": "db",
            "LocalBindPort": mesh.upstream.port(),
        }]});
        mesh.register("web", 1, to_db).await?;
        mesh.ask_until_allowed("are you there?").await?;
        Ok(mesh)
    }

    /// Stops proxies, applications and the agent, and waits until they are gone.
    pub(super) async fn stop(self) -> Result<(), DemoError> {
        self.stop.cancel();
        for proxy in self.proxies {
            // How a proxy that was told to stop ends no longer matters.
            drop(proxy.await);
        }
        self.application.abort();
        drop(self.application.await);
        self.running.stop().await?;
        Ok(())
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The trust domain and its root, as a person wants to see them.
    pub(super) fn authority(&self) -> Result<Vec<String>, DemoError> {
        let view = self.agent().server().view();
        let authority = view.state().authority();
        let root = authority
            .active_root()
            .ok_or(DemoError::Unexpected("there is no root"))?;
        let summary = CertificateSummary::inspect(root.certificate.as_bytes())?;
        Ok(vec![
            format!("trust domain     {}", summary.uris.join(" ")),
            format!("root             {}", summary.subject),
            format!(
                "valid            {} to {}",
                day(summary.not_before),
                day(summary.not_after)
            ),
        ])
    }

    /// A service's leaf, as a person wants to see it.
    pub(super) async fn leaf(&self, service: &str) -> Result<Vec<String>, DemoError> {
        let name = ServiceName::parse(service)?;
        let leaf = self.agent().leafs().current(&name).await?.leaf;
        let mut lines = vec![format!("{service:<16} {}", leaf.uri)];
        let validity = format!("{} to {}", day(leaf.valid_after), day(leaf.valid_before));
        lines.push(format!("  valid          {validity}"));
        lines.push(format!("  serial         {}", leaf.serial));
        let chain = certificates_from_pem(leaf.certificates_pem.as_bytes())?;
        for der in &chain {
            let summary = CertificateSummary::inspect(der)?;
            let (subject, issuer) = (summary.subject, summary.issuer);
            lines.push(format!("  chain          {subject} ← {issuer}"));
        }
        Ok(lines)
    }

    /// A connection from `web` to `db`, through both sidecars.
    pub(super) async fn connect(&self) -> Result<Connection, DemoError> {
        Connection::open(self.upstream).await
    }

    /// Tries a new connection and wants it to be refused before a byte comes back.
    pub(super) async fn expect_refusal(&self) -> Result<(), DemoError> {
        let attempt = async { self.connect().await?.ask("hello?").await };
        match tokio::time::timeout(PATIENCE, attempt).await {
            Ok(Err(_closed)) => Ok(()),
            Ok(Ok(_answer)) => Err(DemoError::Unexpected("a denied connection was answered")),
            Err(_elapsed) => Err(DemoError::Unexpected("a denied connection hangs")),
        }
    }

    /// Writes an intention, as any client of the API would.
    pub(super) async fn intend(
        &self,
        source: &str,
        destination: &str,
        action: &str,
    ) -> Result<(), DemoError> {
        let intention = json!({
            "SourceName": source,
            "DestinationName": destination,
            "SourceType": "consul",
            "Action": action,
        });
        self.client
            .post("/v1/connect/intentions", &intention)
            .await?;
        Ok(())
    }

    /// What the agent says about web and db now.
    pub(super) fn reason(&self) -> Result<String, DemoError> {
        let view = self.agent().server().view();
        let default = self.agent().settings().default_policy;
        let decision = view.state().intentions().decide("web", "db", default);
        Ok(decision.reason().to_string())
    }

    /// The whole story behind it.
    pub(super) fn explanation(&self) -> String {
        let view = self.agent().server().view();
        let default = self.agent().settings().default_policy;
        let decision = view.state().intentions().decide("web", "db", default);
        decision.explain().to_string()
    }

    fn agent(&self) -> &Arc<Agent> {
        self.running.agent()
    }

    /// Registers a service with a sidecar over the API, and starts the sidecar.
    async fn register(&mut self, name: &str, port: u16, proxy: Value) -> Result<(), DemoError> {
        let sidecar_port = free_port().await?;
        // The default check would first look at the sidecar in a few seconds: the demo need not
        // wait for it.
        let service = json!({
            "Name": name,
            "Port": port,
            "Connect": {"SidecarService": {
                "Port": sidecar_port,
                "Address": "127.0.0.1",
                "Proxy": proxy,
                "Check": {"Name": "sidecar", "TTL": "24h", "Status": "passing"},
            }},
        });
        self.client
            .put("/v1/agent/service/register", &[], Some(&service))
            .await?;
        let agent = AgentApi::new(self.client.clone());
        let proxy = Proxy::registered(agent, &format!("{name}-sidecar-proxy"));
        self.proxies
            .push(tokio::spawn(proxy.run(self.stop.clone())));
        Ok(())
    }

    /// Asks on new connections until one is let through: the sidecars hear of an intention a
    /// moment after it is acknowledged, and need one for their certificates at the start.
    pub(super) async fn ask_until_allowed(&self, line: &str) -> Result<String, DemoError> {
        let allowed = async {
            loop {
                if let Ok(mut connection) = self.connect().await
                    && let Ok(answer) = connection.ask(line).await
                {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, allowed)
            .await
            .map_err(|_elapsed| DemoError::Unexpected("no connection is let through"))
    }
}

/// An agent in development mode on a port that the system chooses.
fn config() -> Result<Config, DemoError> {
    let mut sources = Sources {
        dev: true,
        hostname: "demo".to_owned(),
        ..Sources::default()
    };
    sources
        .flags
        .push(("-http-port", "ports.http", FlagValue::Integer(0)));
    let (config, _warnings) = Config::load(&sources).map_err(DemoError::Config)?;
    Ok(config)
}

/// A port that is free now. Another process could take it before it is used; the demo then says
/// that it is in use.
async fn free_port() -> Result<u16, DemoError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok(listener.local_addr()?.port())
}
