//! The flags of `connect proxy`, and what they come to.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;

use clap::Args;

use crate::cli::arguments::switch;
use crate::cli::connection::Access;
use crate::proxy::{Registration, Settings};
use crate::telemetry::LogLevel;

/// Run the built-in sidecar proxy until an interrupt is received
///
/// It proxies inbound and outbound connections and gives an application that knows nothing of TLS
/// an identity:
///
/// chancery connect proxy -sidecar-for web
///
/// chancery connect proxy -service web -service-addr 127.0.0.1:8080 -listen :8443 -upstream
/// db:9191 -register
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub(in crate::cli) struct Proxy {
    /// The registered proxy to run [env: CONNECT_PROXY_ID]
    #[arg(long, value_name = "ID")]
    proxy_id: Option<String>,
    /// The service instance whose only registered sidecar is to be run
    /// [env: CONNECT_SIDECAR_FOR]
    #[arg(long, value_name = "ID")]
    sidecar_for: Option<String>,
    /// Name of the service to stand for, without a registration
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Address of the local application
    #[arg(long, value_name = "ADDRESS")]
    service_addr: Option<String>,
    /// Address to listen on for inbound connections
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Service to reach through a local address, may be given several times
    #[arg(long, value_name = "NAME:[ADDRESS:]PORT", value_parser = parse_upstream)]
    upstream: Vec<Upstream>,
    /// Register the proxy with the agent; needs -service and -listen
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch, value_name = "BOOL")]
    register: Option<bool>,
    /// Suffix of the registered proxy's id; the port if not given
    #[arg(long, value_name = "ID")]
    register_id: Option<String>,
    /// TRACE, DEBUG, INFO, WARN or ERROR
    #[arg(long, value_name = "LEVEL", default_value = "INFO")]
    log_level: String,
    /// Log JSON
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch, value_name = "BOOL")]
    log_json: Option<bool>,
    #[command(flatten)]
    pub(super) access: Access,
    #[command(flatten)]
    unused: Unused,
    #[arg(hide = true, trailing_var_arg = true)]
    arguments: Vec<OsString>,
}

/// Flags of Consul's that mean nothing to this proxy. Scripts pass them.
#[derive(Debug, Args)]
struct Unused {
    #[arg(long, hide = true)]
    datacenter: Option<String>,
    #[arg(long, hide = true)]
    namespace: Option<String>,
    #[arg(long, hide = true)]
    pprof_addr: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    stale: Option<bool>,
}

/// Where the proxy's settings come from, the first that is given.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// The registration of the proxy with this id.
    Registered(String),
    /// The registration of the only sidecar of the service with this id.
    SidecarFor(String),
    /// The flags.
    Flags,
}

/// A service, and the address under which it is reached here.
#[derive(Clone, Debug)]
struct Upstream {
    name: String,
    address: String,
}

