//! TLS as a mesh needs it: both ends show a certificate, and both check who the other is.
//!
//! rustls carries the protocol; whether a certificate may be believed is core's rule (`gate`),
//! asked for every connection. One that resumes a session (`resumption`) shows no certificate
//! and computes no signature, but is judged by the rules of that moment like any other: by the
//! chain that its session began with. Nothing is sent before a handshake is complete (no 0-RTT).

mod gate;
mod handshake;
mod material;
mod resumption;
mod session;
mod verified;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use gate::{Refusal, Wanted};
pub(crate) use handshake::{HandshakeError, handshake};
pub(crate) use material::Material;
pub(crate) use session::{Session, SessionError};
