//! Looking at a service from outside.

use std::time::Duration;

use chancery_core::{CheckResult, HttpTarget, ProbeSpec, ProbeTarget};
use reqwest::redirect::Policy;
use tokio::net::TcpStream;

/// How much of an answer is read. More is not kept, and an endless answer must not be waited for.
const BODY_BYTES: usize = 4_096;

/// Runs probes. Redirects are never followed: a check that is allowed to look at one address
/// must not be sent to another.
pub(super) struct Prober {
    client: Option<reqwest::Client>,
}

impl Prober {
    pub(super) fn new() -> Self {
        let client = reqwest::Client::builder()
            // Nothing here speaks TLS, and the system's roots cost time and memory.
            .tls_certs_only([])
            .redirect(Policy::none())
            .pool_max_idle_per_host(0)
            .no_proxy()
            .build();
        if let Err(error) = &client {
            tracing::error!(%error, "HTTP checks cannot run");
        }
        Self {
            client: client.ok(),
        }
    }

    pub(super) async fn run(&self, probe: &ProbeSpec) -> CheckResult {
        match &probe.target {
            ProbeTarget::Tcp { address } => connect(address, probe.timeout).await,
            ProbeTarget::Http(target) => {
                match tokio::time::timeout(probe.timeout, self.ask(target)).await {
                    Ok(result) => result,
                    Err(_elapsed) => CheckResult::failed(format!(
                        "Get {:?}: no answer within {:?}",
                        target.url, probe.timeout
                    )),
                }
            }
            _ => CheckResult::failed("this agent cannot run a check of this kind"),
        }
    }

    async fn ask(&self, target: &HttpTarget) -> CheckResult {
        let Some(client) = &self.client else {
            return CheckResult::failed("this agent cannot run HTTP checks");
        };
        let Ok(method) = reqwest::Method::from_bytes(target.method.as_bytes()) else {
            return CheckResult::failed(format!("{:?} is not an HTTP method", target.method));
        };
        let mut request = client
            .request(method, &target.url)
            .body(target.body.clone());
        for (name, values) in &target.header {
            for value in values {
                request = request.header(name, value);
            }
        }
        match request.send().await {
            Ok(answer) => read(target, answer).await,
            Err(error) => CheckResult::failed(error.without_url().to_string()),
        }
    }
}

async fn connect(address: &str, timeout: Duration) -> CheckResult {
    match tokio::time::timeout(timeout, TcpStream::connect(address)).await {
        Ok(Ok(_stream)) => CheckResult::connected(address),
        Ok(Err(error)) => CheckResult::failed(format!("dial tcp {address}: {error}")),
        Err(_elapsed) => {
            CheckResult::failed(format!("dial tcp {address}: no answer within {timeout:?}"))
        }
    }
}

async fn read(target: &HttpTarget, mut answer: reqwest::Response) -> CheckResult {
    let status = answer.status();
    let mut body = Vec::new();
    while body.len() < BODY_BYTES {
        match answer.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            _ => break,
        }
    }
    body.truncate(BODY_BYTES);
    CheckResult::answered(
        target,
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        &String::from_utf8_lossy(&body),
    )
}
