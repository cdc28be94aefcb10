//! A persistent array: clones share everything, a write copies one page.

use std::sync::Arc;

const PAGE: usize = 64;
const GROUP: usize = 64 * PAGE;

type Page<T> = Arc<[T]>;
type Group<T> = Arc<[Page<T>]>;

/// An array in three levels (groups of pages of 64 items) whose clone is one reference count.
///
/// A write into a shared array copies the top level (one pointer per 4,096 items), one group
/// and one page; what is not shared is written in place.
#[derive(Clone, Debug)]
pub(super) struct Paged<T> {
    groups: Arc<[Group<T>]>,
    pages: usize,
}

impl<T: Clone + Default> Paged<T> {
    pub(super) fn new() -> Self {
        Self {
            groups: Arc::from([]),
            pages: 0,
        }
    }

    /// Sets item `index`, growing by default items up to it.
    pub(super) fn set(&mut self, index: usize, value: T) {
        while self.pages * PAGE <= index {
            let blank = T::default();
            self.add_page((0..PAGE).map(|_| blank.clone()).collect());
        }
        if let Some(slot) = self.slot(index) {
            *slot = value;
        }
    }

    /// The item at `index` for writing; `None` beyond the end.
    pub(super) fn slot(&mut self, index: usize) -> Option<&mut T> {
        let group = Arc::make_mut(&mut self.groups).get_mut(index / GROUP)?;
        let page = Arc::make_mut(group).get_mut(index % GROUP / PAGE)?;
        Arc::make_mut(page).get_mut(index % PAGE)
    }

    fn add_page(&mut self, page: Page<T>) {
        let in_group = self.pages % (GROUP / PAGE);
        let last = if in_group == 0 {
            None
        } else {
            self.groups.last()
        };
        let group: Group<T> = last
            .into_iter()
            .flat_map(|group| group.iter().cloned())
            .chain([page])
            .collect();
        let whole = self.pages / (GROUP / PAGE);
        self.groups = self
            .groups
            .iter()
            .take(whole)
            .cloned()
            .chain([group])
            .collect();
        self.pages += 1;
    }
}

impl<T> Paged<T> {
    /// The item at `index`; `None` beyond the end.
    #[inline]
    pub(super) fn at(&self, index: usize) -> Option<&T> {
        self.groups
            .get(index / GROUP)?
            .get(index % GROUP / PAGE)?
            .get(index % PAGE)
    }

    /// All items in order, the default ones that fill the last page included.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.groups
            .iter()
            .flat_map(|group| group.iter())
            .flat_map(|page| page.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_was_set_and_leaves_clones_alone() {
        let mut array = Paged::new();
        for index in 0..10_000_usize {
            array.set(index, index + 1);
        }
        let old = array.clone();
        array.set(4_096, 0);
        *array.slot(63).unwrap() = 0;
        assert_eq!(array.slot(10_048), None);
        assert_eq!(array.at(10_048), None);
        for index in 0..10_000 {
            assert_eq!(old.at(index), Some(&(index + 1)));
            let expected = if matches!(index, 63 | 4_096) {
                0
            } else {
                index + 1
            };
            assert_eq!(array.at(index), Some(&expected));
        }
        assert_eq!(array.iter().count(), 10_048);
        assert_eq!(old.iter().take(3).collect::<Vec<_>>(), [&1, &2, &3]);
    }
}
