//! What one instance of a plugin may use.
//!
//! | what | how much | what happens beyond |
//! |---|---|---|
//! | memory, of all modules of an instance | `max_memory` | trap |
//! | elements of tables | [`TABLE_ELEMENTS`] each | trap |
//! | stack | [`STACK`] | trap |
//! | bytes handed to the host in one call | [`HANDED_OVER`] | trap |
//! | handles of resources | [`HANDLES`] | trap |
//! | core instances, memories, tables | [`CORE_INSTANCES`], [`MEMORIES`], [`TABLES`] | not loaded |

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::ResourceLimiter;

/// The most that `max_memory` may ask for.
pub(super) const LARGEST_MEMORY: usize = 1 << 30;
/// Instances of all plugins together.
pub(super) const TOTAL_INSTANCES: u32 = 256;
/// Componentised JavaScript and Python consist of dozens.
pub(super) const CORE_INSTANCES: u32 = 64;
pub(super) const MEMORIES: u32 = 8;
pub(super) const TABLES: u32 = 64;
pub(super) const TABLE_ELEMENTS: usize = 60_000;
/// Of WebAssembly's own frames; the host's come on top.
pub(super) const STACK: usize = 1 << 20;
/// Texts and lists in one call from a plugin to the host, or in what a call returns.
pub(super) const HANDED_OVER: usize = 2 << 20;
pub(super) const HANDLES: usize = 1_000;

/// Counts one instance's memory, over all of its modules, and refuses too much.
pub(super) struct Limiter {
    max_memory: usize,
    memory: usize,
    /// Of all instances of the plugin, for its metrics.
    total: Arc<AtomicU64>,
}

/// An instance wanted more memory than it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it wants {wanted} bytes of memory, and may have {allowed}")]
pub(super) struct TooMuchMemory {
    wanted: usize,
    allowed: usize,
}

impl Limiter {
    pub(super) const fn new(max_memory: usize, total: Arc<AtomicU64>) -> Self {
        Self {
            max_memory,
            memory: 0,
            total,
        }
    }

    /// Whether more than three quarters of its memory are used: a plugin that leaks gets a fresh
    /// one before it is refused any.
    pub(super) const fn is_worn(&self) -> bool {
        self.memory / 3 > self.max_memory / 4
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.total.fetch_sub(self.memory as u64, Ordering::Relaxed);
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current);
        let wanted = self.memory.saturating_add(growth);
        if wanted > self.max_memory {
            return Err(TooMuchMemory {
                wanted,
                allowed: self.max_memory,
            }
            .into());
        }
        self.memory = wanted;
        self.total.fetch_add(growth as u64, Ordering::Relaxed);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS {
            wasmtime::bail!(
                "it wants a table of {desired} elements, and may have {TABLE_ELEMENTS}"
            );
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        TABLES as usize
    }

    fn memories(&self) -> usize {
        MEMORIES as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_of_one_instance_count_together_to_the_last_byte() {
        let total = Arc::new(AtomicU64::new(0));
        let mut limiter = Limiter::new(100, Arc::clone(&total));
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert_eq!(total.load(Ordering::Relaxed), 100);
        let refused = limiter.memory_growing(40, 41, None).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "it wants 101 bytes of memory, and may have 100"
        );
        drop(limiter);
        assert_eq!(total.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_table_may_be_so_long_and_no_longer() {
        let mut limiter = Limiter::new(100, Arc::default());
        assert!(limiter.table_growing(0, TABLE_ELEMENTS, None).unwrap());
        limiter
            .table_growing(0, TABLE_ELEMENTS + 1, None)
            .unwrap_err();
    }
}
