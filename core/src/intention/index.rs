//! The compiled, persistent set of intentions.

use std::marker::PhantomData;

use imbl::OrdSet;

use super::command::IntentionChange;
use super::id::IntentionId;
use super::model::{Action, Intention, IntentionNamespace};
use super::names::{
    ALL, HashSeed, Hashing, NameRef, Names, QualifiedName, Ruling, STAR, UNKNOWN, fold,
};
use super::paged::Paged;
use super::pair::PairKey;
use super::precedence::list_order;
use super::sharded::Sharded;

/// Any set of intentions, compiled for decisions.
///
/// Cloning costs a few reference counts and shares everything; a write into a shared set
/// copies some kilobytes, whatever its size. A decision is one hash look-up and a few array
/// accesses. Nothing that comes out depends on the seed or on the order of writes.
#[derive(Clone, Debug)]
pub struct IntentionSet {
    pub(super) hashing: Hashing,
    pub(super) names: Names,
    rows: Paged<Option<Intention>>,
    free: OrdSet<u32>,
    next: u32,
    pub(super) pairs: Sharded<Pair>,
    ids: Sharded<u32>,
    len: usize,
}

/// One rule in the table of pairs, which is keyed by the lower case of both sides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    // As spelled in the rule: a decision must find exactly this, uniqueness any case of it.
    pub(super) source: u32,
    pub(super) destination: u32,
    pub(super) ruling: Ruling,
}

/// Which side of the rules a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a rule has two sides")]
pub enum By {
    /// Rules that apply to connections to a service.
    Destination,
    /// Rules that apply to connections from a service.
    Source,
}

impl IntentionSet {
    /// A set without rules.
    #[must_use]
    pub fn new(seed: HashSeed) -> Self {
        Self {
            hashing: Hashing::new(seed),
            names: Names::new(),
            rows: Paged::new(),
            free: OrdSet::new(),
            next: 0,
            pairs: Sharded::new(),
            ids: Sharded::new(),
            len: 0,
        }
    }

    /// A set of given rules; of two for one pair the later one counts.
    #[must_use]
    pub fn with_rules(seed: HashSeed, rules: impl IntoIterator<Item = Intention>) -> Self {
        let mut set = Self::new(seed);
        for rule in rules {
            set.put(rule);
        }
        set
    }

    /// Carries out one change that [`propose`](Self::propose) decided on, and says which pair
    /// it touched.
    pub fn apply(&mut self, change: IntentionChange) -> PairKey {
        match change {
            IntentionChange::Delete(key) => {
                self.delete(&key);
                key
            }
            IntentionChange::Put(intention) => self.put(intention),
        }
    }

    /// Adds a rule, in place of any with the same pair or the same identifier, without asking
    /// whether it may be. Says which pair was touched.
    pub fn put(&mut self, mut intention: Intention) -> PairKey {
        let key = intention.key();
        self.delete(&key);
        if let Some(old) = intention
            .id
            .and_then(|id| self.by_id(id))
            .map(Intention::key)
        {
            self.delete(&old);
        }
        let hashing = &self.hashing;
        let source = self
            .names
            .take(intention.source_namespace, &intention.source_name, hashing);
        let destination = self.names.take(
            intention.destination_namespace,
            &intention.destination_name,
            hashing,
        );
        let row = self.free.get_min().copied().unwrap_or(self.next);
        if self.free.remove(&row).is_none() {
            self.next += 1;
        }
        // One copy of each text for all the rules that mention it.
        if let Some(name) = self.names.at(source) {
            intention.source_name = name.text.clone();
        }
        if let Some(name) = self.names.at(destination) {
            intention.destination_name = name.text.clone();
        }
        let id = intention.id;
        let ruling = Ruling::new(row, intention.action == Action::Allow);
        self.rows.set(index(row), Some(intention));
        self.len += 1;
        if let Some(id) = id {
            let (rows, hashing) = (&self.rows, &self.hashing);
            self.ids.insert(hashing.bytes(id.as_bytes()), row, |other| {
                let row = rows.at(index(*other)).and_then(Option::as_ref);
                let id = row.and_then(|row| row.id);
                id.map_or(0, |id| hashing.bytes(id.as_bytes()))
            });
        }
        self.link(source, destination, row, ruling);
        key
    }

