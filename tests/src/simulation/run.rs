//! A schedule, run.

use chancery_core::{Authority, AuthorityChange, AuthorityCommand, AuthorityError, RotationCause};
use chancery_providers::Validity;
use std::time::Duration;

use super::bug::Bug;
use super::certificates::stamp;
use super::clock::Clockwork;
use super::configuration::{configuration, wish};
use super::law::Broken;
use super::random::Random;
use super::rare::Rare;
use super::schedule::{Action, Event, Schedule, Wish};
use super::world::{Trouble, World};

/// What came of a schedule.
#[derive(Clone, Debug, Default)]
pub(super) struct Ran {
    /// What is wrong, if anything.
    pub(super) wrong: Option<String>,
    /// Bits of [`Rare`].
    pub(super) seen: u64,
    pub(super) leafs: i64,
    pub(super) switches: u64,
    pub(super) told: Vec<String>,
}

/// Runs a schedule to its end, and on until everything has come to rest.
pub(super) fn run(schedule: &Schedule, bug: Option<Bug>, clockwork: &Clockwork, tell: bool) -> Ran {
    // The guard's pauses have some chance in them, which it takes from this thread's.
    fastrand::seed(schedule.seed);
    let mut world = World::new(bug, clockwork);
    world.is_thorough = schedule.seed.is_multiple_of(32);
    world.told = tell.then(Vec::new);
    world.random = Random::new(schedule.seed);
    world.found(schedule.first);
    for event in &schedule.events {
        let target = world.now + event.after;
        world.run_until(target);
        if world.complaint.is_some() {
            break;
        }
        world.tell(|| event.to_string());
        world.random = Random::new(event.salt);
        world.realm.random = Random::new(!event.salt);
        world.do_action(event);
        world.pump();
    }
    if world.complaint.is_none() {
        world.rest(schedule.seed.is_multiple_of(4));
    }
    world.law.touch(world.now);
    let broken = world.law.first_broken(&world.realm.certificates);
    Ran {
        wrong: world
            .complaint
            .take()
            .or_else(|| broken.map(|broken| explain(&broken))),
        seen: world.seen,
        leafs: world.law.leafs,
        switches: world
            .authority
            .record()
            .map_or(0, |record| record.newest_epoch.number()),
        told: world.told.unwrap_or_default(),
    }
}

fn explain(broken: &Broken) -> String {
    let Broken { at, class, version } = broken;
    format!(
        "at {at} s a leaf of epoch {} (root {}, key {}, sent with {:?}, signed from {} s on, valid \
         until {} s) does not verify against the bundle {:?} that was handed out from {} s to \
         {} s and may be {} s old",
        class.epoch,
        class.root.0,
        class.issuer.0,
        class.chain.iter().map(|id| id.0).collect::<Vec<_>>(),
        class.first,
        class.until,
        version.roots.iter().map(|id| id.0).collect::<Vec<_>>(),
        version.first,
        version.last,
        version.bound,
    )
}

impl World {
    fn found(&mut self, wish: Wish) {
        let operation = self.operation(None);
        self.wishes.push(wish);
        // An offline root cannot found: somebody would have to sign first.
        let kind = match wish.kind {
            super::schedule::ProviderKind::Offline => super::schedule::ProviderKind::Local,
            kind => kind,
        };
        let bootstrap = AuthorityCommand::Bootstrap {
            cluster_id: [0x5a; 16],
            configuration: configuration(Wish { kind, ..wish }),
            operation,
        };
        if let Err(error) = self.submit(bootstrap) {
            self.complain(|| format!("cannot found: {error}"));
        }
        self.pump();
    }

