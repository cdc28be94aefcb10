//! The part of Consul's HTTP API that a proxy asks of its agent.

mod bodies;

use std::collections::BTreeMap;
use std::error::Error as _;
use std::time::Duration;

use chancery_core::{DefaultPolicy, Secret};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, Response};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

pub(crate) use bodies::{
    AgentProxy, AgentService, AgentUpstream, Authorization, AuthorizeRequest, HealthEntry,
    IntentionRow, Leaf, Roots,
};

/// How long a blocking query waits for a change. The agent adds up to a sixteenth.
const WAIT: Duration = Duration::from_secs(180);

/// What an answer may take on top of the wait.
const SLACK: Duration = Duration::from_secs(30);

/// How long a peer waits for the agent's verdict at most.
const AUTHORIZE: Duration = Duration::from_secs(5);

/// The largest answer that is read. A thousand roots or endpoints fit.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Why the agent did not give what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The answer is not what the API promises.
    #[error("{path}: the agent's answer cannot be read: {reason}")]
    Decode {
        /// The path asked for.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The agent answered with an error. The text is that of Consul's own client.
    #[error("Unexpected response code: {status} ({body})")]
    Status {
        /// The HTTP status.
        status: u16,
        /// The text of the answer.
        body: String,
    },
    /// The agent cannot be reached. The shape is that of Consul's own client.
    #[error("{method} \"{url}\": {reason}")]
    Unreachable {
        /// The method, as Consul's client writes it (`Get`, `Put`).
        method: &'static str,
        /// The address asked.
        url: String,
        /// What went wrong.
        reason: String,
    },
}

/// Where a blocking query goes on: an index, or a hash.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) enum Cursor {
    /// From the start, without waiting.
    #[default]
    Start,
    /// `X-Consul-ContentHash` of the last answer.
    Hash(String),
    /// `X-Consul-Index` of the last answer.
    Index(u64),
}

/// An answer and where to go on from it.
#[derive(Clone, Debug)]
pub(crate) struct Answer<T> {
    /// What was asked for.
    pub(crate) value: T,
    /// Where to go on; [`Cursor::Start`] if the answer does not say.
    pub(crate) cursor: Cursor,
    /// `X-Chancery-Default-Intention` (`acls-disabled`, `allow` or `deny`): what holds where no
    /// intention matches. Consul's agents do not say.
    pub(crate) default: Option<DefaultPolicy>,
}

/// A client of one agent. Clones share the connections.
#[derive(Clone, Debug)]
pub struct AgentApi {
    http: reqwest::Client,
    base: String,
    token: Option<std::sync::Arc<Secret>>,
}

