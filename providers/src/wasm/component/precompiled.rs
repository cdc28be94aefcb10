//! The one call in this crate that the compiler cannot vouch for.

use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::Component;

/// Maps compiled code into memory. [`Cache`](super::cache::Cache) calls this with a file that it
/// wrote itself and has just verified, and nobody else does.
#[expect(
    unsafe_code,
    reason = "compiled code is run as it is; that it comes from our compiler is what the cache's \
              directory, which is private to its owner, and its recorded hash prove"
)]
pub(super) fn map(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was written by `Component::serialize` of an engine of the same
    // configuration, see above.
    unsafe { Component::deserialize_file(engine, path) }
}