    fn do_action(&mut self, event: &Event) {
        match event.action {
            Action::Sign { services, stale } => self.sign_some(services, stale),
            Action::ReadView => {
                let view = self.view();
                self.views.extend(view);
            }
            Action::Configure { wish, force } => self.configure(wish, force),
            Action::Adjust { leaf, bundle } => {
                if let Some(current) = self.current_wish() {
                    let wish = Wish {
                        leaf,
                        bundle,
                        ..current
                    };
                    self.configure(wish, false);
                }
            }
            Action::GoBack { force } => {
                let current = self.current_wish();
                let before = self
                    .wishes
                    .iter()
                    .rfind(|wish| {
                        current.is_some_and(|current| {
                            (current.kind, current.variant) != (wish.kind, wish.variant)
                        })
                    })
                    .copied();
                if let Some(before) = before {
                    self.configure(before, force);
                }
            }
            Action::NewKey { force } => self.rotate_as(RotationCause::NewKey, force),
            Action::Emergency {
                retire_after,
                force,
            } => {
                let retire_after = Duration::from_secs(retire_after.unsigned_abs());
                self.rotate_as(RotationCause::Emergency { retire_after }, force);
            }
            Action::GiveUp => self.give_up(),
            Action::GiveSignature { good } => self.give_signature(good),
            Action::Crash { down } => self.crash(down),
            Action::SetClock { by, during } => {
                self.skew = by;
                self.law.ahead |= by > 0;
                self.stepped = self.now;
                self.right_at = Some(self.now + during);
            }
            Action::Snapshot => {
                self.law.touch(self.now);
                self.snapshot = Some((self.authority.clone(), self.law.clone()));
            }
            Action::Restore => self.restore(),
            Action::Down { kind, during } => self.realm.down.push((kind, self.now + during)),
            Action::Misbehave { kind, during } => {
                self.realm.wicked.push((kind, self.now + during));
            }
            Action::Trouble {
                lost,
                twice,
                slow,
                during,
            } => {
                self.trouble = Trouble {
                    lost,
                    twice,
                    slow,
                    until: self.now + during,
                };
            }
            Action::Wait => {}
        }
    }

    fn sign_some(&mut self, services: i64, stale: bool) {
        let old = stale && !self.views.is_empty();
        let view = if old {
            let last = i64::try_from(self.views.len()).unwrap_or(1) - 1;
            let place = self.random.between(0, last);
            self.views.get(usize::try_from(place).unwrap_or(0)).cloned()
        } else {
            self.view()
        };
        let Some(view) = view else {
            return;
        };
        let behind = self.serving().map_or(0, |serving| {
            serving.number().saturating_sub(view.signing.epoch.number())
        });
        let alive = self.authority.provider_state(view.signing.epoch).is_some();
        if alive && behind >= 1 {
            self.see(Rare::StaleView);
        }
        if alive && behind >= 2 {
            self.see(Rare::StaleViewOfTwo);
        }
        // Whoever gets none goes on with the leaf it has.
        let _ = self.sign(&view, services);
    }

    pub(super) fn current_wish(&self) -> Option<Wish> {
        self.authority.configuration().map(wish)
    }

    fn configure(&mut self, wish: Wish, force: bool) {
        self.wishes.push(wish);
        self.order(wish, RotationCause::Configured, force);
    }

    fn rotate_as(&mut self, cause: RotationCause, force: bool) {
        if let Some(wish) = self.current_wish() {
            self.order(wish, cause, force);
        }
    }

    fn order(&mut self, wish: Wish, cause: RotationCause, force: bool) {
        let operation = self.operation(Some(cause));
        let rotate = AuthorityCommand::Rotate {
            configuration: configuration(wish),
            cause,
            force,
            operation,
        };
        match self.submit(rotate) {
            Err(AuthorityError::Busy { .. }) => self.see(Rare::Busy),
            Err(AuthorityError::PathTooLong { .. }) => self.see(Rare::TooLong),
            _ => {}
        }
    }

