//! The plugin that signs, its file, and what happens when that changes.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use chancery_core::Timestamp;
use chancery_providers::{PluginFile, plugin_path, plugin_sha256};
use tokio::sync::Notify;

use super::{AuthorityHost, Incarnation, lock};

/// The name of the provider that is a plugin.
pub(super) const PROVIDER: &str = "wasm";

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// A plugin that signs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginInUse {
    /// The name that it gives itself.
    pub name: String,
    /// Its version, in its own words.
    pub version: String,
    /// Where it was read.
    pub path: PathBuf,
    /// The SHA-256 of its file, 64 hexadecimal digits.
    pub sha256: String,
    /// Why the file that is there now was not taken in its place, if so.
    pub refused: Option<RefusedReload>,
}

/// A file that was not taken in the place of a plugin at work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedReload {
    /// When it was tried.
    pub at: Timestamp,
    /// Why it was refused.
    pub reason: String,
}

/// What came of looking at the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reload {
    /// No plugin signs, or not yet.
    NoPlugin,
    /// Something of the CA is changing: the file is looked at afterwards.
    Postponed,
    /// The plugin at work goes on, for this reason.
    Refused(String),
    /// The file is the one at work.
    Same,
    /// The new plugin signs. Its name and version.
    Switched(String),
}

/// What is known of the plugin's file.
#[derive(Default)]
pub(super) struct Watched {
    seen: Mutex<Option<Seen>>,
    refused: Mutex<Option<(String, RefusedReload)>>,
    /// Held while a plugin is tried.
    trying: tokio::sync::Mutex<()>,
    now: Notify,
}

/// By what a changed file shows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    path: PathBuf,
    length: u64,
    changed: Option<SystemTime>,
}

impl Seen {
    fn of(path: PathBuf) -> Option<Self> {
        let about = std::fs::metadata(&path).ok()?;
        Some(Self {
            path,
            length: about.len(),
            changed: about.modified().ok(),
        })
    }
}

impl AuthorityHost {
    /// The plugin that signs, if one does and is ready.
    #[must_use]
    pub fn plugin(&self) -> Option<PluginInUse> {
        let view = self.inner.server.view();
        let signing = view.state().authority().signing_view()?;
        let incarnation = self.inner.incarnations.at_work(signing.epoch)?;
        let file = incarnation.plugin.as_ref()?;
        let refused = lock(&self.inner.plugin.refused).clone();
        Some(PluginInUse {
            name: file.name().to_owned(),
            version: file.version().to_owned(),
            path: file.path().to_owned(),
            sha256: file.sha256(),
            refused: refused.map(|(_, refused)| refused),
        })
    }

    /// Has the plugin's file looked at without waiting for the next time.
    pub fn look_at_plugin(&self) {
        self.inner.plugin.now.notify_one();
    }

    /// Looks at the plugin's file now and then, and takes a new one in place of the old, until
    /// dropped. What comes of it is logged, once for each change.
    pub(crate) async fn watch_plugin(&self) {
        loop {
            let asked = tokio::select! {
                () = tokio::time::sleep(EVERY) => false,
                () = self.inner.plugin.now.notified() => true,
            };
            if !asked && !self.plugin_file_changed() {
                continue;
            }
            match self.reload_plugin().await {
                Reload::Switched(plugin) => tracing::info!("{plugin} signs from now on"),
                Reload::Refused(reason) => {
                    tracing::error!("the new plugin is not taken, the old one goes on: {reason}");
                }
                Reload::Same if asked => tracing::info!("the plugin's file has not changed"),
                Reload::Same | Reload::NoPlugin => {}
                // It is looked at again.
                Reload::Postponed => *lock(&self.inner.plugin.seen) = None,
            }
        }
    }

    /// Whether the file looks other than last time. The first look is one at what is at work.
    fn plugin_file_changed(&self) -> bool {
        let view = self.inner.server.view();
        let configuration = view.state().authority().configuration();
        let Some(configuration) = configuration.filter(|it| it.provider == PROVIDER) else {
            return false;
        };
        let path = plugin_path(&configuration.options, &self.inner.surroundings);
        let Some(now) = path.ok().and_then(Seen::of) else {
            // While a file is being replaced it may not be there.
            return false;
        };
        let mut seen = lock(&self.inner.plugin.seen);
        let changed = seen.as_ref() != Some(&now);
        *seen = Some(now);
        changed
    }

