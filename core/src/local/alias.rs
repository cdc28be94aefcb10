//! Checks that follow another service of the same agent.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::check_plan::Means;
use super::running::RunningCheck;
use super::state::LocalState;
use crate::Instant;
use crate::catalog::CheckStatus;

impl LocalState {
    /// Brings up to date the alias checks of `service_id` itself (they may be new), all that
    /// follow it (empty: the node, which all of them follow), and those that follow their
    /// services in turn.
    ///
    /// This ends, even if aliases follow each other in a circle: a state depends only on the
    /// checks that are no aliases, and an output that alone changed is not followed further.
    pub(super) fn follow(&mut self, service_id: &str, now: Instant) {
        let mut open = VecDeque::from([service_id.to_owned()]);
        while let Some(service_id) = open.pop_front() {
            for check_id in self.followers(&service_id) {
                let Some((status, output)) = self.aliased(&check_id) else {
                    continue;
                };
                let before = self.checks.get(&check_id).map(|check| check.row.status);
                let news = self.note(&check_id, status, output, now);
                if let Some(own) = news.filter(|_| before != Some(status)) {
                    open.push_back(own);
                }
            }
        }
    }

    fn followers(&self, service_id: &str) -> Vec<Arc<str>> {
        if service_id.is_empty() {
            return self.aliases.all().cloned().collect();
        }
        let own = self.by_service.of(service_id);
        let followers = self.aliases.of(service_id);
        // What is no alias has nothing to say in `aliased`.
        own.chain(followers).cloned().collect()
    }

    /// What an alias check has to say, in the words of Consul's `CheckAlias`.
    fn aliased(&self, check_id: &str) -> Option<(CheckStatus, String)> {
        let Means::Alias { service_id } = &self.checks.get(check_id)?.means else {
            return None;
        };
        let is_known = service_id.is_empty() || self.services.contains_key(service_id.as_str());
        if !is_known {
            let output = format!(
                "Service {service_id} could not be found on node {}",
                self.node.name
            );
            return Some((CheckStatus::Critical, output));
        }
        let mut worst = CheckStatus::Passing;
        let mut output = "No checks found.".to_owned();
        for check in self
            .seen_from(service_id)
            .filter(|seen| seen.row.check_id != check_id)
        {
            let status = self.status_of(check);
            if status == CheckStatus::Passing {
                if worst == CheckStatus::Passing {
                    "All checks passing.".clone_into(&mut output);
                }
            } else if status > worst {
                worst = status;
                output = format!(
                    "Aliased check {:?} failing: {}",
                    check.row.name, check.row.output
                );
            }
        }
        output.truncate(output.floor_char_boundary(self.settings.max_output));
        Some((worst, output))
    }

    /// The checks of the node and of a service.
    fn seen_from<'a>(&'a self, service_id: &'a str) -> impl Iterator<Item = &'a RunningCheck> {
        let of_node = (!service_id.is_empty()).then(|| self.by_service.of(""));
        let ids = of_node.into_iter().flatten();
        ids.chain(self.by_service.of(service_id))
            .filter_map(|id| self.checks.get(id))
            .map(AsRef::as_ref)
    }

    /// The state of a check; of an alias the worst of what it follows directly or through others,
    /// each service looked at once.
    fn status_of(&self, check: &RunningCheck) -> CheckStatus {
        let Means::Alias { service_id } = &check.means else {
            return check.row.status;
        };
        let mut seen = BTreeSet::new();
        let mut open = vec![service_id.as_str()];
        let mut worst = CheckStatus::Passing;
        while let Some(service_id) = open.pop() {
            if !seen.insert(service_id) {
                continue;
            }
            if !service_id.is_empty() && !self.services.contains_key(service_id) {
                return CheckStatus::Critical;
            }
            for check in self.seen_from(service_id) {
                match &check.means {
                    Means::Alias { service_id } => open.push(service_id),
                    Means::Maintenance | Means::Probe(_) | Means::Ttl(_) => {
                        worst = worst.max(check.row.status);
                    }
                }
            }
        }
        worst
    }
}
