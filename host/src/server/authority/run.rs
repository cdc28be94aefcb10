//! The run loop: what core's authority says must happen, done, each thing beside the others.

use std::collections::HashSet;
use std::time::Duration;

use chancery_core::{Effect, Epoch, FORGET_HOLD, Instant, Now, Stage, Timestamp};
use tokio::task::JoinSet;

use super::{AuthorityFailure, AuthorityHost, lock};

/// The first pause after a failed effect, doubled with each further one up to the longest.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_LONGEST: Duration = Duration::from_secs(60);

/// The longest sleep before the wall clock is looked at again: it may have been set.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// By how much the clocks may drift apart between two looks and still count as going together.
const DRIFT: Duration = Duration::from_secs(5);

type Key = (&'static str, Option<Epoch>);

/// Something that fails at present.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EffectFailure {
    /// What is tried: `cross-sign`, `clean up` and so on.
    pub what: &'static str,
    /// The incarnation that it is about, if it is about one.
    pub epoch: Option<Epoch>,
    /// Since when it has failed.
    pub since: Timestamp,
    /// How often.
    pub count: u32,
    /// Why it failed last.
    pub reason: String,
    /// When it is tried again.
    again: Instant,
}

/// Since when the wall clock has gone as the monotonic one does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steadiness {
    since: Timestamp,
    looked: Now,
    /// By how much it was last set, forward or back, and when that was seen.
    set: Option<(Timestamp, Duration)>,
}

impl Steadiness {
    pub(super) const fn new(now: Now) -> Self {
        Self {
            since: now.wall,
            looked: now,
            set: None,
        }
    }

    /// Compares the clocks with the last look.
    pub(super) fn look(&mut self, now: Now) {
        let passed = now.mono.saturating_since(self.looked.mono);
        let expected = self.looked.wall.saturating_add(passed);
        let apart = now
            .wall
            .saturating_since(expected)
            .max(expected.saturating_since(now.wall));
        if apart > DRIFT {
            self.since = now.wall;
            self.set = Some((now.wall, apart));
        }
        self.looked = now;
    }

    pub(super) const fn since(&self) -> Timestamp {
        self.since
    }

    /// When the wall clock was last set, and by how much.
    pub(super) const fn set(&self) -> Option<(Timestamp, Duration)> {
        self.set
    }

    /// How long until something that was over at `over` may be forgotten; `None` if it may now.
    fn wait(&self, over: Timestamp, now: Timestamp) -> Option<Duration> {
        let held = now.saturating_since(self.since);
        (self.since > over && held < FORGET_HOLD).then(|| FORGET_HOLD - held)
    }
}

impl AuthorityHost {
    /// Carries out effects until dropped. A failed one is tried again with growing pauses; it is
    /// said once when it begins to fail and once when it works again.
    pub async fn run(self) {
        let mut revisions = self.inner.server.revisions();
        let mut at_work = JoinSet::new();
        let mut busy: HashSet<Key> = HashSet::new();
        loop {
            revisions.mark_unchanged();
            let pause = self.start_due(&mut at_work, &mut busy);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                Some(ended) = at_work.join_next() => match ended {
                    Ok((key, result)) => {
                        busy.remove(&key);
                        self.note(key, result);
                    }
                    // A panic was logged where it happened; the work comes out of the agenda again.
                    Err(_panicked) => busy.clear(),
                },
                changed = revisions.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Carries out what the first root needs, so that a server that has just founded its trust
    /// domain has one before it answers its first request. Returns when nothing is due or
    /// something failed: [`AuthorityHost::run`] goes on from there.
    pub async fn settle(&self) {
        loop {
            let view = self.inner.server.view();
            let authority = view.state().authority();
            let founding = authority
                .record()
                .is_some_and(|record| matches!(record.stage, Stage::Bootstrapping { .. }));
            let agenda = authority.agenda(self.inner.server.clock().now());
            let Some(effect) = agenda.due.into_iter().next().filter(|_| founding) else {
                return;
            };
            if self.carry_out(effect).await.is_err() {
                return;
            }
        }
    }

    /// Starts what is due and not under way; answers how long to wait for the next.
    fn start_due(
        &self,
        at_work: &mut JoinSet<(Key, Result<(), AuthorityFailure>)>,
        busy: &mut HashSet<Key>,
    ) -> Duration {
        let now = self.inner.server.clock().now();
        lock(&self.inner.steadiness).look(now);
        let view = self.inner.server.view();
        let authority = view.state().authority();
        let agenda = authority.agenda(now);
        let due: HashSet<Key> = agenda.due.iter().map(Effect::key).collect();
        self.inner.incarnations.retain(|epoch| {
            authority.provider_state(epoch).is_some()
                || authority.record().is_some_and(|record| {
                    record.stage.epoch() == epoch
                        || record
                            .rotation
                            .as_deref()
                            .is_some_and(|rotation| rotation.epoch == epoch)
                })
        });
        lock(&self.inner.failures).retain(|key, _| due.contains(key));
        let mut pause = agenda
            .wake_at
            .map_or(LOOK_AGAIN, |at| at.saturating_since(now.wall))
            .min(LOOK_AGAIN);
        for effect in agenda.due {
            let key = effect.key();
            if busy.contains(&key) || busy.iter().any(|running| effect.must_wait_for(*running)) {
                continue;
            }
            if let Effect::Forget { since } = &effect
                && let Some(wait) = lock(&self.inner.steadiness).wait(*since, now.wall)
            {
                pause = pause.min(wait);
                continue;
            }
            if let Some(again) = lock(&self.inner.failures).get(&key).map(|it| it.again)
                && now.mono < again
            {
                pause = pause.min(again.saturating_since(now.mono));
                continue;
            }
            busy.insert(key);
            let host = self.clone();
            at_work.spawn(async move { (key, host.carry_out(effect).await) });
        }
        pause
    }

    fn note(&self, key: Key, result: Result<(), AuthorityFailure>) {
        let now = self.inner.server.clock().now();
        let mut failures = lock(&self.inner.failures);
        match result {
            Ok(()) => {
                if let Some(failed) = failures.remove(&key) {
                    let failures = failed.count;
                    tracing::info!(
                        what = key.0,
                        failures,
                        "the certificate authority works again"
                    );
                }
            }
            Err(error) => {
                let failed = failures.entry(key).or_insert(EffectFailure {
                    what: key.0,
                    epoch: key.1,
                    since: now.wall,
                    count: 0,
                    reason: String::new(),
                    again: now.mono,
                });
                self.inner.metrics.effect_failed(key.0);
                failed.count = failed.count.saturating_add(1);
                failed.reason = error.to_string();
                let pause = RETRY_FIRST
                    .saturating_mul(1 << (failed.count - 1).min(8))
                    .min(RETRY_LONGEST);
                failed.again = now.mono.saturating_add(pause);
                if failed.count == 1 {
                    tracing::error!(
                        what = key.0,
                        %error,
                        "the certificate authority cannot go on with this, trying again"
                    );
                }
            }
        }
    }
}
