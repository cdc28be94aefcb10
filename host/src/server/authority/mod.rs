//! The certificate authority's hands: it carries out what core's authority wants done, and signs
//! leafs by the published view.

mod change;
mod desk;
mod effects;
mod foresee;
mod health;
mod incarnation;
mod issuer;
mod plugin;
mod run;
mod secrets;
mod seen;
mod slots;
#[cfg(test)]
mod tests;
mod trial;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chancery_core::{
    AuthorityCommand, AuthorityError, CaConfiguration, Caller, Command, Datacenter, Epoch,
    Lifetimes, OperationId, ProposeError, TrustDomain,
};
use chancery_providers::{
    CaOptions, OptionMap, ProviderError, SecretOptions, Surroundings, create,
};

use self::health::Health;
use self::incarnation::{Incarnation, Incarnations};
use self::run::Steadiness;
use self::slots::Slots;
use super::{Server, SubmitError};
use crate::metrics::Metrics;
use crate::random::{self, NoRandomness};
use crate::store::{SealError, Sealer};

pub use change::{Change, ChangeError, Changed};
pub use desk::{SignError, SignedLeaf};
pub use foresee::Foreseen;
pub use plugin::{PluginInUse, RefusedReload, Reload};
pub use run::EffectFailure;

/// Why the authority could not be set up, or an effect not be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityFailure {
    /// Who signs now cannot sign the new root. The text is Consul's.
    #[error(
        "The current CA Provider does not support cross-signing. You can try again with \
         ForceWithoutCrossSigningSet but this may cause disruption - see documentation for more."
    )]
    NoCrossSigning,
    /// Who signs now signs another root only from a request, and who follows makes none.
    #[error(
        "the CA provider {signer:?} signs the root of another CA only from a request made with \
         that root's key, and {new:?} makes none as it is configured: `chancery doctor` says which \
         right would mend that; or try again with ForceWithoutCrossSigning, which leaves peers \
         with older roots behind"
    )]
    NoRootRequest {
        /// The provider that signs now.
        signer: String,
        /// The provider that would follow.
        new: String,
    },
    /// There is no trust domain yet.
    #[error("cluster has no CA bootstrapped yet")]
    NotFounded,
    /// The provider cannot be set up with its configuration. The text is Consul's.
    #[error("error configuring provider: {0}")]
    Configure(ProviderError),
    /// The options are wrong. The text is Consul's.
    #[error("error configuring provider: {0}")]
    Options(ProviderError),
    /// The provider cannot do it.
    #[error("the CA provider {provider:?} failed: {}", .error.report())]
    Provider {
        /// The provider's name.
        provider: String,
        /// What it said.
        error: ProviderError,
    },
    /// There is no randomness.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// What was sealed cannot be opened, or not be sealed.
    #[error("the CA's secrets cannot be used: {0}")]
    Seal(#[from] SealError),
    /// The change was not committed.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// A leaf for trial could not be made or does not verify.
    #[error("a leaf of the new CA was tried and refused: {0}")]
    Trial(String),
    /// No provider has this name. The text is Consul's.
    #[error("could not initialize provider: {0}")]
    Unknown(ProviderError),
}

