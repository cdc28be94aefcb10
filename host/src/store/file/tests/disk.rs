//! A disk in memory that remembers what was not synced, and fails when told to.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

/// One disk; clones are handles on it.
#[derive(Clone)]
pub(super) struct Disk(Arc<Mutex<State>>);

type Watcher = Box<dyn FnMut(&[u8], &[Op]) + Send>;

struct State {
    /// What survives a power failure for certain.
    durable: Vec<u8>,
    /// What the process reads.
    current: Vec<u8>,
    unsynced: Vec<Op>,
    syncs: u64,
    fault: Option<Fault>,
    /// Sees what is durable and what is not, just before each sync.
    watcher: Option<Watcher>,
}

/// A change that is not synced yet.
#[derive(Clone, Debug)]
pub(super) enum Op {
    SetLength(usize),
    Write { offset: usize, data: Vec<u8> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Length,
    Read,
    SetLength,
    Sync,
    Write,
}

/// Which call fails and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) call: Call,
    /// How many such calls succeed before.
    pub(super) after: usize,
    /// Whether all later calls of the kind fail too.
    pub(super) sticky: bool,
    pub(super) errno: i32,
    /// Whether it was met.
    pub(super) met: bool,
}

impl Disk {
    pub(super) fn new(image: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State {
            durable: image.clone(),
            current: image,
            unsynced: Vec::new(),
            syncs: 0,
            fault: None,
            watcher: None,
        })))
    }

    pub(super) fn watch(&self, watcher: impl FnMut(&[u8], &[Op]) + Send + 'static) {
        self.state().watcher = Some(Box::new(watcher));
    }

    pub(super) fn fail(&self, fault: Fault) {
        self.state().fault = Some(fault);
    }

    /// Ends the failing; whether the call that had to fail was reached.
    pub(super) fn heal(&self) -> bool {
        self.state().fault.take().is_some_and(|fault| fault.met)
    }

    pub(super) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// What the next process sees when only the process died.
    pub(super) fn current(&self) -> Vec<u8> {
        self.state().current.clone()
    }

    /// What is certain to survive a power failure, and what may.
    pub(super) fn after_power_failure(&self) -> (Vec<u8>, Vec<Op>) {
        let state = self.state();
        (state.durable.clone(), state.unsynced.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn check(&mut self, call: Call) -> io::Result<()> {
        let Some(fault) = self.fault.as_mut().filter(|fault| fault.call == call) else {
            return Ok(());
        };
        if fault.after > 0 {
            fault.after -= 1;
            return Ok(());
        }
        if fault.met && !fault.sticky {
            return Ok(());
        }
        fault.met = true;
        Err(io::Error::from_raw_os_error(fault.errno))
    }

    fn change(&mut self, op: Op) {
        op.apply(&mut self.current);
        self.unsynced.push(op);
    }
}

impl Op {
    pub(super) fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::SetLength(length) => image.resize(*length, 0),
            Self::Write { offset, data } => {
                let end = offset + data.len();
                if image.len() < end {
                    image.resize(end, 0);
                }
                image[*offset..end].copy_from_slice(data);
            }
        }
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disk")
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.state();
        state.check(Call::Length)?;
        Ok(state.current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.state();
        state.check(Call::Read)?;
        let offset = usize::try_from(offset).unwrap();
        let found = offset
            .checked_add(out.len())
            .and_then(|end| state.current.get(offset..end));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.check(Call::SetLength)?;
        state.change(Op::SetLength(usize::try_from(len).unwrap()));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        if let Some(mut watcher) = state.watcher.take() {
            watcher(&state.durable, &state.unsynced);
            state.watcher = Some(watcher);
        }
        let unsynced = std::mem::take(&mut state.unsynced);
        // A failed sync drops the pages: they read as written, and no later sync writes them.
        state.check(Call::Sync)?;
        for op in unsynced {
            op.apply(&mut state.durable);
        }
        state.syncs += 1;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let offset = usize::try_from(offset).unwrap();
        let checked = state.check(Call::Write);
        // A write that fails may have written a part.
        let written = if checked.is_ok() {
            data.len()
        } else {
            data.len() / 2
        };
        let data = data[..written].to_vec();
        state.change(Op::Write { offset, data });
        checked
    }
}
