//! The command line: one file a command, in the shape of Consul's.
//!
//! Every long flag works with one dash and with two. Results go to standard output, errors to
//! standard error, one line each; exit codes are Consul's.

mod agent;
mod arguments;
mod catalog;
mod completions;
mod connect;
mod connect_ca;
mod connect_proxy;
mod connection;
mod context;
mod demo;
mod doctor;
mod info;
mod intention;
mod maint;
mod members;
mod output;
mod plugin;
mod reload;
mod services;
#[cfg(test)]
mod tests;
mod validate;
mod version;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use self::context::Context;

/// Service segmentation with SPIFFE identities and intentions, in the shape of Consul Connect.
#[derive(Debug, Parser)]
#[command(name = "chancery", disable_version_flag = true, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// All commands.
#[derive(Debug, Subcommand)]
enum Command {
    Agent(Box<agent::Agent>),
    #[command(subcommand)]
    Catalog(catalog::Catalog),
    Completions(completions::Completions),
    #[command(subcommand)]
    Connect(connect::Connect),
    Demo(demo::Demo),
    Doctor(doctor::Doctor),
    Info(info::Info),
    #[command(subcommand)]
    Intention(intention::Intention),
    Maint(maint::Maint),
    Members(members::Members),
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    Reload(reload::Reload),
    #[command(subcommand)]
    Services(services::Services),
    Validate(validate::Validate),
    Version(version::Version),
}

/// Runs the command that the arguments name; the first argument is the program.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let mut context = Context {
        out: &mut out,
        err: &mut err,
        variable: &|name| std::env::var(name).ok().filter(|value| !value.is_empty()),
    };
    ExitCode::from(run(arguments, &mut context))
}

fn run(arguments: impl IntoIterator<Item = OsString>, context: &mut Context<'_>) -> u8 {
    let mut arguments = arguments::normalised(arguments);
    if let Some(first) = arguments.get_mut(1)
        && (first == "--version" || first == "-v")
    {
        *first = OsString::from("version");
    }
    match parsed(&arguments) {
        Ok(parsed) => match parsed.command {
            Command::Agent(command) => command.run(context),
            Command::Catalog(command) => command.run(context),
            Command::Completions(command) => command.run(context),
            Command::Connect(command) => command.run(context),
            Command::Demo(command) => command.run(context),
            Command::Doctor(command) => command.run(context),
            Command::Info(command) => command.run(context),
            Command::Intention(command) => command.run(context),
            Command::Maint(command) => command.run(context),
            Command::Members(command) => command.run(context),
            Command::Plugin(command) => command.run(context),
            Command::Reload(command) => command.run(context),
            Command::Services(command) => command.run(context),
            Command::Validate(command) => command.run(context),
            Command::Version(command) => command.run(context),
        },
        Err(error) => refuse(&error, &arguments, context),
    }
}

/// The command line that our types describe, with flags as Go's package takes them.
fn commands() -> clap::Command {
    arguments::with_go_flags(Arguments::command())
}

fn parsed(arguments: &[OsString]) -> Result<Arguments, clap::Error> {
    let mut commands = commands();
    let matches = commands.try_get_matches_from_mut(arguments)?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut commands))
}

/// Says what is wrong with the arguments as Consul does, in one line where there is one fault.
fn refuse(error: &clap::Error, arguments: &[OsString], context: &mut Context<'_>) -> u8 {
    let named = arguments.get(1).and_then(|argument| argument.to_str());
    let known = named.is_some_and(|name| Arguments::command().find_subcommand(name).is_some());
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            context.print(error.to_string().trim_end());
            0
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | ErrorKind::InvalidSubcommand
        | ErrorKind::MissingSubcommand => {
            context.complain(error.render().to_string().trim_end());
            if known {
                GROUP_WITHOUT_COMMAND
            } else {
                NO_COMMAND
            }
        }
        _ if !known => {
            context.complain(arguments::one_line(error));
            NO_COMMAND
        }
        _ => {
            context.complain(arguments::one_line(error));
            let words: Vec<_> = arguments.iter().filter_map(|word| word.to_str()).collect();
            match words.get(1..3) {
                // In these 1 means "no".
                Some(["intention", "check" | "match"]) => 2,
                Some(["connect", "proxy"]) => {
                    context.complain(arguments::help_of(
                        Arguments::command(),
                        &["connect", "proxy"],
                    ));
                    1
                }
                _ => 1,
            }
        }
    }
}

const GROUP_WITHOUT_COMMAND: u8 = 1;
const NO_COMMAND: u8 = 127;
