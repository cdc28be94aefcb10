//! The services and checks that this agent looks after.
//!
//! The rules are core's [`LocalState`]; here are its lock, its clock, its probes, and the order
//! in which what it says reaches the catalog.

mod kept;
mod probe;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use chancery_core::{
    Caller, Catalog, CatalogCommand, CheckStatus, CheckedCheck, CheckedRegistration, Command,
    LocalAction, LocalError, LocalState, Now, ProbeSpec, RegistrationError, SyncKey,
};
use tokio::sync::{Notify, Semaphore, watch};

use crate::server::{Pending, Server, SubmitError};
use crate::store::{DataDirError, Folder};
use kept::{Entry, Kept, Maintenance};
use probe::Prober;

/// How often the catalog is compared with what the agent knows (Consul's anti-entropy, for a
/// small cluster).
const RECONCILE: Duration = Duration::from_secs(60);

/// Probes under way at once.
const PROBES: usize = 256;

/// The agent's own services. Clones are the same.
#[derive(Clone)]
pub struct LocalAgent {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<LocalState>,
    server: Server,
    prober: Prober,
    probes: Arc<Semaphore>,
    /// Held from asking the state what to say until it stands in the writer's queue, so that
    /// what was said later also arrives later.
    saying: tokio::sync::Mutex<()>,
    /// What survives a restart; nothing does until [`LocalAgent::restore`].
    kept: OnceLock<Kept>,
    /// Held from a change of the state until it is kept, so that what changed later is also
    /// kept later.
    keeping: tokio::sync::Mutex<()>,
    /// Rung when something is due earlier than the run loop thinks.
    due: Notify,
    /// Rung when somebody took from the catalog what this agent looks after.
    robbed: Notify,
    /// The services that the configuration names.
    configured: Mutex<BTreeSet<String>>,
    /// How many things had gone when what is kept was last compared.
    tidied: AtomicU64,
    definitions: watch::Sender<u64>,
}

impl LocalAgent {
    /// Looks after `state`. [`LocalAgent::run`] must run beside it.
    #[must_use]
    pub fn new(state: LocalState, server: Server) -> Self {
        let definitions = watch::Sender::new(state.definitions());
        Self {
            inner: Arc::new(Inner {
                state: Mutex::new(state),
                server,
                prober: Prober::new(),
                probes: Arc::new(Semaphore::new(PROBES)),
                saying: tokio::sync::Mutex::default(),
                kept: OnceLock::new(),
                keeping: tokio::sync::Mutex::default(),
                due: Notify::new(),
                robbed: Notify::new(),
                configured: Mutex::default(),
                tidied: AtomicU64::new(0),
                definitions,
            }),
        }
    }

