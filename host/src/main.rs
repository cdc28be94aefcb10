//! The `chancery` command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    chancery::cli::main(std::env::args_os())
}
