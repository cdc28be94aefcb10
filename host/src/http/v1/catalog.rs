//! `/v1/catalog/…`: what is registered, whether it is well or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chancery_core::{Catalog, CatalogTopic, ServiceInstance, Topic};

use super::lookup::{Lookup, has_node_meta, has_tags, service_name};
use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::error::ApiError;
use crate::http::params::Options;
use crate::http::render::node::NodeBody;
use crate::http::render::service::CatalogServiceBody;
use crate::http::render::shape;
use crate::http::request::Request;

/// `GET /v1/catalog/datacenters`. Nothing can be waited for: an index is not even looked at.
pub(super) async fn datacenters(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let (_, cached) = Options::consistency(&request.query, &request.headers)?;
    let answer = Answer::json(&[api.datacenter()], request.style)?;
    Ok(if cached {
        answer.with_cache(Some(0))
    } else {
        answer
    })
}

/// `GET /v1/catalog/nodes`
pub(super) async fn nodes(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let topics = || Ok(vec![Topic::Nodes]);
    let mut lookup = Lookup::uncached(&api, &request, Some(&shape::NODE), topics).await?;
    let wanted = lookup.wanted();
    let catalog = lookup.waited.view.state().catalog();
    let nodes = catalog
        .nodes()
        .filter(|node| has_node_meta(&request.query, node))
        .map(|node| NodeBody::of(node, api.datacenter()));
    lookup.answer(&request, &wanted.of_list(nodes)?)
}

/// `GET /v1/catalog/services`. Consul does not filter these.
pub(super) async fn services(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let lookup = Lookup::new(&api, &request, None, || Ok(vec![Topic::Services])).await?;
    let catalog = lookup.waited.view.state().catalog();
    let services = if request.query.has("node-meta") {
        services_of_nodes(catalog, &request)
    } else {
        catalog.services()
    };
    lookup.answer(&request, &services)
}

fn services_of_nodes<'a>(
    catalog: &'a Catalog,
    request: &Request,
) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut services = BTreeMap::<_, BTreeSet<_>>::new();
    for instance in catalog.instances() {
        let node = catalog.node(&instance.node);
        if node.is_some_and(|node| has_node_meta(&request.query, node)) {
            services
                .entry(instance.name.as_str())
                .or_default()
                .extend(instance.tags.iter().map(String::as_str));
        }
    }
    services
}

/// `GET /v1/catalog/service/:name`
pub(super) async fn service(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let topics = || Ok(vec![CatalogTopic::service(service_name(&request)?).into()]);
    let mut lookup = Lookup::new(&api, &request, Some(&shape::CATALOG_SERVICE), topics).await?;
    let wanted = lookup.wanted();
    let catalog = lookup.waited.view.state().catalog();
    let instances = catalog.service(&request.rest);
    let bodies = bodies(&api, &request, catalog, instances);
    lookup.answer(&request, &wanted.of_list(bodies)?)
}

/// `GET /v1/catalog/connect/:name`
pub(super) async fn connect(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let topics = || Ok(vec![CatalogTopic::connect(service_name(&request)?).into()]);
    let mut lookup = Lookup::new(&api, &request, Some(&shape::CATALOG_SERVICE), topics).await?;
    let wanted = lookup.wanted();
    let catalog = lookup.waited.view.state().catalog();
    let instances = catalog.connect(&request.rest);
    let bodies = bodies(&api, &request, catalog, instances);
    lookup.answer(&request, &wanted.of_list(bodies)?)
}

fn bodies<'a>(
    api: &'a Api,
    request: &Request,
    catalog: &'a Catalog,
    instances: impl Iterator<Item = &'a ServiceInstance>,
) -> impl Iterator<Item = CatalogServiceBody<'a>> {
    instances
        .filter(|instance| has_tags(&request.query, &instance.tags))
        .filter_map(|instance| {
            let node = catalog.node(&instance.node)?;
            has_node_meta(&request.query, node)
                .then(|| CatalogServiceBody::of(instance, node, api.datacenter()))
        })
}
