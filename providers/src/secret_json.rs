//! JSON that holds keys.

use chancery_core::Secret;
use serde::Serialize;

/// Writes `value` as JSON into memory that is wiped.
///
/// The length is counted first, so that the buffer never grows and leaves a copy of a key behind.
pub(crate) fn secret_json(value: &impl Serialize) -> Result<Secret, serde_json::Error> {
    let mut size = Counter(0);
    serde_json::to_writer(&mut size, value)?;
    let mut bytes = Vec::with_capacity(size.0);
    serde_json::to_writer(&mut bytes, value)?;
    Ok(Secret::new(bytes))
}

struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
