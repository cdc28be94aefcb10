//! Lines for the agent's log, under the plugin's name.
//!
//! ```
//! # chancery_plugin::testing::Host::<chancery_plugin::testing::Nothing>::new().within(|| {
//! use chancery_plugin::log;
//!
//! log::info("made a root");
//! log::warn(format_args!("{} of {} mounts answer", 1, 2));
//! # });
//! ```

use std::fmt;

use crate::host;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// Every step.
    Trace,
    /// For whoever looks for a mistake.
    Debug,
    /// What an operator may want to know.
    Info,
    /// What an operator should look at.
    Warn,
    /// What does not work.
    Error,
}

/// Writes one line. What cannot be printed is escaped, what is too long is cut, and of a flood
/// only the number of lines is logged.
pub fn write(level: Level, message: impl fmt::Display) {
    host::log(level, &message.to_string());
}

/// [`Level::Trace`].
pub fn trace(message: impl fmt::Display) {
    write(Level::Trace, message);
}

/// [`Level::Debug`].
pub fn debug(message: impl fmt::Display) {
    write(Level::Debug, message);
}

/// [`Level::Info`].
pub fn info(message: impl fmt::Display) {
    write(Level::Info, message);
}

/// [`Level::Warn`].
pub fn warn(message: impl fmt::Display) {
    write(Level::Warn, message);
}

/// [`Level::Error`].
pub fn error(message: impl fmt::Display) {
    write(Level::Error, message);
}
