//! The runtime of Chancery: configuration, store, server, agent, HTTP API, proxy and command line.
#![forbid(unsafe_code)]

mod hardening;
mod store;

pub use hardening::protect_memory;
pub use store::{
    Batch, DataDir, DataDirError, FRESH_REVISION, FileStore, Group, Loaded, MemoryStore, Row,
    RowKind, SealError, Sealer, StateDigest, Store, StoreError, Write,
};
