//! A certificate as a person wants to see it.

use std::fmt;

use super::facts::Facts;
use super::{KeyId, KeyKind, Serial, Violation};
use crate::identity::Printable;
use crate::time::Timestamp;

/// What a person asks of a certificate. Nothing is verified; `Display` prints one line a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateSummary {
    /// Its subject.
    pub subject: String,
    /// Its issuer's subject.
    pub issuer: String,
    /// The URIs among its subject alternative names; a good leaf has one, its SPIFFE ID.
    pub uris: Vec<String>,
    /// Its serial number.
    pub serial: Serial,
    /// The first second of its life.
    pub not_before: Timestamp,
    /// The last second of its life.
    pub not_after: Timestamp,
    /// The kind of its key.
    pub key: KeyKind,
    /// Whether it may sign others.
    pub is_ca: bool,
    /// The identifier of its key.
    pub subject_key_id: Option<KeyId>,
    /// The identifier of its issuer's key.
    pub authority_key_id: Option<KeyId>,
}

impl CertificateSummary {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// When it cannot be read at all, or breaks a rule of form (version, serial, extensions).
    pub fn inspect(der: &[u8]) -> Result<Self, Violation> {
        let facts = Facts::parse(der)?;
        let extensions = &facts.extensions;
        let constraints = extensions.basic_constraints.as_ref();
        let names = extensions.names.as_ref();
        let uris = names.map(|names| names.uris.iter().map(|uri| (*uri).to_owned()).collect());
        Ok(Self {
            subject: facts.subject(),
            issuer: facts.issuer(),
            uris: uris.unwrap_or_default(),
            serial: facts.serial.clone(),
            not_before: facts.not_before,
            not_after: facts.not_after,
            key: facts.key.clone(),
            is_ca: constraints.is_some_and(|constraints| constraints.ca),
            subject_key_id: extensions.subject_key_id.map(KeyId::from_bytes),
            authority_key_id: extensions.authority_key_id.map(KeyId::from_bytes),
        })
    }
}

impl fmt::Display for CertificateSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for uri in &self.uris {
            writeln!(f, "SPIFFE ID  {}", Printable::new(uri))?;
        }
        writeln!(f, "subject    {}", Printable::new(&self.subject))?;
        writeln!(f, "issuer     {}", Printable::new(&self.issuer))?;
        writeln!(f, "valid      {} to {}", self.not_before, self.not_after)?;
        writeln!(f, "serial     {}", self.serial)?;
        let kind = if self.is_ca { "authority" } else { "leaf" };
        writeln!(f, "key        {} ({kind})", self.key)?;
        if let Some(id) = &self.subject_key_id {
            writeln!(f, "key id     {id}")?;
        }
        if let Some(id) = &self.authority_key_id {
            writeln!(f, "signed by  {id}")?;
        }
        Ok(())
    }
}
