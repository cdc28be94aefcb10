//! Files that hold one secret.

use std::io::Read as _;

use chancery_core::Secret;

use crate::{ErrorKind, ProviderError};

/// What stands in the file at `path`, which the option `name` gave.
///
/// Blocks: called for a login, from a task that has nothing else to do. A pipe or a device
/// would block for ever and is refused.
pub(super) fn read_secret(name: &str, path: &str) -> Result<Secret, ProviderError> {
    let unreadable = |why: &str| {
        // Somebody else writes these files: that one is not there yet may pass by itself.
        ProviderError::new(
            ErrorKind::Unavailable { retry_after: None },
            format!("{name} {path:?} cannot be read: {why}"),
        )
    };
    let found = std::fs::metadata(path).map_err(|error| unreadable(&error.to_string()))?;
    if !found.is_file() {
        return Err(unreadable("it is no ordinary file"));
    }
    if found.len() > LARGEST {
        return Err(unreadable("it has more than 65536 bytes"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or_default());
    std::fs::File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_end(&mut bytes))
        .map_err(|error| unreadable(&error.to_string()))?;
    let secret = Secret::new(bytes);
    if secret.expose().trim_ascii().is_empty() {
        return Err(unreadable("it is empty"));
    }
    Ok(secret)
}

const LARGEST: u64 = 65_536;
