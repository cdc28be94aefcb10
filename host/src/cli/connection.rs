//! The flags and variables that say which agent is asked, and as whom.

use std::path::PathBuf;

use chancery_core::Secret;
use clap::Args;

use super::context::{Context, Failure};
use crate::client::{Client, Endpoint};

/// How the agent is reached.
#[derive(Args)]
#[command(next_help_heading = "HTTP API options")]
pub(crate) struct Connection {
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
    /// Datacenter to ask about; the agent's own if not given
    #[arg(long, value_name = "NAME")]
    datacenter: Option<String>,
    /// Accepted for Consul's sake; every answer is current
    #[arg(long, hide = true)]
    stale: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("http_addr", &self.http_addr)
            .field("token", &self.token.as_ref().map(|_| "[redacted]"))
            .field("token_file", &self.token_file)
            .field("datacenter", &self.datacenter)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// A client with what flags say, else the environment.
    pub(crate) fn client(&self, context: &Context<'_>) -> Result<Client, Failure> {
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
            datacenter: self.datacenter.clone(),
        };
        Client::new(&endpoint)
            .map_err(|error| Failure::new(format!("Error connecting to the agent: {error}")))
    }

    fn token(&self, variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Secret>, Failure> {
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
                let file = file.display();
                Err(Failure::new(format!(
                    "Error connecting to the agent: Error loading token file: open {file}: {error}"
                )))
            }
        }
    }
}

fn secret(token: &str) -> Option<Secret> {
    (!token.is_empty()).then(|| Secret::new(token.as_bytes().to_vec()))
}
