//! Plugins: a CA that is a WebAssembly component for `chancery:ca`.
//!
//! ```text
//!  Guard ─▶ Wasm ─▶ Sandbox ──▶ Lane: once here, then in the plugin's own slow thread
//!            │       │  └─ pool of instances, crashes, counters
//!            │       └─ Loaded: file ─▶ pin ─▶ compiled or cached ─▶ imports looked at
//!            └─ Table: state and held keys; a call works on a copy
//! ```
//!
//! A plugin is hostile by assumption. It gets the imports of `plugins/wit` and a WASI in which
//! there is nothing; memory, time and what it hands over are bounded ([`limits`]); what it traps
//! or hangs costs its own instance. [`v1`] is the only module that knows the types of the
//! interface.

mod chosen;
mod component;
mod counters;
mod crashes;
mod egress;
mod engine;
mod file;
mod guest;
mod held_key;
mod import;
mod lane;
mod limits;
mod log_tap;
mod options;
mod provider;
mod sandbox;
mod schema;
mod table;
mod v1;
mod vouch;

pub use self::chosen::{load_plugin, plugin_path, plugin_sha256};
pub use self::counters::{PluginCounts, PluginStatus, plugins};
pub use self::file::{PluginFile, PluginOption};
pub use self::provider::Wasm;
pub(crate) use self::provider::{NAME, check_options};
