//! `/v1/chancery/ca/…`: where the CA stands, and changes of it that Consul has no call for.

use std::sync::Arc;

use chancery_core::{
    AuthorityError, Der, GoDuration, ProposeError, RotationCause, Step, certificates_from_pem,
};
use chancery_providers::{OptionMap, same_name};
use serde::Serialize;
use serde_json::Value;

use super::ca_configuration::Wanted;
use crate::agent::ca::{CaStatus, Plan};
use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::decode::{DecodeError, Object};
use crate::http::error::ApiError;
use crate::http::request::Request;
use crate::leaf_key::pem;
use crate::server::{Change, Changed, SubmitError};

/// `GET /v1/chancery/ca/status`
pub(super) async fn status(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    api.require_connect()?;
    Answer::json(&CaStatus::of(&api.agent), request.style)
}

/// What came of a change.
#[derive(Serialize)]
struct ChangedBody {
    changed: bool,
    epoch: Option<u64>,
    signature_wanted: bool,
    /// What was foreseen, before it was done.
    plan: Plan,
}

/// `PUT /v1/chancery/ca/rotate`: a new root from the provider that signs now. A dry run answers
/// with the plan alone.
pub(super) async fn rotate(api: Arc<Api>, mut request: Request) -> Result<Answer, ApiError> {
    api.require_connect()?;
    let body = request.read_body(&api).await?;
    let wanted = Rotate::read(&body)?;
    let view = api.server().view();
    let current = view.state().authority().configuration();
    let Some(current) = current else {
        return Err(ApiError::internal("cluster has no CA bootstrapped yet"));
    };
    let change = Change {
        provider: current.provider.clone(),
        options: current.options.clone(),
        cause: wanted.cause,
        force: wanted.force,
    };
    let plan = Plan::of(&api.agent, &change).await;
    if wanted.dry_run {
        return Answer::json(&plan, request.style);
    }
    let changed = api.agent.authority().change(change).await?;
    let (epoch, signature_wanted) = match changed {
        Changed::Done { epoch } => (Some(epoch), false),
        Changed::SignatureWanted { epoch } => (Some(epoch), true),
        _ => (None, false),
    };
    let body = ChangedBody {
        changed: epoch.is_some(),
        epoch: epoch.map(chancery_core::Epoch::number),
        signature_wanted,
        plan,
    };
    Answer::json(&body, request.style)
}

/// `PUT /v1/chancery/ca/abandon`: the change that is under way is given up.
pub(super) async fn abandon(api: Arc<Api>, _request: Request) -> Result<Answer, ApiError> {
    api.require_connect()?;
    api.agent.authority().abandon().await?;
    Ok(Answer::empty())
}

/// `GET /v1/chancery/ca/csr`: the request that waits to be signed outside, as PEM.
pub(super) async fn waiting_csr(api: Arc<Api>, _request: Request) -> Result<Answer, ApiError> {
    api.require_connect()?;
    csr_answer(&api)
}

/// `PUT /v1/chancery/ca/csr`: begins the change to an intermediate that is signed outside, to
/// the configuration in the body; without a body, the one there is gets a new intermediate. One
/// that waits already is answered with.
pub(super) async fn csr(api: Arc<Api>, mut request: Request) -> Result<Answer, ApiError> {
    api.require_connect()?;
    let body = request.read_body(&api).await?;
    if body.is_empty() && waits(&api).is_some() {
        return csr_answer(&api);
    }
    let view = api.server().view();
    let current = view.state().authority().configuration();
    let change = if body.is_empty() {
        // Any other would simply renew what it has: whoever asks for a request wants no change.
        let Some(current) = current.filter(|current| signs_outside(&current.options)) else {
            return Err(none_waits());
        };
        Change {
            provider: current.provider.clone(),
            options: current.options.clone(),
            cause: RotationCause::Renewal,
            force: false,
        }
    } else {
        let wanted = Wanted::read(&body).map_err(|error| ApiError::undecodable(&error))?;
        wanted.check(current)?;
        wanted.into_change()
    };
    match api.agent.authority().change(change).await? {
        Changed::SignatureWanted { .. } => csr_answer(&api),
        Changed::Done { .. } => Err(ApiError::internal(
            "the change is done: nothing had to be signed outside",
        )),
        _ => Err(ApiError::internal(
            "nothing has changed: nothing has to be signed outside",
        )),
    }
}