    fn give_up(&mut self) {
        let rotation = self
            .authority
            .record()
            .and_then(|record| record.rotation.as_deref());
        let Some(epoch) = rotation.map(|rotation| rotation.epoch) else {
            return;
        };
        if matches!(self.submit(AuthorityCommand::Abandon { epoch }), Ok(true)) {
            self.see(Rare::GivenUp);
        }
    }

    pub(super) fn give_signature(&mut self, good: bool) {
        let Some((root, memory)) = self.awaited() else {
            return;
        };
        let Some(key) = memory.requested else {
            return;
        };
        let (mut key, mut root) = (key, root);
        let validity = |days: u64| {
            Validity::backdated(Duration::from_secs(days * 24 * 3600), stamp(self.wall()))
        };
        let (month, years) = (validity(30), validity(3650));
        if !good && self.random.chance(50) {
            key = self.realm.certificates.party();
        } else if !good {
            root = self.realm.certificates.root(years);
            self.see(Rare::SignatureElsewhere);
        }
        let signed = self.realm.certificates.intermediate(key, root, month);
        let _ = self.submit(AuthorityCommand::SignatureGiven {
            chain: vec![self.realm.certificates.der(signed)],
        });
    }

    fn crash(&mut self, down: i64) {
        for flight in &self.flights {
            let rare = match (flight.key.0, flight.outcome.is_some()) {
                ("prepare issuer", true) => Rare::CrashAfterPrepare,
                ("cross-sign", true) => Rare::CrashAfterCrossSign,
                ("try issuer", true) => Rare::CrashAfterTrial,
                ("clean up", true) => Rare::CrashInCleanUp,
                _ => continue,
            };
            self.seen |= 1 << rare as u64;
        }
        if self.awaited().is_some() {
            self.see(Rare::CrashWhileAwaiting);
        }
        self.authority = through_rows(&self.authority);
        self.start_again(down);
    }

    fn start_again(&mut self, down: i64) {
        self.flights.clear();
        self.again.clear();
        self.retries.clear();
        self.views.clear();
        self.incarnations.clear();
        self.now += down;
        if self.right_at.is_some_and(|at| at <= self.now) {
            self.right_at = None;
            self.skew = 0;
        }
        self.started = self.now;
        self.stepped = self.now;
    }

    fn restore(&mut self) {
        let Some((authority, law)) = self.snapshot.clone() else {
            return;
        };
        let record = |authority: &Authority| authority.record().cloned();
        if record(&self.authority).is_some_and(|record| record.rotation.is_some())
            || record(&authority).is_some_and(|record| record.rotation.is_some())
        {
            self.see(Rare::RestoreInRotation);
        }
        let active = |authority: &Authority| authority.active_root().map(|root| root.id.clone());
        if active(&self.authority) != active(&authority) {
            self.see(Rare::RestoreOverSwitch);
        }
        self.authority = authority;
        self.law.restore(&law);
        self.realm.backends.restored();
        self.start_again(0);
        self.publish();
    }
}

/// The authority as another process would read it.
fn through_rows(authority: &Authority) -> Authority {
    fn again<T: serde::Serialize + serde::de::DeserializeOwned>(row: &T) -> Option<T> {
        let text = serde_json::to_vec(row).ok()?;
        serde_json::from_slice(&text).ok()
    }
    let mut read = Authority::default();
    let record = authority.record().and_then(again);
    let configuration = authority.configuration().and_then(again);
    let changes = record
        .map(AuthorityChange::PutRecord)
        .into_iter()
        .chain(configuration.map(AuthorityChange::PutConfiguration))
        .chain(
            authority
                .roots()
                .filter_map(again)
                .map(AuthorityChange::PutRoot),
        )
        .chain(
            authority
                .leases()
                .filter_map(again)
                .map(AuthorityChange::PutLease),
        )
        .chain(
            authority
                .provider_states()
                .filter_map(again)
                .map(AuthorityChange::PutProviderState),
        );
    for change in changes {
        read.apply(&change);
    }
    read
}
