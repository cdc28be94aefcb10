//! `chancery agent`: flags to a configuration.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chancery_core::Registration;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::context::Context;
use crate::config::{Config, FileFormat, FlagValue, Sources};
use crate::running::Running;
use crate::{crypto, telemetry};

/// How long requests may take to end after a signal; the agent is gone within two seconds.
const STOPPING: Duration = Duration::from_millis(1_800);

/// Run an agent
#[derive(Debug, Args)]
pub(super) struct Agent {
    /// Keep everything in memory, listen on loopback only
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    dev: Option<bool>,
    /// Configuration file (HCL or JSON) or folder of them; may be given several times, later
    /// ones win
    #[arg(long, value_name = "FILE")]
    config_file: Vec<PathBuf>,
    /// Folder of configuration files
    #[arg(long, value_name = "DIR")]
    config_dir: Vec<PathBuf>,
    /// How files are read whose names do not say it
    #[arg(long, value_parser = parse_format, value_name = "hcl|json")]
    config_format: Option<FileFormat>,
    /// In dev mode, let an address be used that strangers can reach
    #[arg(long)]
    i_know: bool,
    /// Folder for the state
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Name of this node
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Identifier of this node
    #[arg(long, value_name = "UUID")]
    node_id: Option<String>,
    /// Datacenter
    #[arg(long, value_name = "NAME")]
    datacenter: Option<String>,
    /// Address that listeners take by default
    #[arg(long, value_name = "IP")]
    bind: Option<String>,
    /// Address under which others reach this node
    #[arg(long, value_name = "IP")]
    advertise: Option<String>,
    /// Address of the HTTP API
    #[arg(long, value_name = "IP")]
    client: Option<String>,
    /// Port of the HTTP API, -1 for none
    #[arg(long, value_name = "PORT", allow_negative_numbers = true)]
    http_port: Option<i64>,
    /// Run as a server
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    server: Option<bool>,
    /// Let this server lead alone
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    bootstrap: Option<bool>,
    /// Number of servers
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    bootstrap_expect: Option<i64>,
    /// TRACE, DEBUG, INFO, WARN, ERR
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Log JSON
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    log_json: Option<bool>,
}

impl Agent {
    pub(super) fn run(self, context: &mut Context<'_>) -> u8 {
        let sources = self.into_sources();
        match Config::load(&sources) {
            Ok((config, warnings)) => {
                for warning in warnings {
                    context.complain(format_args!("warning: {warning}"));
                }
                start(&config, sources, context)
            }
            Err(report) => {
                context.complain(report);
                1
            }
        }
    }

    /// Files, then folders, then flags: the order of Consul when each is given once.
    pub(super) fn into_sources(self) -> Sources {
        let mut sources = Sources {
            dev: self.dev == Some(true),
            allow_remote: self.i_know,
            paths: self.config_file,
            format: self.config_format,
            hostname: hostname(),
            ..Sources::default()
        };
        sources.paths.extend(self.config_dir);
        let texts = [
            ("-data-dir", "data_dir", self.data_dir),
            ("-node", "node_name", self.node),
            ("-node-id", "node_id", self.node_id),
            ("-datacenter", "datacenter", self.datacenter),
            ("-bind", "bind_addr", self.bind),
            ("-advertise", "advertise_addr", self.advertise),
            ("-client", "client_addr", self.client),
            ("-log-level", "log_level", self.log_level),
        ];
        let integers = [
            ("-http-port", "ports.http", self.http_port),
            (
                "-bootstrap-expect",
                "bootstrap_expect",
                self.bootstrap_expect,
            ),
        ];
        let booleans = [
            ("-server", "server", self.server),
            ("-bootstrap", "bootstrap", self.bootstrap),
            ("-log-json", "log_json", self.log_json),
        ];
        for (flag, key, value) in texts {
            let value = value.map(FlagValue::Text);
            sources.flags.extend(value.map(|value| (flag, key, value)));
        }
        for (flag, key, value) in integers {
            let value = value.map(FlagValue::Integer);
            sources.flags.extend(value.map(|value| (flag, key, value)));
        }
        for (flag, key, value) in booleans {
            let value = value.map(FlagValue::Boolean);
            sources.flags.extend(value.map(|value| (flag, key, value)));
        }
        sources
    }
}

