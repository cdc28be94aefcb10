//! The certificate authority's hands: it carries out what core's authority wants done, and signs
//! leafs by the published view.

mod desk;
mod effects;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use chancery_core::{
    AuthorityCommand, CaConfiguration, Caller, Command, Datacenter, Epoch, Lifetimes, OperationId,
    Sealed, Secret,
};
use chancery_providers::{
    CaOptions, CaProvider, ConfigureRequest, Deadlines, Guard, GuardSettings, Limits, OptionMap,
    ProviderError, SecretOptions, create, signature_check, split_secrets,
};

use super::{Server, SubmitError};
use crate::crypto;
use crate::random::{self, NoRandomness};
use crate::store::{SealError, Sealer};

pub use desk::SignError;

/// Contexts bind a sealed value to its place, so that one cannot be put where another belongs.
const SECRETS_CONTEXT: &str = "ca-configuration-secrets";

/// Why the authority could not be set up, or an effect not be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityFailure {
    /// The provider cannot do it.
    #[error("the CA provider {provider:?} failed: {error}")]
    Provider {
        /// The provider's name.
        provider: String,
        /// What it said.
        error: ProviderError,
    },
    /// There is no trust domain yet.
    #[error("cluster has no CA bootstrapped yet")]
    NotFounded,
    /// The options are wrong. The text is Consul's.
    #[error("error configuring provider: {0}")]
    Options(ProviderError),
    /// There is no randomness.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// What was sealed cannot be opened, or not be sealed.
    #[error("the CA's secrets cannot be used: {0}")]
    Seal(#[from] SealError),
    /// The change was not committed.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

/// The authority of this server. Clones are the same.
#[derive(Clone)]
pub struct AuthorityHost {
    inner: Arc<Inner>,
}

struct Inner {
    server: Server,
    sealer: Arc<Sealer>,
    datacenter: Datacenter,
    /// The provider that signs, for its epoch.
    active: ArcSwapOption<Active>,
    /// Held while a provider is configured, so that it happens once.
    configuring: tokio::sync::Mutex<()>,
}

struct Active {
    epoch: Epoch,
    guard: Guard<Box<dyn CaProvider>>,
    options: CaOptions,
}

impl AuthorityHost {
    /// An authority that has done nothing yet. [`AuthorityHost::run`] must run beside it.
    #[must_use]
    pub fn new(server: Server, sealer: Arc<Sealer>, datacenter: Datacenter) -> Self {
        Self {
            inner: Arc::new(Inner {
                server,
                sealer,
                datacenter,
                active: ArcSwapOption::empty(),
                configuring: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// Founds the trust domain with this provider, if there is no CA state at all; otherwise
    /// what is stored counts, and the file's configuration is only compared with it.
    ///
    /// # Errors
    ///
    /// When the configuration is wrong, or cannot be stored.
    pub async fn found(
        &self,
        provider: &str,
        options: OptionMap,
        secrets: &SecretOptions,
    ) -> Result<(), AuthorityFailure> {
        let configuration = self.configuration(provider, with_defaults(options), secrets)?;
        let view = self.inner.server.view();
        if let Some(stored) = view.state().authority().configuration() {
            if stored.provider != configuration.provider || stored.options != configuration.options
            {
                tracing::warn!(
                    file = configuration.provider,
                    state = stored.provider,
                    "the configuration file describes another CA than the stored state: the \
                     state counts, the file's CA settings are ignored"
                );
            }
            return Ok(());
        }
        let command = AuthorityCommand::Bootstrap {
            cluster_id: random::uuid()?,
            configuration,
            operation: OperationId::from_bytes(random::bytes()?),
        };
        self.submit(command).await
    }

    fn configuration(
        &self,
        provider: &str,
        options: OptionMap,
        secrets: &SecretOptions,
    ) -> Result<CaConfiguration, AuthorityFailure> {
        create(provider).map_err(|error| AuthorityFailure::Provider {
            provider: provider.to_owned(),
            error,
        })?;
        let parsed = CaOptions::parse(&options).map_err(AuthorityFailure::Options)?;
        let mut configuration = CaConfiguration::new(provider, options, lifetimes(&parsed));
        if !secrets.is_empty() {
            let text = secrets_to_json(secrets);
            configuration.secrets = Some(self.inner.sealer.seal(&text, SECRETS_CONTEXT)?);
        }
        Ok(configuration)
    }

    /// The provider of `epoch`, configured: the one that is active, or a new one made from what
    /// is committed.
    async fn provider(
        &self,
        epoch: Epoch,
        configuration: &CaConfiguration,
        state: Option<&Sealed>,
    ) -> Result<Arc<Active>, AuthorityFailure> {
        if let Some(active) = self.active(epoch) {
            return Ok(active);
        }
        let _once = self.inner.configuring.lock().await;
        if let Some(active) = self.active(epoch) {
            return Ok(active);
        }
        let active = Arc::new(self.configure(epoch, configuration, state).await?);
        self.inner.active.store(Some(Arc::clone(&active)));
        Ok(active)
    }

    fn active(&self, epoch: Epoch) -> Option<Arc<Active>> {
        self.inner
            .active
            .load_full()
            .filter(|active| active.epoch == epoch)
    }

    async fn configure(
        &self,
        epoch: Epoch,
        configuration: &CaConfiguration,
        state: Option<&Sealed>,
    ) -> Result<Active, AuthorityFailure> {
        let name = &configuration.provider;
        let failed = |error| AuthorityFailure::Provider {
            provider: name.clone(),
            error,
        };
        let options =
            CaOptions::parse(&configuration.options).map_err(AuthorityFailure::Options)?;
        let view = self.inner.server.view();
        let authority = view.state().authority();
        let request = ConfigureRequest {
            trust_domain: authority
                .trust_domain()
                .ok_or(AuthorityFailure::NotFounded)?
                .clone(),
            datacenter: self.inner.datacenter.clone(),
            options: configuration.options.clone(),
            secrets: self.open_secrets(configuration)?,
            state: state
                .map(|sealed| self.open_state(epoch, sealed))
                .transpose()?,
        };
        let clock = self.inner.server.clock();
        let settings = GuardSettings {
            algorithms: crypto::algorithms(),
            leaf_signatures: signature_check(name),
            clock: Arc::new(move || clock.now().wall),
            deadlines: Deadlines::default(),
            limits: Limits::from(&options),
            observer: Arc::new(()),
        };
        let mut guard = Guard::new(create(name).map_err(failed)?, settings);
        guard.configure(&request).await.map_err(failed)?;
        let committed = authority.roots().find(|root| root.epoch == epoch);
        if let Some(root) = committed {
            let intermediate = root.intermediates.first().map(|der| der.as_bytes());
            guard
                .expect_issuers(root.certificate.as_bytes(), intermediate)
                .map_err(failed)?;
        }
        Ok(Active {
            epoch,
            guard,
            options,
        })
    }

    fn open_secrets(
        &self,
        configuration: &CaConfiguration,
    ) -> Result<SecretOptions, AuthorityFailure> {
        let Some(sealed) = &configuration.secrets else {
            return Ok(SecretOptions::default());
        };
        let text = self.inner.sealer.open(sealed, SECRETS_CONTEXT)?;
        // What was sealed here is a map of texts; anything else was made by nobody.
        let map: OptionMap = serde_json::from_slice(text.expose()).unwrap_or_default();
        Ok(split_secrets(map).1)
    }

    fn seal_state(&self, epoch: Epoch, state: &Secret) -> Result<Sealed, SealError> {
        self.inner.sealer.seal(state, &state_context(epoch))
    }

    fn open_state(&self, epoch: Epoch, sealed: &Sealed) -> Result<Secret, SealError> {
        self.inner.sealer.open(sealed, &state_context(epoch))
    }

    async fn submit(&self, command: AuthorityCommand) -> Result<(), AuthorityFailure> {
        self.inner
            .server
            .submit(Command::Authority(command), Caller::unrestricted())
            .await?;
        Ok(())
    }
}

/// The options over Consul's defaults, which it stores and shows even when nobody set them.
fn with_defaults(options: OptionMap) -> OptionMap {
    let defaults = [
        ("IntermediateCertTTL", "8760h"),
        ("LeafCertTTL", "72h"),
        ("RotationPeriod", "2160h"),
    ];
    let mut merged: OptionMap = defaults
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    merged.extend(options);
    merged
}

fn state_context(epoch: Epoch) -> String {
    format!("ca-state/{epoch}")
}

fn secrets_to_json(secrets: &SecretOptions) -> Secret {
    let map: OptionMap = secrets
        .names()
        .filter_map(|name| {
            let text = String::from_utf8(secrets.find(name)?.expose().to_vec()).ok()?;
            Some((name.to_owned(), text.into()))
        })
        .collect();
    Secret::new(serde_json::Value::Object(map).to_string().into_bytes())
}

const fn lifetimes(options: &CaOptions) -> Lifetimes {
    Lifetimes {
        leaf: options.leaf_cert_ttl,
        intermediate: options.intermediate_cert_ttl,
        root: options.root_cert_ttl,
    }
}
