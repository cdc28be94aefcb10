//! A client of an agent's HTTP API, for the commands and the proxy.
//!
//! Its errors print as those of Consul's own client, because scripts compare them:
//! `Unexpected response code: 500 (<body>)`.

mod address;
mod error;
mod tls;

use std::fmt;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use chancery_core::Secret;
use http::{HeaderMap, HeaderValue, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use self::address::Place;
pub use self::error::ClientError;
use self::error::{reason, root_cause};
pub use self::tls::ClientTls;

/// Whom to ask and as whom.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Endpoint {
    /// `host:port`, `http://host:port`, `https://host:port` or `unix://path`; 127.0.0.1:8500 if
    /// empty.
    pub address: String,
    /// `user:password` for a gateway before the agent.
    pub basic_auth: Option<Secret>,
    /// The token that every request carries.
    pub token: Option<Secret>,
    /// The datacenter that every request names; the agent's own if `None`.
    pub datacenter: Option<String>,
    /// What https takes; an address that is no https leaves it alone.
    pub tls: ClientTls,
}

/// A client of one agent. Cloning shares its connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    /// What stands there in errors: the address as it was given, whatever name is verified.
    shown: String,
    datacenter: Option<String>,
    deadline: Option<Duration>,
    longest: usize,
}

impl Client {
    /// A client of an endpoint; connects when it is first used.
    ///
    /// # Errors
    /// When the address or the token cannot be used.
    pub fn new(endpoint: &Endpoint) -> Result<Self, ClientError> {
        let mut headers = HeaderMap::new();
        if let Some(token) = &endpoint.token {
            let mut value =
                HeaderValue::from_bytes(token.expose()).or(Err(ClientError::BadToken))?;
            value.set_sensitive(true);
            headers.insert("x-consul-token", value);
        }
        if let Some(pair) = &endpoint.basic_auth {
            let text = format!("Basic {}", BASE64_STANDARD.encode(pair.expose()));
            let mut value = HeaderValue::from_str(&text).or(Err(ClientError::BadToken))?;
            value.set_sensitive(true);
            headers.insert("authorization", value);
        }
        let place = Place::parse(&endpoint.address)?;
        let builder = reqwest::Client::builder();
        let builder = match &place {
            // The system's roots cost time and memory, and are for TLS alone.
            Place::Http(_) => builder.tls_certs_only([]),
            Place::Unix(path) => builder.tls_certs_only([]).unix_socket(path.clone()),
            Place::Https(authority) => endpoint.tls.dress(builder, authority, &mut headers)?,
        };
        let http = builder
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_keepalive(KEEPALIVE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .default_headers(headers)
            .build()
            .map_err(|error| ClientError::Unusable(root_cause(&error)))?;
        Ok(Self {
            http,
            base: place.base(endpoint.tls.server_name.as_deref()),
            shown: place.base(None),
            datacenter: endpoint.datacenter.clone(),
            deadline: None,
            longest: MOST_BYTES,
        })
    }

    /// The same client, over the same connections, that gives every answer this long to arrive
    /// in full. Without a deadline an answer takes as long as it takes, as blocking queries do.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The same client, over the same connections, that reads no answer longer than this many
    /// bytes; 1 GiB if nothing is said.
    #[must_use]
    pub const fn with_longest_answer(mut self, bytes: usize) -> Self {
        self.longest = bytes;
        self
    }

    /// `GET` of a path such as `/v1/agent/self`. Names inside a path go through [`segment`].
    ///
    /// # Errors
    /// When there is no answer, or its status is not 2xx.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, ClientError> {
        self.send(Method::GET, path, query, None).await
    }

    /// `POST` of a JSON body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, ClientError> {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    /// `PUT`, with a JSON body or without.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn put(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, ClientError> {
        self.send(Method::PUT, path, query, body).await
    }

    /// `PUT` of a body that is no JSON.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn put_text(&self, path: &str, body: Vec<u8>) -> Result<Answer, ClientError> {
        let request = self.request(&Method::PUT, path, &[]).body(body);
        self.answer(request, &Method::PUT, path).await
    }

    /// `DELETE`.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn delete(&self, path: &str) -> Result<Answer, ClientError> {
        self.send(Method::DELETE, path, &[], None).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, ClientError> {
        let mut request = self.request(&method, path, query);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answer(request, &method, path).await
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> reqwest::RequestBuilder {
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.base));
        let mut query = query.to_vec();
        query.extend(self.datacenter.as_deref().map(|name| ("dc", name)));
        if !query.is_empty() {
            // Go's encoder sorts them, and errors show them.
            query.sort_by_key(|(key, _)| *key);
            request = request.query(&query);
        }
        if let Some(deadline) = self.deadline {
            request = request.timeout(deadline);
        }
        request
    }

    async fn answer(
        &self,
        request: reqwest::RequestBuilder,
        method: &Method,
        path: &str,
    ) -> Result<Answer, ClientError> {
        let lost = |error: &reqwest::Error| ClientError::Transport {
            method: go_method(method),
            url: self.shown_url(error.url(), path),
            reason: reason(error),
        };
        let response = request.send().await.map_err(|error| lost(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.read(response, lost).await?;
        if !status.is_success() {
            let body = String::from_utf8_lossy(&body).trim_end().to_owned();
            return Err(ClientError::Status { status, body });
        }
        Ok(Answer { headers, body })
    }

    fn shown_url(&self, asked: Option<&reqwest::Url>, path: &str) -> String {
        let asked = asked.map_or_else(|| format!("{}{path}", self.base), ToString::to_string);
        match asked.strip_prefix(&self.base) {
            Some(rest) => format!("{}{rest}", self.shown),
            None => asked,
        }
    }

    async fn read(
        &self,
        mut response: reqwest::Response,
        lost: impl Fn(&reqwest::Error) -> ClientError,
    ) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        // Room for all of it at once: a list that grows leaves copies behind that nobody wipes.
        let said = response.content_length().unwrap_or_default();
        let said = usize::try_from(said).unwrap_or(usize::MAX);
        let mut body = Zeroizing::new(Vec::with_capacity(said.min(MOST_AT_ONCE)));
        while let Some(chunk) = response.chunk().await.map_err(|error| lost(&error))? {
            if body.len().saturating_add(chunk.len()) > self.longest {
                return Err(ClientError::TooLong {
                    allowed: self.longest,
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// A good answer. Its body is wiped when it is dropped: keys of leafs come this way.
pub struct Answer {
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// `X-Consul-Index`: what the next blocking query names.
    #[must_use]
    pub fn index(&self) -> Option<u64> {
        self.header("x-consul-index")?.parse().ok()
    }

    /// `X-Consul-ContentHash`: the same for queries that block on a hash.
    #[must_use]
    pub fn content_hash(&self) -> Option<&str> {
        self.header("x-consul-contenthash")
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as it came.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not, or not in the shape that was asked for.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(ClientError::Json)
    }
}

/// A name as one segment of a path.
#[must_use]
pub fn segment(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

/// Go writes `Get`, `Put`.
fn go_method(method: &Method) -> String {
    let name = method.as_str().to_ascii_lowercase();
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A blocking query's connection is silent for minutes: this tells that the agent still is there.
const KEEPALIVE: Duration = Duration::from_secs(15);

const IDLE_CONNECTIONS: usize = 4;

/// How much room an announced length gets before its bytes are there.
const MOST_AT_ONCE: usize = 1 << 20;

/// More than a list of a million intentions; less than what would hurt.
const MOST_BYTES: usize = 1 << 30;

/// What a path segment does not carry bare.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[cfg(test)]
mod tests;
