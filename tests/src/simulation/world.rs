//! One server with its authority and its host, in virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chancery_core::{
    Authority, AuthorityChange, AuthorityCommand, AuthorityError, Effect, Epoch, Instant, Now,
    OperationId, Revision, RotationCause, SigningView, Stage, Step, Timestamp,
};

use super::bug::Bug;
use super::certificates::{CertificateId, from_der, stamp};
use super::clock::{Clockwork, GuardClock};
use super::incarnation::Incarnation;
use super::law::{Law, Version};
use super::random::Random;
use super::rare::Rare;
use super::realm::{Desk, Realm};
use super::remembered::Remembered;
use super::schedule::{HOUR, Wish};

/// Work on an effect that is under way.
pub(super) struct Flight {
    pub(super) key: (&'static str, Option<Epoch>),
    /// Until the provider does it.
    pub(super) effect: Option<Effect>,
    /// When the provider does it, and when the host hears of it.
    pub(super) acts: i64,
    pub(super) arrives: i64,
    pub(super) fate: Fate,
    pub(super) outcome: Option<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Good,
    /// The call never arrives.
    Lost,
    /// The answer never arrives.
    AnswerLost,
    /// The answer comes once more.
    Twice {
        later: i64,
    },
}

#[expect(clippy::large_enum_variant, reason = "a few at a time")]
pub(super) enum Outcome {
    Answer(AuthorityCommand),
    Failed,
}

/// What a worker signs by.
#[derive(Clone)]
pub(super) struct View {
    pub(super) signing: SigningView,
    pub(super) root: CertificateId,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Trouble {
    pub(super) lost: i64,
    pub(super) twice: i64,
    pub(super) slow: i64,
    pub(super) until: i64,
}

pub(super) struct World {
    /// True time, by which agents live.
    pub(super) now: i64,
    /// How far the server's wall clock is ahead.
    pub(super) skew: i64,
    /// When the clock will be right again.
    pub(super) right_at: Option<i64>,
    pub(super) started: i64,
    /// Since when the wall clock has gone steadily.
    pub(super) stepped: i64,
    pub(super) authority: Authority,
    pub(super) revision: u64,
    pub(super) snapshot: Option<(Authority, Law)>,
    pub(super) realm: Realm,
    /// Where providers find the realm.
    pub(super) desk: Arc<Desk>,
    /// By which the guards wait, and what they take for the server's wall clock.
    pub(super) clock: GuardClock,
    pub(super) guards_clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Providers at work in this process.
    pub(super) incarnations: BTreeMap<Epoch, Incarnation>,
    /// Seconds that the calls for the present effect have taken.
    pub(super) took: i64,
    /// Serial numbers given out.
    pub(super) serials: u64,
    /// Whether the product verifies the leafs of trials, too.
    pub(super) is_thorough: bool,
    pub(super) law: Law,
    pub(super) flights: Vec<Flight>,
    pub(super) again: Vec<(i64, AuthorityCommand)>,
    pub(super) retries: Vec<Retry>,
    pub(super) wake: Option<i64>,
    pub(super) trouble: Trouble,
    pub(super) views: Vec<View>,
    pub(super) wishes: Vec<Wish>,
    pub(super) causes: BTreeMap<OperationId, Option<RotationCause>>,
    /// Which issuers providers answered an order with.
    pub(super) answers: Vec<(OperationId, CertificateId)>,
    pub(super) bug: Option<Bug>,
    pub(super) seen: u64,
    pub(super) random: Random,
    pub(super) complaint: Option<String>,
    /// What was said on the way, when somebody wants to read it.
    pub(super) told: Option<Vec<String>>,
}

pub(super) struct Retry {
    pub(super) key: (&'static str, Option<Epoch>),
    pub(super) at: i64,
    pub(super) failures: u32,
}

impl World {
    pub(super) fn new(bug: Option<Bug>, clockwork: &Clockwork) -> Self {
        let desk = Arc::new(Desk::default());
        let clock = Arc::clone(&desk);
        Self {
            now: 0,
            skew: 0,
            right_at: None,
            started: 0,
            stepped: 0,
            authority: Authority::default(),
            revision: 1,
            snapshot: None,
            realm: Realm {
                bug,
                ..Realm::default()
            },
            desk,
            clock: clockwork.begin(),
            guards_clock: Arc::new(move || clock.wall_clock()),
            incarnations: BTreeMap::new(),
            took: 0,
            serials: 0,
            is_thorough: false,
            law: Law::default(),
            flights: Vec::new(),
            again: Vec::new(),
            retries: Vec::new(),
            wake: None,
            trouble: Trouble::default(),
            views: Vec::new(),
            wishes: Vec::new(),
            causes: BTreeMap::new(),
            answers: Vec::new(),
            bug,
            seen: 0,
            random: Random::new(0),
            complaint: None,
            told: None,
        }
    }

    pub(super) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    pub(super) const fn wall(&self) -> i64 {
        self.now + self.skew
    }

