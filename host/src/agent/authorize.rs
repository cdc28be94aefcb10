//! "May this connection happen?", answered from memory.

use chancery_core::{DefaultPolicy, SpiffeId};

use crate::server::Server;

/// Why the question was not answered. The texts are Consul's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// No target was named.
    #[error("Target service must be specified")]
    NoTarget,
    /// The caller's URI is no SPIFFE ID of ours.
    #[error("ClientCertURI not a valid Connect identifier")]
    NotAnIdentity,
    /// It is one, but no service's: agents and the authority open no connections.
    #[error("ClientCertURI not a valid Service identifier")]
    NotAService,
}

/// The answer, with the reason in Consul's words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// Whether the connection may happen.
    pub authorized: bool,
    /// Which intention decided, or which default.
    pub reason: String,
}

/// See [`Agent::authorize`](super::Agent::authorize).
pub(super) fn authorize(
    server: &Server,
    default: DefaultPolicy,
    target: &str,
    uri: &str,
) -> Result<Verdict, AuthorizeError> {
    if target.is_empty() {
        return Err(AuthorizeError::NoTarget);
    }
    let identity = SpiffeId::parse(uri).map_err(|_refused| AuthorizeError::NotAnIdentity)?;
    let SpiffeId::Service(source) = identity else {
        return Err(AuthorizeError::NotAService);
    };
    let view = server.view();
    let decision = view
        .state()
        .intentions()
        .decide(source.service().as_str(), target, default);
    Ok(Verdict {
        authorized: decision.allowed(),
        reason: decision.reason().to_string(),
    })
}
