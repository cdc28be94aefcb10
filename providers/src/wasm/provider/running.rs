//! A configured plugin, and the state that its calls share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use chancery_core::Secret;
use tokio::sync::Mutex;

use crate::wasm::counters::Listed;
use crate::wasm::lane::Begins;
use crate::wasm::sandbox::{Sandbox, Work};
use crate::wasm::table::Table;
use crate::wasm::v1;
use crate::{Capabilities, ProviderError};

/// What there is once a plugin is configured.
pub(super) struct Running {
    sandbox: Sandbox,
    pub(super) capabilities: Capabilities,
    state: RwLock<State>,
    /// Held by a call that may change the state: one at a time.
    pub(super) changing: Mutex<()>,
    retired: AtomicBool,
    _listed: Arc<Listed>,
}

/// The newest state, and how many there were before it.
#[derive(Clone)]
struct State {
    table: Table,
    generation: u64,
}

impl Running {
    /// The first state is `table`; what says that it is listed goes with it.
    pub(super) fn new(
        sandbox: Sandbox,
        capabilities: Capabilities,
        table: Table,
        listed: Arc<Listed>,
    ) -> Self {
        Self {
            sandbox,
            capabilities,
            state: RwLock::new(State {
                table,
                generation: 0,
            }),
            changing: Mutex::default(),
            retired: AtomicBool::new(false),
            _listed: listed,
        }
    }

    /// Gives it up: no call but those under way.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// The state's table as it is now.
    pub(super) fn table(&self) -> Table {
        self.state().table
    }

    /// Makes an instance, configures it and drops it.
    pub(super) async fn make_instance(&self) -> Result<(), ProviderError> {
        let State { table, generation } = self.state();
        let work = Work {
            begins: Begins::Here,
            table,
            generation,
            // One that may write is always fresh, and serves nobody else.
            writable: true,
        };
        self.sandbox.call(work, v1::nothing()).await?;
        Ok(())
    }

    pub(super) fn check_alive(&self) -> Result<(), ProviderError> {
        if self.retired.load(Ordering::Acquire) {
            return Err(ProviderError::refused("this CA has been given up"));
        }
        Ok(())
    }

    fn state(&self) -> State {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.clone()
    }

    /// Makes a call that only reads the state.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        begins: Begins,
        call: v1::Call<T>,
    ) -> Result<T, ProviderError> {
        let State { table, generation } = self.state();
        let work = Work {
            begins,
            table,
            generation,
            writable: false,
        };
        Ok(self.sandbox.call(work, call).await?.0)
    }

    /// Makes a call that may write to the state, which counts if the call and `settle`, which
    /// looks at its answer, succeed.
    pub(super) async fn change<T: Send + 'static, A>(
        &self,
        call: v1::Call<T>,
        settle: impl FnOnce(T, &mut Table) -> Result<A, ProviderError>,
    ) -> Result<(A, Secret), ProviderError> {
        let State { table, generation } = self.state();
        let work = Work {
            begins: Begins::Apart,
            table,
            generation,
            writable: true,
        };
        let (answer, mut table) = self.sandbox.call(work, call).await?;
        let answer = settle(answer, &mut table)?;
        let sealed = table.seal()?;
        let generation = generation + 1;
        let state = State { table, generation };
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
        Ok((answer, sealed))
    }
}