    pub(super) fn clock(&self) -> Now {
        let mono = (self.now - self.started).unsigned_abs();
        Now {
            wall: stamp(self.wall()),
            mono: Instant::new(Duration::from_secs(mono)),
        }
    }

    pub(super) const fn see(&mut self, rare: Rare) {
        self.seen |= 1 << rare as u64;
    }

    pub(super) fn complain(&mut self, what: impl FnOnce() -> String) {
        if self.complaint.is_none() {
            let text = format!("at {} s: {}", self.now, what());
            self.tell(|| format!("!! {text}"));
            self.complaint = Some(text);
        }
    }

    pub(super) fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(told) = &mut self.told {
            told.push(format!("{:>9} s  {}", self.now, what()));
        }
    }

    /// A random id for an order, noted with what it may come to.
    pub(super) fn operation(&mut self, cause: Option<RotationCause>) -> OperationId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.random.draw().to_be_bytes());
        let operation = OperationId::from_bytes(bytes);
        self.causes.insert(operation, cause);
        operation
    }

    /// Decides and commits. `Ok(false)`: nothing is to change.
    pub(super) fn submit(&mut self, command: AuthorityCommand) -> Result<bool, AuthorityError> {
        let name = self.told.is_some().then(|| short(&command));
        let proposed =
            self.authority
                .propose(command, Revision::new(self.revision + 1), self.clock());
        let mut changes = match proposed {
            Ok(changes) => changes,
            Err(error) => {
                self.tell(|| format!("  {} refused: {error}", name.unwrap_or_default()));
                return Err(error);
            }
        };
        if let Some(bug) = self.bug {
            let serving = self.authority.active_root().is_some();
            bug.perturb(&mut changes, serving);
        }
        if changes.is_empty() {
            return Ok(false);
        }
        self.tell(|| format!("  {}", name.unwrap_or_default()));
        self.commit(&changes);
        Ok(true)
    }

    fn commit(&mut self, changes: &[AuthorityChange]) {
        let roots = changes.iter().any(|change| {
            matches!(
                change,
                AuthorityChange::PutRoot(_) | AuthorityChange::PutConfiguration(_)
            )
        });
        if roots && let Some(view) = self.view() {
            // The last leaf by the view that is about to go.
            self.sign_unasked(&view, 1);
        }
        self.law.touch(self.now);
        let before = self.authority.clone();
        for change in changes {
            self.authority.apply(change);
        }
        self.revision += 1;
        self.check_commit(&before, changes);
        self.publish();
        if let Some(root) = self.authority.active_root()
            && self.told.is_some()
        {
            let line = format!(
                "    = {} epoch {} links {:?} roots {:?}",
                root.id,
                root.epoch,
                root.links
                    .iter()
                    .map(|link| format!("{}x{}", link.subject, link.signer))
                    .collect::<Vec<_>>(),
                self.authority
                    .roots()
                    .map(|root| &root.id)
                    .collect::<Vec<_>>(),
            );
            self.tell(|| line);
        }
    }

    /// From now on agents that ask get this bundle.
    pub(super) fn publish(&mut self) {
        let (Some(active), Some(configuration)) =
            (self.authority.active_root(), self.authority.configuration())
        else {
            return;
        };
        let bound = configuration.lifetimes.bundle.as_secs().cast_signed();
        let bound = if self.has(Bug::AgedBundles) {
            bound * 3 / 2
        } else {
            bound
        };
        let bundle = Version {
            roots: self
                .authority
                .roots()
                .map(|root| from_der(&root.certificate))
                .collect(),
            active: from_der(&active.certificate),
            bound,
            first: self.now,
            last: self.now,
            left: None,
        };
        self.law.published(bundle);
    }

    pub(super) fn view(&self) -> Option<View> {
        Some(View {
            signing: self.authority.signing_view()?,
            root: from_der(&self.authority.active_root()?.certificate),
        })
    }

    pub(super) fn serving(&self) -> Option<Epoch> {
        match self.authority.record()?.stage {
            Stage::Serving { epoch } => Some(epoch),
            _ => None,
        }
    }

    /// The signing request of the intermediate that waits, and the root it shall be under.
    pub(super) fn awaited(&self) -> Option<(CertificateId, Remembered)> {
        let rotation = self.authority.record()?.rotation.as_deref()?;
        let Step::AwaitingSignature { root, .. } = &rotation.step else {
            return None;
        };
        let state = self.authority.provider_state(rotation.epoch)?;
        Some((
            from_der(&root.certificate),
            Remembered::from_state(state.sealed.as_bytes())?,
        ))
    }
}

/// How long the wall clock must have gone steadily.
pub(super) const HOLD: i64 = HOUR;

/// A command's name.
pub(super) fn short(command: &AuthorityCommand) -> String {
    let text = format!("{command:?}");
    let end = text.find([' ', '{', '(']).unwrap_or(text.len());
    text.get(..end).unwrap_or_default().to_owned()
}
