//! What a plugin remembers and the keys that are held for it: one value that the host seals.

mod stored;

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery_core::Secret;

use super::held_key::HeldKey;
use crate::{KeySpec, ProviderError};

/// How much a [`Table`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableLimits {
    /// Bytes of all keys and values together.
    pub(crate) bytes: usize,
}

impl Default for TableLimits {
    fn default() -> Self {
        Self {
            bytes: DEFAULT_BYTES,
        }
    }
}

/// State and keys of one plugin. A clone shares what neither changes, so it is cheap, and what
/// one writes the other does not see.
#[derive(Clone)]
pub(crate) struct Table {
    limits: TableLimits,
    kept: Arc<Kept>,
    /// Keys from the operator's options. They come with each configuration, so they are not
    /// sealed here.
    lent: Arc<BTreeMap<String, Arc<HeldKey>>>,
}

#[derive(Clone, Default)]
struct Kept {
    values: BTreeMap<String, Secret>,
    /// Bytes of names and values.
    bytes: usize,
    keys: BTreeMap<String, Arc<HeldKey>>,
    csr_key: Option<Vec<u8>>,
}

/// Why a value was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Why a key was not made.
#[derive(Clone, Debug)]
pub(crate) enum KeyRefusal {
    /// There is one of that name.
    Exists,
    /// It could not be made, through no fault of the plugin's.
    Failed(ProviderError),
    /// The name is empty or too long, or there are too many keys.
    Full,
}

impl Table {
    /// An empty one.
    pub(crate) fn new(limits: TableLimits) -> Self {
        Self {
            limits,
            kept: Arc::default(),
            lent: Arc::default(),
        }
    }

    /// Everything but lent keys, as one secret.
    pub(crate) fn seal(&self) -> Result<Secret, ProviderError> {
        stored::write(&self.kept)
    }

    /// Reads what [`seal`](Self::seal) gave. A state that was made when more was allowed is kept
    /// whole: it can shrink, and grow no further.
    pub(crate) fn unseal(state: &Secret, limits: TableLimits) -> Result<Self, ProviderError> {
        Ok(Self {
            limits,
            kept: Arc::new(stored::read(state)?),
            lent: Arc::default(),
        })
    }

    /// The value kept under `name`.
    pub(crate) fn value(&self, name: &str) -> Option<&[u8]> {
        self.kept.values.get(name).map(Secret::expose)
    }

    /// All names of values, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.kept.values.keys().map(String::as_str)
    }

    /// Keeps `value` under `name`, in place of what was there.
    pub(crate) fn set(&mut self, name: &str, value: Vec<u8>) -> Result<(), Full> {
        let value = Secret::new(value);
        let before = self.size_of(name);
        let after = name.len().saturating_add(value.expose().len());
        let total = (self.kept.bytes - before).saturating_add(after);
        if name.is_empty()
            || name.len() > LONGEST_NAME
            || (total > self.limits.bytes && after > before)
        {
            return Err(Full);
        }
        let kept = Arc::make_mut(&mut self.kept);
        kept.bytes = total;
        kept.values.insert(name.to_owned(), value);
        Ok(())
    }

    /// Forgets what is kept under `name`, if anything.
    pub(crate) fn remove(&mut self, name: &str) {
        let size = self.size_of(name);
        if size > 0 {
            let kept = Arc::make_mut(&mut self.kept);
            kept.values.remove(name);
            kept.bytes -= size;
        }
    }

    /// The bytes that `name` and its value take.
    fn size_of(&self, name: &str) -> usize {
        self.value(name).map_or(0, |value| name.len() + value.len())
    }

    /// The key of that name, held or lent.
    pub(crate) fn key(&self, name: &str) -> Option<Arc<HeldKey>> {
        let key = self.kept.keys.get(name).or_else(|| self.lent.get(name));
        key.map(Arc::clone)
    }

    /// Whether a key may be made under `name`: to be asked before one is.
    pub(crate) fn check_new_key(&self, name: &str) -> Result<(), KeyRefusal> {
        if self.key(name).is_some() {
            return Err(KeyRefusal::Exists);
        }
        let room = (1..=LONGEST_KEY_NAME).contains(&name.len()) && self.kept.keys.len() < MOST_KEYS;
        if room { Ok(()) } else { Err(KeyRefusal::Full) }
    }

    /// Makes a key and keeps it under `name`.
    pub(crate) async fn generate(
        &mut self,
        name: &str,
        spec: KeySpec,
    ) -> Result<Arc<HeldKey>, KeyRefusal> {
        self.check_new_key(name)?;
        let key = HeldKey::generate(spec).await.map_err(KeyRefusal::Failed)?;
        self.keep_key(name, key)
    }

    /// Keeps a key that was made elsewhere.
    pub(crate) fn keep_key(
        &mut self,
        name: &str,
        key: HeldKey,
    ) -> Result<Arc<HeldKey>, KeyRefusal> {
        self.check_new_key(name)?;
        let key = Arc::new(key);
        let kept = Arc::make_mut(&mut self.kept);
        kept.keys.insert(name.to_owned(), Arc::clone(&key));
        Ok(key)
    }

    /// Forgets the key of that name, if any. One that was lent stays the operator's.
    pub(crate) fn remove_key(&mut self, name: &str) {
        if self.kept.keys.contains_key(name) {
            Arc::make_mut(&mut self.kept).keys.remove(name);
        }
    }

    /// Lends the operator's keys, each under the name of its option. A held key of the same name
    /// comes first.
    pub(crate) fn lend(&mut self, keys: impl IntoIterator<Item = (String, Arc<HeldKey>)>) {
        Arc::make_mut(&mut self.lent).extend(keys);
    }

    /// The public key of the CSR that `intermediate` answered with last.
    pub(crate) fn csr_key(&self) -> Option<&[u8]> {
        self.kept.csr_key.as_deref()
    }

    /// Remembers the public key of a CSR, or that it has been answered.
    pub(crate) fn set_csr_key(&mut self, public_key: Option<Vec<u8>>) {
        Arc::make_mut(&mut self.kept).csr_key = public_key;
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (values, keys) = (self.kept.values.len(), self.kept.keys.len());
        write!(f, "Table({values} values, {keys} keys)")
    }
}

/// Of everything kept, unless the operator says otherwise.
const DEFAULT_BYTES: usize = 64 << 10;
const LONGEST_NAME: usize = 256;
const LONGEST_KEY_NAME: usize = 64;
const MOST_KEYS: usize = 16;

#[cfg(test)]
mod tests;
