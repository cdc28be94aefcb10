//! `chancery connect ca get-config` and `set-config`.

use clap::Args;
use serde::Serialize as _;
use serde_json::{Map, Value, json};

use super::read;
use crate::cli::connection::Connection;
use crate::cli::context::{Context, Failure};
use crate::cli::output::Output;
use crate::config::hcl;

/// Print the configuration of the CA provider as JSON, without secrets
#[derive(Debug, Args)]
pub(crate) struct GetConfig {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl GetConfig {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let client = self.connection.client(context)?;
        let failed = |error| Failure::new(format!("Error querying CA configuration: {error}"));
        let found: Map<String, Value> = Context::wait_for(async {
            client.get(PATH, &[]).await.and_then(|answer| answer.json())
        })?
        .map_err(failed)?;
        if self.output.is_json() {
            context.print_json(&Value::Object(found));
            return Ok(0);
        }
        // In Consul's order, and without what its command does not print.
        let names = ["Provider", "Config", "State", "CreateIndex", "ModifyIndex"];
        context.print(with_tabs(&found, &names)?);
        Ok(0)
    }
}

/// Change the CA provider, or its options
#[derive(Debug, Args)]
pub(crate) struct SetConfig {
    /// File with Provider and Config, JSON as get-config prints it, or HCL; `-` is standard input
    #[arg(long, value_name = "FILE")]
    config_file: Option<String>,
    /// Go on although the CA that signs now cannot sign the new root: peers that have not taken
    /// it refuse new leafs
    #[arg(long)]
    force_without_cross_signing: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl SetConfig {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let name = self
            .config_file
            .as_deref()
            .ok_or_else(|| Failure::new("The -config-file flag is required"))?;
        let mut body = configuration(&read(name)?, name)?;
        if self.force_without_cross_signing {
            body.insert("ForceWithoutCrossSigning".to_owned(), true.into());
        }
        let client = self.connection.client(context)?;
        let body = Value::Object(body);
        let answer = Context::wait_for(client.put(PATH, &[], Some(&body)))?;
        let answer = answer
            .map_err(|error| Failure::new(format!("Error setting CA configuration: {error}")))?;
        // It says so if something is still to be done.
        let said = String::from_utf8_lossy(answer.body());
        let said = match said.trim_end() {
            "" => "Configuration updated!",
            said => said,
        };
        if self.output.is_json() {
            context.print_json(&json!({ "Message": said }));
        } else {
            context.print(said);
        }
        Ok(0)
    }
}

/// The body that a file describes. Keys that the API does not have are left out, as Consul does.
pub(super) fn configuration(text: &[u8], name: &str) -> Result<Map<String, Value>, Failure> {
    let failed = |reason: String| Failure::new(format!("Error parsing config file: {reason}"));
    let given = parsed(text, name).map_err(failed)?;
    let mut body = Map::new();
    for (key, default) in [
        ("Provider", json!("")),
        ("Config", Value::Null),
        ("State", Value::Null),
        ("ForceWithoutCrossSigning", json!(false)),
        ("CreateIndex", json!(0)),
        ("ModifyIndex", json!(0)),
    ] {
        let found = given.iter().find(|(given, _)| is_key(given, key));
        body.insert(
            key.to_owned(),
            found.map_or(default, |(_, value)| value.clone()),
        );
    }
    Ok(body)
}

fn parsed(text: &[u8], name: &str) -> Result<Map<String, Value>, String> {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    if name.ends_with(".hcl") || !matches!(first, None | Some(b'{')) {
        let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
        return hcl::parse(text)
            .map(|object| object.to_json())
            .map_err(|error| error.to_string());
    }
    serde_json::from_slice(text).map_err(|error| {
        if error.is_eof() {
            "unexpected end of JSON input".to_owned()
        } else {
            error.to_string()
        }
    })
}

/// Whether a key of a file is the API's `key`: in any case, with underscores, and as the agent's
/// own configuration has it (`ca_provider`, `ca_config`).
fn is_key(given: &str, key: &str) -> bool {
    let plain = given.replace('_', "");
    let bare = plain
        .get(..2)
        .filter(|start| start.eq_ignore_ascii_case("ca"))
        .and_then(|_| plain.get(2..));
    plain.eq_ignore_ascii_case(key) || bare.is_some_and(|bare| bare.eq_ignore_ascii_case(key))
}

/// JSON as Go's encoder indents it with tabs.
fn with_tabs(object: &Map<String, Value>, names: &[&str]) -> Result<String, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(format!("Error formatting CA configuration: {error}"))
    };
    let mut out = String::from("{");
    for (place, name) in names.iter().enumerate() {
        let mut text = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        let value = object.get(*name).unwrap_or(&Value::Null);
        value
            .serialize(&mut serde_json::Serializer::with_formatter(
                &mut text, formatter,
            ))
            .map_err(|error| failed(&error))?;
        let text = String::from_utf8(text).map_err(|error| failed(&error))?;
        out.push_str(if place == 0 { "\n" } else { ",\n" });
        out.push_str(&format!("\t\"{name}\": {}", text.replace('\n', "\n\t")));
    }
    out.push_str("\n}");
    Ok(out)
}

const PATH: &str = "/v1/connect/ca/configuration";
