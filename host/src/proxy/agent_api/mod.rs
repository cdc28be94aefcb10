//! The part of Consul's HTTP API that a proxy asks of its agent.

mod bodies;

use std::collections::BTreeMap;
use std::time::Duration;

use chancery_core::DefaultPolicy;
use serde::de::DeserializeOwned;

use crate::client::{self, Client, ClientError, segment};

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
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;

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
    /// `X-Chancery-Bundle-Max-Age`: how long after it was last confirmed a set of roots may be
    /// used. Consul's agents do not say.
    pub(crate) bundle_max_age: Option<Duration>,
}

/// What a proxy asks of one agent. Clones share the connections.
#[derive(Clone, Debug)]
pub struct AgentApi {
    waiting: Client,
    writing: Client,
    authorizing: Client,
}

impl AgentApi {
    /// Asks through `client`, with deadlines and limits that fit a proxy.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let client = client.with_longest_answer(LONGEST_ANSWER);
        Self {
            waiting: client.clone().with_deadline(WAIT + WAIT / 16 + SLACK),
            writing: client.clone().with_deadline(SLACK),
            authorizing: client.with_deadline(AUTHORIZE),
        }
    }

    pub(crate) async fn services(&self) -> Result<BTreeMap<String, AgentService>, ClientError> {
        self.waiting.get("/v1/agent/services", &[]).await?.json()
    }

    pub(crate) async fn service(
        &self,
        id: &str,
        cursor: &Cursor,
    ) -> Result<Answer<AgentService>, ClientError> {
        let path = format!("/v1/agent/service/{}", segment(id));
        self.blocking(&path, &[], cursor).await
    }

    pub(crate) async fn leaf(
        &self,
        service: &str,
        cursor: &Cursor,
    ) -> Result<Answer<Leaf>, ClientError> {
        let path = format!("/v1/agent/connect/ca/leaf/{}", segment(service));
        self.blocking(&path, &[], cursor).await
    }

    /// The roots; a blocking query waits for at most `wait`, and no longer than usual.
    pub(crate) async fn roots(
        &self,
        cursor: &Cursor,
        wait: Duration,
    ) -> Result<Answer<Roots>, ClientError> {
        let path = "/v1/agent/connect/ca/roots";
        self.blocking_for(path, &[], cursor, wait.min(WAIT)).await
    }

    /// The intentions for one destination, in the order in which they are tried.
    pub(crate) async fn matching(
        &self,
        destination: &str,
        cursor: &Cursor,
    ) -> Result<Answer<Vec<IntentionRow>>, ClientError> {
        let query = [("by", "destination"), ("name", destination)];
        let answer: Answer<BTreeMap<String, Option<Vec<IntentionRow>>>> = self
            .blocking("/v1/connect/intentions/match", &query, cursor)
            .await?;
        Ok(Answer {
            value: answer.value.into_values().flatten().flatten().collect(),
            cursor: answer.cursor,
            default: answer.default,
            bundle_max_age: answer.bundle_max_age,
        })
    }

    /// All intentions. For agents whose `match` has no index to wait for.
    pub(crate) async fn intentions(
        &self,
        cursor: &Cursor,
    ) -> Result<Answer<Vec<IntentionRow>>, ClientError> {
        self.blocking("/v1/connect/intentions", &[], cursor).await
    }

    pub(crate) async fn connect_endpoints(
        &self,
        service: &str,
        datacenter: Option<&str>,
        cursor: &Cursor,
    ) -> Result<Answer<Vec<HealthEntry>>, ClientError> {
        let path = format!("/v1/health/connect/{}", segment(service));
        let mut query = vec![("passing", "1"), ("stale", "")];
        query.extend(datacenter.map(|name| ("dc", name)));
        self.blocking(&path, &query, cursor).await
    }

    pub(crate) async fn authorize(
        &self,
        request: &AuthorizeRequest<'_>,
    ) -> Result<Authorization, ClientError> {
        let body = serde_json::to_value(request).map_err(ClientError::Json)?;
        let path = "/v1/agent/connect/authorize";
        self.authorizing.post(path, &body).await?.json()
    }

    pub(crate) async fn register(&self, service: &serde_json::Value) -> Result<(), ClientError> {
        let path = "/v1/agent/service/register";
        self.writing.put(path, &[], Some(service)).await?;
        Ok(())
    }

    pub(crate) async fn deregister(&self, id: &str) -> Result<(), ClientError> {
        let path = format!("/v1/agent/service/deregister/{}", segment(id));
        self.writing.put(&path, &[], None).await?;
        Ok(())
    }

    pub(crate) async fn pass_check(&self, id: &str) -> Result<(), ClientError> {
        let path = format!("/v1/agent/check/pass/{}", segment(id));
        self.writing.put(&path, &[("note", "")], None).await?;
        Ok(())
    }

    async fn blocking<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        cursor: &Cursor,
    ) -> Result<Answer<T>, ClientError> {
        self.blocking_for(path, query, cursor, WAIT).await
    }

    async fn blocking_for<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        cursor: &Cursor,
        wait: Duration,
    ) -> Result<Answer<T>, ClientError> {
        let wait = format!("{}ms", wait.as_millis());
        let position = match cursor {
            Cursor::Start => None,
            Cursor::Hash(hash) => Some(("hash", hash.clone())),
            Cursor::Index(index) => Some(("index", index.to_string())),
        };
        let mut query = query.to_vec();
        if let Some((name, value)) = &position {
            query.extend([(*name, value.as_str()), ("wait", wait.as_str())]);
        }
        let answer = self.waiting.get(path, &query).await?;
        Ok(Answer {
            value: answer.json()?,
            cursor: position_of(&answer),
            default: answer
                .header("x-chancery-default-intention")
                .and_then(default_policy),
            bundle_max_age: answer
                .header("x-chancery-bundle-max-age")
                .and_then(|seconds| seconds.parse().ok())
                .map(Duration::from_secs),
        })
    }
}

fn position_of(answer: &client::Answer) -> Cursor {
    let hash = answer.content_hash().filter(|hash| !hash.is_empty());
    match (hash, answer.index()) {
        (Some(hash), _) => Cursor::Hash(hash.to_owned()),
        (None, Some(index)) => Cursor::Index(index.max(1)),
        (None, None) => Cursor::Start,
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
