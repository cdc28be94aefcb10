//! `/v1/health/…`: instances with their checks.

use std::sync::Arc;

use chancery_core::{Catalog, CatalogTopic, CheckStatus, Endpoint, ServiceInstance};
use serde::Serialize;

use super::lookup::{Lookup, has_node_meta, has_tags, service_name};
use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::error::ApiError;
use crate::http::params::parse_bool;
use crate::http::render::check::CheckBody;
use crate::http::render::node::NodeBody;
use crate::http::render::service::HealthServiceBody;
use crate::http::render::shape;
use crate::http::request::Request;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EndpointBody<'a> {
    node: NodeBody<'a>,
    service: HealthServiceBody<'a>,
    checks: Vec<CheckBody<'a>>,
}

/// `GET /v1/health/service/:name`
pub(super) async fn service(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let mut lookup = Lookup::new(&api, &request, Some(&shape::ENDPOINT), || {
        passing_only(&request)?;
        Ok(vec![CatalogTopic::service(service_name(&request)?).into()])
    })
    .await?;
    let wanted = lookup.wanted();
    let catalog = lookup.waited.view.state().catalog();
    let instances = catalog.service(&request.rest);
    let bodies = bodies(&api, &request, catalog, instances)?;
    lookup.answer(&request, &wanted.of_list(bodies)?)
}

/// `GET /v1/health/connect/:name`
pub(super) async fn connect(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let mut lookup = Lookup::new(&api, &request, Some(&shape::ENDPOINT), || {
        passing_only(&request)?;
        Ok(vec![CatalogTopic::connect(service_name(&request)?).into()])
    })
    .await?;
    let wanted = lookup.wanted();
    let catalog = lookup.waited.view.state().catalog();
    let instances = catalog.connect(&request.rest);
    let bodies = bodies(&api, &request, catalog, instances)?;
    lookup.answer(&request, &wanted.of_list(bodies)?)
}

fn bodies<'a>(
    api: &'a Api,
    request: &Request,
    catalog: &'a Catalog,
    instances: impl Iterator<Item = &'a ServiceInstance>,
) -> Result<Vec<EndpointBody<'a>>, ApiError> {
    let passing_only = passing_only(request)?;
    Ok(instances
        .filter(|instance| has_tags(&request.query, &instance.tags))
        .filter_map(|instance| catalog.endpoint(instance))
        .filter(|endpoint| has_node_meta(&request.query, endpoint.node))
        .filter(|endpoint| !passing_only || endpoint.status() == CheckStatus::Passing)
        .map(|endpoint| body(&endpoint, api.datacenter()))
        .collect())
}

fn body<'a>(endpoint: &Endpoint<'a>, datacenter: &'a str) -> EndpointBody<'a> {
    EndpointBody {
        node: NodeBody::of(endpoint.node, datacenter),
        service: endpoint.service.into(),
        checks: endpoint.checks.iter().copied().map(Into::into).collect(),
    }
}

/// Whether instances with any check that does not pass are left out. Saying nothing behind
/// `passing` means yes.
fn passing_only(request: &Request) -> Result<bool, ApiError> {
    match request.query.first("passing") {
        None => Ok(false),
        Some("") => Ok(true),
        Some(text) => parse_bool(text)
            .ok_or_else(|| ApiError::plain_bad_request("Invalid value for ?passing")),
    }
}
