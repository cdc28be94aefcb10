//! Requests to whatever the test names in the option `targets`.

use std::sync::Mutex;

use wasip2::http::outgoing_handler::{self, OutgoingRequest};
use wasip2::http::types::{Fields, IncomingResponse, Scheme};

use crate::bindings::exports::chancery::ca::provider::{Config, OptionValue};

static TARGETS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps what the test has named.
pub(crate) fn remember(config: Config) {
    for (name, value) in config.options {
        if let (OptionValue::Texts(texts), "targets") = (value, name.as_str()) {
            *TARGETS.lock().expect("there is one thread") = texts;
        }
    }
}

/// All URLs that the test names.
#[must_use]
pub fn targets() -> Vec<String> {
    TARGETS.lock().expect("there is one thread").clone()
}

/// The first of them: the one that the operator allows.
#[must_use]
pub fn allowed() -> String {
    targets().into_iter().next().unwrap_or_default()
}

/// What a GET of `url` comes to: a status, with the place that a redirect leads to, or an error.
#[must_use]
pub fn get(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let scheme = match scheme {
        "https" => Scheme::Https,
        _ => Scheme::Http,
    };
    let request = OutgoingRequest::new(Fields::new());
    let set = request
        .set_scheme(Some(&scheme))
        .and_then(|()| request.set_authority(Some(authority)))
        .and_then(|()| request.set_path_with_query(Some(path)));
    if set.is_err() {
        return "no request".to_owned();
    }
    let future = match outgoing_handler::handle(request, None) {
        Ok(future) => future,
        Err(code) => return format!("{code:?}"),
    };
    future.subscribe().block();
    match future.get() {
        Some(Ok(Ok(response))) => describe(&response),
        Some(Ok(Err(code))) => format!("{code:?}"),
        Some(Err(())) | None => "no answer".to_owned(),
    }
}

fn describe(response: &IncomingResponse) -> String {
    let location = response.headers().get("location").into_iter().next();
    let location = location.map(|value| String::from_utf8_lossy(&value).into_owned());
    let location = location.map_or_else(String::new, |place| format!(" to {place}"));
    format!("{}{location}", response.status())
}
