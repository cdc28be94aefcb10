//! TLS as a mesh needs it: both ends show a certificate, and both check who the other is.
//!
//! rustls carries the protocol; whether a certificate may be believed is core's rule, asked in
//! every handshake ([`ClientGate`], [`ServerGate`]). Nothing is resumed: each connection proves
//! its identity anew and is judged by the rules of that moment.

mod gate;
mod handshake;
mod material;
mod session;
mod verified;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use gate::{ClientGate, ServerGate, Wanted};
pub(crate) use handshake::{HandshakeError, handshake};
pub(crate) use material::Material;
pub(crate) use session::{Session, SessionError};
