//! `chancery connect proxy`: run the built-in sidecar proxy.
//!
//! Flags, output and error texts are those of `consul connect proxy` 1.8, with two named
//! differences: an address that cannot be listened on ends with code 1, and what the proxy
//! cannot do (prepared queries, https to the agent) is refused by name.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::time::Duration;

use chancery_core::Secret;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::proxy::{AgentApi, Proxy, Registration, Settings, find_sidecar};
use crate::telemetry::{self, LogLevel};

/// How long leaving the catalog and cutting connections may take after a signal.
const STOPPING: Duration = Duration::from_millis(1500);

const USAGE: &str = "\
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

/// What was wrong with the command line.
#[derive(Debug, PartialEq, Eq)]
enum Mistake {
    Flag(String),
    Help,
    Use(String),
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    agent: String,
    token: Option<String>,
    proxy_id: Option<String>,
    sidecar_for: Option<String>,
    service: Option<String>,
    service_addr: Option<String>,
    listen: Option<String>,
    upstreams: BTreeMap<String, String>,
    register: bool,
    register_id: Option<String>,
    log_level: LogLevel,
    log_json: bool,
}

impl Options {
    fn parse(
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

    fn token(&self) -> Option<Secret> {
        let token = self.token.as_ref()?;
        Some(Secret::new(token.clone().into_bytes()))
    }

    fn settings(&self) -> Result<Settings, String> {
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

    fn summarise(&self, summary: &mut String) {
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

    fn registration(&self) -> Result<Option<Registration>, String> {
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
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, Mistake> {
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        Options::parse(&arguments, &|_| None)
    }

    #[test]
    fn flags_are_read_in_every_form_of_go() {
        let expected = parse(&["-service", "web", "-register"]).unwrap();
        for form in [
            ["--service=web", "-register=true"],
            ["-service=web", "--register=1"],
        ] {
            assert_eq!(parse(&form).unwrap(), expected);
        }
    }

    #[test]
    fn the_environment_is_overruled_by_flags() {
        let environment = |name: &str| (name == "CONNECT_SIDECAR_FOR").then(|| "web".to_owned());
        let plain = Options::parse(&[], &environment).unwrap();
        assert_eq!(plain.sidecar_for.as_deref(), Some("web"));
        let arguments = ["-sidecar-for=api".to_owned()];
        let flagged = Options::parse(&arguments, &environment).unwrap();
        assert_eq!(flagged.sidecar_for.as_deref(), Some("api"));
    }

    #[test]
    fn our_own_variables_come_before_consuls() {
        let consuls = |name: &str| match name {
            "CONSUL_HTTP_ADDR" => Some("127.0.0.1:1".to_owned()),
            "CONSUL_HTTP_TOKEN" => Some("theirs".to_owned()),
            _ => None,
        };
        let both = |name: &str| match name {
            "CHANCERY_HTTP_ADDR" => Some("127.0.0.1:2".to_owned()),
            "CHANCERY_HTTP_TOKEN" => Some("ours".to_owned()),
            _ => consuls(name),
        };
        let of = |environment: &dyn Fn(&str) -> Option<String>| {
            let options = Options::parse(&[], environment).unwrap();
            (options.agent, options.token)
        };
        let expected =
            |port: u16, token: &str| (format!("http://127.0.0.1:{port}"), Some(token.to_owned()));
        assert_eq!(of(&consuls), expected(1, "theirs"));
        assert_eq!(of(&both), expected(2, "ours"));
    }

    #[test]
    fn upstreams_are_keyed_by_name() {
        let options = parse(&[
            "-upstream=db:9191",
            "-upstream=cache.service:[::1]:6000",
            "-upstream=db:127.0.0.2:9292",
        ])
        .unwrap();
        let upstreams: Vec<_> = options.upstreams.into_iter().collect();
        let expected = [("cache", "[::1]:6000"), ("db", "127.0.0.2:9292")];
        assert_eq!(
            upstreams,
            expected.map(|(name, address)| (name.to_owned(), address.to_owned()))
        );
    }

    #[test]
    fn mistakes_read_as_consuls() {
        for (arguments, text) in [
            (
                ["-upstream=bad"],
                "invalid value \"bad\" for flag -upstream: Upstream value should be name:addr in \
                 \"bad\"",
            ),
            (
                ["-upstream=db.foo:1"],
                "invalid value \"db.foo:1\" for flag -upstream: Upstream type must be blank, \
                 'service', or 'query'. Got: \"foo\"",
            ),
            (["-nonsense"], "flag provided but not defined: -nonsense"),
        ] {
            let refused = parse(&arguments).unwrap_err();
            assert_eq!(refused, Mistake::Flag(text.to_owned()));
        }
        let refused = parse(&["-log-level=zzz"]).unwrap_err();
        let text =
            "Invalid log level: zzz. Valid log levels are: [TRACE DEBUG INFO WARN ERR ERROR]";
        assert_eq!(refused, Mistake::Use(text.to_owned()));
        let refused = parse(&["extra"]).unwrap_err();
        assert_eq!(
            refused,
            Mistake::Use("Should have no non-flag arguments.".to_owned())
        );
    }

    #[test]
    fn settings_need_a_service_and_both_addresses() {
        let missing = parse(&[]).unwrap().settings().unwrap_err();
        assert!(
            missing.starts_with("-service or -proxy-id must"),
            "{missing}"
        );
        let missing = parse(&["-service=web", "-listen=:8443"]).unwrap();
        let missing = missing.settings().unwrap_err();
        assert!(
            missing.starts_with("-service-addr must be specified"),
            "{missing}"
        );
        let bad = parse(&["-service=web", "-listen=bad", "-service-addr=:1"]).unwrap();
        let bad = bad.settings().unwrap_err();
        assert_eq!(bad, "address bad: missing port in address");
    }

    #[test]
    fn flags_make_settings_and_a_registration() {
        let options = parse(&[
            "-service=web",
            "-listen=127.0.0.1:8443",
            "-service-addr=:8080",
            "-upstream=db:9191",
            "-register",
        ])
        .unwrap();
        let expected = Settings::for_service("web")
            .with_public("127.0.0.1:8443", "127.0.0.1:8080")
            .with_upstream("127.0.0.1:9191", "db");
        assert_eq!(options.settings(), Ok(expected));
        let registration = Registration::new("web", "8443", "127.0.0.1", 8443);
        assert_eq!(options.registration(), Ok(Some(registration)));
    }
}
