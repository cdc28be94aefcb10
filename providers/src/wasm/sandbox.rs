//! A loaded plugin with its instances: makes calls, and bears whatever they do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::Trap;

use super::component::{Loaded, one_line};
use super::counters::Counters;
use super::crashes::Crashes;
use super::egress::Egress;
use super::engine;
use super::guest::Guest;
use super::lane::{Begins, Cut, Lane};
use super::limits::{Limiter, TooMuchMemory};
use super::log_tap::LogTap;
use super::table::Table;
use super::v1::{self, Configuration, Instance};
use crate::{ErrorKind, ProviderError};

/// One plugin, with one configuration or none yet.
pub(super) struct Sandbox {
    loaded: Arc<Loaded>,
    lane: Lane,
    limits: SandboxLimits,
    log: Arc<LogTap>,
    egress: Arc<Egress>,
    counters: Arc<Counters>,
    configuration: OnceLock<Arc<Configuration>>,
    idle: Mutex<Vec<Kept>>,
    crashes: Mutex<Crashes>,
    running: Semaphore,
    waiting: AtomicUsize,
}

/// What the operator allows a plugin.
#[derive(Clone, Copy, Debug)]
pub(super) struct SandboxLimits {
    /// Bytes of memory of one instance.
    pub(super) memory: usize,
    /// Of one call. Calls that set something up may take four times that.
    pub(super) timeout: Duration,
}

/// An instance that waits for its next call, and which state it was configured with.
struct Kept {
    generation: u64,
    instance: Instance,
}

/// How a call ended: the instance with the plugin's answer, or a trap.
type Ended<T> = wasmtime::Result<(Instance, Result<T, ProviderError>)>;

/// What a call works on.
pub(super) struct Work {
    pub(super) begins: Begins,
    pub(super) table: Table,
    /// Of the state. An instance never serves two: what it remembers may be of the other.
    pub(super) generation: u64,
    /// Whether it may write to the table.
    pub(super) writable: bool,
}

