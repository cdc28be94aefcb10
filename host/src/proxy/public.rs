//! The public listener: strangers come in here, and only proven and permitted peers reach the
//! application.
//!
//! In this order: a place among the bounded, the handshake with its bounds, the peer's chain
//! and identity, its right to connect, and only then a connection to the application. A port
//! scan or a health check never makes the application accept anything.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use chancery_core::VerifiedPeer;

use crate::proxy::context::Context;
use crate::proxy::judge::Judge;
use crate::proxy::pipe::{Leftover, Pipe, linger};
use crate::proxy::registry::{ConnectionHandle, Registry};
use crate::proxy::tls::{HandshakeError, Refusal, Session, SessionError, handshake};

/// The pause after the operating system refused to accept (no descriptors left, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An open public listener. Dropping it closes the port; connections go on.
#[derive(Debug)]
pub(crate) struct PublicListener {
    closed: CancellationToken,
    task: JoinHandle<()>,
    inbound: Arc<Inbound>,
}

/// What a public listener needs to know.
#[derive(Debug)]
pub(crate) struct Inbound {
    context: Arc<Context>,
    judge: Arc<Judge>,
    registry: Registry,
    /// `address:port` of the application.
    local: Mutex<String>,
}

impl Inbound {
    pub(crate) fn new(
        context: Arc<Context>,
        judge: Arc<Judge>,
        registry: Registry,
        local: &str,
    ) -> Self {
        Self {
            context,
            judge,
            registry,
            local: Mutex::new(local.to_owned()),
        }
    }

    fn local(&self) -> MutexGuard<'_, String> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PublicListener {
    /// Opens `bind` and serves what comes.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub(crate) async fn open(bind: &str, inbound: Inbound) -> io::Result<Self> {
        let listener = TcpListener::bind(bind).await?;
        let closed = CancellationToken::new();
        let stop = closed.clone();
        let inbound = Arc::new(inbound);
        let accepting = Arc::clone(&inbound);
        let task = tokio::spawn(async move {
            let inbound = accepting;
            tokio::select! {
                () = accept(listener, &inbound) => {}
                () = stop.cancelled() => {}
                () = inbound.context.stopping.cancelled() => {}
            }
        });
        Ok(Self {
            closed,
            task,
            inbound,
        })
    }

    /// Leads new connections to another address of the application.
    pub(crate) fn set_local(&self, local: &str) {
        local.clone_into(&mut self.inbound.local());
    }

    /// Closes the port. It is free when this returns.
    pub(crate) async fn close(mut self) {
        self.closed.cancel();
        drop((&mut self.task).await);
    }
}

impl Drop for PublicListener {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

async fn accept(listener: TcpListener, inbound: &Arc<Inbound>) {
    let mut failing = false;
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                failing = false;
                begin(inbound, stream, from);
            }
            Err(error) => {
                if !failing {
                    tracing::error!("public listener: cannot accept: {error}");
                }
                failing = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn begin(inbound: &Arc<Inbound>, stream: TcpStream, from: SocketAddr) {
    let handle = match inbound.registry.admit(from.ip()) {
        Ok(handle) => handle,
        Err(refusal) => {
            tracing::warn!("refused a connection from {from}: {refusal}");
            return;
        }
    };
    let inbound = Arc::clone(inbound);
    tokio::spawn(async move {
        // Boxed, so that what only the handshake needs is freed when it is over.
        let established = Box::pin(establish(&inbound, stream, from, handle)).await;
        match established {
            Ok(established) => carry(&inbound, established, from).await,
            Err(refused) => refused.log(from),
        }
    });
}

/// A connection with a proven, permitted peer, and the application's side of it.
struct Established {
    pipe: Pipe,
    handle: ConnectionHandle,
    idle: Option<Duration>,
}

async fn carry(inbound: &Inbound, established: Established, from: SocketAddr) {
    let Established { pipe, handle, idle } = established;
    let (carried, result) = pipe.run(handle.cut(), idle).await;
    drop(handle);
    let stopping = inbound.context.stopping.is_cancelled();
    match result {
        Ok(ended) if !stopping => tracing::debug!(
            "connection from {from} ended: {ended:?}, {} bytes in, {} bytes out",
            carried.from_peer,
            carried.to_peer
        ),
        Ok(_) => {}
        Err(error) => tracing::debug!("connection from {from} broke: {error}"),
    }
}

/// Why a connection was not carried.
enum Refused {
    /// Cut in the handshake for a newcomer, or because the proxy stops.
    Cut,
    /// The handshake failed before there was a peer to speak of.
    Handshake(HandshakeError),
    /// The application cannot be reached.
    Local { address: String, error: String },
    /// The proxy cannot judge anybody now.
    NotReady(String),
    /// The certificate or the identity was refused.
    Peer(String),
    /// The peer may not connect.
    Denied { peer: String, reason: String },
}

impl Refused {
    fn log(&self, from: SocketAddr) {
        match self {
            Self::Cut => tracing::debug!("dropped {from} in its handshake"),
            Self::Handshake(HandshakeError::Closed) => {
                tracing::debug!("{from} went away in its handshake");
            }
            other => tracing::error!("refused a connection from {from}: {other}"),
        }
    }
}

impl From<HandshakeError> for Refused {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Session(SessionError::Refused(refusal)) => refusal.into(),
            error => Self::Handshake(error),
        }
    }
}

