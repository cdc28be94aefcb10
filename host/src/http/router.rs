//! The one table of what the API answers, and how a path finds its place in it.
//!
//! Paths are matched as Go's `ServeMux` does: a path is cleaned first (`//`, `.` and `..` give a
//! redirect), a pattern with a final slash is a prefix, any other is exact, the longest one wins,
//! and a prefix asked for without its slash is a redirect too.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::Method;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::answer::Answer;
use super::api::Api;
use super::error::ApiError;
use super::request::Request;

/// What a handler is.
pub(crate) type Handler =
    fn(Arc<Api>, Request) -> Pin<Box<dyn Future<Output = Result<Answer, ApiError>> + Send>>;

/// The right that a caller needs. Nothing is asked for it yet: there is no access control, and
/// whoever reaches the API may do everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Right {
    /// `agent:read` on the agent's node.
    AgentRead,
    /// `agent:write` on the agent's node.
    AgentWrite,
    /// None. The token is not even resolved.
    Anyone,
    /// `node:write` on the node if it changes, `service:write` on each service that is written or
    /// that a check is about, and on the one that has the id already.
    CatalogWrite,
    /// `service:write` on the service of the check, or `node:write` if it is the node's.
    CheckWrite,
    /// `intentions:read` on the source or the destination of the one asked for.
    IntentionRead,
    /// `intentions:write` on the destination; when it changes, on both.
    IntentionWrite,
    /// `node:write` on the agent's node.
    NodeWrite,
    /// `operator:read`.
    OperatorRead,
    /// `operator:write`.
    OperatorWrite,
    /// `service:read` on the service asked for.
    ServiceRead,
    /// `service:write` on the service asked for, or registered.
    ServiceWrite,
    /// `service:write` and `intentions:read` on the target.
    ServiceWriteAndIntentionRead,
    /// None, but what the caller may not read is left out of the answer.
    VisibleOnly,
}

/// One method of a route.
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) right: Right,
    pub(crate) handler: Handler,
}

/// One line of the table.
pub(crate) struct Route {
    /// With a final slash: a prefix.
    pub(crate) pattern: &'static str,
    pub(crate) operations: &'static [Operation],
}

impl Route {
    fn is_prefix(&self) -> bool {
        self.pattern.ends_with('/')
    }

    /// What `Allow` says.
    pub(crate) fn allow(&self) -> String {
        let mut allow = "OPTIONS".to_owned();
        for operation in self.operations {
            allow.push(',');
            allow.push_str(operation.method.as_str());
        }
        allow
    }

    pub(crate) fn operation(&self, method: &Method) -> Option<&'static Operation> {
        self.operations
            .iter()
            .find(|operation| operation.method == method)
    }
}

/// One endpoint with one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// The path; a prefix if it ends in a slash.
    pub path: &'static str,
    /// The method.
    pub method: &'static Method,
    /// What it will need.
    pub right: Right,
}

/// Everything that the API answers, with the right that each needs.
pub fn endpoints() -> impl Iterator<Item = Endpoint> {
    super::v1::ROUTES.iter().flat_map(|route| {
        route.operations.iter().map(|operation| Endpoint {
            path: route.pattern,
            method: &operation.method,
            right: operation.right,
        })
    })
}

