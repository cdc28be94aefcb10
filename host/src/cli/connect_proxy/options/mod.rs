//! The flags of `connect proxy`, and what they come to.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io;

use chancery_core::Secret;

use crate::proxy::{Registration, Settings};
use crate::telemetry::LogLevel;

pub(super) const USAGE: &str = "\
Usage: chancery connect proxy [options]

  Starts a Connect proxy and runs until an interrupt is received. It proxies
  inbound and outbound connections and gives an application that knows nothing
  of TLS an identity.

      $ chancery connect proxy -sidecar-for web
      $ chancery connect proxy -service web -service-addr 127.0.0.1:8080 \\
          -listen :8443 -upstream db:9191 -register

Options:

  -http-addr=<address>      Address of the agent (CHANCERY_HTTP_ADDR or
                            CONSUL_HTTP_ADDR, default 127.0.0.1:8500).
  -listen=<address>         Address to listen on for inbound connections.
  -log-json                 Write log lines as JSON.
  -log-level=<level>        TRACE, DEBUG, INFO, WARN or ERROR (default INFO).
  -proxy-id=<id>            The registered proxy to run (CONNECT_PROXY_ID).
  -register                 Register the proxy with the agent; needs -service
                            and -listen.
  -register-id=<id>         Suffix of the registered proxy's id.
  -service=<name>           Name of the service to stand for, without a
                            registration.
  -service-addr=<address>   Address of the local application.
  -sidecar-for=<id>         The service instance whose only registered sidecar
                            is to be run (CONNECT_SIDECAR_FOR).
  -token=<value>            ACL token (CHANCERY_HTTP_TOKEN or
                            CONSUL_HTTP_TOKEN).
  -token-file=<path>        File with the ACL token (CHANCERY_HTTP_TOKEN_FILE
                            or CONSUL_HTTP_TOKEN_FILE).
  -upstream=<name>:<addr>   Service to reach through the local address
                            [address:]port; may be given again.
";

/// What was wrong with the command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    Flag(String),
    Help,
    Use(String),
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) agent: String,
    token: Option<String>,
    pub(super) proxy_id: Option<String>,
    pub(super) sidecar_for: Option<String>,
    service: Option<String>,
    service_addr: Option<String>,
    listen: Option<String>,
    upstreams: BTreeMap<String, String>,
    register: bool,
    register_id: Option<String>,
    pub(super) log_level: LogLevel,
    pub(super) log_json: bool,
}

