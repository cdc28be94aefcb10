//! The host's side: it carries out what the authority wants done, with the faults of the world.

use chancery_core::{
    AuthorityCommand, AuthorityError, Effect, Epoch, FORGET_HOLD, RotationCause, Timestamp,
};

use super::bug::Bug;
use super::certificates::{from_der, seconds, stamp};
use super::rare::Rare;
use super::schedule::MINUTE;
use super::world::{Fate, Flight, HOLD, Outcome, Retry, Trouble, World};

impl World {
    /// Lets time pass, and all that is due in it happen.
    pub(super) fn run_until(&mut self, target: i64) {
        for _ in 0..20_000 {
            let next = self.next_moment().filter(|next| *next <= target);
            let Some(next) = next else {
                self.now = self.now.max(target);
                return;
            };
            self.now = self.now.max(next);
            self.happen();
            if self.complaint.is_some() {
                return;
            }
        }
        self.complain(|| "the host never comes to rest".to_owned());
    }

    fn next_moment(&self) -> Option<i64> {
        let flights = self.flights.iter().map(|flight| {
            if flight.outcome.is_none() && flight.fate != Fate::Lost {
                flight.acts
            } else {
                flight.arrives
            }
        });
        let again = self.again.iter().map(|(at, _)| *at);
        flights
            .chain(again)
            .chain(self.wake)
            .chain(self.right_at)
            .min()
    }

    fn happen(&mut self) {
        if self.right_at.is_some_and(|at| at <= self.now) {
            self.right_at = None;
            self.skew = 0;
            self.stepped = self.now;
        }
        let due = |at: i64, now: i64| at <= now;
        for place in 0..self.flights.len() {
            let flight = &self.flights[place];
            let acts = flight.fate != Fate::Lost && due(flight.acts, self.now);
            if acts && let Some(effect) = self.flights[place].effect.take() {
                let outcome = self.act(effect);
                let done = self.now + self.took;
                let flight = &mut self.flights[place];
                flight.outcome = Some(outcome);
                flight.arrives = flight.arrives.max(done);
            }
        }
        let now = self.now;
        let mut arrived = Vec::new();
        let mut place = 0;
        while place < self.flights.len() {
            if due(self.flights[place].arrives, now) {
                arrived.push(self.flights.remove(place));
            } else {
                place += 1;
            }
        }
        for flight in arrived {
            self.arrive(flight);
        }
        let mut place = 0;
        while place < self.again.len() {
            if due(self.again[place].0, now) {
                let (_, command) = self.again.remove(place);
                self.hear_again(command);
            } else {
                place += 1;
            }
        }
        self.pump();
    }

    fn arrive(&mut self, flight: Flight) {
        match (flight.outcome, flight.fate) {
            (Some(Outcome::Answer(command)), Fate::Good | Fate::Twice { .. }) => {
                self.retries.retain(|retry| retry.key != flight.key);
                if let Fate::Twice { later } = flight.fate {
                    self.again.push((self.now + later, command.clone()));
                }
                match self.answer(command) {
                    Ok(true) => {}
                    Err(error) if is_lasting(&error) && self.give_up_on(flight.key) => {}
                    _ => self.back_off(flight.key),
                }
            }
            _ => self.back_off(flight.key),
        }
    }

