//! The `chancery` command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [group, command, rest @ ..] if group == "connect" && command == "proxy" => {
            chancery::cli::connect_proxy::run(rest)
        }
        _ => ExitCode::from(127),
    }
}