impl Proxy {
    /// The flags given that mean nothing here.
    pub(super) fn unused(&self) -> impl Iterator<Item = &'static str> {
        let Unused {
            datacenter,
            namespace,
            pprof_addr,
            stale,
        } = &self.unused;
        [
            ("-datacenter", datacenter.is_some()),
            ("-namespace", namespace.is_some()),
            ("-pprof-addr", pprof_addr.is_some()),
            ("-stale", stale.is_some()),
        ]
        .into_iter()
        .filter_map(|(flag, given)| given.then_some(flag))
    }

    pub(super) fn check_no_arguments(&self) -> Result<(), String> {
        if self.arguments.is_empty() {
            Ok(())
        } else {
            Err("Should have no non-flag arguments.".to_owned())
        }
    }

    pub(super) fn log_level(&self) -> Result<LogLevel, String> {
        let level = &self.log_level;
        LogLevel::parse(level).ok_or_else(|| {
            let valid = LogLevel::NAMES.join(" ");
            format!("Invalid log level: {level}. Valid log levels are: [{valid}]")
        })
    }

    pub(super) fn log_json(&self) -> bool {
        self.log_json == Some(true)
    }

    pub(super) fn mode(&self, variable: &dyn Fn(&str) -> Option<String>) -> Mode {
        let either = |flag: &Option<String>, name| {
            let given = flag.clone().filter(|id| !id.is_empty());
            given.or_else(|| variable(name))
        };
        let proxy_id = either(&self.proxy_id, "CONNECT_PROXY_ID");
        let sidecar_for = either(&self.sidecar_for, "CONNECT_SIDECAR_FOR");
        match (proxy_id, sidecar_for) {
            (Some(id), _) => Mode::Registered(id),
            (None, Some(service)) => Mode::SidecarFor(service),
            (None, None) => Mode::Flags,
        }
    }

    /// The upstreams in the order of their names; one that is named again replaces the first.
    fn upstreams(&self) -> BTreeMap<&str, &str> {
        let pairs = self.upstream.iter();
        pairs
            .map(|upstream| (upstream.name.as_str(), upstream.address.as_str()))
            .collect()
    }

    pub(super) fn settings(&self) -> Result<Settings, String> {
        let Some(service) = &self.service else {
            return Err(
                "-service or -proxy-id must be specified so that proxy can configure itself."
                    .to_owned(),
            );
        };
        let mut settings = Settings::for_service(service);
        for (name, address) in self.upstreams() {
            settings = settings.with_upstream(&with_host(address, "127.0.0.1"), name);
        }
        let Some(listen) = &self.listen else {
            return Ok(settings);
        };
        check_address(listen)?;
        let Some(local) = &self.service_addr else {
            return Err(
                "-service-addr must be specified with -listen so the proxy knows the backend \
                 service address."
                    .to_owned(),
            );
        };
        check_address(local)?;
        let local = with_host(local, "127.0.0.1");
        Ok(settings.with_public(&with_host(listen, "0.0.0.0"), &local))
    }

    pub(super) fn summarise(&self, summary: &mut String) {
        let service = self.service.as_deref().unwrap_or_default();
        let _ = writeln!(summary, "    Configuration mode: Flags");
        let _ = writeln!(summary, "               Service: {service}");
        for (name, address) in self.upstreams() {
            let _ = writeln!(summary, "              Upstream: {name} => {address}");
        }
        let _ = match (&self.listen, &self.service_addr) {
            (Some(listen), Some(local)) => {
                writeln!(summary, "       Public listener: {listen} => {local}")
            }
            _ => writeln!(summary, "       Public listener: Disabled"),
        };
    }

    pub(super) fn registration(&self) -> Result<Option<Registration>, String> {
        if self.register != Some(true) {
            return Ok(None);
        }
        let (Some(service), Some(listen)) = (&self.service, &self.listen) else {
            return Err("-register may only be specified with -service and -listen".to_owned());
        };
        let (host, port) = check_address(listen)?;
        let suffix = self.register_id.clone().unwrap_or_default();
        let suffix = if suffix.is_empty() {
            port.to_string()
        } else {
            suffix
        };
        Ok(Some(Registration::new(service, &suffix, host, port)))
    }
}

/// `name:port`, `name:address:port`, and the same with `name.service`.
fn parse_upstream(value: &str) -> Result<Upstream, String> {
    let Some((name, address)) = value.split_once(':') else {
        return Err(format!("Upstream value should be name:addr in \"{value}\""));
    };
    let (name, kind) = name.split_once('.').unwrap_or((name, ""));
    match kind {
        "" | "service" => {}
        "query" => return Err("prepared queries are not supported".to_owned()),
        other => {
            return Err(format!(
                "Upstream type must be blank, 'service', or 'query'. Got: \"{other}\""
            ));
        }
    }
    let port = address.rsplit_once(':').map_or(address, |(_, port)| port);
    if port.parse::<u16>().is_err() {
        return Err(format!("\"{port}\" is not a port"));
    }
    let address = if address.contains(':') {
        address.to_owned()
    } else {
        format!(":{address}")
    };
    Ok(Upstream {
        name: name.to_owned(),
        address,
    })
}

/// Splits `host:port`; the texts are Go's.
fn check_address(text: &str) -> Result<(&str, u16), String> {
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(format!("address {text}: missing port in address"));
    };
    let number = port
        .parse()
        .map_err(|_error| format!("address {text}: \"{port}\" is not a port"))?;
    Ok((host.trim_matches(['[', ']']), number))
}

fn with_host(address: &str, host: &str) -> String {
    match address.strip_prefix(':') {
        Some(port) => format!("{host}:{port}"),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests;