    /// Removes the rule for a pair; `None` if there is none.
    pub fn delete(&mut self, key: &PairKey) -> Option<Intention> {
        let source = self.key_number(key.source_namespace(), key.source_name());
        let destination = self.key_number(key.destination_namespace(), key.destination_name());
        let pair = self.pair(source, destination)?;
        let row = pair.ruling.row()?;
        let intention = self.rows.slot(index(row))?.take()?;
        self.free.insert(row);
        self.len -= 1;
        if let Some(id) = intention.id {
            self.ids
                .remove(self.hashing.bytes(id.as_bytes()), |other| *other == row);
        }
        self.unlink(pair, row);
        // The spelling of the destination is known to the row alone.
        let spelled = match destination {
            STAR | ALL => destination,
            _ => {
                self.names
                    .find(&intention.destination_name, &self.hashing)
                    .spelled
            }
        };
        self.names.release(pair.source, &self.hashing);
        self.names.release(spelled, &self.hashing);
        Some(intention)
    }

    /// How many rules there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no rules.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many names the rules mention; a name with capitals counts in lower case, too.
    #[must_use]
    pub fn name_count(&self) -> usize {
        self.names.len()
    }

    /// The rule with an identifier.
    #[must_use]
    pub fn by_id(&self, id: IntentionId) -> Option<&Intention> {
        let row = self.ids.find(self.hashing.bytes(id.as_bytes()), |row| {
            self.row(*row).is_some_and(|it| it.id == Some(id))
        })?;
        self.row(row)
    }

