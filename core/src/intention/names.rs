//! Names as small numbers.

use std::borrow::Cow;
use std::hash::Hasher;
use std::marker::PhantomData;
use std::sync::Arc;

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;
use imbl::OrdSet;
use smallvec::SmallVec;

use super::model::IntentionNamespace;
use super::paged::Paged;
use super::sharded::Sharded;

/// Seeds the hash tables of an [`IntentionSet`](super::IntentionSet).
///
/// Take random numbers where strangers choose names, so that nobody can choose names that
/// collide. The seed changes no answer and no order of any output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a seed is two numbers")]
pub struct HashSeed(pub [u64; 2]);

/// A hash function with a seed of its own.
#[derive(Clone, Debug)]
pub(super) struct Hashing {
    seed: u64,
    shared: Arc<SharedSeed>,
}

impl Hashing {
    pub(super) fn new(seed: HashSeed) -> Self {
        let HashSeed([first, second]) = seed;
        Self {
            seed: first,
            shared: Arc::new(SharedSeed::from_u64(second)),
        }
    }

    #[inline]
    pub(super) fn bytes(&self, bytes: &[u8]) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.seed, &self.shared);
        hasher.write(bytes);
        hasher.finish()
    }

    #[inline]
    pub(super) fn pair(&self, source: u32, destination: u32) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.seed, &self.shared);
        hasher.write_u64(u64::from(source) << 32 | u64::from(destination));
        hasher.finish()
    }
}

/// `default/*`: any service of the one namespace.
pub(super) const STAR: u32 = 0;
/// `*/*`: any service of any namespace.
pub(super) const ALL: u32 = 1;
/// A name in the namespace `default` that no rule mentions.
pub(super) const UNKNOWN: u32 = u32::MAX;

/// A name that was looked up in one [`IntentionSet`](super::IntentionSet).
///
/// Looking up never adds a name: however many names strangers ask about, the set stays as it
/// is. The borrow keeps the set from changing meanwhile; a name looked up in one set and used
/// in another means whatever has the same number there.
#[derive(Clone, Copy, Debug)]
pub struct NameRef<'a> {
    pub(super) text: &'a str,
    // Whether this is a name in the namespace `default` (it may still be `*`).
    pub(super) in_default: bool,
    // The number of exactly this spelling, and of its lower case.
    pub(super) spelled: u32,
    pub(super) folded: u32,
    pub(super) set: PhantomData<&'a ()>,
}

impl<'a> NameRef<'a> {
    /// The name as it was asked for, without namespace.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.text
    }
}

/// `name` or `namespace/name`, as `match` and `check` take them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QualifiedName<'a> {
    namespace: &'a str,
    name: &'a str,
}

impl<'a> QualifiedName<'a> {
    /// Splits at the slash; without one the namespace is `default`. Either part may be empty,
    /// and any namespace is accepted: one that is unknown is covered by `*/*` alone.
    ///
    /// # Errors
    /// Two slashes or more.
    pub fn parse(text: &'a str) -> Result<Self, QualifiedNameError> {
        let (namespace, name) = text.split_once('/').unwrap_or(("default", text));
        if name.contains('/') {
            return Err(QualifiedNameError);
        }
        Ok(Self { namespace, name })
    }

    /// A name in the namespace `default`, taken literally, slashes and all.
    #[must_use]
    pub const fn plain(name: &'a str) -> Self {
        Self {
            namespace: "default",
            name,
        }
    }

    /// The part before the slash, or `default`.
    #[must_use]
    pub const fn namespace(&self) -> &'a str {
        self.namespace
    }

    /// The part behind the slash.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }
}

/// A qualified name with two slashes or more; the text is Consul's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("input can contain at most one '/'")]
#[non_exhaustive]
pub struct QualifiedNameError;

/// Which rule a look-up found, and what it says: a row's number and its action in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ruling(u32);

impl Ruling {
    pub(super) const NONE: Self = Self(u32::MAX);

    pub(super) const fn new(row: u32, allowed: bool) -> Self {
        Self(row << 1 | allowed as u32)
    }

    #[inline]
    pub(super) const fn row(self) -> Option<u32> {
        if self.0 == u32::MAX {
            None
        } else {
            Some(self.0 >> 1)
        }
    }

    #[inline]
    pub(super) const fn allowed(self) -> bool {
        self.0 & 1 == 1
    }
}

/// The rules with one exact side, by how far the other side reaches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wild {
    pub(super) star: Ruling,
    pub(super) all: Ruling,
}

impl Wild {
    const NONE: Self = Self {
        star: Ruling::NONE,
        all: Ruling::NONE,
    };

    pub(super) fn set(&mut self, wildcard: u32, ruling: Ruling) {
        match wildcard {
            STAR => self.star = ruling,
            ALL => self.all = ruling,
            _ => (),
        }
    }
}

/// What is known of one spelling of one name.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) text: Arc<str>,
    pub(super) folded: u32,
    uses: u32,
    /// As a destination (lower case only): the rules from wildcards.
    pub(super) from: Wild,
    /// As a source (this spelling): the rules to wildcards.
    pub(super) to: Wild,
    /// The rows with this name on a side, in any case (lower case only).
    pub(super) as_source: OrdSet<u32>,
    pub(super) as_destination: OrdSet<u32>,
}

