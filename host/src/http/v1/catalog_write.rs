//! `PUT /v1/catalog/register` and `deregister`: writing to the catalog past any agent.

use std::sync::Arc;

use chancery_core::{
    Caller, CatalogCommand, Command, Node, NodeId, RegistrationError, ServiceInstance,
};

use crate::definition::{
    CatalogRegistration, DecodeError, deregistration_from_json, registration_from_json,
};
use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::decode::check_depth;
use crate::http::error::ApiError;
use crate::http::params::refuse_namespace;
use crate::http::request::Request;

/// `PUT /v1/catalog/register`
pub(super) async fn register(api: Arc<Api>, mut request: Request) -> Result<Answer, ApiError> {
    let body = request.read_body(&api).await?;
    refuse_namespace(&request.query, &request.headers)?;
    let said = read(&body, registration_from_json)?;
    require_datacenter(&api, &said.datacenter)?;
    let command = command(&api, said)?;
    submit(&api, &request, command).await
}

/// `PUT /v1/catalog/deregister`: the service if one is named, else the check, else the node. What
/// this agent looks after comes back at once; with Consul it does within a minute or two.
pub(super) async fn deregister(api: Arc<Api>, mut request: Request) -> Result<Answer, ApiError> {
    let body = request.read_body(&api).await?;
    refuse_namespace(&request.query, &request.headers)?;
    let said = read(&body, deregistration_from_json)?;
    require_datacenter(&api, &said.datacenter)?;
    let node = said.node;
    if node.is_empty() {
        return Err(ApiError::internal("Must provide node"));
    }
    let command = if !said.service_id.is_empty() {
        let id = said.service_id;
        CatalogCommand::DeregisterService { node, id }
    } else if said.check_id.is_empty() {
        CatalogCommand::DeregisterNode { node }
    } else {
        let check_id = said.check_id;
        CatalogCommand::DeregisterCheck { node, check_id }
    };
    let is_robbed = api.agent.local().is_robbed_by(&command);
    let answer = submit(&api, &request, command).await?;
    if is_robbed {
        api.agent.local().look_at_catalog();
    }
    Ok(answer)
}

fn read<T>(body: &[u8], decode: fn(&[u8]) -> Result<T, DecodeError>) -> Result<T, ApiError> {
    check_depth(body).map_err(|error| ApiError::undecodable_for_agent(&error))?;
    decode(body).map_err(|error| match &error {
        DecodeError::UnknownField(name) if name.eq_ignore_ascii_case("namespace") => {
            ApiError::undecodable_for_agent(&format_args!(
                "{error} - Namespaces are a Consul Enterprise feature"
            ))
        }
        _ => ApiError::undecodable_for_agent(&error),
    })
}

/// Of the query's datacenter Consul takes no notice here.
fn require_datacenter(api: &Api, said: &str) -> Result<(), ApiError> {
    if said.is_empty() || said == api.datacenter() {
        Ok(())
    } else {
        Err(ApiError::no_path_to_datacenter())
    }
}

/// The command, after what Consul looks at before its catalog does.
fn command(api: &Api, said: CatalogRegistration) -> Result<CatalogCommand, ApiError> {
    if said.node.is_empty() {
        return Err(ApiError::internal("Must provide node"));
    }
    if said.address.is_empty() && !said.skip_node_update {
        return Err(ApiError::internal(
            "Must provide address if SkipNodeUpdate is not set",
        ));
    }
    let id = node_id(&said.id)?;
    let service = match said.service {
        None => None,
        Some(service) => Some(Box::new(instance(api, &said.node, service)?)),
    };
    let mut checks = said.checks;
    checks.extend(said.check);
    for check in &checks {
        if !check.node.is_empty() && !check.node.eq_ignore_ascii_case(&said.node) {
            return Err(ApiError::internal(format!(
                "check node {:?} does not match node {:?}",
                check.node, said.node
            )));
        }
    }
    let mut node = Node::new(id, said.node, said.address);
    node.tagged_addresses = said.tagged_addresses;
    node.meta = said.node_meta;
    Ok(CatalogCommand::Register {
        node,
        keep_node: said.skip_node_update,
        service,
        checks,
    })
}

fn instance(
    api: &Api,
    node: &str,
    service: chancery_core::Registration,
) -> Result<ServiceInstance, ApiError> {
    if service.name.is_empty() {
        return Err(ApiError::internal("Must provide service name with ID"));
    }
    let id = if service.id.is_empty() {
        service.name.clone()
    } else {
        service.id.clone()
    };
    let settings = api.agent.local().read(|local| local.settings().clone());
    service
        .into_catalog_instance(node, &settings)
        .map_err(|error| match error {
            RegistrationError::Meta(reason) => ApiError::internal(format!(
                "failed inserting service: Invalid Service Meta for node {node} and serviceID {id}: {reason}"
            )),
            error => ApiError::internal(error.to_string()),
        })
}

/// A node's id, or the words of Consul's UUID library.
fn node_id(text: &str) -> Result<NodeId, ApiError> {
    NodeId::parse(text).map_err(|_not_one| {
        let dashes = [8, 13, 18, 23];
        let reason = if text.len() != 36 {
            "uuid string is wrong length".to_owned()
        } else if dashes
            .iter()
            .any(|at| text.as_bytes().get(*at) != Some(&b'-'))
        {
            "uuid is improperly formatted".to_owned()
        } else {
            match text
                .chars()
                .find(|it| !it.is_ascii_hexdigit() && *it != '-')
            {
                Some(wrong) => format!(
                    "encoding/hex: invalid byte: U+{:04X} {wrong:?}",
                    u32::from(wrong)
                ),
                None => "decoded hex is the wrong length".to_owned(),
            }
        };
        ApiError::internal(format!("Bad node ID: {reason}"))
    })
}

async fn submit(api: &Api, request: &Request, command: CatalogCommand) -> Result<Answer, ApiError> {
    let command = Command::Catalog(command);
    api.server().submit(command, Caller::unrestricted()).await?;
    Answer::json(&true, request.style)
}
