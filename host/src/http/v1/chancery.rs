//! `/v1/chancery/…`: what Consul has not.

use std::sync::Arc;

use chancery_core::Flip;
use serde::Serialize;

use super::intentions;
use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::error::ApiError;
use crate::http::render::intention::IntentionBody;
use crate::http::request::Request;

/// A decision with its story.
#[derive(Serialize)]
struct ExplanationBody<'a> {
    allowed: bool,
    /// Consul's sentence.
    reason: String,
    /// The intention that decided; nothing if the default did.
    winner: Option<IntentionBody<'a>>,
    precedence: Option<u8>,
    /// The intentions that fit too, in the order in which they would be tried.
    shadowed: Vec<IntentionBody<'a>>,
    /// The smallest change that gives the other answer.
    flip: Option<FlipBody<'a>>,
    /// All of it for people.
    text: String,
}

#[derive(Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
enum FlipBody<'a> {
    AddExact {
        source: &'a str,
        destination: &'a str,
        action: &'static str,
    },
    DeleteWinner,
    SetWinner {
        action: &'static str,
    },
}

impl<'a> FlipBody<'a> {
    fn of(flip: Flip<'a>) -> Self {
        match flip {
            Flip::AddExact {
                source,
                destination,
                action,
            } => Self::AddExact {
                source,
                destination,
                action: action.as_str(),
            },
            Flip::FlipWinner(winner) => Self::SetWinner {
                action: winner.action().opposite().as_str(),
            },
            _ => Self::DeleteWinner,
        }
    }
}

/// `GET /v1/chancery/intentions/explain?source=&destination=`
pub(super) async fn explain(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let (source, destination) = intentions::pair(&request)?;
    let view = api.server().view();
    let set = view.state().intentions();
    let decision = set.decide_resolved(
        set.resolve_qualified(source),
        set.resolve_qualified(destination),
        api.agent.settings().default_policy,
    );
    let explanation = decision.explain();
    let body = ExplanationBody {
        allowed: explanation.allowed,
        reason: decision.reason().to_string(),
        winner: explanation.winner.map(IntentionBody::from),
        precedence: explanation.winner.map(chancery_core::Intention::precedence),
        shadowed: explanation
            .shadowed
            .iter()
            .copied()
            .map(IntentionBody::from)
            .collect(),
        flip: explanation.flip.map(FlipBody::of),
        text: explanation.to_string(),
    };
    Answer::json(&body, request.style)
}
