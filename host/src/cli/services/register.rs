//! `chancery services register`.

use std::path::PathBuf;

use chancery_core::{Registration, ServiceAddress, ServiceKind};
use clap::Args;
use serde_json::{Value, json};

use crate::cli::connection::Connection;
use crate::cli::context::{Context, Failure};
use crate::cli::output::Output;
use crate::config;
use crate::definition::{self, ServiceDefinition};

/// Register the services of configuration files, or one that flags describe
#[derive(Debug, Args)]
pub(crate) struct Register {
    /// Configuration files (HCL or JSON) with `service` or `services`
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Name of the service
    #[arg(long)]
    name: Option<String>,
    /// Which instance; the name if not given
    #[arg(long)]
    id: Option<String>,
    /// Where it listens
    #[arg(long)]
    port: Option<u16>,
    /// Where it is reached; the node's address if not given
    #[arg(long)]
    address: Option<String>,
    /// A label, may be given several times
    #[arg(long)]
    tag: Vec<String>,
    /// Metadata, may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_pair)]
    meta: Vec<(String, String)>,
    /// A further address, may be given several times
    #[arg(long, value_name = "KEY=ADDRESS:PORT", value_parser = parse_pair)]
    tagged_address: Vec<(String, String)>,
    /// What it is in the mesh
    #[arg(long)]
    kind: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Register {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let services = self.definitions()?;
        let client = self.connection.client(context)?;
        Context::wait_for(async {
            let mut done = Vec::new();
            for service in services {
                let name = &service.registration.name;
                let body = definition::to_json(&service);
                client.put(PATH, &[], Some(&body)).await.map_err(|error| {
                    Failure::new(format!("Error registering service {name:?}: {error}"))
                })?;
                if self.output.is_json() {
                    let id = super::id_of(&service.registration);
                    done.push(json!({ "ID": id, "Name": name }));
                } else {
                    context.print(format_args!("Registered service: {name}"));
                }
            }
            if self.output.is_json() {
                context.print_json(&Value::Array(done));
            }
            Ok(0)
        })?
    }

    fn definitions(&self) -> Result<Vec<ServiceDefinition>, Failure> {
        match (
            self.files.is_empty(),
            self.name.is_some(),
            self.id.is_some(),
        ) {
            (true, false, _) => Err(Failure::new(
                "Service registration requires at least one argument or flags.",
            )),
            (false, true, _) | (false, _, true) => Err(Failure::new(
                "Service registration requires arguments or -id, not both.",
            )),
            (true, true, _) => Ok(vec![self.described_by_flags()?]),
            (false, false, false) => config::services_in(&self.files)
                .map_err(|report| Failure::new(format!("Error: {report}"))),
        }
    }

    fn described_by_flags(&self) -> Result<ServiceDefinition, Failure> {
        let kind = self.kind.as_deref().unwrap_or_default();
        let Some(kind) = ServiceKind::parse(kind) else {
            let line = format!(
                "invalid value {kind:?} for flag -kind: allowed are connect-proxy, ingress-gateway, mesh-gateway, terminating-gateway"
            );
            return Err(Failure::new(line));
        };
        let mut registration = Registration {
            kind,
            id: self.id.clone().unwrap_or_default(),
            name: self.name.clone().unwrap_or_default(),
            port: self.port.unwrap_or_default(),
            address: self.address.clone().unwrap_or_default(),
            tags: self.tag.clone(),
            meta: self.meta.iter().cloned().collect(),
            ..Registration::default()
        };
        for (tag, address) in &self.tagged_address {
            let address = parse_address(address)
                .map_err(|reason| Failure::new(format!("Invalid Tagged Address: {reason}")))?;
            registration.tagged_addresses.insert(tag.clone(), address);
        }
        Ok(ServiceDefinition {
            registration,
            token: None,
        })
    }
}

fn parse_address(text: &str) -> Result<ServiceAddress, String> {
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(format!("address {text}: missing port in address"));
    };
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address = bare.unwrap_or(host).to_owned();
    if bare.is_none() && host.contains(':') {
        return Err(format!("address {text}: too many colons in address"));
    }
    match port.parse() {
        Ok(port) => Ok(ServiceAddress { address, port }),
        Err(_) => Err(format!(
            "address {text}: port {port} is not one from 0 to 65535"
        )),
    }
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err(format!("Missing \"=\" value in argument: {text}")),
    }
}

const PATH: &str = "/v1/agent/service/register";
