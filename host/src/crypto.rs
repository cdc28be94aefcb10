//! The one cryptographic library, in the shapes that the rest asks for.

use chancery_core::Algorithms;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// Every signature algorithm that certificates and CSRs may use.
#[must_use]
pub fn algorithms() -> Algorithms<'static> {
    aws_lc_rs::default_provider()
        .signature_verification_algorithms
        .all
}

/// Makes aws-lc-rs the process's choice, with X25519MLKEM768 preferred for key exchange. Called
/// once when a program starts; later calls change nothing.
pub fn install() {
    if CryptoProvider::get_default().is_none() {
        // Fails only if somebody else was faster, with the same choice.
        drop(aws_lc_rs::default_provider().install_default());
    }
}
