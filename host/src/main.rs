//! The `chancery` command.
#![forbid(unsafe_code)]

fn main() {}
