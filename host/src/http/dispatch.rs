//! From a request on the wire to its answer.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

use super::answer::{Answer, accepts_gzip};
use super::api::Api;
use super::error::ApiError;
use super::json::Style;
use super::parked::Parking;
use super::query::{self, Query, QueryError};
use super::request::{Line, Request};
use super::router::{self, Found, Route};
use super::{guard, v1};

/// Answers one request. Never fails: what goes wrong is an answer too.
pub(crate) async fn answer(
    api: Arc<Api>,
    client: IpAddr,
    parking: Arc<Parking>,
    request: http::Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let (route, rest) = match way(&api, &head) {
        Way::Route(route, rest) => (route, rest),
        Way::Ends(answer) => return answer.into_response(),
    };
    let gzip = accepts_gzip(&head.headers);
    let answer = match routed(api, client, parking, head, body, route, rest).await {
        Ok(answer) => answer,
        Err(error) => error.into(),
    };
    answer.encoded(gzip).into_response()
}

/// How far a request gets.
enum Way {
    /// To an answer before it has found a route.
    Ends(Answer),
    /// To a route, with what follows its prefix.
    Route(&'static Route, String),
}

fn way(api: &Api, head: &Parts) -> Way {
    if api.guarded {
        let admitted = guard::admit(
            &head.method,
            &head.uri,
            head.version,
            &head.headers,
            &api.settings.host_names,
        );
        if let Err(error) = admitted {
            return Way::Ends(error.into());
        }
    }
    let Some(path) = decoded_path(head.uri.path()) else {
        return Way::Ends(Answer::bare(StatusCode::BAD_REQUEST));
    };
    match router::find(v1::ROUTES, &path) {
        Found::Route(route, rest) => Way::Route(route, rest),
        other => {
            let query = head.uri.query().unwrap_or_default();
            Way::Ends(elsewhere(other, &head.method, query))
        }
    }
}

async fn routed(
    api: Arc<Api>,
    client: IpAddr,
    parking: Arc<Parking>,
    head: Parts,
    body: Incoming,
    route: &'static Route,
    rest: String,
) -> Result<Answer, ApiError> {
    let Some(operation) = route.operation(&head.method) else {
        return Ok(other_method(route, &head.method));
    };
    let query = match Query::parse(head.uri.query().unwrap_or_default()) {
        Ok(query) => query,
        Err(QueryError::BrokenEscape) => {
            return Ok(Answer::bare(StatusCode::INTERNAL_SERVER_ERROR));
        }
        Err(error @ QueryError::TooMany { .. }) => return Err(ApiError::bad_request(error)),
    };
    let pretty = query.has("pretty") || api.agent.settings().dev;
    let request = Request {
        rest,
        query,
        headers: head.headers,
        client,
        style: if pretty {
            Style::Pretty
        } else {
            Style::Compact
        },
        body,
        line: Line {
            method: head.method,
            uri: head.uri,
            version: head.version,
        },
        parking,
    };
    (operation.handler)(api, request).await
}

/// The path, decoded once; nothing if it is no text or hides something.
fn decoded_path(raw: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'%';
    if raw.starts_with('/') && raw.bytes().all(is_plain) {
        return Some(raw.to_owned());
    }
    let path = query::decode(raw)?;
    (path.starts_with('/') && !path.chars().any(is_unprintable)).then_some(path)
}

/// Whether a character does not print: Go's `unicode.IsPrint` as far as it matters, and the
/// marks that reorder or hide text.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || (character.is_whitespace() && character != ' ')
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{f0000}'..)
}

fn elsewhere(found: Found, method: &Method, raw_query: &str) -> Answer {
    match found {
        Found::Elsewhere(mut location) => {
            if !raw_query.is_empty() {
                location.push('?');
                location.push_str(raw_query);
            }
            Answer::moved(&location, method == Method::GET)
        }
        Found::Root => Answer::of_type("text/plain; charset=utf-8", "Consul Agent"),
        Found::Route(..) | Found::Nothing => Answer::bare(StatusCode::NOT_FOUND),
    }
}

fn other_method(route: &Route, method: &Method) -> Answer {
    let allow = route.allow();
    if method == Method::OPTIONS {
        Answer::options(&allow)
    } else {
        Answer::method_not_allowed(method, &allow)
    }
}
