//! Looking at a service from outside.

use std::sync::OnceLock;
use std::time::Duration;

use chancery_core::{CheckResult, HttpTarget, ProbeSpec, ProbeTarget};
use reqwest::ClientBuilder;
use reqwest::redirect::Policy;
use tokio::net::TcpStream;

/// How much of an answer is read. More is not kept, and an endless answer must not be waited for.
const BODY_BYTES: usize = 4_096;

/// Runs probes. Redirects are never followed: a check that is allowed to look at one address
/// must not be sent to another.
pub(super) struct Prober {
    plain: Option<reqwest::Client>,
    /// Made when a check first speaks TLS: the system's roots cost time and memory.
    verifying: OnceLock<Option<reqwest::Client>>,
    /// For checks that say that the server's certificate counts for nothing.
    trusting: OnceLock<Option<reqwest::Client>>,
}

impl Prober {
    pub(super) fn new() -> Self {
        Self {
            plain: client(|builder| builder.tls_certs_only([])),
            verifying: OnceLock::new(),
            trusting: OnceLock::new(),
        }
    }

    fn client_for(&self, target: &HttpTarget) -> Option<&reqwest::Client> {
        let scheme = target.url.get(..6);
        let speaks_tls = scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
        if !speaks_tls {
            self.plain.as_ref()
        } else if target.tls_skip_verify {
            let make = || client(|builder| builder.tls_danger_accept_invalid_certs(true));
            self.trusting.get_or_init(make).as_ref()
        } else {
            self.verifying
                .get_or_init(|| client(|builder| builder))
                .as_ref()
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
        let Some(client) = self.client_for(target) else {
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

fn client(adjust: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Option<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .redirect(Policy::none())
        .pool_max_idle_per_host(0)
        .no_proxy();
    match adjust(builder).build() {
        Ok(client) => Some(client),
        Err(error) => {
            tracing::error!(%error, "HTTP checks cannot run");
            None
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