/// Where a path leads.
pub(crate) enum Found {
    /// To a route, with what follows its prefix.
    Route(&'static Route, String),
    /// To another path.
    Elsewhere(String),
    /// To the root.
    Root,
    /// Nowhere.
    Nothing,
}

/// Finds the way for a decoded path.
pub(crate) fn find(routes: &'static [Route], path: &str) -> Found {
    let mut pairs = path.as_bytes().windows(2);
    if pairs.any(|pair| matches!(pair, b"//" | b"/.")) {
        let clean = cleaned(path);
        if clean != path {
            return Found::Elsewhere(encoded(&clean));
        }
    }
    // No other can be longer than one that is the whole path.
    let whole = routes.iter().find(|route| route.pattern == path);
    let longest = whole.or_else(|| {
        let prefixes = routes
            .iter()
            .filter(|route| route.is_prefix() && path.starts_with(route.pattern));
        prefixes.max_by_key(|route| route.pattern.len())
    });
    if let Some(route) = longest {
        let rest = path.get(route.pattern.len()..).unwrap_or_default();
        return Found::Route(route, rest.to_owned());
    }
    let lacks_slash = routes
        .iter()
        .any(|route| route.pattern.strip_suffix('/') == Some(path));
    match path {
        _ if lacks_slash => Found::Elsewhere(encoded(&format!("{path}/"))),
        "/" => Found::Root,
        _ => Found::Nothing,
    }
}

/// The path without empty and dot segments, as Go's `path.Clean` with a final slash kept.
fn cleaned(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    let mut clean = String::with_capacity(path.len() + 1);
    for segment in &segments {
        clean.push('/');
        clean.push_str(segment);
    }
    if segments.is_empty() || path.ends_with('/') {
        clean.push('/');
    }
    clean
}

/// A path as it stands in a `Location`.
fn encoded(path: &str) -> String {
    const IN_PATH: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'#')
        .add(b'%')
        .add(b'<')
        .add(b'>')
        .add(b'?')
        .add(b'[')
        .add(b'\\')
        .add(b']')
        .add(b'^')
        .add(b'`')
        .add(b'{')
        .add(b'|')
        .add(b'}');
    utf8_percent_encode(path, IN_PATH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::v1::ROUTES;

    fn way(path: &str) -> String {
        match find(ROUTES, path) {
            Found::Route(route, rest) => format!("{}|{rest}", route.pattern),
            Found::Elsewhere(location) => format!("-> {location}"),
            Found::Root => "root".to_owned(),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn paths_are_matched_as_go_does() {
        for (path, expected) in [
            ("/v1/connect/ca/roots", "/v1/connect/ca/roots|"),
            ("/v1/connect/ca/roots/", "nothing"),
            ("/v1/connect/intentions", "/v1/connect/intentions|"),
            ("/v1/connect/intentions/", "/v1/connect/intentions/|"),
            ("/v1/connect/intentions/a b", "/v1/connect/intentions/|a b"),
            (
                "/v1/connect/intentions/match",
                "/v1/connect/intentions/match|",
            ),
            (
                "/v1/connect/intentions/match/",
                "/v1/connect/intentions/|match/",
            ),
            ("/v1/agent/connect/ca/leaf", "-> /v1/agent/connect/ca/leaf/"),
            (
                "/v1/agent/connect/ca/leaf/a/b",
                "/v1/agent/connect/ca/leaf/|a/b",
            ),
            ("/v1//status/./leader", "-> /v1/status/leader"),
            (
                "/v1/agent/connect/ca/leaf/../x y",
                "-> /v1/agent/connect/ca/x%20y",
            ),
            ("//evil.test/", "-> /evil.test/"),
            ("/", "root"),
            ("/nope", "nothing"),
            ("/V1/status/leader", "nothing"),
        ] {
            assert_eq!(way(path), expected, "{path}");
        }
    }

    #[test]
    fn the_documentation_lists_exactly_what_is_answered() {
        let documented: Vec<_> = include_str!("../../docs/http-api.md")
            .lines()
            .filter(|line| line.contains("| `/v1/"))
            .collect();
        let answered: Vec<_> = endpoints()
            .map(|endpoint| {
                let Endpoint {
                    path,
                    method,
                    right,
                } = endpoint;
                format!("| {method} | `{path}` | {right:?} |")
            })
            .collect();
        assert_eq!(documented, answered);
    }

    #[test]
    fn no_two_lines_of_the_table_are_for_one_thing() {
        let mut seen = std::collections::BTreeSet::new();
        for endpoint in endpoints() {
            assert!(endpoint.path.starts_with("/v1/"));
            assert!(
                seen.insert((endpoint.path, endpoint.method.as_str())),
                "{endpoint:?}"
            );
        }
    }
}
