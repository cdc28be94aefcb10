//! From what was said to what will be looked after: the checks in Consul's order, the defaults,
//! and the sidecar.

use super::check_plan::CheckPlan;
use super::definition::{CheckRegistration, Registration};
use super::error::{CheckError, RegistrationError};
use super::rules;
use super::settings::LocalSettings;
use super::sidecar::{Sidecar, sidecar_id};
use crate::catalog::{ServiceInstance, ServiceKind};

/// A service to register that has been checked, with its sidecar.
///
/// What is left to find out is the sidecar's port, because that depends on what else is
/// registered: [`LocalState::register`](super::LocalState::register) does.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedRegistration {
    pub(super) said: Box<Registration>,
    pub(super) service: ServiceInstance,
    pub(super) plans: Vec<CheckPlan>,
    pub(super) sidecar: Option<Box<Sidecar>>,
}

/// A check to register by itself that has been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedCheck {
    pub(super) said: Box<CheckRegistration>,
    pub(super) plan: CheckPlan,
    pub(super) service_id: String,
}

impl CheckedRegistration {
    /// The id of the service.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.service.id
    }

    /// The name of the service.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.service.name
    }

    /// The kind of the service.
    #[must_use]
    pub const fn kind(&self) -> ServiceKind {
        self.service.kind
    }

    /// What was checked: to be kept by a host, and checked again after a restart.
    #[must_use]
    pub const fn said(&self) -> &Registration {
        &self.said
    }
}

impl CheckedCheck {
    /// The id of the check.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.plan.check_id
    }

    /// What was checked: to be kept by a host, and checked again after a restart.
    #[must_use]
    pub const fn said(&self) -> &CheckRegistration {
        &self.said
    }
}

impl Registration {
    /// Checks everything that can be said about it alone, in the order of Consul's
    /// `/v1/agent/service/register`: of several mistakes the same one is reported.
    ///
    /// # Errors
    /// [`RegistrationError`], whose text is the body of Consul's answer.
    pub fn check(
        mut self,
        node: &str,
        settings: &LocalSettings,
    ) -> Result<CheckedRegistration, RegistrationError> {
        if self.name.is_empty() {
            return Err(RegistrationError::MissingName);
        }
        let said = Box::new(self.clone());
        if rules::is_any_address(&self.address) {
            return Err(RegistrationError::Address {
                found: self.address,
            });
        }
        rules::limits(&self, settings)?;
        let weights = rules::weights(self.weights).map_err(RegistrationError::Weights)?;
        rules::meta(self.kind, &self.meta).map_err(RegistrationError::Meta)?;
        if let Some(errors) = rules::definition(&self) {
            return Err(RegistrationError::Definition(errors));
        }
        let plans = self.plans(node).map_err(|refused| match refused {
            PlanError::Check(error) => RegistrationError::Check(error),
            PlanError::Status(found) => RegistrationError::ServiceCheckStatus { found },
        })?;
        let sidecar = self.sidecar.take();
        let mut service = self.into_instance(node);
        service.weights = weights;
        let sidecar = sidecar
            .map(|sidecar| sidecar.check_as_sidecar(&service, settings))
            .transpose()?
            .map(Box::new);
        Ok(CheckedRegistration {
            said,
            service,
            plans,
            sidecar,
        })
    }

    fn check_as_sidecar(
        mut self,
        parent: &ServiceInstance,
        settings: &LocalSettings,
    ) -> Result<Sidecar, RegistrationError> {
        let plans = self.plans(&parent.node).map_err(|refused| match refused {
            PlanError::Check(error) => RegistrationError::SidecarCheck(error),
            PlanError::Status(found) => RegistrationError::SidecarCheckStatus { found },
        })?;
        rules::limits(&self, settings)?;
        rules::meta(self.kind, &self.meta).map_err(RegistrationError::SidecarMeta)?;
        let weights = rules::weights(self.weights).map_err(RegistrationError::Weights)?;
        self.fill_from_parent(parent);
        // Consul first learns from its catalog that such a sidecar is wrong, and only logs it.
        // A port that is still to be given is not missing.
        let given_port = self.port;
        self.port = given_port.max(1);
        if let Some(errors) = rules::definition(&self) {
            return Err(RegistrationError::SidecarDefinition(errors));
        }
        self.port = given_port;
        let mut service = self.into_instance(&parent.node);
        service.id = sidecar_id(&parent.id);
        service.weights = weights;
        Ok(Sidecar { service, plans })
    }