impl From<Refusal> for Refused {
    fn from(Refusal { peer, reason }: Refusal) -> Self {
        match peer {
            Some(peer) => Self::Denied {
                peer: peer.to_string(),
                reason,
            },
            None => Self::Peer(reason),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("there are too many handshakes"),
            Self::Handshake(error) => error.fmt(f),
            Self::Local { address, error } => {
                write!(f, "the application at {address} cannot be reached: {error}")
            }
            Self::NotReady(reason) => f.write_str(reason),
            Self::Peer(reason) => write!(f, "certificate refused: {reason}"),
            Self::Denied { peer, reason } => write!(f, "denied: peer={peer} reason=\"{reason}\""),
        }
    }
}

async fn establish(
    inbound: &Inbound,
    mut stream: TcpStream,
    from: SocketAddr,
    mut handle: ConnectionHandle,
) -> Result<Established, Refused> {
    let cut = handle.cut().clone();
    let limits = inbound.context.limits();
    let work = async {
        drop(stream.set_nodelay(true));
        let deadline = Instant::now() + limits.handshake_timeout;
        let ready = inbound.context.ready_to_judge(deadline).await;
        let material = ready.map_err(Refused::NotReady)?;
        let mut session = material
            .accept()
            .map_err(|error| Refused::Handshake(HandshakeError::Session(error.into())))?;
        let (bytes, span) = (limits.handshake_bytes, limits.handshake_timeout);
        let shaken = handshake(&mut session, &mut stream, bytes, span).await;
        let leftover = shaken.map_err(Refused::from)?;
        let peer = material.peer(&session);
        drop(material);
        let peer = match peer {
            Ok(peer) => peer,
            Err(refusal) => {
                linger(&mut stream).await;
                return Err(Refused::from(refusal));
            }
        };
        permit(inbound, &mut stream, &mut handle, &peer).await?;
        let address = inbound.local().clone();
        let local = dial(&address, limits.local_connect_timeout).await?;
        tracing::debug!("connection from {from}: {} is let in", peer.id());
        Ok(join(inbound, session, stream, local, leftover))
    };
    let pipe = tokio::select! {
        pipe = work => pipe?,
        () = cut.cancelled() => return Err(Refused::Cut),
    };
    Ok(Established {
        pipe,
        handle,
        idle: limits.idle_timeout,
    })
}

/// Enters the peer among the living, and asks a last time whether it may be.
async fn permit(
    inbound: &Inbound,
    stream: &mut TcpStream,
    handle: &mut ConnectionHandle,
    peer: &VerifiedPeer,
) -> Result<(), Refused> {
    handle.enter(peer.id());
    let serial = peer.serial().to_string();
    let agent = &inbound.context.agent;
    let verdict = inbound.judge.decide(agent, peer.id(), &serial).await;
    if let Err(reason) = verdict {
        linger(stream).await;
        return Err(Refused::Denied {
            peer: peer.id().to_string(),
            reason: reason.to_string(),
        });
    }
    Ok(())
}

async fn dial(address: &str, deadline: Duration) -> Result<TcpStream, Refused> {
    let failed = |error: String| Refused::Local {
        address: address.to_owned(),
        error,
    };
    match timeout(deadline, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => {
            drop(stream.set_nodelay(true));
            Ok(stream)
        }
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed(format!(
            "no answer within {} ms",
            deadline.as_millis()
        ))),
    }
}

fn join(
    inbound: &Inbound,
    session: Session,
    peer: TcpStream,
    local: TcpStream,
    leftover: Leftover,
) -> Pipe {
    Pipe::new(session, peer, local, inbound.context.pool.clone(), leftover)
}