/// `PUT /v1/chancery/ca/signed`: the intermediate that was signed outside, then what links it to
/// the root, as PEM.
pub(super) async fn signed(api: Arc<Api>, mut request: Request) -> Result<Answer, ApiError> {
    api.require_connect()?;
    let body = request.read_body(&api).await?;
    let chain = certificates_from_pem(&body).map_err(ApiError::bad_request)?;
    let chain = chain.iter().map(|der| Der::new(der)).collect();
    api.agent.authority().accept_signed(chain).await?;
    Ok(Answer::empty())
}

fn waits(api: &Api) -> Option<Der> {
    let view = api.server().view();
    let rotation = view.state().authority().record()?.rotation.as_deref()?;
    match &rotation.step {
        Step::AwaitingSignature { csr, .. } | Step::Accepting { csr, .. } => Some(csr.clone()),
        _ => None,
    }
}

fn none_waits() -> ApiError {
    let none = ProposeError::Authority(AuthorityError::NoSignatureWanted);
    SubmitError::Refused(none).into()
}

/// Whether the options say that somebody outside signs the intermediate.
fn signs_outside(options: &OptionMap) -> bool {
    options.iter().any(|(name, value)| {
        same_name("ExternalIntermediate", name)
            && !matches!(value, Value::Null | Value::Bool(false))
    })
}

fn csr_answer(api: &Api) -> Result<Answer, ApiError> {
    let csr = waits(api).ok_or_else(none_waits)?;
    let body = pem("CERTIFICATE REQUEST", csr.as_bytes());
    let body = body.expose().to_vec();
    Ok(Answer::of_type("application/x-pem-file", body))
}

/// What a request for a new root says.
struct Rotate {
    cause: RotationCause,
    force: bool,
    dry_run: bool,
}

impl Rotate {
    fn read(body: &[u8]) -> Result<Self, ApiError> {
        let mut fields = match Object::read(body, "api.Rotation", "Rotation") {
            Ok(found) => found.unwrap_or(Object::empty("Rotation")),
            Err(DecodeError::Empty) => Object::empty("Rotation"),
            Err(error) => return Err(ApiError::undecodable(&error)),
        };
        let mut read = || {
            let said = (
                fields.boolean("Emergency")?,
                fields.text("RetireAfter", "string")?,
                fields.boolean("Force")?,
                fields.boolean("DryRun")?,
            );
            Ok::<_, DecodeError>(said)
        };
        let (emergency, retire_after, force, dry_run) =
            read().map_err(|error| ApiError::undecodable(&error))?;
        fields
            .finish()
            .map_err(|error| ApiError::undecodable(&error))?;
        Ok(Self {
            cause: cause(emergency, &retire_after)?,
            force,
            dry_run,
        })
    }
}

fn cause(emergency: bool, retire_after: &str) -> Result<RotationCause, ApiError> {
    match (emergency, retire_after) {
        (false, "") => Ok(RotationCause::NewKey),
        (false, _) => Err(ApiError::bad_request(
            "RetireAfter is for an emergency only: otherwise a root is kept as long as it is needed",
        )),
        (true, _) => {
            let text = if retire_after.is_empty() {
                RETIRE_AFTER
            } else {
                retire_after
            };
            let after = GoDuration::parse(text).ok().and_then(GoDuration::to_std);
            let after = after.ok_or_else(|| {
                ApiError::bad_request(format_args!(
                    "RetireAfter: found {retire_after:?}, allowed is a duration such as \"1h\", \
                     not negative"
                ))
            })?;
            Ok(RotationCause::Emergency {
                retire_after: after,
            })
        }
    }
}

/// Long enough for agents to replace their leafs in slots.
const RETIRE_AFTER: &str = "1h";
