//! `chancery connect proxy`: run the built-in sidecar proxy.
//!
//! Flags, output and error texts are those of `consul connect proxy` 1.8, with two named
//! differences: an address that cannot be listened on ends with code 1, and what the proxy
//! cannot do (prepared queries, https to the agent) is refused by name.

mod options;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::options::{Mistake, Options, USAGE};
use crate::proxy::{AgentApi, Proxy, Registration, find_sidecar};
use crate::telemetry;

/// How long leaving the catalog and cutting connections may take after a signal.
const STOPPING: Duration = Duration::from_millis(1500);

/// Runs the command with the arguments behind `connect proxy`.
#[must_use]
pub(super) fn run(arguments: &[String]) -> u8 {
    let options = match Options::parse(arguments, &|name| std::env::var(name).ok()) {
        Ok(options) => options,
        Err(Mistake::Help) => {
            let _ = write!(io::stdout(), "{USAGE}");
            return 0;
        }
        Err(Mistake::Flag(text)) => {
            let _ = writeln!(io::stderr(), "{text}\n{USAGE}");
            return 1;
        }
        Err(Mistake::Use(text)) => return fail(&text),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("Failed starting: {error}")),
    };
    let code = runtime.block_on(serve(&options));
    runtime.shutdown_timeout(Duration::from_millis(100));
    code
}

fn fail(text: &str) -> u8 {
    let _ = writeln!(io::stderr(), "==> {text}");
    1
}

fn say(text: &str) {
    // Nobody reads it when standard output is closed, which is no reason to stop.
    let _ = writeln!(io::stdout(), "{text}");
}

async fn serve(options: &Options) -> u8 {
    // The private key of a leaf is about to be in memory.
    if let Err(error) = crate::protect_memory() {
        let _ = writeln!(io::stderr(), "warning: memory is not protected: {error}");
    }
    let agent = match AgentApi::new(&options.agent, options.token()) {
        Ok(agent) => agent,
        Err(error) => return fail(&format!("Error connecting to Consul agent: {error}")),
    };
    let planned = match plan(options, &agent).await {
        Ok(planned) => planned,
        Err(text) => return fail(&text),
    };
    say("==> Consul Connect proxy starting...");
    say(&planned.summary);
    say("==> Log data will now stream in as it occurs:\n");
    telemetry::start_on_stdout(options.log_level, options.log_json);
    let stop = CancellationToken::new();
    let signals = match (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) {
        (Ok(interrupt), Ok(terminate)) => (interrupt, terminate),
        (Err(error), _) | (_, Err(error)) => {
            return fail(&format!("Failed listening for signals: {error}"));
        }
    };
    let registering = planned.registration.map(|registration| {
        let (agent, stop) = (agent.clone(), stop.clone());
        tokio::spawn(async move { registration.keep(&agent, stop).await })
    });
    let mut running = std::pin::pin!(planned.proxy.run(stop.clone()));
    let (mut interrupt, mut terminate) = signals;
    let mut result = tokio::select! {
        result = &mut running => Some(result),
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
    };
    stop.cancel();
    let leave = async {
        if result.is_none() {
            result = Some(running.await);
        }
        if let Some(registering) = registering {
            drop(registering.await);
        }
    };
    drop(tokio::time::timeout(STOPPING, leave).await);
    if let Some(Err(error)) = result {
        return fail(&format!("Failed running proxy: {error}"));
    }
    say("==> Consul Connect proxy shutdown");
    0
}

/// What is going to run.
struct Planned {
    proxy: Proxy,
    summary: String,
    registration: Option<Registration>,
}

async fn plan(options: &Options, agent: &AgentApi) -> Result<Planned, String> {
    let mut summary = String::new();
    let proxy = if options.proxy_id.is_some() || options.sidecar_for.is_some() {
        summary.push_str("    Configuration mode: Agent API\n");
        let id = match (&options.proxy_id, &options.sidecar_for) {
            (Some(id), _) => id.clone(),
            (None, sidecar_for) => {
                let service = sidecar_for.as_deref().unwrap_or_default();
                let _ = writeln!(summary, "        Sidecar for ID: {service}");
                find_sidecar(agent, service)
                    .await
                    .map_err(|error| format!("Error preparing configuration: {error}"))?
            }
        };
        let _ = writeln!(summary, "              Proxy ID: {id}");
        Proxy::registered(agent.clone(), &id)
    } else {
        let settings = options
            .settings()
            .map_err(|text| format!("Error preparing configuration: {text}"))?;
        options.summarise(&mut summary);
        Proxy::fixed(agent.clone(), settings)
    };
    let registration = options
        .registration()
        .map_err(|text| format!("Failed initializing registration: {text}"))?;
    Ok(Planned {
        proxy,
        summary,
        registration,
    })
}
