//! Maintenance: a check that somebody switches on by hand, so that an instance, or all of the node,
//! is not used for a while.

use super::check_plan::{CheckPlan, Means};
use super::error::LocalError;
use super::poll::SyncKey;
use super::state::LocalState;
use crate::Now;
use crate::catalog::CheckStatus;

impl LocalState {
    /// Puts an instance, or with an empty id the node, into maintenance. If it is in maintenance
    /// already, the reason stays the old one, as in Consul.
    ///
    /// Without a `reason` the check says that none was given.
    ///
    /// # Errors
    /// [`LocalError::UnknownService`].
    pub fn begin_maintenance(
        &mut self,
        service_id: &str,
        reason: &str,
        now: Now,
    ) -> Result<(), LocalError> {
        let check_id = self.maintenance_id(service_id)?;
        if self.checks.contains_key(check_id.as_str()) {
            return Ok(());
        }
        let (name, what) = if service_id.is_empty() {
            ("Node Maintenance Mode", "node")
        } else {
            ("Service Maintenance Mode", "service")
        };
        let notes = if reason.is_empty() {
            format!(
                "Maintenance mode is enabled for this {what}, but no reason was provided. \
                 This is a default message."
            )
        } else {
            let end = reason.floor_char_boundary(self.settings.max_output);
            reason.get(..end).unwrap_or_default().to_owned()
        };
        let plan = CheckPlan {
            check_id,
            name: name.to_owned(),
            status: Some(CheckStatus::Critical),
            notes,
            means: Means::Maintenance,
            deregister_after: None,
            output_limit: None,
        };
        let check_id = self.put_check(plan, service_id, now.mono);
        self.rename_in_checks(service_id);
        self.unsaid.insert(SyncKey::Check(check_id));
        self.follow(service_id, now.mono);
        Ok(())
    }

    /// Ends the maintenance of an instance, or with an empty id of the node; none is no error.
    ///
    /// # Errors
    /// [`LocalError::UnknownService`].
    pub fn end_maintenance(&mut self, service_id: &str, now: Now) -> Result<(), LocalError> {
        let check_id = self.maintenance_id(service_id)?;
        self.deregister_check(&check_id, now)
    }

    /// Whether an instance itself, or with an empty id the node, is in maintenance.
    #[must_use]
    pub fn is_in_maintenance(&self, service_id: &str) -> bool {
        self.maintenance_id(service_id)
            .is_ok_and(|check_id| self.checks.contains_key(check_id.as_str()))
    }

    /// Consul's id for the check.
    fn maintenance_id(&self, service_id: &str) -> Result<String, LocalError> {
        if service_id.is_empty() {
            return Ok("_node_maintenance".to_owned());
        }
        if !self.services.contains_key(service_id) {
            return Err(LocalError::UnknownService {
                service_id: service_id.to_owned(),
            });
        }
        Ok(format!("_service_maintenance:{service_id}"))
    }
}