    /// Loads the plugin's file beside the one at work, has it prove that it can sign under the
    /// present root, and lets it sign from then on. Whatever goes wrong, the old one goes on.
    pub async fn reload_plugin(&self) -> Reload {
        let _trying = self.inner.plugin.trying.lock().await;
        let Some(running) = self.signing_plugin() else {
            return Reload::NoPlugin;
        };
        let Some(before) = &running.plugin else {
            return Reload::NoPlugin;
        };
        let view = self.inner.server.view();
        let authority = view.state().authority();
        let (Some(record), Some(configuration), Some(root)) = (
            authority.record(),
            authority.configuration(),
            authority.active_root(),
        ) else {
            return Reload::NoPlugin;
        };
        if record.rotation.is_some() {
            return Reload::Postponed;
        }
        let path = before.path().to_owned();
        let hash = match tokio::task::spawn_blocking(move || plugin_sha256(&path)).await {
            Ok(Ok(hash)) => hash,
            Ok(Err(error)) => return self.refused("", format!("it cannot be read: {error}")),
            Err(_panicked) => return Reload::Postponed,
        };
        if hash == before.sha256() {
            *lock(&self.inner.plugin.refused) = None;
            return Reload::Same;
        }
        let known = lock(&self.inner.plugin.refused).clone();
        if known.is_some_and(|(refused, _)| refused == hash) {
            return Reload::Same;
        }
        let memory = authority.memory(running.epoch);
        let made = self.configure(running.epoch, configuration, memory.as_ref());
        let made = match made.await {
            Ok(made) => made,
            Err(error) => return self.refused(&hash, error.to_string()),
        };
        if let Some(reason) = made.plugin.as_ref().and_then(|new| differs(before, new)) {
            return self.refused(&hash, reason);
        }
        if let Err(error) = self.try_again(&made, root).await {
            return self.refused(&hash, error.to_string());
        }
        // What the old one has written meanwhile the new one does not know.
        let view = self.inner.server.view();
        let now = view.state().authority();
        let same = now.memory(running.epoch).map(|it| it.sealed) == memory.map(|it| it.sealed);
        let quiet = now.record().is_some_and(|record| record.rotation.is_none());
        let name = made.plugin.as_ref().map(named).unwrap_or_default();
        if !same || !quiet || !self.inner.incarnations.replace(&running, made) {
            return Reload::Postponed;
        }
        *lock(&self.inner.plugin.refused) = None;
        Reload::Switched(name)
    }

    /// Notes why a file is not taken.
    fn refused(&self, hash: &str, reason: String) -> Reload {
        let at = self.inner.server.clock().now().wall;
        let refused = RefusedReload {
            at,
            reason: reason.clone(),
        };
        *lock(&self.inner.plugin.refused) = Some((hash.to_owned(), refused));
        Reload::Refused(reason)
    }

    /// The incarnation that signs, if it is at work and is a plugin.
    fn signing_plugin(&self) -> Option<Arc<Incarnation>> {
        let view = self.inner.server.view();
        let signing = view.state().authority().signing_view()?;
        let ready = self.inner.incarnations.at_work(signing.epoch)?;
        ready.plugin.is_some().then_some(ready)
    }
}

/// Why `new` cannot take the place of `old`, if so: with another name or less that it can do it
/// is another CA, and that is a change of the configuration.
fn differs(old: &PluginFile, new: &PluginFile) -> Option<String> {
    if old.name() != new.name() {
        return Some(format!(
            "it calls itself {:?}, the one at work {:?}: another CA is chosen in the configuration",
            new.name(),
            old.name()
        ));
    }
    let (had, has) = (old.capabilities(), new.capabilities());
    let lost = [
        (
            "own-intermediate",
            had.own_intermediate,
            has.own_intermediate,
        ),
        (
            "external-intermediate",
            had.external_intermediate,
            has.external_intermediate,
        ),
        ("cross-sign", had.cross_sign, has.cross_sign),
    ];
    let lost = lost.into_iter().find(|(_, had, has)| *had && !has);
    lost.map(|(name, ..)| format!("it does not claim {name}, which the one at work does"))
}

fn named(file: &PluginFile) -> String {
    format!("the plugin {} {}", file.name(), file.version())
}
