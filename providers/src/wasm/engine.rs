//! The one WebAssembly engine of this process, and its clock.
//!
//! Built when the first plugin is loaded: an agent without plugins pays nothing for it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::limits;
use crate::ProviderError;

/// Between two ticks of the clock by which a plugin's time is measured. A call that is not done
/// after [`IN_PLACE_TICKS`] of them leaves the thread that made it: within a millisecond.
pub(super) const TICK: Duration = Duration::from_micros(500);

/// How many ticks a call may take where it was made; the first may come at once.
pub(super) const IN_PLACE_TICKS: u64 = 2;

/// The engine, and who must hear of each call.
pub(super) struct Shared {
    pub(super) engine: Engine,
    clock: Clock,
}

/// The engine of this process.
///
/// # Errors
/// `Unavailable` if the system gives neither threads nor address space.
pub(super) fn shared() -> Result<&'static Shared, ProviderError> {
    static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| Shared::build().map_err(|error| format!("{error:#}")));
    shared.as_ref().map_err(|error| {
        ProviderError::new(
            crate::ErrorKind::Unavailable { retry_after: None },
            format!("the WebAssembly engine cannot start: {error}"),
        )
    })
}

impl Shared {
    fn build() -> wasmtime::Result<Self> {
        // Where address space is rationed instances are allocated one by one, at some more cost.
        let engine = Engine::new(&config(InstanceAllocationStrategy::Pooling(pool())))
            .or_else(|_| Engine::new(&config(InstanceAllocationStrategy::OnDemand)))?;
        let clock = Clock::start(engine.clone())?;
        Ok(Self { engine, clock })
    }

    /// Lets the clock run until what is returned is dropped.
    pub(super) fn tick(&'static self) -> Ticking {
        self.clock.need();
        Ticking(&self.clock)
    }
}

fn config(allocation: InstanceAllocationStrategy) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(limits::STACK)
        .async_stack_size(2 * limits::STACK)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .allocation_strategy(allocation);
    config
}

/// One pool for all plugins. A slot's memory is address space until it is used, and is given
/// back, zeroed, when its instance ends.
fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(limits::TOTAL_INSTANCES)
        .total_core_instances(limits::TOTAL_INSTANCES * 16)
        .total_memories(limits::TOTAL_INSTANCES)
        .total_tables(limits::TOTAL_INSTANCES * 4)
        .total_stacks(limits::TOTAL_INSTANCES)
        .max_core_instances_per_component(limits::CORE_INSTANCES)
        .max_memories_per_component(limits::MEMORIES)
        .max_tables_per_component(limits::TABLES)
        .max_component_instance_size(4 << 20)
        .table_elements(limits::TABLE_ELEMENTS)
        .max_memory_size(limits::LARGEST_MEMORY)
        .max_unused_warm_slots(4);
    pool
}

/// Ticks while any call runs, and a little longer, so that calls in a row need not wake it.
struct Clock {
    needs: Arc<Needs>,
    thread: Thread,
}

#[derive(Default)]
struct Needs {
    calls: AtomicUsize,
    asleep: AtomicBool,
}

/// Held by a call: the clock runs.
pub(super) struct Ticking(&'static Clock);

impl Clock {
    fn start(engine: Engine) -> std::io::Result<Self> {
        let needs = Arc::new(Needs::default());
        let seen = Arc::clone(&needs);
        let thread = std::thread::Builder::new()
            .name("plugin-clock".into())
            .spawn(move || run(&engine, &seen))?;
        Ok(Self {
            needs,
            thread: thread.thread().clone(),
        })
    }

    fn need(&self) {
        // Either this sees the clock asleep, or the clock sees this call before it sleeps.
        self.needs.calls.fetch_add(1, Ordering::SeqCst);
        if self.needs.asleep.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.needs.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

fn run(engine: &Engine, needs: &Needs) {
    loop {
        let mut quiet = 0;
        while quiet < LINGERS {
            std::thread::sleep(TICK);
            engine.increment_epoch();
            quiet = if needs.calls.load(Ordering::SeqCst) == 0 {
                quiet + 1
            } else {
                0
            };
        }
        needs.asleep.store(true, Ordering::SeqCst);
        while needs.calls.load(Ordering::SeqCst) == 0 {
            std::thread::park();
        }
        needs.asleep.store(false, Ordering::SeqCst);
    }
}

/// So many ticks without a call, 50 ms, and the clock sleeps.
const LINGERS: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_sleeps_when_nothing_runs_and_wakes_for_a_call() {
        // An engine of its own: others tests call plugins on the shared one.
        let engine = Engine::new(&config(InstanceAllocationStrategy::OnDemand)).unwrap();
        let clock: &'static Clock = Box::leak(Box::new(Clock::start(engine).unwrap()));
        let wait_for = |asleep: bool| {
            let ends = std::time::Instant::now() + Duration::from_secs(60);
            while clock.needs.asleep.load(Ordering::SeqCst) != asleep {
                assert!(std::time::Instant::now() < ends, "asleep: {}", !asleep);
                std::thread::yield_now();
            }
        };
        wait_for(true);
        clock.need();
        let ticking = Ticking(clock);
        wait_for(false);
        drop(ticking);
        wait_for(true);
    }
}
