//! `/v1/connect/ca/configuration`: who signs, and with which options.

use std::sync::Arc;

use chancery_core::{CaConfiguration, RotationCause};
use chancery_providers::{OptionMap, file_options, same_name, split_secrets};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::decode::{DecodeError, Object};
use crate::http::error::ApiError;
use crate::http::params::Options;
use crate::http::request::Request;
use crate::server::{Change, Changed};

/// The provider's configuration, without what is secret.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ConfigurationBody<'a> {
    provider: &'a str,
    config: &'a Map<String, Value>,
    /// What a provider remembers is sealed and shown to nobody.
    state: Option<()>,
    force_without_cross_signing: bool,
    create_index: u64,
    modify_index: u64,
}

/// `GET /v1/connect/ca/configuration`. Unlike Consul's it never shows a token or a key: these are
/// kept apart from the options.
pub(super) async fn show(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    api.require_connect()?;
    Options::parse(&request.query, &request.headers)?;
    api.require_own_datacenter(&request.query)?;
    let view = api.server().view();
    let Some(found) = view.state().authority().configuration() else {
        return Err(ApiError::internal("cluster has no CA bootstrapped yet"));
    };
    let body = ConfigurationBody {
        provider: &found.provider,
        config: &found.options,
        state: None,
        force_without_cross_signing: found.force_without_cross_signing,
        create_index: found.create_index,
        modify_index: found.modify_index,
    };
    Answer::json(&body, request.style)
}

/// `PUT /v1/connect/ca/configuration`. What `GET` shows may be sent back: secrets that are not
/// mentioned stay. When it answers, new leafs are issued as wanted.
pub(super) async fn change(api: Arc<Api>, mut request: Request) -> Result<Answer, ApiError> {
    api.require_connect()?;
    let body = request.read_body(&api).await?;
    if body.len() > MOST_BYTES {
        return Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "the CA configuration is {} bytes long, at most {MOST_BYTES} are allowed",
                body.len()
            ),
        ));
    }
    let wanted = Wanted::read(&body).map_err(|error| ApiError::undecodable(&error))?;
    api.require_own_datacenter(&request.query)?;
    let view = api.server().view();
    let current = view.state().authority().configuration();
    wanted.check(current)?;
    let modify_index = (wanted.modify_index != 0).then_some(wanted.modify_index);
    let authority = api.agent.authority();
    let change = wanted.into_change();
    match authority.change_unmodified(change, modify_index).await? {
        Changed::SignatureWanted { .. } => {
            let text = "the intermediate must be signed outside: `chancery connect ca csr` shows \
                        its request, `chancery connect ca set-signed` hands in the result";
            Err(ApiError::new(StatusCode::ACCEPTED, text))
        }
        _ => Ok(Answer::empty()),
    }
}

/// What a `PUT` asks for.
pub(super) struct Wanted {
    provider: String,
    options: OptionMap,
    has_state: bool,
    force: bool,
    modify_index: u64,
}

impl Wanted {
    pub(super) fn read(body: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Object::read(body, GO_TYPE, "")?.ok_or(DecodeError::Null)?;
        let wanted = Self {
            provider: fields.text("Provider", "string")?,
            options: fields.map("Config")?,
            has_state: !fields.text_map("State")?.is_empty(),
            force: fields.boolean("ForceWithoutCrossSigning")?
                | fields.boolean("force_without_cross_signing")?,
            modify_index: fields.unsigned("ModifyIndex")?,
        };
        fields.unsigned("CreateIndex")?;
        fields.finish()?;
        Ok(wanted)
    }

    /// What only requests have to obey.
    pub(super) fn check(&self, current: Option<&CaConfiguration>) -> Result<(), ApiError> {
        // Ours is never shown, so none can be the same.
        if self.has_state {
            return Err(ApiError::bad_request(
                "Provider State is read-only. It must be omitted or identical to the current value",
            ));
        }
        let stored = current.filter(|current| current.provider == self.provider);
        // As the provider will get them: of two spellings the one that counts.
        let (plain, secrets) = split_secrets(self.options.clone());
        for name in file_options(&plain, &secrets) {
            let value = find(&self.options, &name);
            // What was sent back as it was shown.
            let kept = stored
                .is_some_and(|stored| value.is_some() && value == find(&stored.options, &name));
            if !kept {
                return Err(ApiError::bad_request(format_args!(
                    "{name} names a file of the agent's machine: it may be set in the \
                     configuration file only"
                )));
            }
        }
        Ok(())
    }

    pub(super) fn into_change(self) -> Change {
        Change {
            provider: self.provider,
            options: self.options,
            cause: RotationCause::Configured,
            force: self.force,
        }
    }
}

fn find<'a>(options: &'a OptionMap, name: &str) -> Option<&'a Value> {
    options
        .iter()
        .find(|(key, _)| same_name(name, key))
        .map(|(_, value)| value)
}

/// How Go names what a body is decoded into.
const GO_TYPE: &str = "struct { ForceWithoutCrossSigningSnake bool \
    \"json:\\\"force_without_cross_signing\\\"\"; *structs.Alias }";

/// Bytes of a configuration: a chain of long RSA certificates is a tenth of it. It is stored as
/// one row, and again in each incarnation that is still to be cleaned up after.
const MOST_BYTES: usize = 128 << 10;
