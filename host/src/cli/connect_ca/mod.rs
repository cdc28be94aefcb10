//! `chancery connect ca …`: who signs, and changes of that.
//!
//! `get-config` and `set-config` are Consul's, texts and exit codes too; the others are ours.

mod configuration;
mod outside;
mod rotate;
mod status;

use clap::Subcommand;

use self::configuration::{GetConfig, SetConfig};
use self::outside::{Abandon, Csr, SetSigned};
use self::rotate::Rotate;
use self::status::Status;
use super::context::{Context, Failure, finish};

/// Work with the certificate authority
#[derive(Debug, Subcommand)]
pub(super) enum Ca {
    Abandon(Abandon),
    Csr(Csr),
    GetConfig(GetConfig),
    Rotate(Rotate),
    SetConfig(SetConfig),
    SetSigned(SetSigned),
    Status(Status),
}

impl Ca {
    pub(super) fn run(self, context: &mut Context<'_>) -> u8 {
        let result = match self {
            Self::Abandon(command) => command.run(context),
            Self::Csr(command) => command.run(context),
            Self::GetConfig(command) => command.run(context),
            Self::Rotate(command) => command.run(context),
            Self::SetConfig(command) => command.run(context),
            Self::SetSigned(command) => command.run(context),
            Self::Status(command) => command.run(context),
        };
        finish(context, result)
    }
}

/// Reads a file, or standard input for `-`, whole.
fn read(name: &str) -> Result<Vec<u8>, Failure> {
    use std::io::Read as _;
    let mut text = Vec::new();
    let read = if name == "-" {
        std::io::stdin().take(MOST).read_to_end(&mut text)
    } else {
        std::fs::File::open(name).and_then(|file| file.take(MOST).read_to_end(&mut text))
    };
    match read {
        Ok(_) => Ok(text),
        Err(error) => {
            let reason = crate::cli::connection::system_text(&error);
            Err(Failure::new(format!(
                "Error reading config file: open {name}: {reason}"
            )))
        }
    }
}

/// No configuration is longer; a device without end must not fill the memory.
const MOST: u64 = 1 << 20;
