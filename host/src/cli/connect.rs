//! `chancery connect …`.

use clap::{Args, Subcommand};

use super::connect_proxy;

/// Work with the mesh
#[derive(Debug, Subcommand)]
pub(super) enum Connect {
    Proxy(Proxy),
}

/// Run the built-in sidecar proxy
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(super) struct Proxy {
    /// As of `consul connect proxy`; -help lists them
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "OPTIONS"
    )]
    options: Vec<String>,
}

impl Connect {
    pub(super) fn run(self) -> u8 {
        match self {
            Self::Proxy(proxy) => connect_proxy::run(&proxy.options),
        }
    }
}
