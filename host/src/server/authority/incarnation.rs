//! Providers as they are configured, one for each epoch that still has something to do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chancery_core::{Authority, CaConfiguration, Epoch, Memory, Step};
use chancery_providers::{
    CaOptions, CaProvider, ConfigureRequest, Deadlines, Guard, GuardSettings, Limits, PluginFile,
    Wasm, create_in, load_plugin, signature_check,
};
use tokio::sync::OnceCell;

use super::{AuthorityFailure, AuthorityHost, lock, plugin};
use crate::crypto;
use crate::metrics::Metrics;

/// A provider of one epoch, configured.
pub(super) struct Incarnation {
    pub(super) epoch: Epoch,
    pub(super) guard: Guard<Box<dyn CaProvider>>,
    pub(super) options: CaOptions,
    /// The plugin, if that is what signs.
    pub(super) plugin: Option<PluginFile>,
}

impl Incarnation {
    /// The provider's name.
    pub(super) fn provider(&self) -> String {
        use chancery_providers::CaProvider as _;
        self.guard.describe().name
    }
}

/// The incarnations at work. Each is configured once, by whoever needs it first.
#[derive(Default)]
pub(super) struct Incarnations {
    ready: Mutex<HashMap<Epoch, Slot>>,
}

type Slot = Arc<OnceCell<Arc<Incarnation>>>;

impl Incarnations {
    fn slot(&self, epoch: Epoch) -> Slot {
        Arc::clone(lock(&self.ready).entry(epoch).or_default())
    }

    /// The one of `epoch`, if it is at work.
    pub(super) fn at_work(&self, epoch: Epoch) -> Option<Arc<Incarnation>> {
        lock(&self.ready).get(&epoch)?.get().cloned()
    }

    /// Forgets all that `needed` does not want; calls under way on them end as they would.
    pub(super) fn retain(&self, needed: impl Fn(Epoch) -> bool) {
        lock(&self.ready).retain(|epoch, _| needed(*epoch));
    }

    /// Puts another in the place of `before`, if that is still at work; calls under way on it
    /// end as they would.
    pub(super) fn replace(&self, before: &Arc<Incarnation>, by: Incarnation) -> bool {
        let mut ready = lock(&self.ready);
        let slot = ready.get_mut(&before.epoch);
        let Some(slot) = slot.filter(|slot| slot.get().is_some_and(|it| Arc::ptr_eq(it, before)))
        else {
            return false;
        };
        *slot = Arc::new(OnceCell::new_with(Some(Arc::new(by))));
        true
    }

    pub(super) fn forget(&self, epoch: Epoch) {
        lock(&self.ready).remove(&epoch);
    }
}

impl AuthorityHost {
    /// The provider of `epoch`, configured: the one at work, or a new one made from what is
    /// committed.
    pub(super) async fn incarnation(
        &self,
        epoch: Epoch,
        configuration: &CaConfiguration,
        memory: Option<&Memory>,
    ) -> Result<Arc<Incarnation>, AuthorityFailure> {
        let slot = self.inner.incarnations.slot(epoch);
        let made = slot.get_or_try_init(async || {
            let made = self.configure(epoch, configuration, memory).await?;
            Ok::<_, AuthorityFailure>(Arc::new(made))
        });
        made.await.map(Arc::clone)
    }

    /// A new instance of the provider, told what it must remember and what it signs with.
    pub(super) async fn configure(
        &self,
        epoch: Epoch,
        configuration: &CaConfiguration,
        memory: Option<&Memory>,
    ) -> Result<Incarnation, AuthorityFailure> {
        let name = &configuration.provider;
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
            state: memory.map(|memory| self.open_memory(memory)).transpose()?,
        };
        let surroundings = &self.inner.surroundings;
        let plugin = if name == plugin::PROVIDER {
            let loaded = load_plugin(&configuration.options, surroundings).await;
            Some(loaded.map_err(AuthorityFailure::Configure)?)
        } else {
            None
        };
        let provider: Box<dyn CaProvider> = match &plugin {
            Some(file) => Box::new(Wasm::of(file.clone())),
            None => create_in(name, surroundings).map_err(AuthorityFailure::Unknown)?,
        };
        let clock = self.inner.server.clock();
        let settings = GuardSettings {
            algorithms: crypto::algorithms(),
            leaf_signatures: signature_check(name),
            clock: Arc::new(move || clock.now().wall),
            deadlines: Deadlines::default(),
            limits: Limits::from(&options),
            observer: Arc::<Metrics>::clone(&self.inner.metrics),
        };
        let mut guard = Guard::new(provider, settings);
        guard
            .configure(&request)
            .await
            .map_err(AuthorityFailure::Configure)?;
        if let Some((root, intermediate)) = issuers_of(authority, epoch) {
            let expected = guard.expect_issuers(&root, intermediate.as_deref());
            expected.map_err(|error| AuthorityFailure::Provider {
                provider: name.clone(),
                error,
            })?;
        }
        Ok(Incarnation {
            epoch,
            guard,
            options,
            plugin,
        })
    }
}

/// Root and intermediate of an epoch, as far as they are committed.
fn issuers_of(authority: &Authority, epoch: Epoch) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let bytes = |der: &chancery_core::Der| der.as_bytes().to_vec();
    if let Some(root) = authority.roots().find(|root| root.epoch == epoch) {
        return Some((
            bytes(&root.certificate),
            root.intermediates.first().map(bytes),
        ));
    }
    let rotation = authority.record()?.rotation.as_deref()?;
    match &rotation.step {
        Step::Linking { issuer } | Step::Trying { issuer, .. } if rotation.epoch == epoch => {
            Some((
                bytes(&issuer.certificate),
                issuer.intermediates.first().map(bytes),
            ))
        }
        _ => None,
    }
}
