//! Providers at work behind the product's guard, called as the host calls them.

use std::rc::Rc;
use std::sync::Arc;

use chancery_core::{
    Authority, CaConfiguration, Datacenter, Der, Epoch, ProviderState, Sealed, Secret,
    SignatureCheck, Step,
};
use chancery_providers::{
    CaProvider, ConfigureRequest, Deadlines, Guard, GuardSettings, OptionMap, ProviderError,
    split_secrets,
};

use super::bug::Bug;
use super::configuration::wish;
use super::effects::Failure;
use super::provider::SimProvider;
use super::rare::Rare;
use super::realm::{Desk, Notes};
use super::schedule::{ProviderKind, Wish};
use super::signature::ALGORITHMS;
use super::world::World;

/// A provider of one epoch, configured.
pub(super) type Incarnation = Rc<dyn CaProvider>;

impl World {
    /// The provider of `epoch`: the one at work, or a new one made from what is committed.
    pub(super) fn incarnation(
        &mut self,
        epoch: Epoch,
        configuration: &CaConfiguration,
        memory: Option<&Sealed>,
    ) -> Result<Incarnation, ProviderError> {
        if let Some(at_work) = self.incarnations.get(&epoch) {
            return Ok(Rc::clone(at_work));
        }
        let made = self.configured(epoch, configuration, memory)?;
        self.incarnations.insert(epoch, Rc::clone(&made));
        Ok(made)
    }

    /// The same for an epoch of which something is committed.
    pub(super) fn committed(
        &mut self,
        epoch: Epoch,
        configuration: impl FnOnce(&Authority, &ProviderState) -> Option<CaConfiguration>,
    ) -> Result<Incarnation, Failure> {
        if let Some(at_work) = self.incarnations.get(&epoch) {
            return Ok(Rc::clone(at_work));
        }
        let state = self.authority.provider_state(epoch).cloned();
        let state = state.ok_or(Failure::Over)?;
        let configuration = configuration(&self.authority, &state).ok_or(Failure::Over)?;
        Ok(self.incarnation(epoch, &configuration, Some(&state.sealed))?)
    }

    fn configured(
        &mut self,
        epoch: Epoch,
        configuration: &CaConfiguration,
        memory: Option<&Sealed>,
    ) -> Result<Incarnation, ProviderError> {
        let wish = wish(configuration);
        let mut provider = SimProvider::new(Arc::clone(&self.desk), epoch.number(), wish);
        let Some(trust_domain) = self.authority.trust_domain().cloned() else {
            return Err(ProviderError::refused("nothing is founded"));
        };
        let request = ConfigureRequest {
            trust_domain,
            datacenter: datacenter(),
            options: configuration.options.clone(),
            secrets: split_secrets(OptionMap::new()).1,
            // Sealing is the host's, and no part of this.
            state: memory.map(|sealed| Secret::new(sealed.as_bytes().to_vec())),
        };
        if self.has(Bug::Unguarded) {
            self.call(provider.configure(&request))?;
            return Ok(Rc::new(provider));
        }
        let mut guard = Guard::new(provider, self.settings(wish));
        self.call(guard.configure(&request))?;
        if let Some((root, intermediate)) = issuers_of(&self.authority, epoch)
            && !self.has(Bug::IssuersForgotten)
        {
            guard.expect_issuers(root.as_bytes(), intermediate.as_ref().map(Der::as_bytes))?;
        }
        Ok(Rc::new(guard))
    }

    fn settings(&self, wish: Wish) -> GuardSettings {
        GuardSettings {
            algorithms: ALGORITHMS,
            leaf_signatures: match wish.kind {
                ProviderKind::Local => SignatureCheck::ParseOnly,
                _ => SignatureCheck::Verify,
            },
            clock: Arc::clone(&self.guards_clock),
            deadlines: Deadlines::default(),
            limits: wish.limits(),
            observer: Arc::<Desk>::clone(&self.desk),
        }
    }

    /// Makes a call on a provider, with the realm lent to it, and looks at what came of it.
    pub(super) fn call<T>(
        &mut self,
        call: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let mut realm = std::mem::take(&mut self.realm);
        realm.now = self.now;
        realm.wall = self.wall();
        realm.notes = Notes::default();
        self.desk.lend(realm);
        let (answer, took) = self.clock.run(self.now, call);
        self.realm = self.desk.take_back();
        self.took += took;
        self.seen |= self.desk.seen();
        self.review(answer.as_ref().err());
        answer
    }

    /// Whatever a provider meant to do wrong must have been seen.
    fn review(&mut self, error: Option<&ProviderError>) {
        let notes = &self.realm.notes;
        let (asked, hung) = (notes.attempts, notes.hung);
        let is_leaf = notes.leaf.is_some();
        match (notes.misdeed, error) {
            (Some(misdeed), Some(error)) if error.rule().is_some() => {
                self.see(misdeed.caught(is_leaf));
            }
            (Some(misdeed), None) if !self.has(Bug::Unguarded) => {
                self.complain(|| format!("the guard believes {misdeed:?}"));
            }
            // A wrong clock makes good certificates look bad.
            (None, Some(error)) if error.rule().is_some() && !self.law.ahead && self.skew == 0 => {
                self.complain(|| format!("the guard refuses what is good: {}", error.report()));
            }
            _ => {}
        }
        match error {
            Some(error) => {
                self.tell(|| format!("  {}", error.report()));
                if hung && asked == 1 {
                    self.see(Rare::NoAnswer);
                }
            }
            None if asked > 1 => self.see(Rare::Retried),
            None => {}
        }
    }
}

/// Root and intermediate of an epoch, as far as they are committed.
fn issuers_of(authority: &Authority, epoch: Epoch) -> Option<(Der, Option<Der>)> {
    if let Some(root) = authority.roots().find(|root| root.epoch == epoch) {
        return Some((
            root.certificate.clone(),
            root.intermediates.first().cloned(),
        ));
    }
    let rotation = authority.record()?.rotation.as_deref()?;
    match &rotation.step {
        Step::Linking { issuer } | Step::Trying { issuer, .. } if rotation.epoch == epoch => {
            Some((
                issuer.certificate.clone(),
                issuer.intermediates.first().cloned(),
            ))
        }
        _ => None,
    }
}

fn datacenter() -> Datacenter {
    Datacenter::parse("dc1").expect("a good name")
}