impl Default for Name {
    fn default() -> Self {
        Self {
            text: Arc::default(),
            folded: STAR,
            uses: 0,
            from: Wild::NONE,
            to: Wild::NONE,
            as_source: OrdSet::new(),
            as_destination: OrdSet::new(),
        }
    }
}

/// The names that rules mention, each with a number, kept while a rule mentions it.
#[derive(Clone, Debug)]
pub(super) struct Names {
    slots: Paged<Name>,
    numbers: Sharded<u32>,
    free: OrdSet<u32>,
    next: u32,
}

impl Names {
    pub(super) fn new() -> Self {
        let mut slots = Paged::new();
        for (number, text) in [(STAR, "*"), (ALL, "*")] {
            let name = Name {
                text: text.into(),
                folded: number,
                ..Name::default()
            };
            slots.set(index(number), name);
        }
        Self {
            slots,
            numbers: Sharded::new(),
            free: OrdSet::new(),
            next: ALL + 1,
        }
    }

    pub(super) fn len(&self) -> usize {
        index(self.next - ALL - 1) - self.free.len()
    }

    #[inline]
    pub(super) fn at(&self, number: u32) -> Option<&Name> {
        self.slots.at(index(number))
    }

    pub(super) fn slot(&mut self, number: u32) -> Option<&mut Name> {
        self.slots.slot(index(number))
    }

    /// Looks a name of the namespace `default` up, in its own spelling and in lower case.
    #[inline]
    pub(super) fn find<'a>(&'a self, text: &'a str, hashing: &Hashing) -> NameRef<'a> {
        let (spelled, folded) = match text {
            "*" => (STAR, STAR),
            _ if is_folded(text) => {
                let number = self.number(text.as_bytes(), hashing);
                (number, number)
            }
            _ => (
                self.number(text.as_bytes(), hashing),
                self.number(&folded_bytes(text), hashing),
            ),
        };
        NameRef {
            text,
            in_default: true,
            spelled,
            folded,
            set: PhantomData,
        }
    }

    /// The number of a rule's side, adding what is new. Each call is one use.
    pub(super) fn take(
        &mut self,
        namespace: IntentionNamespace,
        text: &Arc<str>,
        hashing: &Hashing,
    ) -> u32 {
        match (namespace, text.as_ref()) {
            (IntentionNamespace::All, _) => ALL,
            (IntentionNamespace::Default, "*") => STAR,
            (IntentionNamespace::Default, _) => self.take_exact(text, hashing),
        }
    }

    fn take_exact(&mut self, text: &Arc<str>, hashing: &Hashing) -> u32 {
        let found = self.number(text.as_bytes(), hashing);
        if let Some(name) = self.slot(found) {
            name.uses += 1;
            return found;
        }
        // A spelling with capitals holds its lower case, which is what rows are found by.
        let folded = match fold(text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(lower) => Some(self.take_exact(&Arc::from(lower), hashing)),
        };
        let number = self.free.get_min().copied().unwrap_or(self.next);
        if self.free.remove(&number).is_none() {
            self.next += 1;
        }
        let name = Name {
            text: Arc::clone(text),
            folded: folded.unwrap_or(number),
            uses: 1,
            ..Name::default()
        };
        self.slots.set(index(number), name);
        let slots = &self.slots;
        self.numbers
            .insert(hashing.bytes(text.as_bytes()), number, |other| {
                let text = slots.at(index(*other)).map_or("", |name| &name.text);
                hashing.bytes(text.as_bytes())
            });
        number
    }

    /// Gives back one use; the last one frees the number.
    pub(super) fn release(&mut self, number: u32, hashing: &Hashing) {
        if number <= ALL {
            return;
        }
        let Some(name) = self.slot(number) else {
            return;
        };
        name.uses = name.uses.saturating_sub(1);
        if name.uses > 0 {
            return;
        }
        let gone = std::mem::take(name);
        self.numbers
            .remove(hashing.bytes(gone.text.as_bytes()), |other| {
                *other == number
            });
        self.free.insert(number);
        if gone.folded != number {
            self.release(gone.folded, hashing);
        }
    }

    #[inline]
    fn number(&self, bytes: &[u8], hashing: &Hashing) -> u32 {
        self.numbers
            .find(hashing.bytes(bytes), |number| {
                self.at(*number)
                    .is_some_and(|name| name.text.as_bytes() == bytes)
            })
            .unwrap_or(UNKNOWN)
    }
}

/// Lower case, rune by rune as Go's `strings.ToLower` (no special final sigma).
pub(super) fn fold(text: &str) -> Cow<'_, str> {
    if is_folded(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().map(lower).collect())
    }
}

// Names longer than this that also carry capitals cost one allocation.
fn folded_bytes(text: &str) -> SmallVec<[u8; 256]> {
    let mut bytes = SmallVec::new();
    for rune in text.chars() {
        bytes.extend_from_slice(lower(rune).encode_utf8(&mut [0; 4]).as_bytes());
    }
    bytes
}

#[inline]
fn is_folded(text: &str) -> bool {
    if text.is_ascii() {
        !text.bytes().any(|byte| byte.is_ascii_uppercase())
    } else {
        text.chars().all(|rune| lower(rune) == rune)
    }
}

// Only U+0130 has more than one rune in lower case; Go takes the first, too.
fn lower(rune: char) -> char {
    rune.to_lowercase().next().unwrap_or(rune)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
