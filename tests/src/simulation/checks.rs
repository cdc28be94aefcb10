//! What is checked, and what is noted, whenever something is committed or signed.

use chancery_core::{Authority, AuthorityChange, CaRoot, Epoch, RotationCause, Stage};

use super::certificates::{CertificateId, from_der, seconds};
use super::law::{Class, Emergency, LateSwitch, Version};
use super::rare::Rare;
use super::remembered::Remembered;
use super::world::World;

impl World {
    /// How many links lead to the oldest bundle that may be in use.
    pub(super) fn note_distance(&mut self, leaf: &Class) {
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
                .filter(|id| self.realm.certificates.of(**id).subject != leaf.issuer)
                .count();
            let needed = (1..=behind).find(|count| {
                let enough = &leaf.chain[..leaf.chain.len() - behind + count];
                let spans = self
                    .realm
                    .certificates
                    .spans(leaf.issuer, enough, &version.roots);
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

    pub(super) fn check_commit(&mut self, before: &Authority, changes: &[AuthorityChange]) {
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
            .and_then(|state| Remembered::from_state(state.sealed.as_bytes()));
        let signs = from_der(root.issuer());
        if remembered.map(|memory| memory.signs()) != Some(signs) {
            self.complain(|| format!("epoch {epoch} signs and does not remember with what"));
        }
        if !self.realm.backends.has(signs) && !self.realm.backends.is_lost(signs) {
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
            if seconds(old.issuer_life().not_after) < self.wall() {
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
        let key = |id: &CertificateId| self.realm.certificates.of(*id).subject;
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
    fn leave_behind(&mut self, root: &CaRoot, epoch: Epoch) {
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
        let key = self
            .realm
            .certificates
            .of(from_der(&root.certificate))
            .subject;
        let mut left = false;
        for version in &mut self.law.versions {
            let usable = version.over() > self.now;
            let reached = !self
                .realm
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
}
