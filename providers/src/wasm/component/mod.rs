//! From a file to something that can be run: read, pinned, compiled or found compiled, and its
//! imports looked at before anything of it runs.

mod cache;
mod interface;
mod load;
mod pin;
mod precompiled;

pub(super) use self::interface::Interface;
pub(super) use self::load::{Loaded, load, one_line, read};
pub(crate) use self::pin::Sha256;
