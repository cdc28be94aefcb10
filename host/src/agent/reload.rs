//! Reading the configuration's services again, while the agent runs.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use chancery_core::{LocalError, Registration, RegistrationError};

use super::Agent;

/// Reads the services that the configuration names now, or says why it cannot be read.
pub type ServiceSource = dyn Fn() -> Result<Vec<Registration>, String> + Send + Sync;

/// Why the configuration was not read again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The configuration is wrong, and the one before goes on.
    #[error("{0}")]
    Configuration(String),
    /// This agent has none that could be read again.
    #[error("this agent was started without a configuration that can be read again")]
    NoSource,
    /// A service that is no longer named could not be forgotten.
    #[error(transparent)]
    NotForgotten(#[from] LocalError),
    /// A service is wrong. Those before it in the configuration are registered if it is refused
    /// only for want of room; otherwise none is.
    #[error("service {name:?}: {error}")]
    Service {
        /// Its name.
        name: String,
        /// What is wrong with it.
        error: RegistrationError,
    },
}

/// Where the configuration comes from, and that one reload comes after the other.
#[derive(Default)]
pub(super) struct Reload {
    source: OnceLock<Arc<ServiceSource>>,
    turn: tokio::sync::Mutex<()>,
}

impl Agent {
    /// Says where [`reload`](Self::reload) reads from. A second call changes nothing.
    pub fn reload_from(&self, source: Arc<ServiceSource>) {
        drop(self.reload.source.set(source));
    }

    /// Reads the configuration again: services that are new or changed are registered, those that
    /// are named no more are forgotten. All else in it counts from the next start.
    ///
    /// # Errors
    ///
    /// See [`ReloadError`].
    pub async fn reload(&self) -> Result<(), ReloadError> {
        let source = self.reload.source.get().ok_or(ReloadError::NoSource)?;
        let _turn = self.reload.turn.lock().await;
        let source = Arc::clone(source);
        let services = tokio::task::spawn_blocking(move || source())
            .await
            .unwrap_or_else(|error| Err(error.to_string()))
            .map_err(ReloadError::Configuration)?;
        self.register_all(services).await?;
        tracing::info!("the configuration's services were read again");
        Ok(())
    }

    async fn register_all(&self, services: Vec<Registration>) -> Result<(), ReloadError> {
        let settings = self.local.read(|state| state.settings().clone());
        let node = self.settings.node_name.as_str();
        let mut checked = Vec::with_capacity(services.len());
        for service in services {
            let name = service.name.clone();
            let service = service.check(node, &settings);
            checked.push(service.map_err(|error| ReloadError::Service { name, error })?);
        }
        let named: BTreeSet<_> = checked
            .iter()
            .map(|service| service.id().to_owned())
            .collect();
        for service in checked {
            let name = service.name().to_owned();
            self.local
                .register_configured(service)
                .await
                .map_err(|error| ReloadError::Service { name, error })?;
        }
        Ok(self.local.forget_configured(&named).await?)
    }
}