impl Sandbox {
    pub(super) fn new(
        loaded: Arc<Loaded>,
        lane: Lane,
        limits: SandboxLimits,
        log: Arc<LogTap>,
        egress: Arc<Egress>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            loaded,
            lane,
            limits,
            log,
            egress,
            counters,
            configuration: OnceLock::new(),
            idle: Mutex::default(),
            crashes: Mutex::default(),
            running: Semaphore::new(AT_ONCE),
            waiting: AtomicUsize::new(0),
        }
    }

    /// With what instances are configured from now on; the first one counts.
    pub(super) fn configure(&self, configuration: Arc<Configuration>) {
        let _first = self.configuration.set(configuration);
    }

    /// Makes a call; gives its answer and the table as it left it.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        work: Work,
        call: v1::Call<T>,
    ) -> Result<(T, Table), ProviderError> {
        self.crashes().enter(Instant::now())?;
        let _turn = self.turn().await?;
        let started = Instant::now();
        let Work {
            begins,
            table,
            generation,
            writable,
        } = work;
        let timeout = match begins {
            Begins::Here => self.limits.timeout,
            Begins::Apart => self.limits.timeout.saturating_mul(4),
        };
        let future = self.in_instance(generation, table, writable, call)?;
        let (ended, moved) = self.lane.run(begins, timeout, future).await;
        let counters = &self.counters;
        Counters::add(&counters.calls);
        counters.took(started.elapsed());
        if moved {
            Counters::add(&counters.moved);
        }
        match ended {
            Ok(Ok((instance, answer))) => {
                self.crashes().went_well();
                let table = instance.table();
                if !writable {
                    self.keep(generation, instance);
                }
                answer.map(|answer| (answer, table)).inspect_err(|_| {
                    Counters::add(&counters.failures);
                })
            }
            Ok(Err(error)) => {
                Counters::add(&counters.traps);
                Err(self.crashed(&error))
            }
            Err(Cut::TimedOut) => {
                Counters::add(&counters.timeouts);
                let text = format!("it gave no answer within {} ms", timeout.as_millis());
                self.note(&text);
                // Asked again at once it would take as long again.
                let retry_after = Some(timeout);
                let kind = ErrorKind::Unavailable { retry_after };
                Err(ProviderError::new(
                    kind,
                    format!("the plugin failed: {text}"),
                ))
            }
            Err(Cut::Panicked) => Err(ProviderError::broken(
                "a call into the plugin ended by a fault of this program's own",
            )),
        }
    }

    /// Lets so many calls through, has so many wait, and no more.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, ProviderError> {
        if let Ok(turn) = self.running.try_acquire() {
            return Ok(turn);
        }
        let busy = |what: String| {
            let retry_after = Some(Duration::from_secs(1));
            ProviderError::new(ErrorKind::RateLimited { retry_after }, what)
        };
        struct Waits<'a>(&'a AtomicUsize);
        impl Drop for Waits<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waits = Waits(&self.waiting);
        if before >= MOST_WAITING {
            return Err(busy(format!(
                "{before} calls wait for the plugin already, allowed are {MOST_WAITING}"
            )));
        }
        match tokio::time::timeout(self.limits.timeout, self.running.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(busy(format!(
                "the plugin has {AT_ONCE} calls under way, and none ended within {} ms",
                self.limits.timeout.as_millis()
            ))),
        }
    }

    /// The call as a future of its own, which owns its instance and borrows nothing.
    fn in_instance<T: Send + 'static>(
        &self,
        generation: u64,
        table: Table,
        writable: bool,
        call: v1::Call<T>,
    ) -> Result<impl Future<Output = Ended<T>> + Send + use<T>, ProviderError> {
        let shared = engine::shared()?;
        let kept = if writable {
            None
        } else {
            self.take(generation)
        };
        let fresh = kept.is_none().then(|| {
            Counters::add(&self.counters.instances);
            let memory = Arc::clone(&self.counters.memory);
            Guest::new(
                Limiter::new(self.limits.memory, memory),
                Arc::clone(&self.log),
                Arc::clone(&self.counters),
                table.clone(),
                self.egress.hooks(),
            )
        });
        let loaded = Arc::clone(&self.loaded);
        let configuration = self.configuration.get().cloned();
        Ok(async move {
            let _ticking = shared.tick();
            let mut instance = match (kept, fresh) {
                (Some(instance), _) => instance,
                (None, Some(guest)) => loaded.prepared.instantiate(guest).await?,
                (None, None) => wasmtime::bail!("there is neither an instance nor what makes one"),
            };
            // What it writes while it is configured would be written again by each instance.
            instance.begin(table.clone(), false);
            if let Some(configuration) = configuration
                && let Err(error) = instance.ready(&configuration).await?
            {
                return Ok((instance, Err(error)));
            }
            if writable {
                instance.begin(table, true);
            }
            let answer = call(&mut instance).await?;
            Ok((instance, answer))
        })
    }

    fn take(&self, generation: u64) -> Option<Instance> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.last()?.generation != generation {
            idle.retain(|kept| kept.generation == generation);
        }
        idle.pop().map(|kept| kept.instance)
    }

    fn keep(&self, generation: u64, instance: Instance) {
        if instance.is_worn() || (self.configuration.get().is_some() && !instance.is_configured()) {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            idle.push(Kept {
                generation,
                instance,
            });
        }
    }

    fn crashed(&self, error: &wasmtime::Error) -> ProviderError {
        tracing::debug!("a plugin crashed: {error:?}");
        if error.is::<wasmtime::PoolConcurrencyLimitError>() {
            let retry_after = Some(Duration::from_secs(1));
            return ProviderError::new(
                ErrorKind::Unavailable { retry_after },
                "there is no room for another instance of a plugin",
            );
        }
        let what = cause(error);
        self.note(&what);
        ProviderError::broken(format!("the plugin crashed: {what}"))
    }

    /// Remembers a crash, and says so when the plugin is left alone for it.
    fn note(&self, what: &str) {
        let pause = self.crashes().crashed(what, Instant::now());
        if let Some(pause) = pause {
            tracing::warn!(
                pause_s = pause.as_secs(),
                last = what,
                "the plugin crashes again and again and is left alone for a while"
            );
        }
    }

    fn crashes(&self) -> MutexGuard<'_, Crashes> {
        self.crashes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a call trapped, in one phrase.
fn cause(error: &wasmtime::Error) -> String {
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return format!("it ended itself, with status {}", exit.0);
    }
    if let Some(memory) = error.downcast_ref::<TooMuchMemory>() {
        return memory.to_string();
    }
    match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => one_line(&wasmtime::Error::msg(error.root_cause().to_string())),
    }
}

/// Calls into one plugin under way at once; each has an instance with its memory.
const AT_ONCE: usize = 16;
/// Calls that wait for one of these to end.
const MOST_WAITING: usize = 1_000;
/// Instances that wait for calls.
const MOST_IDLE: usize = 8;