    /// Registers again what `folder` keeps from before, and keeps there what is registered from
    /// now on. What can no longer be registered is left in the folder and said in the log.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub fn restore(&self, folder: Folder) -> Result<(), DataDirError> {
        let (kept, entries) = Kept::open(folder)?;
        let now = self.inner.server.clock().now();
        let mut state = self.lock();
        let node = state.node().name.clone();
        let settings = state.settings().clone();
        for entry in entries {
            let name = entry.name().to_owned();
            let registered = match entry {
                Entry::Service(said) => said
                    .check(&node, &settings)
                    .and_then(|checked| state.register(checked, true, now))
                    .map_err(|error| error.to_string()),
                Entry::Check(said) => said
                    .check(&node, &settings)
                    .and_then(|checked| state.register_check(checked, now))
                    .map_err(|error| error.to_string()),
                Entry::Maintenance(said) => state
                    .begin_maintenance(&said.service_id, &said.reason, now)
                    .map_err(|error| error.to_string()),
            };
            if let Err(error) = registered {
                tracing::warn!(name, %error, "what was registered before cannot be any more");
            }
        }
        drop(state);
        // A second call would be a mistake of the caller's; the first folder stays.
        drop(self.inner.kept.set(kept));
        Ok(())
    }

    /// Looks after a service from now on, also after a restart. When this returns, the catalog
    /// has it, unless the catalog cannot be written: then it is told again later.
    ///
    /// # Errors
    ///
    /// As core's [`LocalState::register`]; nothing is changed. Or
    /// [`RegistrationError::NotKept`].
    pub async fn register(
        &self,
        registration: CheckedRegistration,
        replace_checks: bool,
    ) -> Result<(), RegistrationError> {
        let agent = self.clone();
        uninterrupted(async move {
            agent
                .register_and_keep(registration, replace_checks)
                .await
                .map_err(|reason| RegistrationError::NotKept { reason })?
        })
        .await
        .unwrap_or_else(|reason| Err(RegistrationError::NotKept { reason }))?;
        self.settle_and_reschedule().await;
        Ok(())
    }

    /// Looks after a service that the configuration names. It is not kept: the next start reads
    /// the configuration again.
    ///
    /// # Errors
    ///
    /// As core's [`LocalState::register`]; nothing is changed.
    pub async fn register_configured(
        &self,
        registration: CheckedRegistration,
    ) -> Result<(), RegistrationError> {
        let now = self.inner.server.clock().now();
        let id = registration.id().to_owned();
        self.lock().register(registration, true, now)?;
        self.configured().insert(id);
        self.settle_and_reschedule().await;
        Ok(())
    }

    /// Forgets the services that the configuration named and, being `named` no more, names no
    /// longer.
    ///
    /// # Errors
    ///
    /// As [`deregister`](Self::deregister).
    pub async fn forget_configured(&self, named: &BTreeSet<String>) -> Result<(), LocalError> {
        let gone: Vec<_> = self.configured().difference(named).cloned().collect();
        for id in gone {
            self.deregister(&id).await?;
            self.configured().remove(&id);
        }
        Ok(())
    }

    /// Puts a service, or with an empty id the node, into maintenance, also after a restart.
    ///
    /// # Errors
    ///
    /// As core's [`LocalState::begin_maintenance`], or [`LocalError::NotKept`].
    pub async fn begin_maintenance(
        &self,
        service_id: &str,
        reason: &str,
    ) -> Result<(), LocalError> {
        let agent = self.clone();
        let said = Box::new(Maintenance {
            service_id: service_id.to_owned(),
            reason: reason.to_owned(),
        });
        uninterrupted(async move {
            let _order = agent.inner.keeping.lock().await;
            let now = agent.inner.server.clock().now();
            agent
                .lock()
                .begin_maintenance(&said.service_id, &said.reason, now)?;
            agent
                .keep(Entry::Maintenance(said))
                .await
                .map_err(|reason| LocalError::NotKept { reason })
        })
        .await
        .unwrap_or_else(|reason| Err(LocalError::NotKept { reason }))?;
        self.settle_and_reschedule().await;
        Ok(())
    }

    /// Ends the maintenance of a service, or with an empty id of the node; none is no error.
    ///
    /// # Errors
    ///
    /// As core's [`LocalState::end_maintenance`], or [`LocalError::NotForgotten`].
    pub async fn end_maintenance(&self, service_id: &str) -> Result<(), LocalError> {
        let service_id = service_id.to_owned();
        self.remove(move |state, now| state.end_maintenance(&service_id, now))
            .await
    }

    /// Forgets a service and its sidecar; one that is unknown is no error.
    ///
    /// # Errors
    ///
    /// As core's [`LocalState::deregister_service`], or [`LocalError::NotForgotten`].
    pub async fn deregister(&self, id: &str) -> Result<(), LocalError> {
        let id = id.to_owned();
        self.remove(move |state, now| state.deregister_service(&id, now))
            .await
    }

    /// Looks after a check that is registered by itself, also after a restart.
    ///
    /// # Errors
    ///
    /// As core's [`LocalState::register_check`]; nothing is changed. Or
    /// [`RegistrationError::NotKept`].
    pub async fn register_check(&self, check: CheckedCheck) -> Result<(), RegistrationError> {
        let agent = self.clone();
        uninterrupted(async move {
            let _order = agent.inner.keeping.lock().await;
            let said = Box::new(check.said().clone());
            let now = agent.inner.server.clock().now();
            agent.lock().register_check(check, now)?;
            agent
                .keep(Entry::Check(said))
                .await
                .map_err(|reason| RegistrationError::NotKept { reason })
        })
        .await
        .unwrap_or_else(|reason| Err(RegistrationError::NotKept { reason }))?;
        self.settle_and_reschedule().await;
        Ok(())
    }

    /// Forgets a check; one that is unknown is no error.
    ///
    /// # Errors
    ///
    /// As core's [`LocalState::deregister_check`], or [`LocalError::NotForgotten`].
    pub async fn deregister_check(&self, check_id: &str) -> Result<(), LocalError> {
        let check_id = check_id.to_owned();
        self.remove(move |state, now| state.deregister_check(&check_id, now))
            .await
    }

    /// Takes a word about a TTL check.
    ///
    /// # Errors
    ///
    /// As core's [`LocalState::update_ttl`].
    pub async fn update_ttl(
        &self,
        check_id: &str,
        status: CheckStatus,
        output: &str,
    ) -> Result<(), LocalError> {
        let now = self.inner.server.clock().now();
        self.lock().update_ttl(check_id, status, output, now)?;
        self.settle_and_reschedule().await;
        Ok(())
    }

    /// Looks at the state. The closure must not take long: everybody waits for it.
    pub fn read<T>(&self, look: impl FnOnce(&LocalState) -> T) -> T {
        look(&self.lock())
    }

    /// Follows [`LocalState::definitions`].
    #[must_use]
    pub fn definitions(&self) -> watch::Receiver<u64> {
        self.inner.definitions.subscribe()
    }

    /// Compares the catalog with what the agent knows, and tells it what it lacks or has too much.
    /// [`LocalAgent::run`] does it once a minute, and after [`LocalAgent::look_at_catalog`].
    pub async fn reconcile(&self, catalog: &Catalog) {
        self.lock().reconcile(catalog);
        self.settle_and_reschedule().await;
    }

    /// Whether this command takes something from the catalog that this agent looks after.
    #[must_use]
    pub fn is_robbed_by(&self, command: &CatalogCommand) -> bool {
        let state = self.lock();
        let is_own = |node: &str| node.eq_ignore_ascii_case(&state.node().name);
        match command {
            CatalogCommand::DeregisterCheck { node, check_id } => {
                is_own(node) && state.check(check_id).is_some()
            }
            CatalogCommand::DeregisterNode { node } => is_own(node),
            CatalogCommand::DeregisterService { node, id } => {
                is_own(node) && state.service(id).is_some()
            }
            _ => false,
        }
    }

    /// Has [`LocalAgent::run`] compare the catalog at once, not only when the minute is over.
    pub fn look_at_catalog(&self) {
        self.inner.robbed.notify_one();
    }

    /// The names of the services that are registered here.
    #[must_use]
    pub fn service_names(&self) -> HashSet<String> {
        let state = self.lock();
        let services = state.services();
        services
            .map(|service| service.instance.name.clone())
            .collect()
    }

    /// Runs checks and keeps the catalog informed, until dropped.
    pub async fn run(self) {
        let mut reconcile = tokio::time::interval(RECONCILE);
        loop {
            self.settle().await;
            self.tidy().await;
            let clock = self.inner.server.clock();
            let next = self.lock().next_deadline();
            let alarm = async {
                match next {
                    Some(instant) => tokio::time::sleep_until(clock.deadline(instant)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = alarm => {}
                () = self.inner.due.notified() => {}
                () = self.inner.robbed.notified() => self.compare(),
                _ = reconcile.tick() => self.compare(),
            }
        }
    }

    fn compare(&self) {
        let view = self.inner.server.view();
        self.lock().reconcile(view.state().catalog());
    }

    async fn register_and_keep(
        &self,
        registration: CheckedRegistration,
        replace_checks: bool,
    ) -> Result<Result<(), RegistrationError>, String> {
        let _order = self.inner.keeping.lock().await;
        let id = registration.id().to_owned();
        let mut said = registration.said().clone();
        let now = self.inner.server.clock().now();
        {
            let mut state = self.lock();
            if let Err(error) = state.register(registration, replace_checks, now) {
                return Ok(Err(error));
            }
            // A sidecar keeps the port that it was given.
            let given = state
                .services()
                .find(|service| service.sidecar_of.as_deref() == Some(&id))
                .map(|sidecar| sidecar.instance.port);
            if let (Some(sidecar), Some(port)) = (&mut said.sidecar, given) {
                sidecar.port = port;
            }
        }
        self.keep(Entry::Service(Box::new(said))).await.map(Ok)
    }

    async fn remove(
        &self,
        removal: impl FnOnce(&mut LocalState, Now) -> Result<(), LocalError> + Send + 'static,
    ) -> Result<(), LocalError> {
        let agent = self.clone();
        uninterrupted(async move {
            let _order = agent.inner.keeping.lock().await;
            let now = agent.inner.server.clock().now();
            removal(&mut agent.lock(), now)?;
            agent
                .forget_what_is_gone()
                .await
                .map_err(|reason| LocalError::NotForgotten { reason })
        })
        .await
        .unwrap_or_else(|reason| Err(LocalError::NotForgotten { reason }))?;
        self.settle_and_reschedule().await;
        Ok(())
    }

    /// Call it with the order held.
    async fn keep(&self, entry: Entry) -> Result<(), String> {
        match self.inner.kept.get() {
            Some(kept) => kept.keep(entry).await,
            None => Ok(()),
        }
    }

    /// Call it with the order held.
    async fn forget_what_is_gone(&self) -> Result<(), String> {
        let Some(kept) = self.inner.kept.get() else {
            return Ok(());
        };
        let gone = kept.gone(&self.lock());
        kept.forget(gone).await
    }

    /// For a change from outside: afterwards the run loop looks anew at when it is due.
    async fn settle_and_reschedule(&self) {
        self.settle().await;
        self.inner.due.notify_one();
    }

    /// Does what is due and waits until the catalog has heard what there is to say.
    async fn settle(&self) {
        let mut pending = Vec::new();
        {
            let _order = self.inner.saying.lock().await;
            while let Some(action) = self.next_action() {
                match action {
                    LocalAction::Probe(probe) => self.start_probe(probe),
                    LocalAction::Sync { key, command } => {
                        let queued = self.say(command).await;
                        pending.push((key, queued));
                    }
                    _ => {}
                }
            }
        }
        self.inner.definitions.send_if_modified(|seen| {
            let now = self.lock().definitions();
            std::mem::replace(seen, now) != now
        });
        for (key, queued) in pending {
            let settled = match queued {
                Ok(pending) => pending.settled().await,
                Err(error) => Err(error),
            };
            match settled {
                Ok(_revision) => {
                    let view = self.inner.server.view();
                    self.lock().stored(&key, view.state().catalog());
                }
                Err(error) => self.not_stored(key, &error),
            }
        }
    }

    /// Strikes what left by itself, because it was critical for too long. Looks through all that is
    /// kept, so only if something has gone since the last time.
    async fn tidy(&self) {
        let removals = self.lock().removals();
        if self.inner.tidied.swap(removals, Ordering::Relaxed) == removals {
            return;
        }
        let _order = self.inner.keeping.lock().await;
        if let Err(reason) = self.forget_what_is_gone().await {
            tracing::warn!(reason, "a service that is gone comes back with a restart");
        }
    }

    async fn say(&self, command: CatalogCommand) -> Result<Pending, SubmitError> {
        let command = Command::Catalog(command);
        self.inner
            .server
            .enqueue(command, Caller::unrestricted())
            .await
    }

    fn next_action(&self) -> Option<LocalAction> {
        let now = self.inner.server.clock().now();
        self.lock().poll(now)
    }

    fn not_stored(&self, key: SyncKey, error: &SubmitError) {
        tracing::warn!(about = ?key, %error, "the catalog was not updated, it is told again later");
        let now = self.inner.server.clock().now();
        self.lock().not_stored(key, now);
    }

    fn start_probe(&self, probe: ProbeSpec) {
        let agent = self.clone();
        tokio::spawn(async move {
            let Ok(_permit) = agent.inner.probes.acquire().await else {
                return;
            };
            let result = agent.inner.prober.run(&probe).await;
            let now = agent.inner.server.clock().now();
            agent.lock().probed(&probe, &result, now);
            agent.inner.due.notify_one();
        });
    }

    fn configured(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.inner
            .configured
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, LocalState> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does `work` to its end, also when nobody waits for it any more: a client that goes away must
/// not leave a change half kept.
async fn uninterrupted<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, String> {
    tokio::spawn(work).await.map_err(|error| error.to_string())
}
