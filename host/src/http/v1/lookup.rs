//! What looking something up in the catalog has in common.

use chancery_core::{Node, Shape, Topic};

use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::blocking::{self, Waited};
use crate::http::error::ApiError;
use crate::http::filter::Wanted;
use crate::http::params::{Options, refuse_namespace};
use crate::http::query::Query;
use crate::http::request::Request;

/// A look-up that has waited as long as it was asked to.
pub(super) struct Lookup {
    options: Options,
    wanted: Wanted,
    pub(super) waited: Waited,
}

impl Lookup {
    /// Reads the options and waits for `topics`. With `?cached` the agent's rule holds: its cache
    /// is the state itself, so that every such answer is a hit of age 0, unless it waited in vain.
    ///
    /// Entries are filtered by their shape; nothing is if they have none.
    pub(super) async fn new(
        api: &Api,
        request: &Request,
        shape: Option<&Shape>,
        topics: impl FnOnce() -> Result<Vec<Topic>, ApiError>,
    ) -> Result<Self, ApiError> {
        refuse_namespace(&request.query, &request.headers)?;
        let options = Options::parse(&request.query, &request.headers)?;
        Self::with(api, request, options, shape, topics).await
    }

    async fn with(
        api: &Api,
        request: &Request,
        options: Options,
        shape: Option<&Shape>,
        topics: impl FnOnce() -> Result<Vec<Topic>, ApiError>,
    ) -> Result<Self, ApiError> {
        let topics = topics()?;
        api.require_own_datacenter(&request.query)
            .map_err(ApiError::with_meta)?;
        let wanted = match shape {
            None => Wanted::everything(),
            Some(shape) => Wanted::of(&request.query, shape).map_err(ApiError::with_meta)?,
        };
        let waited = if options.cached {
            blocking::on_agent(api, request, &options, &topics).await?
        } else {
            blocking::on_server(api, request, &options, &topics).await?
        };
        Ok(Self {
            options,
            waited,
            wanted,
        })
    }

    /// As [`new`](Self::new), for what Consul's agent does not cache: `?cached` changes nothing.
    pub(super) async fn uncached(
        api: &Api,
        request: &Request,
        shape: Option<&Shape>,
        topics: impl FnOnce() -> Result<Vec<Topic>, ApiError>,
    ) -> Result<Self, ApiError> {
        refuse_namespace(&request.query, &request.headers)?;
        let mut options = Options::parse(&request.query, &request.headers)?;
        options.cached = false;
        Self::with(api, request, options, shape, topics).await
    }

    /// What is wanted of a list; can be asked once.
    pub(super) fn wanted(&mut self) -> Wanted {
        std::mem::replace(&mut self.wanted, Wanted::everything())
    }

    /// The answer with all that is said about how it came to be.
    pub(super) fn answer<T: serde::Serialize + ?Sized>(
        &self,
        request: &Request,
        body: &T,
    ) -> Result<Answer, ApiError> {
        let answer = Api::indexed(request, body, self.waited.index)?
            .with_consistency(self.options.consistency);
        Ok(if self.options.cached {
            answer.with_cache((!self.waited.timed_out).then_some(0))
        } else {
            answer
        })
    }
}

/// The name of the node behind a prefix.
pub(super) fn node_name(request: &Request) -> Result<&str, ApiError> {
    if request.rest.is_empty() {
        return Err(ApiError::plain_bad_request("Missing node name"));
    }
    Ok(&request.rest)
}

/// The name of the service behind a prefix.
pub(super) fn service_name(request: &Request) -> Result<&str, ApiError> {
    if request.rest.is_empty() {
        return Err(ApiError::plain_bad_request("Missing service name"));
    }
    Ok(&request.rest)
}

/// Whether a node has all the metadata that `node-meta=key:value` asks for.
pub(super) fn has_node_meta(query: &Query, node: &Node) -> bool {
    query.all("node-meta").all(|pair| {
        let (key, value) = pair.split_once(':').unwrap_or((pair, ""));
        node.meta.get(key).is_some_and(|found| found == value)
    })
}

/// Whether an instance has all the tags asked for, in any case.
pub(super) fn has_tags(query: &Query, tags: &[String]) -> bool {
    query.all("tag").all(|wanted| {
        let wanted = wanted.to_lowercase();
        wanted.is_empty() || tags.iter().any(|tag| tag.to_lowercase() == wanted)
    })
}
