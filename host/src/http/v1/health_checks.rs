//! `/v1/health/node`, `checks` and `state`: checks by node, by service, by what they found.

use std::sync::Arc;

use chancery_core::{Catalog, CatalogTopic, Check, Topic};

use super::lookup::{Lookup, has_node_meta, node_name, service_name};
use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::error::ApiError;
use crate::http::render::check::CheckBody;
use crate::http::render::shape;
use crate::http::request::Request;

/// `GET /v1/health/node/:node`
pub(super) async fn of_node(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let topics = || Ok(vec![CatalogTopic::node(node_name(&request)?).into()]);
    let lookup = Lookup::uncached(&api, &request, Some(&shape::CHECK), topics).await?;
    answer(lookup, &request, |catalog| {
        catalog.checks_on_node(&request.rest).collect()
    })
}

/// `GET /v1/health/checks/:service`
pub(super) async fn of_service(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let topics = || Ok(vec![CatalogTopic::service(service_name(&request)?).into()]);
    let lookup = Lookup::uncached(&api, &request, Some(&shape::CHECK), topics).await?;
    answer(lookup, &request, |catalog| {
        let instances = catalog.service(&request.rest);
        let mut checks: Vec<_> = instances
            .flat_map(|instance| catalog.checks_of(&instance.node, &instance.id))
            .filter(|check| is_on_wanted_node(catalog, &request, check))
            .collect();
        checks.sort_by_key(|check| (&check.node, &check.check_id));
        checks
    })
}

/// `GET /v1/health/state/:state`: `any` means all. A state that does not exist has no checks.
pub(super) async fn in_state(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let topics = || {
        if request.rest.is_empty() {
            return Err(ApiError::plain_bad_request("Missing check state"));
        }
        let mut topics = vec![Topic::Checks];
        topics.extend(request.query.has("node-meta").then_some(Topic::Nodes));
        Ok(topics)
    };
    let lookup = Lookup::uncached(&api, &request, Some(&shape::CHECK), topics).await?;
    answer(lookup, &request, |catalog| {
        catalog
            .checks()
            .filter(|check| request.rest == "any" || check.status.as_str() == request.rest)
            .filter(|check| is_on_wanted_node(catalog, &request, check))
            .collect()
    })
}

fn answer(
    mut lookup: Lookup,
    request: &Request,
    choose: impl for<'a> FnOnce(&'a Catalog) -> Vec<&'a Check>,
) -> Result<Answer, ApiError> {
    let wanted = lookup.wanted();
    let checks = choose(lookup.waited.view.state().catalog());
    let bodies = wanted.of_list(checks.into_iter().map(CheckBody::from))?;
    lookup.answer(request, &bodies)
}

fn is_on_wanted_node(catalog: &Catalog, request: &Request, check: &Check) -> bool {
    !request.query.has("node-meta")
        || catalog
            .node(&check.node)
            .is_some_and(|node| has_node_meta(&request.query, node))
}