impl AuthorityFailure {
    /// What the provider said, if it was the provider.
    #[must_use]
    pub const fn provider_error(&self) -> Option<&ProviderError> {
        match self {
            Self::Configure(error)
            | Self::Options(error)
            | Self::Provider { error, .. }
            | Self::Unknown(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::NoCrossSigning | Self::NoRootRequest { .. } | Self::Trial(_) => false,
            // What the provider made does not do; it would not do the next time either.
            Self::Submit(SubmitError::Refused(ProposeError::Authority(
                AuthorityError::LinkEnds { .. }
                | AuthorityError::PathTooLong { .. }
                | AuthorityError::SameRoot { .. }
                | AuthorityError::WrongLink { .. },
            ))) => false,
            _ => self
                .provider_error()
                .is_none_or(|error| error.kind().is_retryable()),
        }
    }
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
    surroundings: Surroundings,
    plugin: plugin::Watched,
    incarnations: Incarnations,
    /// Effects that failed last time they were tried, by what they are about.
    failures: Mutex<HashMap<(&'static str, Option<Epoch>), EffectFailure>>,
    /// Why the last rotation was given up.
    given_up: Mutex<Option<(Epoch, String)>>,
    /// What the configuration file says, as it would be stored.
    file: Mutex<Option<CaConfiguration>>,
    steadiness: Mutex<Steadiness>,
    /// Held while a change is checked and begun.
    changing: tokio::sync::Mutex<()>,
    slots: Mutex<Slots>,
    metrics: Arc<Metrics>,
    health: Health,
}

impl AuthorityHost {
    /// An authority that has done nothing yet. [`AuthorityHost::run`] must run beside it.
    #[must_use]
    pub fn new(server: Server, sealer: Arc<Sealer>, datacenter: Datacenter) -> Self {
        Self::within(server, sealer, datacenter, Surroundings::default())
    }

    /// Likewise, with folders that its providers may use.
    #[must_use]
    pub fn within(
        server: Server,
        sealer: Arc<Sealer>,
        datacenter: Datacenter,
        surroundings: Surroundings,
    ) -> Self {
        let now = server.clock().now();
        Self {
            inner: Arc::new(Inner {
                server,
                sealer,
                datacenter,
                surroundings,
                plugin: plugin::Watched::default(),
                incarnations: Incarnations::default(),
                failures: Mutex::default(),
                given_up: Mutex::default(),
                file: Mutex::default(),
                steadiness: Mutex::new(Steadiness::new(now)),
                changing: tokio::sync::Mutex::default(),
                slots: Mutex::default(),
                metrics: Arc::default(),
                health: Health::default(),
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
        let mut configuration = configuration(provider, with_defaults(options))?;
        configuration.secrets = self.seal_secrets(secrets)?;
        *lock(&self.inner.file) = Some(configuration.clone());
        if self
            .inner
            .server
            .view()
            .state()
            .authority()
            .record()
            .is_some()
        {
            if let Some(difference) = self.difference_from_file() {
                tracing::warn!(
                    "{difference}; the stored state counts: \
                     `chancery connect ca set-config` changes it"
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

    /// In what the configuration file and the stored state differ, as a sentence.
    #[must_use]
    pub fn difference_from_file(&self) -> Option<String> {
        let view = self.inner.server.view();
        let stored = view.state().authority().configuration()?;
        let file = lock(&self.inner.file).clone()?;
        if file.provider != stored.provider {
            return Some(format!(
                "the configuration file says ca_provider = {:?}, the stored state has {:?}",
                file.provider, stored.provider
            ));
        }
        let mut names: Vec<&str> = file
            .options
            .iter()
            .filter(|(name, value)| stored.options.get(*name) != Some(*value))
            .chain(
                stored
                    .options
                    .iter()
                    .filter(|(name, _)| !file.options.contains_key(*name)),
            )
            .map(|(name, _)| name.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        (!names.is_empty()).then(|| {
            format!(
                "the configuration file and the stored state differ in ca_config: {}",
                names.join(", ")
            )
        })
    }

    /// What fails at present, and since when.
    #[must_use]
    pub fn failures(&self) -> Vec<EffectFailure> {
        lock(&self.inner.failures).values().cloned().collect()
    }

    /// Why the last change was given up, if it was.
    #[must_use]
    pub fn last_given_up(&self) -> Option<(Epoch, String)> {
        lock(&self.inner.given_up).clone()
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.inner.server
    }

    fn trust_domain(&self) -> Result<TrustDomain, AuthorityFailure> {
        let view = self.inner.server.view();
        let founded = view.state().authority().trust_domain().cloned();
        founded.ok_or(AuthorityFailure::NotFounded)
    }

    async fn submit(&self, command: AuthorityCommand) -> Result<(), AuthorityFailure> {
        self.inner
            .server
            .submit(Command::Authority(command), Caller::unrestricted())
            .await?;
        Ok(())
    }
}

/// A configuration to be proposed, its options checked, still without secrets.
fn configuration(provider: &str, options: OptionMap) -> Result<CaConfiguration, AuthorityFailure> {
    create(provider).map_err(AuthorityFailure::Unknown)?;
    let parsed = CaOptions::parse(&options).map_err(AuthorityFailure::Options)?;
    Ok(CaConfiguration::new(provider, options, lifetimes(&parsed)))
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

const fn lifetimes(options: &CaOptions) -> Lifetimes {
    Lifetimes {
        leaf: options.leaf_cert_ttl,
        intermediate: options.intermediate_cert_ttl,
        root: options.root_cert_ttl,
        bundle: options.bundle_max_age,
    }
}

/// Nothing panics under these locks; were it so, what they guard would still be whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
