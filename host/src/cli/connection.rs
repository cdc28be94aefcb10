//! The flags and variables that say which agent is asked, and as whom.

use std::fmt;
use std::path::{Path, PathBuf};

use chancery_core::Secret;
use clap::Args;

use super::arguments::switch;
use super::context::{Context, Failure};
use crate::client::{Client, ClientTls, Endpoint};

/// How the agent is reached, and about which datacenter it is asked.
#[derive(Debug, Args)]
#[command(next_help_heading = "HTTP API options")]
pub(crate) struct Connection {
    #[command(flatten)]
    access: Access,
    /// Datacenter to ask about; the agent's own if not given
    #[arg(long, value_name = "NAME")]
    datacenter: Option<String>,
    /// Accepted for Consul's sake; there is one
    #[arg(long, hide = true, value_parser = ["default"])]
    namespace: Option<String>,
    /// Accepted for Consul's sake; every answer is current
    #[arg(long, hide = true)]
    stale: bool,
}

impl Connection {
    /// A client with what flags say, else the environment.
    pub(crate) fn client(&self, context: &Context<'_>) -> Result<Client, Failure> {
        self.access
            .client(context, self.datacenter.as_deref())
            .map_err(unconnected)
    }
}

/// How the agent is reached.
#[derive(Args)]
#[command(next_help_heading = "HTTP API options")]
pub(crate) struct Access {
    /// Address of the agent: host:port, http://…, https://… or unix://path [env: CHANCERY_HTTP_ADDR,
    /// CONSUL_HTTP_ADDR; default: 127.0.0.1:8500]
    #[arg(long, value_name = "ADDRESS")]
    http_addr: Option<String>,
    /// Token to ask with [env: CHANCERY_HTTP_TOKEN, CONSUL_HTTP_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// File with the token [env: CHANCERY_HTTP_TOKEN_FILE, CONSUL_HTTP_TOKEN_FILE]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File with the CAs that may have signed the agent's certificate [env: CHANCERY_CACERT,
    /// CONSUL_CACERT]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Folder of such files [env: CHANCERY_CAPATH, CONSUL_CAPATH]
    #[arg(long, value_name = "DIR")]
    ca_path: Option<PathBuf>,
    /// File with the certificate to show [env: CHANCERY_CLIENT_CERT, CONSUL_CLIENT_CERT]
    #[arg(long, value_name = "FILE")]
    client_cert: Option<PathBuf>,
    /// File with its key [env: CHANCERY_CLIENT_KEY, CONSUL_CLIENT_KEY]
    #[arg(long, value_name = "FILE")]
    client_key: Option<PathBuf>,
    /// Name that the agent's certificate must have [env: CHANCERY_TLS_SERVER_NAME,
    /// CONSUL_TLS_SERVER_NAME]
    #[arg(long, value_name = "NAME")]
    tls_server_name: Option<String>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("http_addr", &self.http_addr)
            .field("token", &self.token.as_ref().map(|_| "[redacted]"))
            .field("token_file", &self.token_file)
            .finish_non_exhaustive()
    }
}

impl Access {
    /// A client for a command about the agent itself, which no datacenter is named to.
    pub(crate) fn connect(&self, context: &Context<'_>) -> Result<Client, Failure> {
        self.client(context, None).map_err(unconnected)
    }

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
        let mut endpoint = Endpoint {
            address: self
                .http_addr
                .clone()
                .or_else(|| variable("HTTP_ADDR"))
                .unwrap_or_default(),
            token: self.token(&variable)?,
            basic_auth: variable("HTTP_AUTH").as_deref().and_then(secret),
            datacenter: datacenter.map(str::to_owned),
            tls: self.tls(&variable)?,
        };
        if switched(&variable, "HTTP_SSL")? == Some(true) && !endpoint.address.contains("://") {
            let place = match endpoint.address.as_str() {
                "" => "127.0.0.1:8500",
                place => place,
            };
            endpoint.address = format!("https://{place}");
        }
        Client::new(&endpoint).map_err(|error| error.to_string())
    }

    /// What an agent that speaks https must show, and what it is shown.
    fn tls(&self, variable: &dyn Fn(&str) -> Option<String>) -> Result<ClientTls, String> {
        let file = |flag: &Option<PathBuf>, name| {
            flag.clone().or_else(|| variable(name).map(PathBuf::from))
        };
        let read = |path: &Path, what: &str| {
            std::fs::read(path).map_err(|error| {
                let (path, reason) = (path.display(), system_text(&error));
                format!("Error loading {what}: open {path}: {reason}")
            })
        };
        let mut tls = ClientTls {
            server_name: self
                .tls_server_name
                .clone()
                .or_else(|| variable("TLS_SERVER_NAME")),
            unverified: switched(variable, "HTTP_SSL_VERIFY")? == Some(false),
            ..ClientTls::default()
        };
        if let Some(path) = file(&self.ca_file, "CACERT") {
            tls.authorities.push(read(&path, CA_FILE)?);
        } else if let Some(folder) = file(&self.ca_path, "CAPATH") {
            let unreadable = |error: std::io::Error| {
                let (folder, reason) = (folder.display(), system_text(&error));
                format!("Error loading {CA_FILE}: open {folder}: {reason}")
            };
            for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
                let path = entry.map_err(unreadable)?.path();
                if path.is_file() {
                    tls.authorities.push(read(&path, CA_FILE)?);
                }
            }
        }
        let certificate = file(&self.client_cert, "CLIENT_CERT");
        let key = file(&self.client_key, "CLIENT_KEY");
        match (certificate, key) {
            (Some(certificate), Some(key)) => {
                let mut both = read(&certificate, "TLS files")?;
                both.push(b'\n');
                both.append(&mut read(&key, "TLS files")?);
                tls.identity = Some(Secret::new(both));
            }
            (None, None) => {}
            _ => return Err("both client cert and client key must be provided".to_owned()),
        }
        Ok(tls)
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

fn unconnected(reason: String) -> Failure {
    Failure::new(format!("Error connecting to the agent: {reason}"))
}

/// A variable that is a switch. Consul only warns about one that cannot be read, and goes on in
/// the clear; whoever asks for TLS shall not do without.
fn switched(variable: &dyn Fn(&str) -> Option<String>, name: &str) -> Result<Option<bool>, String> {
    let Some(value) = variable(name) else {
        return Ok(None);
    };
    match switch(&value) {
        Ok(on) => Ok(Some(on)),
        Err(_) => Err(format!(
            "{name}: found {value:?}, allowed are true and false"
        )),
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

/// What Consul's library calls the file of `-ca-file`.
const CA_FILE: &str = "CA File";
