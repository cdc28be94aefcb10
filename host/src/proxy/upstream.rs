//! An upstream: a local port through which the application reaches another service.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::proxy::agent_api::{Cursor, HealthEntry};
use crate::proxy::context::Context;
use crate::proxy::endpoints::{Endpoint, Endpoints, Occupied};
use crate::proxy::pipe::{Leftover, Pipe};
use crate::proxy::settings::UpstreamSettings;
use crate::proxy::tls::{Session, handshake};
use crate::proxy::watch::{Watched, follow};

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An open upstream listener. Dropping it closes the port; connections go on.
#[derive(Debug)]
pub(crate) struct UpstreamListener {
    closed: CancellationToken,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Outbound {
    context: Arc<Context>,
    settings: UpstreamSettings,
    endpoints: Endpoints,
    known: Watched<Vec<HealthEntry>>,
    /// One place for each connection that may be open.
    places: Arc<Semaphore>,
}

impl UpstreamListener {
    /// Opens `bind` and connects what comes to the service.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub(crate) async fn open(
        bind: &str,
        settings: UpstreamSettings,
        context: Arc<Context>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(bind).await?;
        let closed = CancellationToken::new();
        let stop = closed.clone();
        let (sender, known) = watch::channel(None);
        let places = context.limits().connections.min(Semaphore::MAX_PERMITS);
        let outbound = Arc::new(Outbound {
            places: Arc::new(Semaphore::new(places)),
            context,
            settings,
            endpoints: Endpoints::default(),
            known,
        });
        let task = tokio::spawn(async move {
            let agent = outbound.context.agent.clone();
            let settings = outbound.settings.clone();
            let what = format!("upstream {:?}", settings.service);
            let discover = follow(&what, sender, |cursor: Cursor| {
                let (agent, settings) = (agent.clone(), settings.clone());
                async move {
                    let datacenter = settings.datacenter.as_deref();
                    let service = &settings.service;
                    agent.connect_endpoints(service, datacenter, &cursor).await
                }
            });
            tokio::select! {
                () = discover => {}
                () = keep_endpoints(&outbound) => {}
                () = accept(listener, &outbound) => {}
                () = stop.cancelled() => {}
                () = outbound.context.stopping.cancelled() => {}
            }
        });
        Ok(Self { closed, task })
    }

    /// Closes the port. It is free when this returns.
    pub(crate) async fn close(mut self) {
        self.closed.cancel();
        drop((&mut self.task).await);
    }
}

