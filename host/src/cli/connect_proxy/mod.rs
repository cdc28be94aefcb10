//! `chancery connect proxy`: run the built-in sidecar proxy.
//!
//! Flags, output and error texts are those of `consul connect proxy` 1.8, with two named
//! differences: an address that cannot be listened on ends with code 1, and what the proxy
//! cannot do (prepared queries) is refused by name.

mod options;

use std::fmt::Write as _;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::options::Mode;
pub(super) use self::options::Proxy;
use super::context::Context;
use crate::proxy::{self, AgentApi, Registration, find_sidecar};
use crate::telemetry::{self, LogLevel};

/// How long leaving the catalog and cutting connections may take after a signal.
const STOPPING: Duration = Duration::from_millis(1500);

impl Proxy {
    pub(super) fn run(self, context: &mut Context<'_>) -> u8 {
        for flag in self.unused() {
            context.complain(format_args!("warning: {flag} means nothing to this proxy"));
        }
        match self.run_to_its_end(context) {
            Ok(()) => 0,
            Err(text) => {
                context.complain(format_args!("==> {text}"));
                1
            }
        }
    }

    fn run_to_its_end(&self, context: &mut Context<'_>) -> Result<(), String> {
        self.check_no_arguments()?;
        let level = self.log_level()?;
        let client = self
            .access
            .client(context, None)
            .map_err(|reason| format!("Error connecting to Consul agent: {reason}"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("Failed starting: {error}"))?;
        // The private key of a leaf is about to be in memory.
        if let Err(error) = crate::protect_memory() {
            context.complain(format_args!("warning: memory is not protected: {error}"));
        }
        let result = runtime.block_on(self.serve(&AgentApi::new(client), level, context));
        runtime.shutdown_timeout(Duration::from_millis(100));
        result
    }

    async fn serve(
        &self,
        agent: &AgentApi,
        level: LogLevel,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        let planned = self.plan(agent, context.variable).await?;
        context.print("==> Consul Connect proxy starting...");
        context.print(&planned.summary);
        context.print("==> Log data will now stream in as it occurs:\n");
        telemetry::start_on_stdout(level, self.log_json());
        let listening = |error| format!("Failed listening for signals: {error}");
        let mut interrupt = signal(SignalKind::interrupt()).map_err(listening)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(listening)?;
        let stop = CancellationToken::new();
        let registering = planned.registration.map(|registration| {
            let (agent, stop) = (agent.clone(), stop.clone());
            tokio::spawn(async move { registration.keep(&agent, stop).await })
        });
        let mut running = std::pin::pin!(planned.proxy.run(stop.clone()));
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
            return Err(format!("Failed running proxy: {error}"));
        }
        context.print("==> Consul Connect proxy shutdown");
        Ok(())
    }

    async fn plan(
        &self,
        agent: &AgentApi,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Planned, String> {
        let preparing = |text: String| format!("Error preparing configuration: {text}");
        let mut summary = String::new();
        let mode = self.mode(variable);
        if mode != Mode::Flags {
            summary.push_str("    Configuration mode: Agent API\n");
        }
        let id = match mode {
            Mode::Registered(id) => Some(id),
            Mode::SidecarFor(service) => {
                let _ = writeln!(summary, "        Sidecar for ID: {service}");
                let found = find_sidecar(agent, &service).await;
                Some(found.map_err(|error| preparing(error.to_string()))?)
            }
            Mode::Flags => None,
        };
        let proxy = if let Some(id) = id {
            let _ = writeln!(summary, "              Proxy ID: {id}");
            proxy::Proxy::registered(agent.clone(), &id)
        } else {
            let settings = self.settings().map_err(preparing)?;
            self.summarise(&mut summary);
            proxy::Proxy::fixed(agent.clone(), settings)
        };
        let registration = self
            .registration()
            .map_err(|text| format!("Failed initializing registration: {text}"))?;
        Ok(Planned {
            proxy,
            summary,
            registration,
        })
    }
}

/// What is going to run.
struct Planned {
    proxy: proxy::Proxy,
    summary: String,
    registration: Option<Registration>,
}
