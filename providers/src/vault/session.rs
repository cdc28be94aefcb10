//! Everything a configured provider calls Vault with.

use std::sync::Arc;
use std::time::Duration;

use chancery_core::TrustDomain;
use rustify::endpoint::Endpoint;
use serde::de::DeserializeOwned;

use super::failure::Failure;
use super::keeper::Keeper;
use super::options::{Place, VaultOptions};
use super::transport::Transport;
use crate::{CaOptions, ConfigureRequest, ErrorKind, ProviderError};

/// A connection with a token, and what was configured.
pub(super) struct Session {
    transport: Arc<Transport>,
    keeper: Keeper,
    pub(super) address: String,
    pub(super) root: Place,
    pub(super) intermediate: Place,
    pub(super) shared: CaOptions,
    pub(super) trust_domain: TrustDomain,
}

impl Session {
    pub(super) async fn open(request: &ConfigureRequest) -> Result<Self, ProviderError> {
        let options = VaultOptions::parse(request)?;
        let transport = Arc::new(Transport::new(&options.address, &options.tls)?);
        let keeper =
            Keeper::start(Arc::clone(&transport), options.namespace, options.method).await?;
        Ok(Self {
            transport,
            keeper,
            address: options.address,
            root: options.root,
            intermediate: options.intermediate,
            shared: options.shared,
            trust_domain: request.trust_domain.clone(),
        })
    }

    /// Makes a call in the namespace of `place`, with another token if the first is refused.
    pub(super) async fn call<T: DeserializeOwned + Default>(
        &self,
        place: &Place,
        endpoint: impl Endpoint,
    ) -> Result<T, Failure> {
        let token = self.keeper.token();
        let namespace = place.namespace.as_str();
        let answer = self
            .transport
            .data(&endpoint, namespace, Some(&token))
            .await;
        match answer {
            Err(failure) if failure.is_forbidden() => match self.keeper.instead_of(&token).await {
                Some(other) => {
                    self.transport
                        .data(&endpoint, namespace, Some(&other))
                        .await
                }
                None => Err(failure),
            },
            answer => answer,
        }
    }

    /// Whether the server answers to the token, and how long that lives on if nothing keeps it.
    pub(super) async fn outlook(&self) -> Result<Option<Duration>, ProviderError> {
        match self.keeper.look().await {
            Ok(()) => Ok(self.keeper.ends_in()),
            Err(failure) => Err(self.explain(failure).await),
        }
    }

    /// What a failed call means: a right that is missing and a token that is over look alike to
    /// the server, but not to whoever has to mend it.
    pub(super) async fn explain(&self, failure: Failure) -> ProviderError {
        if !failure.is_forbidden() {
            return failure.into();
        }
        let error = ProviderError::from(failure);
        if self.keeper.is_over().await {
            return ProviderError::new(
                ErrorKind::Unauthorised,
                format!("{error}\n\nthe Vault token has ended or was revoked"),
            );
        }
        error
    }
}
