//! `match` and `check`: which intentions are about a service, and what they come to.

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery_core::{By, DefaultPolicy, QualifiedName, Topic};
use http::header::{HeaderName, HeaderValue};
use serde::Serialize;

use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::blocking;
use crate::http::error::ApiError;
use crate::http::params::Options;
use crate::http::render::intention::IntentionBody;
use crate::http::request::Request;

/// Our own addition to Consul's answer; its clients pass over it.
const DEFAULT_INTENTION: HeaderName = HeaderName::from_static("x-chancery-default-intention");

/// `GET /v1/connect/intentions/match`
pub(in crate::http::v1) async fn matching(
    api: Arc<Api>,
    request: Request,
) -> Result<Answer, ApiError> {
    let options = Options::parse(&request.query, &request.headers)?;
    let by = match required(&request, "by")? {
        "source" => By::Source,
        "destination" => By::Destination,
        _ => {
            return Err(ApiError::internal(
                "'by' parameter must be one of 'source' or 'destination'",
            ));
        }
    };
    let names = request
        .query
        .all("name")
        .map(|name| Ok((name, qualified("name", name)?)))
        .collect::<Result<BTreeMap<_, _>, ApiError>>()?;
    if names.is_empty() {
        return Err(missing("name"));
    }
    api.require_own_datacenter(&request.query)?;
    let topics = topics(by, names.values());
    let waited = blocking::on_server(&api, &request, &options, &topics).await?;
    let set = waited.view.state().intentions();
    let body: BTreeMap<_, _> = names
        .into_iter()
        .map(|(asked, name)| {
            let rows: Vec<_> = set
                .matching(by, name)
                .into_iter()
                .map(IntentionBody::from)
                .collect();
            // Consul's `null` for none.
            (asked, (!rows.is_empty()).then_some(rows))
        })
        .collect();
    let default = default_word(api.agent.settings().default_policy);
    let default = HeaderValue::from_static(default);
    Ok(Api::indexed(&request, &body, waited.index)?.with(DEFAULT_INTENTION, default))
}

/// What holds where no rule fits, for those who decide by a copy of the rules, as our proxies
/// do.
const fn default_word(default: DefaultPolicy) -> &'static str {
    match default {
        DefaultPolicy::AclsDisabled => "acls-disabled",
        DefaultPolicy::Allow => "allow",
        _ => "deny",
    }
}

/// What a match by names depends on: the rules for each name, and those for all names.
fn topics<'a>(by: By, names: impl Iterator<Item = &'a QualifiedName<'a>>) -> Vec<Topic> {
    let topic = |name: String| match by {
        By::Source => Topic::IntentionSource(name.into()),
        _ => Topic::IntentionDestination(name.into()),
    };
    let mut topics: Vec<_> = names.map(|name| topic(folded(name.name()))).collect();
    topics.push(topic("*".to_owned()));
    topics.sort_unstable();
    topics.dedup();
    topics
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CheckBody {
    allowed: bool,
}

/// `GET /v1/connect/intentions/check`. Never waits.
pub(in crate::http::v1) async fn check(
    api: Arc<Api>,
    request: Request,
) -> Result<Answer, ApiError> {
    Options::parse(&request.query, &request.headers)?;
    let source = required(&request, "source")?;
    let destination = required(&request, "destination")?;
    let source_type = request.query.first("source-type").unwrap_or("consul");
    if source_type != "consul" {
        return Err(ApiError::internal(format!(
            "unsupported SourceType: {source_type:?}"
        )));
    }
    let source = qualified("source", source)?;
    let destination = qualified("destination", destination)?;
    api.require_own_datacenter(&request.query)?;
    let view = api.server().view();
    let set = view.state().intentions();
    let decision = set.decide_resolved(
        set.resolve_qualified(source),
        set.resolve_qualified(destination),
        api.agent.settings().default_policy,
    );
    let body = CheckBody {
        allowed: decision.allowed(),
    };
    Answer::json(&body, request.style)
}

/// A parameter that must be there exactly once.
pub(super) fn required<'a>(request: &'a Request, name: &str) -> Result<&'a str, ApiError> {
    request.query.single(name).ok_or_else(|| missing(name))
}

/// `name` or `namespace/name`.
pub(super) fn qualified<'a>(what: &str, text: &'a str) -> Result<QualifiedName<'a>, ApiError> {
    QualifiedName::parse(text)
        .map_err(|error| ApiError::internal(format!("{what} {text:?} is invalid: {error}")))
}

/// The form in which a name stands in a topic.
pub(super) fn folded(name: &str) -> String {
    // As core folds names: rune by rune, as Go does.
    name.chars()
        .map(|rune| rune.to_lowercase().next().unwrap_or(rune))
        .collect()
}

fn missing(name: &str) -> ApiError {
    ApiError::internal(format!("required query parameter '{name}' not set"))
}
