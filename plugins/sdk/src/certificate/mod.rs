//! Certificates: reading those of others, writing one's own.
//!
//! [`Issuer`] signs under a certificate, [`root`] writes one that signs itself,
//! and [`csr`] asks another CA. All of them write what the host's policy wants.

mod der;
mod extensions;
mod facts;
mod issuer;
mod pem;
mod time;
mod write;

pub use self::facts::Facts;
pub use self::issuer::{Issuer, unsigned_cross};
pub(crate) use self::time::civil;
pub use self::write::{csr, key_id, root};

use crate::Error;

/// A certificate (RFC 5280), DER.
///
/// That it is one shows when it is [read](Self::read); the host checks what a plugin answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate(Vec<u8>);

impl Certificate {
    /// Takes DER: what stands between the BEGIN and END lines of a PEM file, decoded.
    #[must_use]
    pub const fn from_der(der: Vec<u8>) -> Self {
        Self(der)
    }

    /// All certificates in a PEM text, in their order. What is not a certificate is passed over.
    ///
    /// # Errors
    /// [`Broken`](crate::ErrorKind::Broken) if one of them is cut off or no base64, or if there
    /// is none.
    pub fn from_pem(text: &str) -> Result<Vec<Self>, Error> {
        pem::certificates(text)
    }

    /// The bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    /// The bytes.
    #[must_use]
    pub fn into_der(self) -> Vec<u8> {
        self.0
    }

    /// In PEM, ending in a newline.
    #[must_use]
    pub fn pem(&self) -> String {
        pem::write("CERTIFICATE", &self.0)
    }

    /// What it says.
    ///
    /// # Errors
    /// [`Refused`](crate::ErrorKind::Refused) if these bytes are no certificate.
    pub fn read(&self) -> Result<Facts<'_>, Error> {
        Facts::read(&self.0).ok_or_else(|| Error::refused("these bytes are no certificate"))
    }
}

impl AsRef<[u8]> for Certificate {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The PEM of a request (PKCS #10), as many CAs want it.
#[must_use]
pub fn csr_pem(der: &[u8]) -> String {
    pem::write("CERTIFICATE REQUEST", der)
}

/// The part that is signed, and the signature.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn signed_parts(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parts = der::Reader::new(der).only(der::SEQUENCE)?;
    let signed = parts.expect(der::SEQUENCE)?.raw;
    let _algorithm = parts.expect(der::SEQUENCE)?;
    let signature = parts.only(der::BIT_STRING)?.rest();
    Some((signed, signature.strip_prefix(&[0])?))
}

#[cfg(test)]
mod tests;
