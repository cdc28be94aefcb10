//! What a plugin is given on the command line, as `ca_config` would give it.

use std::path::PathBuf;

use chancery_providers::{OptionMap, SecretOptions, split_secrets};
use clap::Args;
use serde_json::{Map, Value};

use crate::cli::context::Failure;

/// The plugin and its options.
#[derive(Debug, Args)]
pub(super) struct Given {
    /// The component
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// An option of the plugin, as in `config { … }`; @FILE stands for what a file holds. May be
    /// given several times, the same name for a list
    #[arg(long, value_name = "NAME=VALUE")]
    config: Vec<String>,
    /// A host that it may reach; may be given several times
    #[arg(long, value_name = "HOST:PORT")]
    allow_http: Vec<String>,
    /// CAs for the servers that it reaches, instead of the system's
    #[arg(long, value_name = "FILE")]
    http_ca_file: Option<PathBuf>,
    /// Memory of an instance, such as 64MiB
    #[arg(long, value_name = "SIZE")]
    max_memory: Option<String>,
    /// How long a call may take, such as 5s
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
}

impl Given {
    /// The options of the provider `wasm`, and those that are secret.
    pub(super) fn options(&self) -> Result<(OptionMap, SecretOptions), Failure> {
        let mut options = OptionMap::new();
        let path = self.file.to_string_lossy();
        options.insert("Path".to_owned(), path.into());
        options.insert("AllowHTTP".to_owned(), self.allow_http.clone().into());
        if let Some(file) = &self.http_ca_file {
            options.insert("HTTPCAFile".to_owned(), file.to_string_lossy().into());
        }
        for (name, value) in [("MaxMemory", &self.max_memory), ("Timeout", &self.timeout)] {
            if let Some(value) = value {
                options.insert(name.to_owned(), value.clone().into());
            }
        }
        options.insert("Config".to_owned(), Value::Object(self.config()?));
        Ok(split_secrets(options))
    }

    fn config(&self) -> Result<Map<String, Value>, Failure> {
        let mut config: Map<String, Value> = Map::new();
        for pair in &self.config {
            // What stands after the name may be a secret, so it is not quoted.
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                Failure::new("Error: --config must be NAME=VALUE, as in --config address=https://…")
            })?;
            let value = value_of(name, value)?;
            let before = config.remove(name);
            let value = match before {
                None => value,
                Some(Value::Array(mut several)) => {
                    several.push(value);
                    Value::Array(several)
                }
                Some(one) => Value::Array(vec![one, value]),
            };
            config.insert(name.to_owned(), value);
        }
        Ok(config)
    }
}

fn value_of(name: &str, text: &str) -> Result<Value, Failure> {
    let Some(file) = text.strip_prefix('@') else {
        return Ok(text.into());
    };
    let read = std::fs::read_to_string(file);
    read.map(Value::from)
        .map_err(|error| Failure::new(format!("Error reading --config {name}=@{file}: {error}")))
}
