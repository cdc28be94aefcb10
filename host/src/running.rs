//! An agent from its configuration to its end.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chancery_core::{DefaultPolicy, LocalSettings, LocalState, Node, NodeId, RegistrationError};
use chancery_providers::Surroundings;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::{Agent, AgentSettings};
use crate::clock::Clock;
use crate::config::{Config, DefaultIntentionPolicy};
use crate::http::{self, HttpLimits, HttpSettings, SocketFile};
use crate::random::{self, NoRandomness};
use crate::server::{AuthorityFailure, AuthorityHost, Server, StartError, TABLES};
use crate::store::{
    DataDir, DataDirError, FileStore, Folder, MemoryStore, SealError, Sealer, Store, StoreError,
};

/// How long a start may wait for the provider to make the first root.
const FIRST_ROOT: Duration = Duration::from_secs(2);

/// Why an agent did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The certificate authority cannot be set up.
    #[error("connect: {0}")]
    Authority(#[from] AuthorityFailure),
    /// The data directory cannot be used.
    #[error("data_dir: {0}")]
    DataDir(#[from] DataDirError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address} for HTTP: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// There is no randomness.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// The seal key cannot be used.
    #[error("seal key: {0}")]
    Seal(#[from] SealError),
    /// A service of the configuration cannot be registered.
    #[error("service {name:?}: {error}")]
    Service {
        /// Its name.
        name: String,
        /// What is wrong with it.
        error: RegistrationError,
    },
    /// A socket in the file system cannot be listened on.
    #[error("cannot listen on unix://{} for HTTP: {error}", path.display())]
    Socket {
        /// Where it would be.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The state cannot be loaded.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The folder in the data directory for what clients registered at this agent.
const REGISTERED: &str = "registered";

/// The folder in the data directory for compiled plugins.
const COMPILED_PLUGINS: &str = "plugins";

/// An agent at work.
pub struct Running {
    agent: Arc<Agent>,
    addresses: Vec<SocketAddr>,
    sockets: Vec<PathBuf>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    background: JoinHandle<()>,
    writer: JoinHandle<Result<(), Arc<StoreError>>>,
    store: Arc<dyn Store>,
}

impl Running {
    /// Starts an agent: store, server, authority, services, HTTP, in this order. When this
    /// returns, the API is being served.
    ///
    /// # Errors
    ///
    /// See [`RunError`]. Nothing is left running.
    pub async fn start(config: &Config) -> Result<Self, RunError> {
        let listeners = listen(&config.http.listeners).await?;
        let sockets = listen_in_files(config)?;
        let clock = Clock::start();
        let Opened {
            store,
            sealer,
            registered,
            directory,
        } = open_store(config)?;
        let seed = random::hash_seed()?;
        let (server, writer) = Server::start(Arc::clone(&store), seed, clock).await?;
        let authority = AuthorityHost::within(
            server.clone(),
            sealer,
            config.datacenter.clone(),
            surroundings(config),
        );
        if config.connect.enabled {
            let ca = &config.connect.ca;
            let secrets = ca.config.secrets.clone().into_iter().collect();
            authority
                .found(&ca.provider, ca.config.settings.clone(), &secrets)
                .await?;
            // A provider that takes longer is waited for in the background.
            drop(tokio::time::timeout(FIRST_ROOT, authority.settle()).await);
        }
        let settings = agent_settings(config, &server, directory)?;
        let local = local_state(config, &settings)?;
        let agent = Arc::new(Agent::new(settings, server, authority, local));
        if let Some(folder) = registered {
            agent.local().restore(folder)?;
        }
        register_services(config, &agent).await?;
        let background = tokio::spawn({
            let agent = Arc::clone(&agent);
            async move { agent.run().await }
        });
        let shutdown = CancellationToken::new();
        let tasks = TaskTracker::new();
        let (mut addresses, mut paths) = (Vec::new(), Vec::new());
        let api = http::Api::new(Arc::clone(&agent), http_settings(config));
        for (listener, address) in listeners {
            addresses.push(address);
            tasks.spawn(http::serve(listener, api.clone(), shutdown.clone()));
        }
        for socket in sockets {
            paths.push(socket.path().to_owned());
            tasks.spawn(http::serve(socket, api.clone(), shutdown.clone()));
        }
        tasks.close();
        Ok(Self {
            agent,
            addresses,
            sockets: paths,
            shutdown,
            tasks,
            background,
            writer,
            store,
        })
    }

    /// The agent.
    #[must_use]
    pub const fn agent(&self) -> &Arc<Agent> {
        &self.agent
    }

    /// Where the HTTP API listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where it listens in the file system.
    #[must_use]
    pub fn sockets(&self) -> &[PathBuf] {
        &self.sockets
    }

    /// Answers blocked queries, finishes requests, stores what was accepted, and ends.
    ///
    /// # Errors
    ///
    /// When the store could not be closed; what was acknowledged is stored all the same.
    pub async fn stop(self) -> Result<(), StoreError> {
        self.shutdown.cancel();
        self.tasks.wait().await;
        self.background.abort();
        // Its end is expected; a panic in it was logged where it happened.
        drop(self.background.await);
        drop(self.agent);
        self.writer.abort();
        drop(self.writer.await);
        self.store.close().await
    }
}

/// Compiled plugins are kept beside the state, and nowhere if there is none.
fn surroundings(config: &Config) -> Surroundings {
    let cache = config.data_dir.as_ref();
    Surroundings {
        plugin_dir: config.plugin_dir.clone(),
        cache_dir: cache.map(|data_dir| data_dir.join(COMPILED_PLUGINS)),
    }
}

async fn listen(addresses: &[SocketAddr]) -> Result<Vec<(TcpListener, SocketAddr)>, RunError> {
    let mut listeners = Vec::new();
    for address in addresses.iter().copied() {
        let failed = |error| RunError::Listen { address, error };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        listeners.push((listener, bound));
    }
    Ok(listeners)
}

fn listen_in_files(config: &Config) -> Result<Vec<SocketFile>, RunError> {
    let mode = config.http.socket_mode;
    let bind = |path: &PathBuf| {
        SocketFile::bind(path, mode).map_err(|error| RunError::Socket {
            path: path.clone(),
            error,
        })
    };
    config.http.sockets.iter().map(bind).collect()
}

/// What an agent finds of its earlier life.
struct Opened {
    store: Arc<dyn Store>,
    sealer: Arc<Sealer>,
    /// What clients registered; nothing survives in memory.
    registered: Option<Folder>,
    directory: Option<DataDir>,
}

fn open_store(config: &Config) -> Result<Opened, RunError> {
    let Some(path) = &config.data_dir else {
        return Ok(Opened {
            store: Arc::new(MemoryStore::new(&TABLES)),
            sealer: Arc::new(Sealer::ephemeral()?),
            registered: None,
            directory: None,
        });
    };
    let directory = DataDir::open_or_create(path)?;
    // Before the store: the key's absence is an error once there is one.
    let sealer = Sealer::open_or_create(&directory, config.seal_key_file.as_deref())?;
    let store = FileStore::open(&directory, &TABLES)?;
    Ok(Opened {
        store: Arc::new(store),
        sealer: Arc::new(sealer),
        registered: Some(directory.folder(REGISTERED)?),
        directory: Some(directory),
    })
}

fn agent_settings(
    config: &Config,
    server: &Server,
    data_dir: Option<DataDir>,
) -> Result<AgentSettings, NoRandomness> {
    let view = server.view();
    let known = view.state().catalog().node(config.node.name.as_str());
    let node_id = match (config.node.id, known) {
        (Some(id), _) => id,
        (None, Some(node)) => node.id,
        (None, None) => NodeId::from_bytes(random::uuid()?),
    };
    let loopback_only = config
        .http
        .listeners
        .iter()
        .all(|address| address.ip().is_loopback());
    Ok(AgentSettings {
        datacenter: config.datacenter.clone(),
        node_name: config.node.name.clone(),
        node_id,
        node_meta: config.node.meta.clone(),
        advertise: config
            .node
            .advertise_address
            .unwrap_or_else(|| own_address(config.node.bind_address, loopback_only)),
        dev: config.dev,
        connect: config.connect.enabled,
        default_policy: match config.default_intention_policy {
            DefaultIntentionPolicy::Allow => DefaultPolicy::AclsDisabled,
            DefaultIntentionPolicy::Deny => DefaultPolicy::Deny,
        },
        data_dir,
    })
}

/// The address to tell others when nobody said one: the one that is bound to, or the one from
/// which the machine would reach another. No packet is sent to find out.
fn own_address(bound: IpAddr, loopback_only: bool) -> IpAddr {
    if !bound.is_unspecified() {
        return bound;
    }
    let towards_outside = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        // An address for documentation (RFC 5737): routed like any other, and nobody's.
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    (!loopback_only)
        .then(towards_outside)
        .flatten()
        .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

fn http_settings(config: &Config) -> HttpSettings {
    let mut settings = HttpSettings::default();
    settings.host_names.clone_from(&config.http.allowed_hosts);
    settings.limits = HttpLimits::from(&config.limits);
    settings
}

#[expect(
    clippy::field_reassign_with_default,
    reason = "the settings may grow, so only their own crate can write them out"
)]
fn local_state(config: &Config, settings: &AgentSettings) -> Result<LocalState, NoRandomness> {
    let mut node = Node::new(
        settings.node_id,
        settings.node_name.as_str(),
        settings.advertise.to_string(),
    );
    for kind in ["lan", "wan"] {
        node.tagged_addresses
            .insert(kind.to_owned(), settings.advertise.to_string());
        let exact = if settings.advertise.is_ipv4() {
            format!("{kind}_ipv4")
        } else {
            format!("{kind}_ipv6")
        };
        node.tagged_addresses
            .insert(exact, settings.advertise.to_string());
    }
    node.meta.clone_from(&settings.node_meta);
    // Consul's clients expect the key on every node.
    node.meta
        .entry("consul-network-segment".to_owned())
        .or_default();
    let mut local = LocalSettings::default();
    local.sidecar_ports = config.sidecar_ports.clone();
    let seed = u64::from_le_bytes(random::bytes()?);
    Ok(LocalState::new(node, local, seed))
}

async fn register_services(config: &Config, agent: &Agent) -> Result<(), RunError> {
    let settings = agent.local().read(|state| state.settings().clone());
    let node = agent.settings().node_name.as_str();
    for definition in &config.services {
        let registration = definition.registration.clone();
        let named = |error| RunError::Service {
            name: definition.registration.name.clone(),
            error,
        };
        let checked = registration.check(node, &settings).map_err(named)?;
        agent
            .local()
            .register_configured(checked)
            .await
            .map_err(named)?;
    }
    Ok(())
}
