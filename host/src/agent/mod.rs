//! The local agent: the services of this machine, their leafs, and the answer to "may this
//! connection happen?".

mod authorize;
pub mod ca;
mod issuer;
pub mod leafs;
pub mod local;
mod reload;
mod settings;

use std::sync::Arc;

use chancery_core::LocalState;

use crate::server::{AuthorityHost, Server};
pub use authorize::{AuthorizeError, Verdict};
use issuer::LeafIssuer;
use leafs::Leafs;
use local::LocalAgent;
pub use reload::{ReloadError, ServiceSource};
pub use settings::AgentSettings;

/// An agent with its server in one process.
pub struct Agent {
    settings: AgentSettings,
    server: Server,
    authority: AuthorityHost,
    leafs: Leafs,
    local: LocalAgent,
    reload: reload::Reload,
}

impl Agent {
    /// Puts the parts together. [`Agent::run`] must run beside it.
    #[must_use]
    pub fn new(
        settings: AgentSettings,
        server: Server,
        authority: AuthorityHost,
        local: LocalState,
    ) -> Self {
        let local = LocalAgent::new(local, server.clone());
        let source = LeafIssuer {
            server: server.clone(),
            authority: authority.clone(),
            local: local.clone(),
            datacenter: settings.datacenter.clone(),
        };
        let leafs = Leafs::new(Arc::new(source), server.clock());
        Self {
            settings,
            server,
            authority,
            leafs,
            local,
            reload: reload::Reload::default(),
        }
    }

    /// The agent's background work: effects of the authority, renewals, checks. Runs until
    /// dropped.
    pub async fn run(&self) {
        tokio::join!(
            self.authority.clone().run(),
            self.authority.watch_plugin(),
            self.leafs.clone().renew(),
            self.local.clone().run(),
        );
    }

    /// Whether the holder of a certificate for `uri` may connect to `target` now.
    ///
    /// Trust domain and datacenter are not compared: whoever asks has verified the certificate,
    /// and the chain proves them (Consul decides likewise).
    ///
    /// # Errors
    ///
    /// When the question makes no sense.
    pub fn authorize(&self, target: &str, uri: &str) -> Result<Verdict, AuthorizeError> {
        authorize::authorize(&self.server, self.settings.default_policy, target, uri)
    }

    /// What the agent was told about itself.
    #[must_use]
    pub const fn settings(&self) -> &AgentSettings {
        &self.settings
    }

    /// The server.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// The certificate authority.
    #[must_use]
    pub const fn authority(&self) -> &AuthorityHost {
        &self.authority
    }

    /// The leafs of this agent's services.
    #[must_use]
    pub const fn leafs(&self) -> &Leafs {
        &self.leafs
    }

    /// The services and checks of this agent.
    #[must_use]
    pub const fn local(&self) -> &LocalAgent {
        &self.local
    }
}
