//! The flags and variables that say which agent is asked, and as whom.

use std::fmt;
use std::path::PathBuf;

use chancery_core::Secret;
use clap::Args;

use super::context::{Context, Failure};
use crate::client::{Client, Endpoint};

/// How the agent is reached, and about which datacenter it is asked.
#[derive(Debug, Args)]
#[command(next_help_heading = "HTTP API options")]
pub(crate) struct Connection {
    #[command(flatten)]
    access: Access,
    /// Datacenter to ask about; the agent's own if not given
    #[arg(long, value_name = "NAME")]
    datacenter: Option<String>,
    /// Accepted for Consul's sake; every answer is current
    #[arg(long, hide = true)]
    stale: bool,
}

impl Connection {
    /// A client with what flags say, else the environment.
    pub(crate) fn client(&self, context: &Context<'_>) -> Result<Client, Failure> {
        self.access
            .client(context, self.datacenter.as_deref())
            .map_err(|reason| Failure::new(format!("Error connecting to the agent: {reason}")))
    }
}

/// How the agent is reached.
#[derive(Args)]
#[command(next_help_heading = "HTTP API options")]
pub(crate) struct Access {
    /// Address of the agent: host:port or http://host:port [env: CHANCERY_HTTP_ADDR,
    /// CONSUL_HTTP_ADDR; default: 127.0.0.1:8500]
    #[arg(long, value_name = "ADDRESS")]
    http_addr: Option<String>,
    /// Token to ask with [env: CHANCERY_HTTP_TOKEN, CONSUL_HTTP_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// File with the token [env: CHANCERY_HTTP_TOKEN_FILE, CONSUL_HTTP_TOKEN_FILE]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("http_addr", &self.http_addr)
            .field("token", &self.token.as_ref().map(|_| "[redacted]"))
            .field("token_file", &self.token_file)
            .finish()
    }
}

impl Access {
    /// A client with what flags say, else the environment; otherwise why there is none.
    pub(crate) fn client(
        &self,
        context: &Context<'_>,
        datacenter: Option<&str>,
    ) -> Result<Client, String> {
        let variable = |name: &str| {
            (context.variable)(&format!("CHANCERY_{name}"))
                .or_else(|| (context.variable)(&format!("CONSUL_{name}")))
        };
        let endpoint = Endpoint {
            address: self
                .http_addr
                .clone()
                .or_else(|| variable("HTTP_ADDR"))
                .unwrap_or_default(),
            token: self.token(&variable)?,
            datacenter: datacenter.map(str::to_owned),
        };
        Client::new(&endpoint).map_err(|error| error.to_string())
    }

    fn token(&self, variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Secret>, String> {
        if let Some(token) = &self.token {
            return Ok(secret(token));
        }
        let from_file = match &self.token_file {
            Some(file) => Some(file.clone()),
            None => {
                if let Some(token) = variable("HTTP_TOKEN") {
                    return Ok(secret(&token));
                }
                variable("HTTP_TOKEN_FILE").map(PathBuf::from)
            }
        };
        let Some(file) = from_file else {
            return Ok(None);
        };
        match std::fs::read_to_string(&file) {
            Ok(token) => Ok(secret(token.trim())),
            Err(error) => {
                let (file, reason) = (file.display(), system_text(&error));
                Err(format!("Error loading token file: open {file}: {reason}"))
            }
        }
    }
}

fn secret(token: &str) -> Option<Secret> {
    (!token.is_empty()).then(|| Secret::new(token.as_bytes().to_vec()))
}

/// An error of the operating system without Rust's number behind it, as Go shows it.
pub(super) fn system_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    let plain = text.split(" (os error").next().unwrap_or(&text);
    plain.to_lowercase()
}
