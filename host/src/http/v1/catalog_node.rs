//! `/v1/catalog/node…`: one node with what runs on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery_core::CatalogTopic;
use serde::Serialize;

use super::lookup::{Lookup, node_name};
use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::error::ApiError;
use crate::http::render::node::NodeBody;
use crate::http::render::service::HealthServiceBody;
use crate::http::render::shape;
use crate::http::request::Request;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NodeWith<'a, S> {
    node: Option<NodeBody<'a>>,
    services: Option<S>,
}

/// `GET /v1/catalog/node/:node`: its instances by id, or `null` if there is no such node.
pub(super) async fn node(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let topics = || Ok(vec![CatalogTopic::node(node_name(&request)?).into()]);
    let mut lookup = Lookup::uncached(&api, &request, Some(&shape::SERVICE), topics).await?;
    let mut wanted = lookup.wanted();
    let catalog = lookup.waited.view.state().catalog();
    let Some(node) = catalog.node(&request.rest) else {
        return lookup.answer(&request, &());
    };
    let mut services = BTreeMap::new();
    for instance in catalog.services_of_node(&request.rest) {
        let body = HealthServiceBody::from(instance);
        if wanted.is(&body)? {
            services.insert(instance.id.as_str(), body);
        }
    }
    let body = NodeWith {
        node: Some(NodeBody::of(node, api.datacenter())),
        services: Some(services),
    };
    lookup.answer(&request, &body)
}

/// `GET /v1/catalog/node-services/:node`: the same as a list.
pub(super) async fn services(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let topics = || Ok(vec![CatalogTopic::node(node_name(&request)?).into()]);
    let mut lookup = Lookup::uncached(&api, &request, Some(&shape::SERVICE), topics).await?;
    let wanted = lookup.wanted();
    let catalog = lookup.waited.view.state().catalog();
    let node = catalog.node(&request.rest);
    let services = catalog.services_of_node(&request.rest);
    let body = NodeWith {
        services: match node {
            None => None,
            Some(_) => Some(wanted.of_list(services.map(HealthServiceBody::from))?),
        },
        node: node.map(|node| NodeBody::of(node, api.datacenter())),
    };
    lookup.answer(&request, &body)
}
