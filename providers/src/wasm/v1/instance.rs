//! A component with all its imports, and running copies of it.

use std::sync::OnceLock;

use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

use super::answer::{capabilities, configure_error};
use super::request::Configuration;
use super::{Answer, bindings, optional};
use crate::Capabilities;
use crate::wasm::guest::Guest;
use crate::wasm::table::Table;
use crate::wasm::{engine, limits};

/// A component whose imports are all there.
pub(crate) struct Prepared {
    instance: InstancePre<Guest>,
    plugin: bindings::PluginIndices,
    /// Of one that exports them: 1.0 did not have them, and later ones need not.
    findings: Option<optional::SaysFindingsIndices>,
}

/// A running copy of a plugin, with its memory.
pub(crate) struct Instance {
    pub(super) store: Store<Guest>,
    pub(super) plugin: bindings::Plugin,
    pub(super) findings: Option<optional::SaysFindings>,
    configured: bool,
}

impl Prepared {
    /// Finds all that the component imports, and that its exports have the right types.
    pub(crate) fn new(component: &Component) -> wasmtime::Result<Self> {
        let instance = linker()?.instantiate_pre(component)?;
        let says_findings = component.get_export_index(None, FINDINGS).is_some();
        Ok(Self {
            plugin: bindings::PluginIndices::new(&instance)?,
            findings: says_findings
                .then(|| optional::SaysFindingsIndices::new(&instance))
                .transpose()?,
            instance,
        })
    }

    /// Whether it says what will stop working.
    pub(crate) const fn says_findings(&self) -> bool {
        self.findings.is_some()
    }

    pub(crate) async fn instantiate(&self, guest: Guest) -> wasmtime::Result<Instance> {
        let mut store = Store::new(self.instance.engine(), guest);
        store.limiter(|guest| &mut guest.limiter);
        store.set_hostcall_fuel(limits::HANDED_OVER);
        store.set_max_component_handles(limits::HANDLES);
        store.epoch_deadline_async_yield_and_update(1);
        store.set_epoch_deadline(engine::IN_PLACE_TICKS);
        let instance = self.instance.instantiate_async(&mut store).await?;
        let findings = self.findings.as_ref();
        Ok(Instance {
            plugin: self.plugin.load(&mut store, &instance)?,
            findings: findings
                .map(|it| it.load(&mut store, &instance))
                .transpose()?,
            store,
            configured: false,
        })
    }
}

fn linker() -> wasmtime::Result<&'static Linker<Guest>> {
    static LINKER: OnceLock<Linker<Guest>> = OnceLock::new();
    if let Some(linker) = LINKER.get() {
        return Ok(linker);
    }
    let engine = engine::shared().map_err(|error| wasmtime::Error::msg(error.to_string()))?;
    let mut linker = Linker::new(&engine.engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    bindings::Plugin::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    Ok(LINKER.get_or_init(|| linker))
}

impl Instance {
    /// Makes it ready for one call.
    pub(crate) fn begin(&mut self, table: Table, writable: bool) {
        self.store.set_epoch_deadline(engine::IN_PLACE_TICKS);
        self.store.data_mut().begin(table, writable);
    }

    /// Configures it unless it is.
    pub(crate) async fn ready(&mut self, configuration: &Configuration) -> Answer<()> {
        if self.configured {
            return Ok(Ok(()));
        }
        Ok(match self.configure(configuration).await? {
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        })
    }

    pub(crate) const fn is_configured(&self) -> bool {
        self.configured
    }

    /// The state as this call left it.
    pub(crate) fn table(&self) -> Table {
        self.store.data().table.clone()
    }

    /// Whether it has used so much of its memory that a fresh one is the better choice.
    pub(crate) fn is_worn(&self) -> bool {
        self.store.data().limiter.is_worn()
    }

    pub(super) async fn configure(
        &mut self,
        configuration: &Configuration,
    ) -> Answer<Capabilities> {
        let provider = self.plugin.chancery_ca_provider();
        let answer = provider
            .call_configure(&mut self.store, configuration.wit())
            .await?;
        self.configured = answer.is_ok();
        Ok(answer.map(capabilities).map_err(configure_error))
    }
}

const FINDINGS: &str = "chancery:ca/findings@1.1.0";