    /// A rotation that came to something which can never be committed is given up.
    fn give_up_on(&mut self, key: (&'static str, Option<Epoch>)) -> bool {
        let ("prepare issuer" | "cross-sign" | "try issuer", Some(epoch)) = key else {
            return false;
        };
        self.incarnations.remove(&epoch);
        matches!(self.submit(AuthorityCommand::Abandon { epoch }), Ok(true))
    }

    fn hear_again(&mut self, mut command: AuthorityCommand) {
        self.see(Rare::ResultTwice);
        if self.has(Bug::AnyAnswer) {
            self.readdress(&mut command);
        }
        let answer = self.answer(command);
        if matches!(
            answer,
            Err(AuthorityError::Stale { .. }
                | AuthorityError::WrongOperation { .. }
                | AuthorityError::WrongStep { .. }
                | AuthorityError::NoRotation)
        ) {
            self.see(Rare::ResultLate);
        }
    }

    /// As if nobody compared epochs and operations.
    fn readdress(&self, command: &mut AuthorityCommand) {
        let rotation = self
            .authority
            .record()
            .and_then(|record| record.rotation.as_deref());
        let Some(rotation) = rotation else {
            return;
        };
        if let AuthorityCommand::IssuerPrepared {
            epoch, operation, ..
        } = command
        {
            *epoch = rotation.epoch;
            *operation = rotation.operation;
        }
        if let AuthorityCommand::IssuerTried { epoch } = command {
            *epoch = rotation.epoch;
        }
    }

    fn answer(&mut self, command: AuthorityCommand) -> Result<bool, AuthorityError> {
        if let AuthorityCommand::CannotCrossSign { epoch } = command {
            let rotation = self
                .authority
                .record()
                .and_then(|it| it.rotation.as_deref());
            if let Some(rotation) = rotation.filter(|rotation| rotation.epoch == epoch) {
                if rotation.force {
                    self.law.unlinked = Some(epoch);
                } else {
                    self.see(Rare::NoCrossSigning);
                }
            }
        }
        self.submit(command)
    }

    fn back_off(&mut self, key: (&'static str, Option<Epoch>)) {
        let now = self.now;
        if let Some(retry) = self.retries.iter_mut().find(|retry| retry.key == key) {
            retry.failures += 1;
            retry.at = now + (1_i64 << retry.failures.min(9));
        } else {
            self.retries.push(Retry {
                key,
                at: now + 1,
                failures: 0,
            });
        }
    }

    /// Asks what is due and sees to it.
    pub(super) fn pump(&mut self) {
        for _ in 0..50 {
            let agenda = self.authority.agenda(self.clock());
            self.wake = agenda
                .wake_at
                .map(|at| (seconds(at) - self.skew).max(self.now + 1));
            let mut changed = false;
            for effect in agenda.due {
                changed |= self.take_up(effect);
                if self.complaint.is_some() {
                    return;
                }
            }
            if !changed {
                return;
            }
        }
        self.complain(|| "the agenda never comes to an end".to_owned());
    }

    fn wake_at(&mut self, at: i64) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// Whether the state changed.
    fn take_up(&mut self, effect: Effect) -> bool {
        let key = effect.key();
        if self.flights.iter().any(|flight| flight.key == key) {
            return false;
        }
        if let Some(retry) = self.retries.iter().find(|retry| retry.key == key)
            && retry.at > self.now
        {
            self.wake_at(retry.at);
            return false;
        }
        if !self.has(Bug::AllAtOnce)
            && self
                .flights
                .iter()
                .any(|flight| effect.must_wait_for(flight.key))
        {
            return false;
        }
        match effect {
            Effect::Abandon { .. } if self.has(Bug::NeverAbandoned) => false,
            Effect::Abandon { epoch, reason } => {
                if reason.contains("path") {
                    self.see(Rare::TooLong);
                } else {
                    self.see(Rare::TimedOut);
                }
                self.now_or_later(key, AuthorityCommand::Abandon { epoch })
            }
            Effect::ExtendLease {
                epoch,
                issuer,
                until,
            } => {
                let command = AuthorityCommand::ExtendLease {
                    epoch,
                    issuer,
                    until,
                };
                self.now_or_later(key, command)
            }
            Effect::Forget { since } => self.forget(key, since),
            Effect::RenewIntermediate { configuration } => {
                let operation = self.operation(Some(RotationCause::Renewal));
                let command = AuthorityCommand::Rotate {
                    configuration,
                    cause: if self.has(Bug::RenewalMintsRoot) {
                        RotationCause::NewKey
                    } else {
                        RotationCause::Renewal
                    },
                    force: false,
                    operation,
                };
                self.now_or_later(key, command)
            }
            effect => {
                self.check_anchors(&effect);
                self.launch(key, effect);
                false
            }
        }
    }

    fn now_or_later(
        &mut self,
        key: (&'static str, Option<Epoch>),
        command: AuthorityCommand,
    ) -> bool {
        let changed = matches!(self.submit(command), Ok(true));
        if !changed {
            self.back_off(key);
            self.wake_at(self.now + 1);
        }
        changed
    }

    fn forget(&mut self, key: (&'static str, Option<Epoch>), since: Timestamp) -> bool {
        let mut steady_since = stamp(self.stepped + self.skew);
        if self.has(Bug::ClockBelieved) {
            steady_since = stamp(-100 * HOLD);
        } else if steady_since > since && self.now - self.stepped < HOLD {
            if self.started < self.stepped {
                self.see(Rare::ForgetHeld);
            }
            self.wake_at(self.stepped + FORGET_HOLD.as_secs().cast_signed());
            return false;
        }
        self.now_or_later(key, AuthorityCommand::Forget { steady_since })
    }

    /// The trial must cover every bundle that somebody may hold.
    fn check_anchors(&mut self, effect: &Effect) {
        let Effect::TryIssuer {
            anchors,
            links,
            epoch,
            ..
        } = effect
        else {
            return;
        };
        let rotation = self
            .authority
            .record()
            .and_then(|it| it.rotation.as_deref());
        let forced = rotation.is_some_and(|rotation| rotation.force);
        if forced || links.is_empty() || self.skew != 0 || !self.law.late.is_empty() {
            return;
        }
        let anchors: Vec<_> = anchors.iter().map(from_der).collect();
        let distrusted = |root| self.law.distrusted.iter().any(|(of, _)| *of == root);
        let since = self.law.forced.unwrap_or(0);
        let missing = self.law.versions.iter().skip(since).find(|version| {
            version.left.is_none()
                && version.over() > self.now
                && !distrusted(version.active)
                && !version.roots.iter().any(|root| anchors.contains(root))
        });
        if let Some(version) = missing {
            let text = format!("the trial of epoch {epoch} does not cover {version:?}");
            self.complain(|| text);
        }
    }

    fn launch(&mut self, key: (&'static str, Option<Epoch>), effect: Effect) {
        let trouble = if self.trouble.until > self.now {
            self.trouble
        } else {
            Trouble::default()
        };
        let takes = if self.random.chance(trouble.slow) {
            self.random.between(MINUTE, 50 * MINUTE)
        } else {
            self.random.between(1, 8)
        };
        let fate = if self.random.chance(trouble.lost) {
            self.random.pick(&[Fate::Lost, Fate::AnswerLost])
        } else if self.random.chance(trouble.twice) {
            let later = self.random.between(1, 2 * HOLD);
            Fate::Twice { later }
        } else {
            Fate::Good
        };
        self.flights.push(Flight {
            key,
            effect: Some(effect),
            acts: self.now + self.random.between(0, takes),
            arrives: self.now + takes,
            fate,
            outcome: None,
        });
    }
}

/// As the host sees it: what the provider made does not do, and would not do the next time either.
const fn is_lasting(error: &AuthorityError) -> bool {
    matches!(
        error,
        AuthorityError::LinkEnds { .. }
            | AuthorityError::PathTooLong { .. }
            | AuthorityError::SameRoot { .. }
            | AuthorityError::WrongLink { .. }
    )
}