    /// The instance that it describes, for the catalog: no agent looks after it, so it gets no
    /// checks and no sidecar, and weights that are out of range are brought into it.
    ///
    /// # Errors
    /// [`RegistrationError`], in the order of Consul's `/v1/catalog/register`. That an instance
    /// has no name, the catalog itself says.
    pub fn into_catalog_instance(
        self,
        node: &str,
        settings: &LocalSettings,
    ) -> Result<ServiceInstance, RegistrationError> {
        if rules::is_any_address(&self.address) {
            return Err(RegistrationError::Address {
                found: self.address,
            });
        }
        rules::limits(&self, settings)?;
        if self.kind == ServiceKind::ConnectProxy
            && let Some(errors) = rules::definition(&self)
        {
            return Err(RegistrationError::Definition(errors));
        }
        rules::meta(self.kind, &self.meta).map_err(RegistrationError::Meta)?;
        let weights = self.weights;
        let mut service = self.into_instance(node);
        if let Some(said) = weights {
            let within = |weight: i64| u16::try_from(weight.clamp(1, 65_535)).unwrap_or(1);
            service.weights.passing = within(said.passing);
            service.weights.warning = within(said.warning);
        }
        Ok(service)
    }

    fn plans(&self, node: &str) -> Result<Vec<CheckPlan>, PlanError> {
        let first = self.check.iter().filter(|check| !check.is_empty());
        let said = first.chain(&self.checks).collect::<Vec<_>>();
        let plans = said.iter().map(|check| check.plan(node));
        let plans = plans
            .collect::<Result<Vec<_>, _>>()
            .map_err(PlanError::Check)?;
        match said.iter().find(|check| !check.has_known_status()) {
            Some(check) => Err(PlanError::Status(check.status.chars().take(64).collect())),
            None => Ok(plans),
        }
    }

    fn into_instance(self, node: &str) -> ServiceInstance {
        let id = if self.id.is_empty() {
            self.name.clone()
        } else {
            self.id
        };
        let mut service = ServiceInstance::new(node, id, self.name);
        service.kind = self.kind;
        service.tags = self.tags;
        service.meta = self.meta;
        service.port = self.port;
        service.address = self.address;
        service.tagged_addresses = self.tagged_addresses;
        service.enable_tag_override = self.enable_tag_override;
        service.connect_native = self.connect_native;
        // Consul shows and stores `Proxy` for proxies and gateways only.
        if self.kind != ServiceKind::Typical {
            service.proxy = Some(Box::new(self.proxy.unwrap_or_default()));
        }
        service
    }
}

impl CheckRegistration {
    /// Checks everything that can be said about it alone, in the order of Consul's
    /// `/v1/agent/check/register`.
    ///
    /// # Errors
    /// [`RegistrationError`], whose text is the body of Consul's answer.
    pub fn check(
        self,
        node: &str,
        settings: &LocalSettings,
    ) -> Result<CheckedCheck, RegistrationError> {
        let said = &self.definition;
        if said.name.is_empty() {
            return Err(RegistrationError::MissingCheckName);
        }
        if !said.has_known_status() {
            return Err(RegistrationError::CheckStatus {
                found: said.status.chars().take(64).collect(),
            });
        }
        let longest = said.name.len().max(said.check_id.len());
        if longest > settings.max_name {
            return Err(RegistrationError::Limit {
                what: "bytes of a name or id",
                found: longest,
                allowed: settings.max_name,
            });
        }
        let mut plan = said.plan(node).map_err(RegistrationError::Check)?;
        if plan.check_id.is_empty() {
            plan.check_id.clone_from(&plan.name);
        }
        Ok(CheckedCheck {
            plan,
            service_id: self.service_id.clone(),
            said: Box::new(self),
        })
    }
}

enum PlanError {
    Check(CheckError),
    Status(String),
}
