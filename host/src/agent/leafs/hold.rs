//! What an agent does once the server has said that it signs no more for now.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chancery_core::Instant;

/// How long an agent that was refused by the limit asks for nothing that can wait.
pub(super) const WINDOW: Duration = Duration::from_secs(1);

/// One refusal by the limit holds back everything that can wait, for a window; then one request
/// goes first, and the others follow only if it is granted. So a limited agent comes back once
/// in a window, however many leafs it has to renew.
#[derive(Debug, Default)]
pub(super) struct Hold {
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Free,
    /// Nothing until then.
    Held(Instant),
    /// One is on its way; another may go if nothing is heard of it until then.
    Probing(Instant),
}

impl Hold {
    /// Whether a request that can wait may go now.
    pub(super) fn may_go(&self, now: Instant) -> bool {
        let mut state = self.lock();
        match *state {
            State::Free => true,
            State::Held(until) | State::Probing(until) if now >= until => {
                *state = State::Probing(now.saturating_add(WINDOW));
                true
            }
            State::Held(_) | State::Probing(_) => false,
        }
    }

    /// Whether the limit is known to be reached.
    pub(super) fn is_limited(&self, now: Instant) -> bool {
        match *self.lock() {
            State::Free => false,
            State::Held(until) => now < until,
            State::Probing(_) => true,
        }
    }

    /// When to ask [`may_go`](Self::may_go) again, if it says no.
    pub(super) fn until(&self) -> Option<Instant> {
        match *self.lock() {
            State::Free => None,
            State::Held(until) | State::Probing(until) => Some(until),
        }
    }

    /// The limit is reached.
    pub(super) fn refused(&self, now: Instant) {
        *self.lock() = State::Held(now.saturating_add(WINDOW));
    }

    /// The limit is not reached. What was under way when another was refused proves nothing.
    /// Answers whether that ends a hold.
    pub(super) fn granted(&self, now: Instant) -> bool {
        let mut state = self.lock();
        match *state {
            State::Free => false,
            State::Held(until) if now < until => false,
            State::Held(_) | State::Probing(_) => {
                *state = State::Free;
                true
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::new(Duration::from_millis(millis))
    }

    #[test]
    fn one_refusal_holds_everything_back_and_then_one_goes_first() {
        let hold = Hold::default();
        assert!(hold.may_go(at(0)) && hold.may_go(at(0)));
        hold.refused(at(0));
        assert!(!hold.may_go(at(999)) && hold.is_limited(at(999)));
        assert!(hold.may_go(at(1000)));
        assert!(!hold.may_go(at(1000)), "a second one goes with the first");
        assert!(hold.granted(at(1010)));
        assert!(!hold.granted(at(1010)), "there is no hold any more");
        assert!(hold.may_go(at(1010)) && !hold.is_limited(at(1010)));
    }

    #[test]
    fn a_success_of_before_the_refusal_proves_nothing() {
        let hold = Hold::default();
        hold.refused(at(0));
        assert!(!hold.granted(at(10)));
        assert!(!hold.may_go(at(20)));
    }

    #[test]
    fn a_lost_probe_is_followed_by_another_a_window_later() {
        let hold = Hold::default();
        hold.refused(at(0));
        assert!(hold.may_go(at(1000)));
        assert!(!hold.may_go(at(1999)));
        assert!(hold.may_go(at(2000)));
    }
}
