//! Arguments as Consul's users write them, and what is said about wrong ones.

use std::ffi::OsString;

use clap::ArgAction;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Gives every long flag its second dash: `-config-file=x` becomes `--config-file=x`.
///
/// `-h`, numbers such as `-1`, a lone `-` and everything after `--` stay as they are.
pub(super) fn normalised(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut only_values = false;
    arguments
        .into_iter()
        .map(|argument| {
            only_values |= argument == "--";
            match argument.to_str() {
                Some(text) if !only_values && is_single_dashed(text) => {
                    OsString::from(format!("-{text}"))
                }
                _ => argument,
            }
        })
        .collect()
}

/// Lets every flag be written as Go's package allows: the last one of several wins, and a switch
/// may have a value, `-allow=false`.
pub(super) fn with_go_flags(command: clap::Command) -> clap::Command {
    command
        .args_override_self(true)
        .mut_args(|argument| match argument.get_action() {
            ArgAction::SetTrue => argument
                .action(ArgAction::Set)
                .num_args(0..=1)
                .require_equals(true)
                .default_value("false")
                .default_missing_value("true")
                .hide_default_value(true)
                .value_name("BOOL")
                .value_parser(switch),
            _ => argument,
        })
        .mut_subcommands(with_go_flags)
}

/// What is wrong, in Consul's words where it has them.
pub(super) fn one_line(error: &clap::Error) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let flag = text(ContextKind::InvalidArg).unwrap_or_default();
    let flag = flag.split([' ', '=', '[']).next().unwrap_or_default();
    let flag = flag.strip_prefix('-').unwrap_or(flag);
    match error.kind() {
        ErrorKind::UnknownArgument if !flag.starts_with('-') => {
            format!("Too many arguments: {flag} is not expected")
        }
        ErrorKind::UnknownArgument => format!("flag provided but not defined: {flag}"),
        ErrorKind::InvalidValue if text(ContextKind::InvalidValue) == Some("") => {
            format!("flag needs an argument: {flag}")
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let value = text(ContextKind::InvalidValue).unwrap_or_default();
            let source = std::error::Error::source(error);
            if source.is_some_and(|source| source.is::<NoSwitch>()) {
                return format!("invalid boolean value {value:?} for {flag}: {NoSwitch}");
            }
            let reason = source
                .map(ToString::to_string)
                .unwrap_or_else(|| allowed(error));
            format!("invalid value {value:?} for flag {flag}: {reason}")
        }
        _ => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            first.strip_prefix("error: ").unwrap_or(first).to_owned()
        }
    }
}

/// The help of the command that these words name.
pub(super) fn help_of(mut command: clap::Command, words: &[&str]) -> String {
    command.build();
    let mut found = &mut command;
    for word in words {
        match found.find_subcommand_mut(word) {
            Some(inner) => found = inner,
            None => return String::new(),
        }
    }
    found.render_help().to_string()
}

/// A switch's value in any form that Go's flag package takes.
pub(super) fn switch(value: &str) -> Result<bool, NoSwitch> {
    match value {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(NoSwitch),
    }
}

/// The value is neither yes nor no.
#[derive(Debug, thiserror::Error)]
#[error("parse error")]
pub(super) struct NoSwitch;

fn allowed(error: &clap::Error) -> String {
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) => format!("allowed are {}", values.join(", ")),
        _ => "not allowed".to_owned(),
    }
}

fn is_single_dashed(text: &str) -> bool {
    let Some(name) = text.strip_prefix('-') else {
        return false;
    };
    name.len() > 1 && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_flag_may_have_one_dash() {
        let normal = |words: &[&str]| -> Vec<String> {
            normalised(words.iter().map(OsString::from))
                .into_iter()
                .map(|word| word.into_string().expect("UTF-8"))
                .collect()
        };
        assert_eq!(
            normal(&[
                "chancery",
                "agent",
                "-dev",
                "-config-file=a",
                "--x",
                "-h",
                "-1",
                "-",
                "a-b"
            ]),
            [
                "chancery",
                "agent",
                "--dev",
                "--config-file=a",
                "--x",
                "-h",
                "-1",
                "-",
                "a-b"
            ]
        );
        assert_eq!(normal(&["c", "--", "-dev"]), ["c", "--", "-dev"]);
    }
}
