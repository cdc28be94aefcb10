//! The endpoints, one file a subject, and the table of all of them.

mod agent;
mod agent_check;
mod agent_connect;
mod agent_health;
mod agent_maintenance;
mod ca_configuration;
mod care;
mod catalog;
mod catalog_node;
mod catalog_write;
mod chancery;
mod chancery_ca;
mod connect_ca;
mod health;
mod health_checks;
mod intentions;
mod lookup;
mod members;
mod status;

use http::Method;

use super::router::{Operation, Right, Route};

/// A line of the table: a path, then each method with its right and its handler.
macro_rules! route {
    ($pattern:literal, $($method:ident $right:ident $handler:path),+ $(,)?) => {
        Route {
            pattern: $pattern,
            operations: &[$(Operation {
                method: Method::$method,
                right: Right::$right,
                handler: |api, request| Box::pin($handler(api, request)),
            }),+],
        }
    };
}

/// Everything that the API answers.
pub(crate) static ROUTES: &[Route] = &[
    route!("/v1/agent/check/deregister/", PUT CheckWrite agent_check::deregister),
    route!("/v1/agent/check/fail/", PUT CheckWrite agent_check::fail),
    route!("/v1/agent/check/pass/", PUT CheckWrite agent_check::pass),
    route!("/v1/agent/check/register", PUT CheckWrite agent_check::register),
    route!("/v1/agent/check/update/", PUT CheckWrite agent_check::update),
    route!("/v1/agent/check/warn/", PUT CheckWrite agent_check::warn),
    route!("/v1/agent/checks", GET VisibleOnly agent_check::list),
    route!("/v1/agent/connect/authorize", POST ServiceWriteAndIntentionRead agent_connect::authorize),
    route!("/v1/agent/connect/ca/leaf/", GET ServiceWrite agent_connect::leaf),
    route!("/v1/agent/connect/ca/roots", GET Anyone agent_connect::roots),
    route!("/v1/agent/health/service/id/", GET ServiceRead agent_health::by_id),
    route!("/v1/agent/health/service/name/", GET ServiceRead agent_health::by_name),
    route!("/v1/agent/maintenance", PUT NodeWrite agent_maintenance::node),
    route!("/v1/agent/members", GET VisibleOnly members::list),
    route!("/v1/agent/metrics", GET AgentRead care::metrics),
    route!("/v1/agent/reload", PUT AgentWrite agent::reload),
    route!("/v1/agent/self", GET AgentRead agent::about_itself),
    route!("/v1/agent/service/", GET ServiceRead agent::service),
    route!("/v1/agent/service/deregister/", PUT ServiceWrite agent::deregister),
    route!("/v1/agent/service/maintenance/", PUT ServiceWrite agent_maintenance::service),
    route!("/v1/agent/service/register", PUT ServiceWrite agent::register),
    route!("/v1/agent/services", GET VisibleOnly agent::services),
    route!("/v1/catalog/connect/", GET VisibleOnly catalog::connect),
    route!("/v1/catalog/datacenters", GET Anyone catalog::datacenters),
    route!("/v1/catalog/deregister", PUT CatalogWrite catalog_write::deregister),
    route!("/v1/catalog/node-services/", GET VisibleOnly catalog_node::services),
    route!("/v1/catalog/node/", GET VisibleOnly catalog_node::node),
    route!("/v1/catalog/nodes", GET VisibleOnly catalog::nodes),
    route!("/v1/catalog/register", PUT CatalogWrite catalog_write::register),
    route!("/v1/catalog/service/", GET VisibleOnly catalog::service),
    route!("/v1/catalog/services", GET VisibleOnly catalog::services),
    route!("/v1/chancery/ca/abandon", PUT OperatorWrite chancery_ca::abandon),
    route!(
        "/v1/chancery/ca/csr",
        GET OperatorRead chancery_ca::waiting_csr,
        PUT OperatorWrite chancery_ca::csr,
    ),
    route!(
        "/v1/chancery/ca/rotate",
        POST OperatorWrite chancery_ca::rotate,
        PUT OperatorWrite chancery_ca::rotate,
    ),
    route!("/v1/chancery/ca/signed", PUT OperatorWrite chancery_ca::signed),
    route!("/v1/chancery/ca/status", GET OperatorRead chancery_ca::status),
    route!("/v1/chancery/doctor", GET AgentRead care::doctor),
    route!("/v1/chancery/intentions/explain", GET IntentionRead chancery::explain),
    route!(
        "/v1/connect/ca/configuration",
        GET OperatorWrite ca_configuration::show,
        PUT OperatorWrite ca_configuration::change,
    ),
    route!("/v1/connect/ca/roots", GET Anyone connect_ca::roots),
    route!("/v1/connect/intentions", GET VisibleOnly intentions::list, POST IntentionWrite intentions::create),
    route!(
        "/v1/connect/intentions/",
        GET IntentionRead intentions::by_id,
        PUT IntentionWrite intentions::update,
        DELETE IntentionWrite intentions::delete,
    ),
    route!("/v1/connect/intentions/check", GET ServiceRead intentions::check),
    route!(
        "/v1/connect/intentions/exact",
        GET IntentionRead intentions::exact,
        PUT IntentionWrite intentions::upsert_exact,
        DELETE IntentionWrite intentions::delete_exact,
    ),
    route!("/v1/connect/intentions/match", GET IntentionRead intentions::matching),
    route!("/v1/health/checks/", GET VisibleOnly health_checks::of_service),
    route!("/v1/health/connect/", GET VisibleOnly health::connect),
    route!("/v1/health/node/", GET VisibleOnly health_checks::of_node),
    route!("/v1/health/service/", GET VisibleOnly health::service),
    route!("/v1/health/state/", GET VisibleOnly health_checks::in_state),
    route!("/v1/status/leader", GET Anyone status::leader),
    route!("/v1/status/peers", GET Anyone status::peers),
];