impl Options {
    pub(super) fn parse(
        arguments: &[String],
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Mistake> {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        // As all other commands have it: our own name first, then Consul's.
        let either = |name: &str| {
            set(&format!("CHANCERY_{name}")).or_else(|| set(&format!("CONSUL_{name}")))
        };
        let mut options = Self {
            proxy_id: set("CONNECT_PROXY_ID"),
            sidecar_for: set("CONNECT_SIDECAR_FOR"),
            token: either("HTTP_TOKEN"),
            ..Self::default()
        };
        let mut address = either("HTTP_ADDR");
        let mut token_file = either("HTTP_TOKEN_FILE");
        let mut level = String::from("INFO");
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let Some(flag) = flag_of(argument) else {
                return Err(Mistake::Use(
                    "Should have no non-flag arguments.".to_owned(),
                ));
            };
            let (name, inline) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (flag, None),
            };
            if let Some(target) = options.switch(name) {
                *target = switch_value(name, inline.as_deref())?;
                continue;
            }
            let mut value = || {
                inline
                    .clone()
                    .or_else(|| rest.next().cloned())
                    .ok_or_else(|| Mistake::Flag(format!("flag needs an argument: -{name}")))
            };
            match name {
                "h" | "help" => return Err(Mistake::Help),
                "http-addr" => address = Some(value()?),
                "listen" => options.listen = Some(value()?),
                "log-level" => level = value()?,
                "proxy-id" => options.proxy_id = Some(value()?),
                "register-id" => options.register_id = Some(value()?),
                "service" => options.service = Some(value()?),
                "service-addr" => options.service_addr = Some(value()?),
                "sidecar-for" => options.sidecar_for = Some(value()?),
                "token" => options.token = Some(value()?),
                "token-file" => token_file = Some(value()?),
                "upstream" => options.add_upstream(&value()?)?,
                // Consul's flags that mean nothing for this proxy.
                "datacenter" | "pprof-addr" | "namespace" => drop(value()?),
                _ => {
                    return Err(Mistake::Flag(format!(
                        "flag provided but not defined: -{name}"
                    )));
                }
            }
        }
        options.log_level = LogLevel::parse(&level).ok_or_else(|| {
            let valid = LogLevel::NAMES.join(" ");
            Mistake::Use(format!(
                "Invalid log level: {level}. Valid log levels are: [{valid}]"
            ))
        })?;
        options.agent = agent_address(address.as_deref().unwrap_or("127.0.0.1:8500"))?;
        if let Some(path) = token_file {
            let token = std::fs::read_to_string(&path).map_err(|error| {
                Mistake::Use(format!(
                    "Error connecting to Consul agent: Error loading token file: open {path}: {}",
                    SystemText(&error)
                ))
            })?;
            options.token = Some(token.trim().to_owned());
        }
        Ok(options)
    }

    fn switch(&mut self, name: &str) -> Option<&mut bool> {
        match name {
            "log-json" => Some(&mut self.log_json),
            "register" => Some(&mut self.register),
            _ => None,
        }
    }

    /// `name:port`, `name:address:port`, and the same with `name.service`.
    fn add_upstream(&mut self, value: &str) -> Result<(), Mistake> {
        let invalid = |why: String| {
            Mistake::Flag(format!(
                "invalid value \"{value}\" for flag -upstream: {why}"
            ))
        };
        let Some((name, address)) = value.split_once(':') else {
            return Err(invalid(format!(
                "Upstream value should be name:addr in \"{value}\""
            )));
        };
        let (name, kind) = match name.split_once('.') {
            Some((name, kind)) => (name, kind),
            None => (name, ""),
        };
        match kind {
            "" | "service" => {}
            "query" => {
                return Err(invalid("prepared queries are not supported".to_owned()));
            }
            other => {
                return Err(invalid(format!(
                    "Upstream type must be blank, 'service', or 'query'. Got: \"{other}\""
                )));
            }
        }
        let port = address.rsplit_once(':').map_or(address, |(_, port)| port);
        if port.parse::<u16>().is_err() {
            return Err(invalid(format!("\"{port}\" is not a port")));
        }
        let address = if address.contains(':') {
            address.to_owned()
        } else {
            format!(":{address}")
        };
        self.upstreams.insert(name.to_owned(), address);
        Ok(())
    }

    pub(super) fn token(&self) -> Option<Secret> {
        let token = self.token.as_ref()?;
        Some(Secret::new(token.clone().into_bytes()))
    }

    pub(super) fn settings(&self) -> Result<Settings, String> {
        let Some(service) = &self.service else {
            return Err(
                "-service or -proxy-id must be specified so that proxy can configure itself."
                    .to_owned(),
            );
        };
        let mut settings = Settings::for_service(service);
        for (name, address) in &self.upstreams {
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
        for (name, address) in &self.upstreams {
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
        if !self.register {
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

/// `-name` and `--name` are flags, as in Go; anything else is none.
fn flag_of(argument: &str) -> Option<&str> {
    let name = argument.strip_prefix('-')?;
    let name = name.strip_prefix('-').unwrap_or(name);
    (!name.is_empty()).then_some(name)
}

fn switch_value(name: &str, value: Option<&str>) -> Result<bool, Mistake> {
    match value.unwrap_or("true") {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        other => Err(Mistake::Flag(format!(
            "invalid boolean value \"{other}\" for -{name}: parse error"
        ))),
    }
}

fn agent_address(text: &str) -> Result<String, Mistake> {
    match text.split_once("://") {
        None => Ok(format!("http://{text}")),
        Some(("http", _)) => Ok(text.to_owned()),
        Some((scheme, _)) => Err(Mistake::Use(format!(
            "Error connecting to Consul agent: {scheme} is not supported, http is"
        ))),
    }
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

/// An error of the operating system without Rust's number behind it, as Go shows it.
struct SystemText<'a>(&'a io::Error);

impl fmt::Display for SystemText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let plain = text.split(" (os error").next().unwrap_or(&text);
        f.write_str(&plain.to_lowercase())
    }
}

#[cfg(test)]
mod tests;