    /// The rule for exactly these two sides (`*` is the wildcard itself), in any case.
    #[must_use]
    pub fn exact(
        &self,
        source: QualifiedName<'_>,
        destination: QualifiedName<'_>,
    ) -> Option<&Intention> {
        let number = |side: QualifiedName<'_>| match (side.namespace(), side.name()) {
            ("*", "*") => ALL,
            (namespace, name) if namespace.eq_ignore_ascii_case("default") => {
                self.names.find(name, &self.hashing).folded
            }
            _ => UNKNOWN,
        };
        let pair = self.pair(number(source), number(destination))?;
        self.row(pair.ruling.row()?)
    }

    /// The rule for a key.
    #[must_use]
    pub fn at(&self, key: &PairKey) -> Option<&Intention> {
        let source = self.key_number(key.source_namespace(), key.source_name());
        let destination = self.key_number(key.destination_namespace(), key.destination_name());
        self.row(self.pair(source, destination)?.ruling.row()?)
    }

    /// All rules in list order: precedence from high to low, then names by bytes.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Intention> {
        let mut rows: Vec<_> = self.rows.iter().flatten().collect();
        rows.sort_unstable_by(|left, right| list_order(left, right));
        rows
    }

    /// The rules that apply to a service as destination or source, in the order in which they
    /// are tried: for `db` those for `db` itself in any case, `default/*` and `*/*`; for `*`
    /// the latter two; for `*/*` and for a foreign namespace the last alone. A partial
    /// wildcard is a name like any other.
    #[must_use]
    pub fn matching(&self, by: By, name: QualifiedName<'_>) -> Vec<&Intention> {
        let in_default = name.namespace().eq_ignore_ascii_case("default");
        let exact = if in_default {
            self.names.find(name.name(), &self.hashing).folded
        } else {
            ALL
        };
        let mut numbers = [Some(exact), None, None];
        if in_default {
            numbers = [Some(exact).filter(|it| *it != STAR), Some(STAR), Some(ALL)];
        }
        let mut rows: Vec<_> = numbers
            .into_iter()
            .flatten()
            .filter_map(|number| self.names.at(number))
            .flat_map(|name| match by {
                By::Destination => &name.as_destination,
                By::Source => &name.as_source,
            })
            .filter_map(|row| self.row(*row))
            .collect();
        rows.sort_unstable_by(|left, right| list_order(left, right));
        rows
    }

    /// Whether any rule names `name` (in any case, or `*` for the wildcards) on this side.
    #[must_use]
    pub fn mentions(&self, by: By, name: &str) -> bool {
        let any = |number: u32| {
            self.names.at(number).is_some_and(|name| match by {
                By::Destination => !name.as_destination.is_empty(),
                By::Source => !name.as_source.is_empty(),
            })
        };
        match name {
            "*" => any(STAR) || any(ALL),
            _ => any(self.names.find(name, &self.hashing).folded),
        }
    }

    /// Looks up a name of the namespace `default`, to ask about it more than once.
    #[must_use]
    pub fn resolve<'a>(&'a self, name: &'a str) -> NameRef<'a> {
        self.names.find(name, &self.hashing)
    }

    /// Looks up a name with its namespace. A namespace other than `default` (spelled so) is
    /// covered by rules for `*/*` alone.
    #[must_use]
    pub fn resolve_qualified<'a>(&'a self, name: QualifiedName<'a>) -> NameRef<'a> {
        if name.namespace() == "default" {
            return self.resolve(name.name());
        }
        NameRef {
            text: name.name(),
            in_default: false,
            spelled: ALL,
            folded: ALL,
            set: PhantomData,
        }
    }

    #[inline]
    pub(super) fn row(&self, row: u32) -> Option<&Intention> {
        self.rows.at(index(row))?.as_ref()
    }

    /// Whether a pair has a rule in any case.
    pub(super) fn has_pair(&self, source: u32, destination: u32) -> bool {
        self.pair(source, destination).is_some()
    }

    // The rule for a pair in any case; both numbers are of lower-case names or wildcards.
    fn pair(&self, source: u32, destination: u32) -> Option<Pair> {
        self.pairs
            .find(self.hashing.pair(source, destination), |pair| {
                pair.destination == destination && self.folded(pair.source) == source
            })
    }

    fn folded(&self, number: u32) -> u32 {
        self.names.at(number).map_or(UNKNOWN, |name| name.folded)
    }

    fn key_number(&self, namespace: IntentionNamespace, name: &str) -> u32 {
        match namespace {
            IntentionNamespace::All => ALL,
            IntentionNamespace::Default => self.names.find(&fold(name), &self.hashing).folded,
        }
    }

    fn link(&mut self, source: u32, destination: u32, row: u32, ruling: Ruling) {
        let (source_folded, destination) = (self.folded(source), self.folded(destination));
        let pair = Pair {
            source,
            destination,
            ruling,
        };
        let (names, hashing) = (&self.names, &self.hashing);
        let hash = hashing.pair(source_folded, destination);
        self.pairs.insert(hash, pair, |other| {
            let folded = names.at(other.source).map_or(UNKNOWN, |name| name.folded);
            hashing.pair(folded, other.destination)
        });
        if let Some(name) = self.names.slot(source_folded) {
            name.as_source.insert(row);
        }
        if let Some(name) = self.names.slot(source) {
            name.to.set(destination, ruling);
        }
        if let Some(name) = self.names.slot(destination) {
            name.as_destination.insert(row);
            name.from.set(source, ruling);
        }
    }

    fn unlink(&mut self, pair: Pair, row: u32) {
        let source_folded = self.folded(pair.source);
        let hash = self.hashing.pair(source_folded, pair.destination);
        self.pairs.remove(hash, |other| other.ruling == pair.ruling);
        if let Some(name) = self.names.slot(source_folded) {
            name.as_source.remove(&row);
        }
        if let Some(name) = self.names.slot(pair.source) {
            name.to.set(pair.destination, Ruling::NONE);
        }
        if let Some(name) = self.names.slot(pair.destination) {
            name.as_destination.remove(&row);
            name.from.set(pair.source, Ruling::NONE);
        }
    }
}

fn index(row: u32) -> usize {
    usize::try_from(row).unwrap_or(usize::MAX)
}
