//! What a plugin has done so far, for metrics and for whoever asks how it is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::egress::Egress;

/// Counts of one configured plugin. All only grow, but for the memory.
#[derive(Default)]
pub(crate) struct Counters {
    pub(super) calls: AtomicU64,
    pub(super) failures: AtomicU64,
    nanoseconds: AtomicU64,
    pub(super) traps: AtomicU64,
    pub(super) timeouts: AtomicU64,
    pub(super) moved: AtomicU64,
    pub(super) instances: AtomicU64,
    pub(super) memory: Arc<AtomicU64>,
    pub(super) denied: AtomicU64,
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn took(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    fn read(&self, egress: &Egress) -> PluginCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PluginCounts {
            calls: read(&self.calls),
            failures: read(&self.failures),
            time: Duration::from_nanos(read(&self.nanoseconds)),
            traps: read(&self.traps),
            timeouts: read(&self.timeouts),
            moved: read(&self.moved),
            instances: read(&self.instances),
            memory: read(&self.memory),
            denied_imports: read(&self.denied),
            requests: egress.requests(),
            denied_requests: egress.denied(),
        }
    }
}

/// What a plugin has done since it was configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginCounts {
    /// Calls into it.
    pub calls: u64,
    /// Calls that it answered with an error.
    pub failures: u64,
    /// What the calls took, waiting for the network included.
    pub time: Duration,
    /// Calls that ended in a trap: a crash of the plugin, or too much of something.
    pub traps: u64,
    /// Calls that were cut off because they took too long.
    pub timeouts: u64,
    /// Calls that were not done at once and went on in the plugin's own thread.
    pub moved: u64,
    /// Instances made.
    pub instances: u64,
    /// Bytes of memory that its instances hold now.
    pub memory: u64,
    /// Calls to the host that were refused, such as writing where only reading is allowed.
    pub denied_imports: u64,
    /// HTTP requests that it made.
    pub requests: u64,
    /// HTTP requests that it wanted to make and was not allowed.
    pub denied_requests: u64,
}

/// A plugin that is configured in this process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginStatus {
    /// The plugin's own name.
    pub name: String,
    /// Its version, in its own words.
    pub version: String,
    /// Where it was read.
    pub path: std::path::PathBuf,
    /// The SHA-256 of its file, 64 hexadecimal digits.
    pub sha256: String,
    /// What it has done.
    pub counts: PluginCounts,
}

/// Who it is, and its counters.
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) path: std::path::PathBuf,
    pub(super) sha256: String,
    pub(super) counters: Arc<Counters>,
    pub(super) egress: Arc<Egress>,
}

/// The plugins that are configured in this process now, the oldest first. During a change of the
/// CA or a reload there are two.
#[must_use]
pub fn plugins() -> Vec<PluginStatus> {
    let mut listed = LISTED.lock().unwrap_or_else(PoisonError::into_inner);
    listed.retain(|it| it.strong_count() > 0);
    let here = listed.iter().filter_map(Weak::upgrade);
    here.map(|it| PluginStatus {
        name: it.name.clone(),
        version: it.version.clone(),
        path: it.path.clone(),
        sha256: it.sha256.clone(),
        counts: it.counters.read(&it.egress),
    })
    .collect()
}

/// Lists a plugin for as long as what is returned lives.
pub(super) fn list(listed: Listed) -> Arc<Listed> {
    let listed = Arc::new(listed);
    let mut all = LISTED.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|it| it.strong_count() > 0);
    all.push(Arc::downgrade(&listed));
    listed
}

static LISTED: Mutex<Vec<Weak<Listed>>> = Mutex::new(Vec::new());
