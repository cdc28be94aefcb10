//! What handlers work with.

use std::net::SocketAddr;
use std::sync::Arc;

use chancery_core::Revision;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::params;
use super::query::Query;
use super::request::Request;
use super::settings::HttpSettings;
use super::slots::Slots;
use super::{answer::Answer, error::ApiError};
use crate::agent::Agent;
use crate::server::Server;

/// The API of one agent. [`serve`](super::serve()) makes it answer.
///
/// Clones are the same: an agent with several listeners has one of them for each, and its bounds
/// on blocking queries and on large bodies hold for all of them together.
#[derive(Clone)]
pub struct Api {
    pub(super) agent: Arc<Agent>,
    pub(super) settings: HttpSettings,
    pub(super) blocked: Arc<Slots>,
    /// Whether requests are looked at for signs of a foreign web page.
    pub(super) guarded: bool,
    /// Bytes that large bodies may still take.
    pub(super) bodies: Arc<Semaphore>,
    /// Cancelled when blocked queries must come to an end.
    pub(super) shutdown: CancellationToken,
}

impl Api {
    /// The API of `agent`, whose [`run`](Agent::run) must run beside it.
    #[must_use]
    pub fn new(agent: Arc<Agent>, settings: HttpSettings) -> Self {
        let limits = &settings.limits;
        Self {
            blocked: Slots::new(limits.blocked, limits.blocked_per_client),
            bodies: Arc::new(Semaphore::new(limits.bodies.min(Semaphore::MAX_PERMITS))),
            guarded: true,
            shutdown: CancellationToken::new(),
            agent,
            settings,
        }
    }

    pub(super) fn server(&self) -> &Server {
        self.agent.server()
    }

    pub(super) fn datacenter(&self) -> &str {
        self.agent.settings().datacenter.as_str()
    }

    /// Where the server would speak to other servers, as `/v1/status/leader` says it.
    pub(super) fn server_address(&self) -> String {
        let advertise = self.agent.settings().advertise;
        SocketAddr::new(advertise, self.settings.server_port).to_string()
    }

    /// Refuses a datacenter that is not this one.
    pub(super) fn require_own_datacenter(&self, query: &Query) -> Result<(), ApiError> {
        params::require_datacenter(query, self.datacenter())
    }

    /// Refuses if Connect is off.
    pub(super) fn require_connect(&self) -> Result<(), ApiError> {
        if self.agent.settings().connect {
            Ok(())
        } else {
            Err(ApiError::connect_disabled())
        }
    }

    /// A JSON answer with index headers.
    pub(super) fn indexed<T: serde::Serialize + ?Sized>(
        request: &Request,
        value: &T,
        index: Revision,
    ) -> Result<Answer, ApiError> {
        Ok(Answer::json(value, request.style)?.with_index(index))
    }
}
