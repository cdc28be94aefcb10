//! Proxies that are registered beside their service and go with it.

use std::collections::BTreeSet;

use super::check_plan::CheckPlan;
use super::definition::{CheckDefinition, Registration};
use super::error::RegistrationError;
use super::rules;
use super::state::LocalState;
use crate::GoDuration;
use crate::catalog::{ProxyConfig, ServiceInstance, ServiceKind};

/// A proxy that is registered beside its service and goes with it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sidecar {
    /// Its port is 0 if it has to be given one.
    pub(super) service: ServiceInstance,
    /// None: the two that every sidecar has, once its port is known.
    pub(super) plans: Vec<CheckPlan>,
}

impl Registration {
    /// Takes from the service what the sidecar does not say itself.
    pub(super) fn fill_from_parent(&mut self, parent: &ServiceInstance) {
        if self.name.is_empty() {
            self.name = format!("{}-sidecar-proxy", parent.name);
        }
        if self.address.is_empty() {
            self.address.clone_from(&parent.address);
        }
        if self.tags.is_empty() {
            self.tags.clone_from(&parent.tags);
        }
        if self.meta.is_empty() {
            self.meta.clone_from(&parent.meta);
        }
        self.kind = ServiceKind::ConnectProxy;
        let proxy = self.proxy.get_or_insert_with(ProxyConfig::default);
        if proxy.destination_service_name.is_empty() {
            proxy.destination_service_name.clone_from(&parent.name);
        }
        if proxy.destination_service_id.is_empty() {
            proxy.destination_service_id.clone_from(&parent.id);
        }
        if proxy.local_service_address.is_empty() && proxy.local_service_port == 0 {
            "127.0.0.1".clone_into(&mut proxy.local_service_address);
            proxy.local_service_port = parent.port;
        }
    }
}

impl LocalState {
    /// Gives a sidecar its port and, if it says nothing about checks, its checks.
    pub(super) fn complete_sidecar(
        &self,
        mut sidecar: Sidecar,
        parent: &ServiceInstance,
    ) -> Result<Sidecar, RegistrationError> {
        if sidecar.service.port == 0 {
            sidecar.service.port = self.free_sidecar_port(&sidecar.service.id, parent)?;
        }
        if sidecar.plans.is_empty() {
            sidecar.plans = default_sidecar_checks(&sidecar.service, &parent.id);
        }
        Ok(sidecar)
    }

    /// The port that the sidecar has already, or the lowest one that no service has.
    fn free_sidecar_port(
        &self,
        sidecar_id: &str,
        parent: &ServiceInstance,
    ) -> Result<u16, RegistrationError> {
        let range = &self.settings.sidecar_ports;
        let own = self.services.get(sidecar_id).map(|own| own.instance.port);
        if let Some(port) = own.filter(|port| range.contains(port)) {
            return Ok(port);
        }
        let others = self.services.values().map(|other| other.instance.port);
        let used = others.chain([parent.port]).collect::<BTreeSet<_>>();
        range
            .clone()
            .find(|port| *port != 0 && !used.contains(port))
            .ok_or_else(|| RegistrationError::SidecarPorts {
                first: *range.start(),
                last: *range.end(),
            })
    }
}

/// The id of the sidecar of the instance `id`.
pub(super) fn sidecar_id(id: &str) -> String {
    format!("{id}-sidecar-proxy")
}

/// The checks of a sidecar that says nothing about checks.
pub(super) fn default_sidecar_checks(sidecar: &ServiceInstance, parent: &str) -> Vec<CheckPlan> {
    let Some(proxy) = &sidecar.proxy else {
        return Vec::new();
    };
    let listening = CheckDefinition {
        name: "Connect Sidecar Listening".to_owned(),
        tcp: rules::host_and_port(&proxy.local_service_address, sidecar.port),
        interval: GoDuration::from_nanos(10_000_000_000),
        ..CheckDefinition::default()
    };
    let aliasing = CheckDefinition {
        name: format!("Connect Sidecar Aliasing {parent}"),
        alias_service: parent.to_owned(),
        ..CheckDefinition::default()
    };
    [listening, aliasing]
        .iter()
        .filter_map(|check| check.plan(&sidecar.node).ok())
        .collect()
}