/// Runs the agent until a signal ends it.
fn start(config: &Config, sources: Sources, context: &mut Context<'_>) -> u8 {
    if let Err(error) = crate::protect_memory() {
        context.complain(format_args!("warning: memory is not protected: {error}"));
    }
    crypto::install();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(serve(config, sources, context)),
        Err(error) => Err(format!("cannot start: {error}")),
    };
    match ended {
        Ok(()) => 0,
        Err(error) => {
            context.complain(format_args!("==> {error}"));
            1
        }
    }
}

async fn serve(config: &Config, sources: Sources, context: &mut Context<'_>) -> Result<(), String> {
    let signals = |error: std::io::Error| format!("cannot listen for signals: {error}");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(signals)?;
    context.print("==> Starting Chancery agent...");
    telemetry::start_on_stdout(config.log.level, config.log.json);
    let running = Running::start(config)
        .await
        .map_err(|error| error.to_string())?;
    running
        .agent()
        .reload_from(Arc::new(move || services_of(&sources)));
    introduce(config, &running, context);
    loop {
        tokio::select! {
            _ = interrupt.recv() => tracing::info!("interrupted, stopping"),
            _ = terminate.recv() => tracing::info!("terminated, stopping"),
            _ = hangup.recv() => {
                if let Err(error) = running.agent().reload().await {
                    tracing::error!(%error, "the configuration was not read again");
                }
                running.agent().authority().look_at_plugin();
                continue;
            }
        }
        break;
    }
    match tokio::time::timeout(STOPPING, running.stop()).await {
        Ok(stopped) => stopped.map_err(|error| error.to_string()),
        // What was acknowledged is stored; what hangs is only somebody's answer.
        Err(_elapsed) => Err("some requests did not end in time, stopped all the same".to_owned()),
    }
}

/// The services that the configuration names now.
fn services_of(sources: &Sources) -> Result<Vec<Registration>, String> {
    let (config, _warnings) = Config::load(sources).map_err(|report| report.to_string())?;
    let services = config.services.into_iter();
    Ok(services.map(|service| service.registration).collect())
}

/// What Consul's agent says of itself at its start.
fn introduce(config: &Config, running: &Running, context: &mut Context<'_>) {
    let settings = running.agent().settings();
    let addresses = running.addresses().iter().map(ToString::to_string);
    let sockets = running.sockets().iter();
    let sockets = sockets.map(|path| format!("unix://{}", path.display()));
    let addresses: Vec<_> = addresses.chain(sockets).collect();
    let facts = [
        ("Version", env!("CARGO_PKG_VERSION").to_owned()),
        ("Node ID", settings.node_id.to_string()),
        ("Node name", settings.node_name.to_string()),
        ("Datacenter", settings.datacenter.to_string()),
        ("HTTP", addresses.join(", ")),
        (
            "State",
            config.data_dir.as_ref().map_or_else(
                || "in memory, gone when the agent stops".to_owned(),
                |path| path.display().to_string(),
            ),
        ),
    ];
    for (name, value) in facts {
        context.print(format_args!("{name:>18}: {value}"));
    }
    context.print("\n==> Log data will now stream in as it occurs:\n");
}

/// The machine's name, which is the node's unless another is said.
pub(super) fn hostname() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// `hcl` or `json`.
pub(super) fn parse_format(text: &str) -> Result<FileFormat, String> {
    match text {
        "hcl" => Ok(FileFormat::Hcl),
        "json" => Ok(FileFormat::Json),
        _ => Err("allowed are hcl, json".to_owned()),
    }
}
