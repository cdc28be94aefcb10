//! The published state: what readers see, without waiting for writers.

use std::sync::Arc;

use arc_swap::ArcSwap;
use chancery_core::{Revision, State, Topic};

/// One committed, durable state. Immutable; readers keep it as long as they need it.
pub struct View {
    state: State,
}

impl View {
    pub(crate) const fn new(state: State) -> Self {
        Self { state }
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The index of a reader of all of `topics`: the latest revision that touched any of them.
    #[must_use]
    pub fn index(&self, topics: &[Topic]) -> Revision {
        topics
            .iter()
            .map(|topic| self.state.index(topic))
            .max()
            .unwrap_or(Revision::EMPTY)
    }
}

/// Where the latest [`View`] is found. Loading never blocks.
pub(crate) struct Published(ArcSwap<View>);

impl Published {
    pub(crate) fn new(state: State) -> Self {
        Self(ArcSwap::from_pointee(View::new(state)))
    }

    pub(crate) fn load(&self) -> Arc<View> {
        self.0.load_full()
    }

    pub(crate) fn store(&self, state: State) {
        self.0.store(Arc::new(View::new(state)));
    }
}
