//! One HTTP exchange with Vault: no redirects, no proxies, no endless answers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HOST, HeaderMap, HeaderValue, RETRY_AFTER};
use rustify::endpoint::Endpoint;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::failure::{Cause, Failure};
use super::options::TlsOptions;
use super::tls;
use super::token::Token;
use crate::ProviderError;

/// A connection pool to one Vault address.
pub(super) struct Transport {
    client: reqwest::Client,
    /// As configured: what errors show.
    shown: String,
    /// As connected to: with `TLSServerName` in place of the host.
    base: String,
    host: Option<HeaderValue>,
}

/// The frame around every answer of Vault.
#[derive(Deserialize)]
struct Envelope<T> {
    data: Option<T>,
    auth: Option<T>,
}

/// Where a call went, for errors.
struct Target {
    method: String,
    url: String,
    path: String,
}

impl Target {
    fn failure(&self, cause: Cause) -> Failure {
        Failure {
            method: self.method.clone(),
            url: self.url.clone(),
            path: self.path.clone(),
            cause,
        }
    }
}

/// What the server says when it refuses.
#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    errors: Vec<String>,
}

impl Transport {
    pub(super) fn new(address: &str, options: &TlsOptions) -> Result<Self, ProviderError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(WHOLE_CALL)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .http1_only()
            .pool_idle_timeout(IDLE)
            .tls_backend_preconfigured(tls::client_config(address, options)?);
        let mut base = address.to_owned();
        let mut host = None;
        if !options.server_name.is_empty() && address.starts_with("https:") {
            let renamed = tls::renamed(address, &options.server_name)?;
            builder = builder.dns_resolver(Arc::new(renamed.resolver));
            base = renamed.base;
            host = HeaderValue::from_str(&renamed.host).ok();
        }
        let client = builder.build().map_err(|_hidden| {
            ProviderError::misconfigured("the TLS options of Vault do not fit together")
        })?;
        Ok(Self {
            client,
            shown: address.to_owned(),
            base,
            host,
        })
    }

    /// Makes the call and reads `data` of the answer; a call without one gives its default.
    pub(super) async fn data<T: DeserializeOwned + Default>(
        &self,
        endpoint: &impl Endpoint,
        namespace: &str,
        token: Option<&Token>,
    ) -> Result<T, Failure> {
        let (target, body) = self.exchange(endpoint, namespace, token).await?;
        if body.is_empty() {
            return Ok(T::default());
        }
        let envelope: Envelope<T> = serde_json::from_slice(&body).map_err(|_quotes| {
            target.failure(Cause::Garbage("is not JSON of the expected form"))
        })?;
        Ok(envelope.data.unwrap_or_default())
    }

    /// Makes the call and reads `auth` of the answer, as logins give it.
    pub(super) async fn auth<T: DeserializeOwned>(
        &self,
        endpoint: &impl Endpoint,
        namespace: &str,
        token: Option<&Token>,
    ) -> Result<T, Failure> {
        let (target, body) = self.exchange(endpoint, namespace, token).await?;
        let garbage = || target.failure(Cause::Garbage("holds no token"));
        let envelope: Envelope<T> = serde_json::from_slice(&body).map_err(|_quotes| garbage())?;
        envelope.auth.ok_or_else(garbage)
    }

    /// Sends the request; gives the body of a good answer, and how to say that it is bad.
    async fn exchange(
        &self,
        endpoint: &impl Endpoint,
        namespace: &str,
        token: Option<&Token>,
    ) -> Result<(Target, Vec<u8>), Failure> {
        // Built on a base of its own: only method, path and body of it count here.
        let request = endpoint.request("http://vault");
        let path = endpoint.path().trim_matches(['/', '\t']).to_owned();
        let target = Target {
            method: request.as_ref().map_or_else(
                |_| "POST".to_owned(),
                |request| request.method().to_string(),
            ),
            url: format!("{}/v1/{path}", self.shown),
            path,
        };
        let Ok(request) = request else {
            return Err(target.failure(Cause::Garbage("was never asked for: no such path")));
        };
        let (head, body) = request.into_parts();
        let path = head.uri.path().trim_start_matches('/');
        let url = format!("{}/v1/{path}", self.base);
        let mut sent = self
            .client
            .request(head.method, url)
            .headers(self.headers(namespace, token))
            .body(body);
        if let Some(host) = &self.host {
            sent = sent.header(HOST, host.clone());
        }
        let answer = sent
            .send()
            .await
            .map_err(|error| target.failure(Cause::Unreachable(self.reason(&error))))?;
        let status = answer.status();
        let retry_after = retry_after(answer.headers());
        let body = read(answer).await.map_err(|cause| target.failure(cause))?;
        if status.is_success() {
            return Ok((target, body));
        }
        let errors = serde_json::from_slice::<Refusal>(&body)
            .map(|refusal| refusal.errors)
            .unwrap_or_default();
        Err(target.failure(Cause::Status {
            code: status.as_u16(),
            errors,
            retry_after,
        }))
    }

    fn headers(&self, namespace: &str, token: Option<&Token>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-vault-request", HeaderValue::from_static("true"));
        if let Some(token) = token {
            headers.insert("x-vault-token", token.header());
        }
        if let Ok(namespace) = HeaderValue::from_str(namespace)
            && !namespace.is_empty()
        {
            headers.insert("x-vault-namespace", namespace);
        }
        headers
    }

    /// Why nothing came back, in a few words: the error itself may hold a whole backtrace.
    fn reason(&self, error: &reqwest::Error) -> String {
        if error.is_timeout() {
            return format!("no answer within {} s", WHOLE_CALL.as_secs());
        }
        let mut deepest: &dyn std::error::Error = error;
        while let Some(source) = deepest.source() {
            if let Some(io) = source.downcast_ref::<io::Error>()
                && io.kind() == io::ErrorKind::ConnectionRefused
            {
                return self.refused();
            }
            deepest = source;
        }
        super::redact::redact(&deepest.to_string())
    }

    /// In Go's words, which Consul's clients know.
    fn refused(&self) -> String {
        let host = self.shown.rsplit("//").next().unwrap_or_default();
        let host = host.split('/').next().unwrap_or_default();
        format!("dial tcp {host}: connect: connection refused")
    }
}

async fn read(mut answer: reqwest::Response) -> Result<Vec<u8>, Cause> {
    let mut body = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > LARGEST_BODY => {
                return Err(Cause::Garbage("has more than 1048576 bytes"));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(_shows_too_much) => {
                return Err(Cause::Unreachable("the answer broke off".to_owned()));
            }
        }
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

const CONNECT: Duration = Duration::from_secs(5);
const WHOLE_CALL: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_secs(30);
const LARGEST_BODY: usize = 1024 * 1024;
