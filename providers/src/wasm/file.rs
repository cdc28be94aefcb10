//! A plugin's file, loaded and asked what it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::component::{self, Interface, Loaded, Sha256};
use super::counters::Counters;
use super::egress::{AllowList, Egress, EgressLimits};
use super::lane::{Begins, Cut, Lane};
use super::log_tap::LogTap;
use super::sandbox::{Sandbox, SandboxLimits, Work};
use super::table::{Table, TableLimits};
use super::v1::{self, About};
use crate::{Capabilities, ProviderError};

/// A plugin that was read, found sound, compiled, and has described itself. Nothing of it was
/// configured yet.
///
/// Cheap to clone. Many [`Wasm`](crate::Wasm) can be made of one.
#[derive(Clone)]
pub struct PluginFile(pub(super) Arc<Described>);

pub(super) struct Described {
    pub(super) path: PathBuf,
    pub(super) loaded: Arc<Loaded>,
    pub(super) about: About,
}

/// An option that a plugin takes in `config { … }`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginOption {
    /// Its name.
    pub name: String,
    /// What it looks like, in one word or two.
    pub kind: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// What counts if it is not given.
    pub default: Option<String>,
    /// What it means.
    pub about: String,
}

impl PluginFile {
    /// Reads, checks and compiles the plugin at `path`, and asks it what it is.
    ///
    /// `sha256` is the hash that the operator has pinned, in hexadecimal digits; `cache` is a
    /// directory for compiled plugins, private to the user of this process, which is made if it
    /// is not there. Compiling happens on a thread of low priority.
    ///
    /// # Errors
    /// `Misconfigured` if the file cannot be a plugin here, `Broken` if what it says of itself
    /// cannot be used, `Unavailable` if the system gives no thread or memory.
    pub async fn load(
        path: &Path,
        sha256: Option<&str>,
        cache: Option<&Path>,
    ) -> Result<Self, ProviderError> {
        let pin = sha256.map(|text| {
            Sha256::parse(text)
                .ok_or_else(|| ProviderError::misconfigured("sha256 must be 64 hexadecimal digits"))
        });
        Self::read(path, pin.transpose()?, cache).await
    }

    pub(super) async fn read(
        path: &Path,
        pin: Option<Sha256>,
        cache: Option<&Path>,
    ) -> Result<Self, ProviderError> {
        let lane = Lane::start()?;
        let (from, cache) = (path.to_owned(), cache.map(Path::to_owned));
        let loaded = lane.run_blocking(move || {
            component::read(&from).and_then(|bytes| component::load(&bytes, pin, cache.as_deref()))
        });
        let loaded = loaded
            .await
            .map_err(|_cut: Cut| ProviderError::broken("loading a plugin ended by a fault"))?
            .map_err(|failure| failure.at(path))?;
        let about = describe(Arc::clone(&loaded), lane).await?;
        Ok(Self(Arc::new(Described {
            path: path.to_owned(),
            loaded,
            about,
        })))
    }

    /// Where it was read.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The name that it gives itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.about.name
    }

    /// Its version, in its own words; nothing unprintable is left.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.0.about.version
    }

    /// What it says it is for.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.0.about.about
    }

    /// What it can do at most, with the keys it can make.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.0.about.capabilities
    }

    /// The options it takes.
    pub fn options(&self) -> impl Iterator<Item = PluginOption> + '_ {
        self.0.about.options.iter().map(|spec| PluginOption {
            name: spec.name.clone(),
            kind: spec.kind.word(),
            required: spec.required,
            default: spec.default.clone(),
            about: spec.about.clone(),
        })
    }

    /// The SHA-256 of its file, 64 hexadecimal digits.
    #[must_use]
    pub fn sha256(&self) -> String {
        self.0.loaded.sha256.to_string()
    }

    /// Bytes of its file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.loaded.size
    }

    /// Whether its compiled form was found in the cache.
    #[must_use]
    pub fn was_compiled(&self) -> bool {
        self.0.loaded.from_cache
    }

    /// The names of what it imports, sorted.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.0.loaded.interface.imports
    }

    /// The names of what it exports, sorted.
    #[must_use]
    pub fn exports(&self) -> &[String] {
        &self.0.loaded.interface.exports
    }

    /// The version of `chancery:ca` that it was built for.
    #[must_use]
    pub fn interface_version(&self) -> String {
        let version = self.0.loaded.interface.version();
        version.unwrap_or(Interface::VERSION).to_string()
    }

    /// Whether it can make HTTP requests, if `allow_http` grants any.
    #[must_use]
    pub fn wants_http(&self) -> bool {
        self.0.loaded.interface.wants_http()
    }
}

/// Asks with little memory and time: saying what it is takes neither.
async fn describe(loaded: Arc<Loaded>, lane: Lane) -> Result<About, ProviderError> {
    let log = Arc::new(LogTap::new("new"));
    let nobody = AllowList::default();
    let egress = Egress::new(nobody, None, EgressLimits::default(), Arc::clone(&log))?;
    let limits = SandboxLimits {
        memory: 256 << 20,
        timeout: Duration::from_secs(5),
    };
    let counters = Arc::new(Counters::default());
    let sandbox = Sandbox::new(loaded, lane, limits, log, Arc::new(egress), counters);
    let work = Work {
        begins: Begins::Apart,
        table: Table::new(TableLimits::default()),
        generation: 0,
        writable: false,
    };
    Ok(sandbox.call(work, v1::describe()).await?.0)
}
