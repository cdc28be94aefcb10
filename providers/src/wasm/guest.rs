//! What the host keeps for one instance of a plugin.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::counters::Counters;
use super::egress::EgressHooks;
use super::held_key::HeldKey;
use super::limits::{self, Limiter};
use super::log_tap::LogTap;
use super::table::Table;
use super::vouch::Signatures;

/// The data of an instance's store.
pub(crate) struct Guest {
    pub(super) limiter: Limiter,
    pub(super) log: Arc<LogTap>,
    pub(super) counters: Arc<Counters>,
    /// What this call sees of the plugin's state. A copy: it counts if the call succeeds.
    pub(super) table: Table,
    /// Whether this call may write.
    pub(super) writable: bool,
    /// What the host has signed in this call.
    pub(super) signatures: Signatures,
    pub(super) resources: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    requests: EgressHooks,
}

impl Guest {
    pub(super) fn new(
        limiter: Limiter,
        log: Arc<LogTap>,
        counters: Arc<Counters>,
        table: Table,
        requests: EgressHooks,
    ) -> Self {
        let mut resources = ResourceTable::new();
        resources.set_max_capacity(limits::HANDLES);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(64 << 10);
        Self {
            limiter,
            log,
            counters,
            table,
            writable: false,
            signatures: Signatures::default(),
            resources,
            // No environment, no arguments, no directory, no socket; output goes nowhere.
            wasi: WasiCtx::builder().build(),
            http,
            requests,
        }
    }

    /// Makes it ready for a call of its own.
    pub(super) fn begin(&mut self, table: Table, writable: bool) {
        self.table = table;
        self.writable = writable;
        self.signatures.forget();
        self.requests.begin_call();
    }

    /// Signs with a held key and remembers that it did.
    pub(super) fn sign(
        &mut self,
        key: &Arc<HeldKey>,
        message: Vec<u8>,
    ) -> Result<Vec<u8>, crate::ProviderError> {
        let signature = key.sign(&message)?;
        self.signatures.note(key, message, &signature);
        Ok(signature)
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.resources,
        }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.resources,
            hooks: &mut self.requests,
        }
    }
}