impl AgentApi {
    /// A client of the agent at `base` (`http://127.0.0.1:8500`, without a slash at the end).
    ///
    /// # Errors
    /// [`ApiError::Unreachable`] if no client can be made for it.
    pub fn new(base: &str, token: Option<Secret>) -> Result<Self, ApiError> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .tcp_keepalive(Duration::from_secs(15))
            .pool_max_idle_per_host(4)
            .build()
            .map_err(|error| unreachable("Get", base, &error))?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            token: token.map(std::sync::Arc::new),
        })
    }

    pub(crate) async fn services(&self) -> Result<BTreeMap<String, AgentService>, ApiError> {
        Ok(self.read("/v1/agent/services").await?.value)
    }

    pub(crate) async fn service(
        &self,
        id: &str,
        cursor: &Cursor,
    ) -> Result<Answer<AgentService>, ApiError> {
        let path = format!("/v1/agent/service/{}", segment(id));
        self.blocking(&path, cursor).await
    }

    pub(crate) async fn leaf(
        &self,
        service: &str,
        cursor: &Cursor,
    ) -> Result<Answer<Leaf>, ApiError> {
        let path = format!("/v1/agent/connect/ca/leaf/{}", segment(service));
        self.blocking(&path, cursor).await
    }

    pub(crate) async fn roots(&self, cursor: &Cursor) -> Result<Answer<Roots>, ApiError> {
        self.blocking("/v1/agent/connect/ca/roots", cursor).await
    }

    /// The intentions for one destination, in the order in which they are tried.
    pub(crate) async fn matching(
        &self,
        destination: &str,
        cursor: &Cursor,
    ) -> Result<Answer<Vec<IntentionRow>>, ApiError> {
        let path = format!(
            "/v1/connect/intentions/match?by=destination&name={}",
            segment(destination)
        );
        let answer: Answer<BTreeMap<String, Option<Vec<IntentionRow>>>> =
            self.blocking(&path, cursor).await?;
        Ok(Answer {
            value: answer.value.into_values().flatten().flatten().collect(),
            cursor: answer.cursor,
            default: answer.default,
        })
    }

    /// All intentions. For agents whose `match` has no index to wait for.
    pub(crate) async fn intentions(
        &self,
        cursor: &Cursor,
    ) -> Result<Answer<Vec<IntentionRow>>, ApiError> {
        self.blocking("/v1/connect/intentions", cursor).await
    }

    pub(crate) async fn connect_endpoints(
        &self,
        service: &str,
        datacenter: Option<&str>,
        cursor: &Cursor,
    ) -> Result<Answer<Vec<HealthEntry>>, ApiError> {
        let datacenter =
            datacenter.map_or_else(String::new, |name| format!("&dc={}", segment(name)));
        let path = format!(
            "/v1/health/connect/{}?passing=1&stale={datacenter}",
            segment(service)
        );
        self.blocking(&path, cursor).await
    }

    pub(crate) async fn authorize(
        &self,
        request: &AuthorizeRequest<'_>,
    ) -> Result<Authorization, ApiError> {
        let body = serde_json::to_value(request).unwrap_or_default();
        let path = "/v1/agent/connect/authorize";
        let response = self.send(Method::POST, path, Some(body), AUTHORIZE).await?;
        decode(path, response).await
    }

    pub(crate) async fn register(&self, service: serde_json::Value) -> Result<(), ApiError> {
        let path = "/v1/agent/service/register";
        self.send(Method::PUT, path, Some(service), SLACK).await?;
        Ok(())
    }

    pub(crate) async fn deregister(&self, id: &str) -> Result<(), ApiError> {
        let path = format!("/v1/agent/service/deregister/{}", segment(id));
        self.send(Method::PUT, &path, None, SLACK).await?;
        Ok(())
    }

    pub(crate) async fn pass_check(&self, id: &str) -> Result<(), ApiError> {
        let path = format!("/v1/agent/check/pass/{}?note=", segment(id));
        self.send(Method::PUT, &path, None, SLACK).await?;
        Ok(())
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, ApiError> {
        self.blocking(path, &Cursor::Start).await
    }

    async fn blocking<T: DeserializeOwned>(
        &self,
        path: &str,
        cursor: &Cursor,
    ) -> Result<Answer<T>, ApiError> {
        let join = if path.contains('?') { '&' } else { '?' };
        let wait = WAIT.as_secs();
        let full = match cursor {
            Cursor::Start => path.to_owned(),
            Cursor::Hash(hash) => format!("{path}{join}hash={}&wait={wait}s", segment(hash)),
            Cursor::Index(index) => format!("{path}{join}index={index}&wait={wait}s"),
        };
        let response = self
            .send(Method::GET, &full, None, WAIT + WAIT / 16 + SLACK)
            .await?;
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let hash = header("x-consul-contenthash").filter(|hash| !hash.is_empty());
        let index = header("x-consul-index").and_then(|index| index.parse::<u64>().ok());
        let cursor = match (hash, index) {
            (Some(hash), _) => Cursor::Hash(hash),
            (None, Some(index)) => Cursor::Index(index.max(1)),
            (None, None) => Cursor::Start,
        };
        let default = header("x-chancery-default-intention").and_then(|word| default_policy(&word));
        Ok(Answer {
            value: decode(path, response).await?,
            cursor,
            default,
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<serde_json::Value>,
        deadline: Duration,
    ) -> Result<Response, ApiError> {
        let verb = verb(&method);
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method, &url).timeout(deadline);
        if let Some(token) = &self.token {
            request = request.header("X-Consul-Token", token.expose());
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request
            .send()
            .await
            .map_err(|error| unreachable(verb, &url, &error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = text(path, response).await?;
        Err(ApiError::Status {
            status: status.as_u16(),
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

fn default_policy(word: &str) -> Option<DefaultPolicy> {
    match word {
        "acls-disabled" => Some(DefaultPolicy::AclsDisabled),
        "allow" => Some(DefaultPolicy::Allow),
        "deny" => Some(DefaultPolicy::Deny),
        _ => None,
    }
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

fn verb(method: &Method) -> &'static str {
    match method.as_str() {
        "POST" => "Post",
        "PUT" => "Put",
        _ => "Get",
    }
}

/// The innermost cause: what the operating system said, as Go's client shows it.
fn unreachable(method: &'static str, url: &str, error: &reqwest::Error) -> ApiError {
    let mut cause = error.source();
    let mut reason = error.to_string();
    while let Some(inner) = cause {
        reason = inner.to_string();
        cause = inner.source();
    }
    ApiError::Unreachable {
        method,
        url: url.to_owned(),
        reason,
    }
}

/// The answer's bytes, wiped when dropped: a leaf's private key comes this way.
async fn text(path: &str, mut response: Response) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    let failed = |reason: String| ApiError::Decode {
        path: path.to_owned(),
        reason,
    };
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| failed(error.to_string()))?
    {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(failed(format!("it is longer than {MAX_ANSWER} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

async fn decode<T: DeserializeOwned>(path: &str, response: Response) -> Result<T, ApiError> {
    let body = text(path, response).await?;
    serde_json::from_slice(&body).map_err(|error| ApiError::Decode {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}
