//! Tests over real sockets: who is let in, and what one client can take.

mod bad_ca;
mod bounds;
mod ca;
mod care;
mod framing;
mod guarded;
mod harness;
mod lists;
mod waiting;
