//! Buffers that a connection holds only while bytes flow through it.

use std::sync::{Arc, Mutex, PoisonError};

/// Clear bytes taken from a socket at a time: four full TLS records.
pub(crate) const CLEAR_AT_ONCE: usize = 64 * 1024;

/// What a buffer holds: four sealed records, and room for a few small control records.
const CAPACITY: usize = CLEAR_AT_ONCE + 4 * 1024;

/// What is kept for the next connection that wakes; more is given back to the allocator.
const KEPT: usize = 32;

/// Bytes waiting between a start and an end within one allocation.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: vec![0; capacity],
            start: 0,
            end: 0,
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) const fn len(&self) -> usize {
        self.end - self.start
    }

    /// What waits in the buffer.
    pub(crate) fn filled(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// The same, to be decrypted in place.
    pub(crate) fn filled_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Room behind what waits.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// Notes that `count` bytes were written into [`space`](Self::space).
    pub(crate) fn fill(&mut self, count: usize) {
        self.end = self.bytes.len().min(self.end + count);
    }

    /// Drops `count` bytes from the front.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
        if self.is_empty() {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Makes at least `count` bytes of room, moving and growing as needed.
    pub(crate) fn reserve(&mut self, count: usize) {
        if self.bytes.len() - self.end >= count {
            return;
        }
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let wanted = self.end + count;
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted, 0);
        }
    }

    /// Appends `bytes`.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        if let Some(room) = self.space().get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
        }
        self.fill(bytes.len());
    }
}

/// Where buffers wait between two bursts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    free: Arc<Mutex<Vec<Buffer>>>,
}

impl Pool {
    pub(crate) fn take(&self) -> Buffer {
        self.free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .unwrap_or_else(|| Buffer::with_capacity(CAPACITY))
    }

    /// Takes a buffer back. One that had to grow is freed.
    pub(crate) fn give(&self, mut buffer: Buffer) {
        if buffer.bytes.len() != CAPACITY {
            return;
        }
        buffer.consume(buffer.len());
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT {
            free.push(buffer);
        }
    }

    /// Gives the buffer in `slot` back if nothing waits in it.
    pub(crate) fn give_if_empty(&self, slot: &mut Option<Buffer>) {
        if let Some(buffer) = slot.take_if(|buffer| buffer.is_empty()) {
            self.give(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_the_order_they_went_in() {
        let mut buffer = Buffer::with_capacity(4);
        buffer.push(b"ab");
        buffer.consume(1);
        buffer.push(b"cdef");
        assert_eq!(buffer.filled(), b"bcdef");
        buffer.consume(5);
        assert!(buffer.is_empty());
        assert_eq!(buffer.filled(), b"");
    }

    #[test]
    fn a_pool_keeps_whole_buffers_up_to_its_bound() {
        let pool = Pool::default();
        let taken: Vec<Buffer> = (0..KEPT + 5).map(|_| pool.take()).collect();
        for buffer in taken {
            pool.give(buffer);
        }
        pool.give(Buffer::with_capacity(10));
        assert_eq!(pool.free.lock().unwrap().len(), KEPT);
    }

    #[test]
    fn only_an_empty_buffer_is_given_back() {
        let pool = Pool::default();
        let mut slot = Some(pool.take());
        slot.as_mut().unwrap().push(b"x");
        pool.give_if_empty(&mut slot);
        assert!(slot.is_some());
        slot.as_mut().unwrap().consume(1);
        pool.give_if_empty(&mut slot);
        assert!(slot.is_none());
    }
}
