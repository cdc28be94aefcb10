//! The end of a schedule: what must have come of everything once nothing stands in the way.

use std::time::Duration;

use chancery_providers::ErrorKind;

use super::effects::Failure;
use super::schedule::{DAY, HOUR};
use super::world::{Trouble, World};

impl World {
    /// Faults stop: whatever is under way must end, and in the end nothing old is left.
    pub(super) fn rest(&mut self, long: bool) {
        self.realm.down.clear();
        self.realm.wicked.clear();
        self.trouble = Trouble::default();
        self.right_at = None;
        if self.skew != 0 {
            self.skew = 0;
            self.stepped = self.now;
        }
        self.pump();
        for _ in 0..6 {
            self.run_until(self.now + HOUR);
            self.give_signature(true);
            self.pump();
        }
        if self.complaint.is_some() {
            return;
        }
        let record = self.authority.record();
        if let Some(rotation) = record.and_then(|record| record.rotation.as_deref())
            && rotation.since.saturating_add(Duration::from_secs(5 * 3600)) < self.clock().wall
        {
            let text = format!("the rotation to epoch {} never ends", rotation.epoch);
            self.complain(|| text);
            return;
        }
        self.sign_at_rest();
        if long {
            self.grow_old();
        }
    }

    /// Nothing stands in the way any more: whoever serves signs.
    fn sign_at_rest(&mut self) {
        // What a clock that was ahead has dated into the future is not valid yet.
        let Some(view) = self.view().filter(|_| !self.law.ahead) else {
            return;
        };
        match self.sign(&view, 1) {
            Err(Failure::Provider(error))
                if !matches!(error.kind(), ErrorKind::RateLimited { .. }) =>
            {
                self.complain(|| format!("nothing is signed any more: {}", error.report()));
            }
            _ => {}
        }
    }

    /// After the longest of all spans one root, no link, and no retired incarnation is left.
    fn grow_old(&mut self) {
        let Some(wish) = self.current_wish() else {
            return;
        };
        let leases = self.authority.leases().map(|lease| lease.until);
        let roots = self.authority.roots().filter_map(|root| root.leafs_until);
        let leafs = leases.chain(roots).max();
        let last = leafs.map_or(self.now, super::certificates::seconds);
        let held = self.law.versions.iter().map(super::law::Version::over);
        let last = held.fold(last, i64::max) + wish.bundle + 2 * HOUR;
        self.run_until(last + 8 * DAY);
        if self.complaint.is_some() {
            return;
        }
        let now = self.clock().wall;
        let recent = |stamp| now.saturating_since(stamp) < Duration::from_secs(9 * 24 * 3600);
        let roots = self.authority.roots().count();
        let links = self.authority.active_root().map_or(0, |it| it.links.len());
        let retired = self.authority.provider_states().filter(|state| {
            let retired = state.retired.as_ref();
            retired.is_some_and(|retired| !recent(retired.at))
        });
        let retired = retired.count();
        if roots > 1 || links > 0 || retired > 0 {
            self.complain(|| {
                format!(
                    "long after, {roots} roots, {links} links and {retired} old states are left"
                )
            });
        }
    }
}
