//! An agent with its API on a port of its own, and a client that sends bytes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chancery_core::{
    Datacenter, DefaultPolicy, HashSeed, LocalSettings, LocalState, Node, NodeId, NodeName,
};
use chancery_providers::{OptionMap, SecretOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::agent::{Agent, AgentSettings};
use crate::clock::Clock;
use crate::http::{Api, HttpSettings, serve};
use crate::server::{AuthorityHost, Server, TABLES};
use crate::store::{MemoryStore, Sealer};

/// Nothing in these tests takes longer, unless it hangs.
pub(super) const SOON: Duration = Duration::from_secs(20);

pub(super) struct Served {
    pub(super) address: SocketAddr,
    pub(super) agent: Arc<Agent>,
    pub(super) shutdown: CancellationToken,
    pub(super) task: JoinHandle<()>,
}

/// Serves the API of a new agent without certificates, with settings to a test's taste.
pub(super) async fn serve_with(adjust: impl FnOnce(&mut HttpSettings)) -> Served {
    let store = Arc::new(MemoryStore::new(&TABLES));
    let (server, _writer) = Server::start(store, HashSeed([1, 2]), Clock::start())
        .await
        .unwrap();
    let datacenter = Datacenter::parse("dc1").unwrap();
    let sealer = Arc::new(Sealer::ephemeral().unwrap());
    let authority = AuthorityHost::new(server.clone(), sealer, datacenter.clone());
    let node = Node::new(NodeId::from_bytes([1; 16]), "n1", "127.0.0.1");
    let local = LocalState::new(node, LocalSettings::default(), 1);
    let settings = AgentSettings {
        datacenter,
        node_name: NodeName::parse("n1").unwrap(),
        node_id: NodeId::from_bytes([1; 16]),
        node_meta: [].into(),
        advertise: IpAddr::V4(Ipv4Addr::LOCALHOST),
        dev: false,
        connect: true,
        default_policy: DefaultPolicy::AclsDisabled,
        data_dir: None,
    };
    let agent = Arc::new(Agent::new(settings, server, authority, local));
    let mut http = HttpSettings::default();
    adjust(&mut http);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let api = Api::new(Arc::clone(&agent), http);
    let task = tokio::spawn(serve(listener, api, shutdown.clone()));
    Served {
        address,
        agent,
        shutdown,
        task,
    }
}

/// Serves the API of a new agent that has a certificate authority at work.
pub(super) async fn serve_ca() -> Served {
    let served = serve_with(|_| {}).await;
    let authority = served.agent.authority();
    authority
        .found("consul", OptionMap::new(), &SecretOptions::default())
        .await
        .unwrap();
    authority.settle().await;
    let agent = Arc::clone(&served.agent);
    tokio::spawn(async move { agent.run().await });
    served
}

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Served {
    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes on a connection of their own and reads what comes until it is closed.
    pub(super) async fn exchange(&self, bytes: &[u8]) -> Reply {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        read_reply(&mut stream).await
    }

    /// A request without a body.
    pub(super) async fn get(&self, path: &str) -> Reply {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        self.exchange(request.as_bytes()).await
    }

    /// A request with a body and further header lines.
    pub(super) async fn send(&self, line: &str, headers: &str, body: &str) -> Reply {
        let request = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\
             {headers}\r\n{body}",
            body.len()
        );
        self.exchange(request.as_bytes()).await
    }

    /// Creates an intention and answers with the index of all of them.
    pub(super) async fn intend(&self, source: &str, destination: &str) -> u64 {
        let body = format!(
            "{{\"SourceName\":\"{source}\",\"DestinationName\":\"{destination}\",\"Action\":\"deny\"}}"
        );
        let reply = self.send("POST /v1/connect/intentions", "", &body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        self.get("/v1/connect/intentions").await.index()
    }
}

impl Reply {
    pub(super) fn index(&self) -> u64 {
        let line = self
            .head
            .lines()
            .find_map(|line| line.strip_prefix("X-Consul-Index: "));
        line.unwrap().parse().unwrap()
    }
}

/// Reads until the connection is closed. Status 0 if nothing comes.
pub(super) async fn read_reply(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    // A reset after an answer is an end like any other.
    let end = tokio::time::timeout(SOON, stream.read_to_end(&mut bytes)).await;
    drop(end.expect("the connection was left open"));
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Reply {
        status: status.unwrap_or(0),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}
