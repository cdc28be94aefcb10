//! One server with its authority and its host, in virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

use chancery_core::{
    Authority, AuthorityChange, AuthorityCommand, AuthorityError, Effect, Epoch, Instant, Now,
    OperationId, Revision, RotationCause, SigningView, Stage, Step,
};

use super::bug::Bug;
use super::certificates::{CertificateId, Certificates, from_der, stamp};
use super::law::{Class, Emergency, LateSwitch, Law, Version};
use super::provider::{Backends, Remembered};
use super::random::Random;
use super::rare::Rare;
use super::schedule::{HOUR, ProviderKind, Wish};

/// Work on an effect that is under way.
pub(super) struct Flight {
    pub(super) key: (&'static str, Option<Epoch>),
    pub(super) effect: Effect,
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
    pub(super) certificates: Certificates,
    pub(super) backends: Backends,
    pub(super) law: Law,
    pub(super) flights: Vec<Flight>,
    pub(super) again: Vec<(i64, AuthorityCommand)>,
    pub(super) retries: Vec<Retry>,
    pub(super) wake: Option<i64>,
    pub(super) down: Vec<(ProviderKind, i64)>,
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
    pub(super) fn new(bug: Option<Bug>) -> Self {
        Self {
            now: 0,
            skew: 0,
            right_at: None,
            started: 0,
            stepped: 0,
            authority: Authority::default(),
            revision: 1,
            snapshot: None,
            certificates: Certificates::default(),
            backends: Backends::default(),
            law: Law::default(),
            flights: Vec::new(),
            again: Vec::new(),
            retries: Vec::new(),
            wake: None,
            down: Vec::new(),
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
            self.sign(&view, 1);
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

    /// A worker signs leafs for so many services, all at once.
    pub(super) fn sign(&mut self, view: &View, services: i64) {
        let signing = &view.signing;
        let Some((_, end)) = signing.leaf_validity(stamp(self.wall())) else {
            return;
        };
        let mut end = super::certificates::seconds(end);
        let Some(state) = self.authority.provider_state(signing.epoch) else {
            return;
        };
        let issuer = from_der(&signing.issuer);
        let epoch = signing.epoch.number();
        let remembered = Remembered::open(&state.sealed);
        let key = remembered.map(|it| it.intermediate.unwrap_or(it.root));
        let serves = self.serving() == Some(signing.epoch);
        if key != Some(issuer) {
            self.complain(|| format!("epoch {epoch} must sign with a key it does not remember"));
            return;
        }
        if !self.backends.has(issuer) {
            if serves && !self.backends.is_lost(issuer) {
                self.complain(|| format!("epoch {epoch} must sign with a key that was deleted"));
            }
            return;
        }
        if self.has(Bug::LeaseIgnored) {
            end += 3 * signing.leaf_life.as_secs().cast_signed();
        }
        if end > self.certificates.of(issuer).not_after && !self.has(Bug::LeaseIgnored) {
            self.complain(|| format!("a leaf of epoch {epoch} outlives its issuer"));
        }
        let chain = signing.intermediates.iter().chain(&signing.links);
        let leaf = Class {
            issuer: self.certificates.of(issuer).subject,
            root: view.root,
            chain: chain.map(from_der).collect(),
            epoch,
            first: self.now,
            until: end,
        };
        self.note_distance(&leaf);
        self.law.signed(leaf, services);
    }

    pub(super) fn serving(&self) -> Option<Epoch> {
        match self.authority.record()?.stage {
            Stage::Serving { epoch } => Some(epoch),
            _ => None,
        }
    }

    /// How many links lead to the oldest bundle that may be in use.
    fn note_distance(&mut self, leaf: &Class) {
        let links = leaf.chain.len();
        if links < 2 || self.seen & (1 << Rare::BundleThreeOld as u64) != 0 {
            return;
        }
        let mut most = 0;
        for version in &self.law.versions {
            let usable = version.over() > self.now && version.left.is_none();
            if !usable || version.roots.contains(&leaf.root) {
                continue;
            }
            // The shortest part of the chain that is enough, intermediates not counted.
            let behind = leaf
                .chain
                .iter()
                .filter(|id| self.certificates.of(**id).subject != leaf.issuer)
                .count();
            let needed = (1..=behind).find(|count| {
                let enough = &leaf.chain[..leaf.chain.len() - behind + count];
                let spans = self.certificates.spans(leaf.issuer, enough, &version.roots);
                !spans.is_empty()
            });
            most = most.max(needed.unwrap_or(0));
        }
        if most >= 2 {
            self.see(Rare::BundleTwoOld);
        }
        if most >= 3 {
            self.see(Rare::BundleThreeOld);
        }
    }

    fn check_commit(&mut self, before: &Authority, changes: &[AuthorityChange]) {
        let active = self.authority.roots().filter(|root| root.active).count();
        let serving = self.serving();
        if active > 1 || (serving.is_some() && active == 0) {
            self.complain(|| format!("{active} roots are active"));
        }
        for change in changes {
            match change {
                AuthorityChange::PutRoot(root) if before.root(&root.id).is_none() => {
                    self.check_minted(before, root.epoch);
                }
                AuthorityChange::DeleteRoot(id) => self.note_pruned(before, id),
                _ => {}
            }
        }
        let was = before.record().map(|record| record.stage.epoch());
        if serving.is_some() && (serving != was || before.active_root().is_none()) {
            self.check_switch(before);
        }
        let links = |authority: &Authority| authority.active_root().map_or(0, |it| it.links.len());
        if serving == was && links(&self.authority) < links(before) && links(&self.authority) > 0 {
            self.see(Rare::LinkForgotten);
        }
    }

    fn check_minted(&mut self, before: &Authority, epoch: Epoch) {
        let Some(record) = before.record() else {
            return;
        };
        let operation = match (&record.stage, &record.rotation) {
            (_, Some(rotation)) => Some(rotation.operation),
            (Stage::Bootstrapping { operation, .. }, None) => Some(*operation),
            _ => None,
        };
        let cause = operation.and_then(|operation| self.causes.get(&operation));
        if cause.is_none_or(|cause| *cause == Some(RotationCause::Renewal)) {
            self.complain(|| format!("epoch {epoch} has a new root that nobody ordered"));
        }
    }

    fn note_pruned(&mut self, before: &Authority, id: &str) {
        let Some(root) = before.root(id) else {
            return;
        };
        if root.active {
            self.complain(|| format!("the active root {id} is pruned"));
        }
        self.see(Rare::RootPruned);
        let due = self.law.emergencies.iter().find(|it| it.root == id);
        if root.retire_at.is_some() && due.is_some_and(|it| it.due <= self.now) {
            let certificate = from_der(&root.certificate);
            let now = self.now;
            let alive = |class: &Class| class.root == certificate && class.until > now;
            if self.law.classes.iter().any(alive) {
                self.see(Rare::DistrustedAlive);
            }
            let since = self.law.versions.len();
            self.law.distrusted.push((certificate, since));
        }
    }

    fn check_switch(&mut self, before: &Authority) {
        let (Some(root), Some(epoch)) = (self.authority.active_root(), self.serving()) else {
            return;
        };
        let root = root.clone();
        let remembered = self
            .authority
            .provider_state(epoch)
            .and_then(|state| Remembered::open(&state.sealed));
        let signs = from_der(root.issuer());
        if remembered.map(|it| it.intermediate.unwrap_or(it.root)) != Some(signs) {
            self.complain(|| format!("epoch {epoch} signs and does not remember with what"));
        }
        if !self.backends.has(signs) && !self.backends.is_lost(signs) {
            self.complain(|| format!("epoch {epoch} signs with a key that was deleted"));
        }
        let rotation = before.record().and_then(|record| record.rotation.clone());
        let (Some(rotation), Some(old)) = (rotation, before.active_root()) else {
            return;
        };
        if !self.answers.contains(&(rotation.operation, signs)) {
            self.complain(|| format!("epoch {epoch} signs with what was made for another order"));
        }
        match self.skew {
            0 => {}
            1.. => self.see(Rare::SwitchAhead),
            _ => {
                self.see(Rare::SwitchBehind);
                self.law.late.push(LateSwitch {
                    at: self.now,
                    epoch: epoch.number(),
                    behind: -self.skew,
                    versions: self.law.versions.len(),
                });
            }
        }
        if rotation.cause == RotationCause::Renewal {
            self.see(Rare::Renewed);
            if super::certificates::seconds(old.issuer_life().not_after) < self.wall() {
                self.see(Rare::RenewedLate);
            }
        }
        if root.signed_outside {
            self.see(Rare::SignedOutside);
        }
        if root.id == old.id {
            return;
        }
        if let RotationCause::Emergency { retire_after } = rotation.cause {
            // By a clock that was behind: set right, it has passed so much earlier.
            let due = self.wall().min(self.now) + retire_after.as_secs().cast_signed();
            self.law.emergencies.retain(|it| it.root != old.id);
            self.law.emergencies.push(Emergency {
                root: old.id.clone(),
                due,
            });
        }
        if before.root(&root.id).is_some() {
            self.see(Rare::RootBack);
        }
        let key = |id: &CertificateId| self.certificates.of(*id).subject;
        if key(&from_der(&root.certificate)) == key(&from_der(&old.certificate)) {
            self.see(Rare::SharedKey);
        }
        let bound = self.authority.configuration().map(|it| it.lifetimes.bundle);
        let longest = before.configuration().map(|it| it.lifetimes.bundle);
        let bound = bound.max(longest).unwrap_or_default().as_secs();
        let now = self.now;
        let longer = |version: &Version| {
            version.bound > bound.cast_signed() && version.over() > now + bound.cast_signed()
        };
        if self.law.versions.iter().any(longer) {
            self.see(Rare::BoundLowered);
        }
        if rotation.force {
            self.leave_behind(&root, epoch);
        }
    }

    /// Which bundles a forced switch may leave behind: those that it cannot reach, if it could
    /// not be helped.
    fn leave_behind(&mut self, root: &chancery_core::CaRoot, epoch: Epoch) {
        let links: Vec<_> = root
            .links
            .iter()
            .map(|it| from_der(&it.certificate))
            .collect();
        let full = 1 + root.intermediates.len() + links.len() >= 6;
        let unlinked = self.law.unlinked == Some(epoch);
        if !full && !unlinked {
            return;
        }
        self.law.forced = Some(self.law.versions.len());
        let key = self.certificates.of(from_der(&root.certificate)).subject;
        let mut left = false;
        for version in &mut self.law.versions {
            let usable = version.over() > self.now;
            let reached = !self
                .certificates
                .spans(key, &links, &version.roots)
                .is_empty();
            if usable && !reached && version.left.is_none() {
                version.left = Some(epoch.number());
                left = true;
            }
        }
        if left && unlinked {
            self.see(Rare::ForcedUnlinked);
        } else if left {
            self.see(Rare::ForcedShort);
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
            Remembered::open(&state.sealed)?,
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