impl Drop for UpstreamListener {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

async fn keep_endpoints(outbound: &Outbound) {
    let mut known = outbound.known.clone();
    while known.changed().await.is_ok() {
        let snapshot = known.borrow_and_update().clone();
        if let Some(snapshot) = snapshot {
            let service = &outbound.settings.service;
            outbound.endpoints.replace(service, &snapshot.value);
            let count = outbound.endpoints.len();
            tracing::debug!("upstream {service:?}: {count} healthy instances");
        }
    }
}

async fn accept(listener: TcpListener, outbound: &Arc<Outbound>) {
    let mut failing = false;
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                failing = false;
                let Ok(place) = Arc::clone(&outbound.places).try_acquire_owned() else {
                    let service = &outbound.settings.service;
                    tracing::warn!("upstream {service:?}: as many are open as may be");
                    continue;
                };
                let outbound = Arc::clone(outbound);
                tokio::spawn(async move {
                    serve(&outbound, stream, from).await;
                    drop(place);
                });
            }
            Err(error) => {
                if !failing {
                    let service = &outbound.settings.service;
                    tracing::error!("upstream {service:?}: cannot accept: {error}");
                }
                failing = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(outbound: &Arc<Outbound>, local: TcpStream, from: SocketAddr) {
    drop(local.set_nodelay(true));
    let stopping = outbound.context.stopping.clone();
    let reached = tokio::select! {
        // Boxed, so that what only the handshake needs is freed when it is over.
        reached = Box::pin(reach(outbound)) => reached,
        () = stopping.cancelled() => return,
    };
    let service = &outbound.settings.service;
    let reached = match reached {
        Ok(reached) => reached,
        Err(reason) => {
            tracing::error!("upstream {service:?}: failed to dial for {from}: {reason}");
            return;
        }
    };
    let Reached {
        session,
        peer,
        leftover,
        occupied,
    } = reached;
    let pool = outbound.context.pool.clone();
    let idle = outbound.context.limits().idle_timeout;
    let pipe = Pipe::new(session, peer, local, pool, leftover);
    let (carried, result) = pipe.run(&stopping, idle).await;
    drop(occupied);
    match result {
        Ok(ended) => tracing::debug!(
            "upstream {service:?}: connection of {from} ended: {ended:?}, {} bytes out, {} bytes in",
            carried.to_peer,
            carried.from_peer
        ),
        Err(error) => {
            tracing::debug!("upstream {service:?}: connection of {from} broke: {error}");
        }
    }
}

/// A peer that has proved to be the service wanted.
struct Reached {
    session: Session,
    peer: TcpStream,
    leftover: Leftover,
    occupied: Occupied,
}

/// Tries one endpoint after the other, within the bounds.
async fn reach(outbound: &Outbound) -> Result<Reached, String> {
    let deadline = Instant::now() + outbound.settings.connect_timeout;
    discover(outbound, deadline).await?;
    let attempts = outbound.context.limits().connect_attempts;
    let mut tried: Vec<Arc<Endpoint>> = Vec::new();
    let mut last = "no healthy instances found".to_owned();
    while tried.len() < attempts {
        let Some(endpoint) = outbound.endpoints.choose(&tried) else {
            break;
        };
        match timeout_at(deadline, connect(outbound, &endpoint, deadline)).await {
            Ok(Ok(reached)) => {
                endpoint.note(true);
                return Ok(reached);
            }
            Ok(Err(reason)) => last = format!("{}: {reason}", endpoint.address),
            Err(_) => {
                endpoint.note(false);
                let limit = outbound.settings.connect_timeout.as_millis();
                return Err(format!(
                    "{}: no connection within {limit} ms",
                    endpoint.address
                ));
            }
        }
        endpoint.note(false);
        tracing::debug!("upstream {:?}: {last}", outbound.settings.service);
        tried.push(endpoint);
    }
    match tried.len() {
        0 | 1 => Err(last),
        count => Err(format!("{count} instances tried, the last is {last}")),
    }
}

/// Waits for the first list of instances.
async fn discover(outbound: &Outbound, deadline: Instant) -> Result<(), String> {
    let mut known = outbound.known.clone();
    let waited = timeout_at(deadline, known.wait_for(Option::is_some)).await;
    let snapshot = waited
        .ok()
        .and_then(Result::ok)
        .and_then(|slot| slot.clone());
    let snapshot = snapshot.ok_or("its instances are not known yet")?;
    // The listener's own task may be behind by a moment.
    if outbound.endpoints.len() == 0 {
        let service = &outbound.settings.service;
        outbound.endpoints.replace(service, &snapshot.value);
    }
    Ok(())
}

async fn connect(
    outbound: &Outbound,
    endpoint: &Arc<Endpoint>,
    deadline: Instant,
) -> Result<Reached, String> {
    let occupied = endpoint.occupy();
    let limits = outbound.context.limits();
    let material = outbound.context.ready(deadline).await?;
    let mut peer = TcpStream::connect(&endpoint.address)
        .await
        .map_err(|error| error.to_string())?;
    drop(peer.set_nodelay(true));
    let route = material
        .route(&endpoint.wanted, &endpoint.address)
        .map_err(|error| error.to_string())?;
    let mut session = route.connect().map_err(|error| error.to_string())?;
    let (bytes, span) = (limits.handshake_bytes, limits.handshake_timeout);
    let leftover = handshake(&mut session, &mut peer, bytes, span)
        .await
        .map_err(|error| error.to_string())?;
    route
        .check(&session)
        .map_err(|refusal| refusal.to_string())?;
    Ok(Reached {
        session,
        peer,
        leftover,
        occupied,
    })
}
