//! `/v1/connect/ca/…`: the certificate authority.

use std::sync::Arc;

use chancery_core::Topic;

use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::blocking;
use crate::http::error::ApiError;
use crate::http::params::{Options, parse_bool};
use crate::http::render::root::{RootList, pem_bundle};
use crate::http::request::Request;

/// What wakes those who watch the roots. Consul's index moves with the configuration too.
pub(super) const ROOT_TOPICS: &[Topic] = &[Topic::CaRoots, Topic::CaConfiguration];

/// `GET /v1/connect/ca/roots`
pub(super) async fn roots(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    api.require_connect()?;
    let as_pem = match request.query.text("pem").map(parse_bool) {
        None => false,
        Some(Some(said)) => said,
        Some(None) => {
            return Err(ApiError::bad_request(
                "The 'pem' query parameter must be a boolean value",
            ));
        }
    };
    let options = Options::parse(&request.query, &request.headers)?;
    api.require_own_datacenter(&request.query)
        .map_err(ApiError::with_meta)?;
    let waited = blocking::on_server(&api, &request, &options, ROOT_TOPICS).await?;
    let authority = waited.view.state().authority();
    if as_pem {
        let body = pem_bundle(authority);
        return Ok(
            Answer::of_type("application/pem-certificate-chain", body).with_index(waited.index)
        );
    }
    Api::indexed(&request, &RootList::of(authority), waited.index)
}
