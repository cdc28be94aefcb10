//! Plugins: a CA that is a WebAssembly component.

mod egress;
mod held_key;
mod log_tap;
mod schema;
mod table;
