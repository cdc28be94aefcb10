//! A certificate parsed once: everything the rules ask about, in one place.

use smallvec::SmallVec;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension, X509Extension};
use x509_parser::prelude::FromDer;

use super::identifier::{MAX_SERIAL_OCTETS, Serial, colon_hex};
use super::{KeyKind, KeyUsages, Violation};
use crate::time::Timestamp;

/// A parsed certificate. Its rules of form hold: version, serial, extensions.
pub(super) struct Facts<'a> {
    pub(super) certificate: X509Certificate<'a>,
    pub(super) der: &'a [u8],
    pub(super) key: KeyKind,
    pub(super) serial: Serial,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    pub(super) extensions: Extensions<'a>,
}

/// What the extensions say; each is there at most once.
#[derive(Default)]
pub(super) struct Extensions<'a> {
    pub(super) basic_constraints: Option<BasicConstraints>,
    pub(super) key_usages: Option<KeyUsages>,
    pub(super) purposes: Option<PurposesFound>,
    pub(super) names: Option<Names<'a>>,
    pub(super) subject_key_id: Option<&'a [u8]>,
    pub(super) authority_key_id: Option<&'a [u8]>,
}

pub(super) struct BasicConstraints {
    pub(super) critical: bool,
    pub(super) ca: bool,
    pub(super) path_length: Option<u32>,
}

/// The extended key usages found.
pub(super) struct PurposesFound {
    pub(super) any: bool,
    pub(super) client: bool,
    pub(super) server: bool,
    pub(super) others: bool,
}

/// The subject alternative names, by what the rules care about.
pub(super) struct Names<'a> {
    pub(super) critical: bool,
    pub(super) uris: SmallVec<[&'a str; 1]>,
    /// The kind of a DNS name or IP address, if there is one.
    pub(super) dns_or_ip: Option<&'static str>,
    /// The kind of a name that is neither those nor a URI, if there is one.
    pub(super) odd: Option<&'static str>,
}

impl<'a> Facts<'a> {
    /// Reads `der`, which must be exactly one certificate of good form.
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, Violation> {
        let malformed = Violation::Malformed {
            what: "certificate",
            allowed: "one DER certificate and nothing after it",
        };
        let Ok((rest, certificate)) = X509Certificate::from_der(der) else {
            return Err(malformed);
        };
        if !rest.is_empty() {
            return Err(malformed);
        }
        if certificate.version().0 != 2 {
            return Err(Violation::Version {
                found: certificate.version().0.saturating_add(1),
            });
        }
        let Some(serial) = Serial::from_der_content(certificate.raw_serial()) else {
            let octets = certificate.raw_serial();
            let shown = octets.get(..32).unwrap_or(octets);
            return Err(Violation::Serial {
                found: colon_hex(shown),
                allowed: MAX_SERIAL_OCTETS,
            });
        };
        let extensions = Extensions::read(certificate.extensions())?;
        let validity = certificate.validity();
        Ok(Self {
            der,
            key: KeyKind::of(&certificate.subject_pki),
            serial,
            not_before: Timestamp::from_unix(validity.not_before.timestamp()),
            not_after: Timestamp::from_unix(validity.not_after.timestamp()),
            extensions,
            certificate,
        })
    }

    pub(super) fn subject(&self) -> String {
        self.certificate.subject.to_string()
    }

    pub(super) fn issuer(&self) -> String {
        self.certificate.issuer.to_string()
    }

    pub(super) fn subject_der(&self) -> &'a [u8] {
        self.certificate.subject.as_raw()
    }

    pub(super) fn issuer_der(&self) -> &'a [u8] {
        self.certificate.issuer.as_raw()
    }

    pub(super) const fn spki_der(&self) -> &'a [u8] {
        self.certificate.tbs_certificate.subject_pki.raw
    }

    pub(super) fn has_subject(&self) -> bool {
        self.certificate.subject.iter_attributes().next().is_some()
    }
}

impl<'a> Extensions<'a> {
    /// Reads the extensions of a certificate or a request.
    pub(super) fn read(list: &[X509Extension<'a>]) -> Result<Self, Violation> {
        if list.len() > MAX_EXTENSIONS {
            return Err(Violation::Extensions {
                found: list.len(),
                allowed: MAX_EXTENSIONS,
            });
        }
        let mut read = Self::default();
        for (position, extension) in list.iter().enumerate() {
            let before = list.iter().take(position);
            if before.into_iter().any(|other| other.oid == extension.oid) {
                return Err(Violation::DuplicateExtension {
                    found: extension.oid.to_id_string(),
                });
            }
            read.take(extension)?;
        }
        Ok(read)
    }

    fn take(&mut self, extension: &X509Extension<'a>) -> Result<(), Violation> {
        let critical = extension.critical;
        match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(found) => {
                self.basic_constraints = Some(BasicConstraints {
                    critical,
                    ca: found.ca,
                    path_length: found.path_len_constraint,
                });
            }
            ParsedExtension::KeyUsage(found) => {
                self.key_usages = Some(KeyUsages::from_bits(found.flags));
            }
            ParsedExtension::ExtendedKeyUsage(found) => {
                self.purposes = Some(PurposesFound {
                    any: found.any,
                    client: found.client_auth,
                    server: found.server_auth,
                    others: found.code_signing
                        || found.email_protection
                        || found.time_stamping
                        || found.ocsp_signing
                        || !found.other.is_empty(),
                });
            }
            ParsedExtension::SubjectAlternativeName(found) => {
                self.names = Some(Names::read(critical, &found.general_names));
            }
            ParsedExtension::SubjectKeyIdentifier(found) => {
                refuse_critical(critical, "subject key identifier")?;
                self.subject_key_id = Some(found.0);
            }
            ParsedExtension::AuthorityKeyIdentifier(found) => {
                refuse_critical(critical, "authority key identifier")?;
                self.authority_key_id = found.key_identifier.as_ref().map(|id| id.0);
            }
            // The path builder applies these; being critical is what the standard wants.
            ParsedExtension::NameConstraints(_) => {}
            ParsedExtension::ParseError { .. } => return Err(MALFORMED_EXTENSION),
            _ if critical => {
                return Err(Violation::CriticalExtension {
                    found: extension.oid.to_id_string(),
                });
            }
            _ => return Ok(()),
        }
        // The parsers of single extensions do not mind what follows; we do.
        der_content(extension.value).map_or(Err(MALFORMED_EXTENSION), |_| Ok(()))
    }
}

impl<'a> Names<'a> {
    fn read(critical: bool, list: &[GeneralName<'a>]) -> Self {
        let mut names = Self {
            critical,
            uris: SmallVec::new(),
            dns_or_ip: None,
            odd: None,
        };
        for name in list {
            match name {
                GeneralName::URI(uri) => names.uris.push(uri),
                GeneralName::DNSName(_) => names.dns_or_ip = Some("a DNS name"),
                GeneralName::IPAddress(_) => names.dns_or_ip = Some("an IP address"),
                GeneralName::RFC822Name(_) => names.odd = Some("an e-mail address"),
                GeneralName::DirectoryName(_) => names.odd = Some("a directory name"),
                GeneralName::RegisteredID(_) => names.odd = Some("a registered identifier"),
                GeneralName::Invalid(..) => names.odd = Some("an unreadable name"),
                GeneralName::OtherName(..)
                | GeneralName::X400Address(_)
                | GeneralName::EDIPartyName(_) => names.odd = Some("a name of another kind"),
            }
        }
        names
    }
}

const fn refuse_critical(critical: bool, what: &'static str) -> Result<(), Violation> {
    if critical {
        Err(Violation::NotCritical { what })
    } else {
        Ok(())
    }
}

/// The content of `bytes` if they are exactly one DER value with a definite, minimal length.
pub(super) fn der_content(bytes: &[u8]) -> Option<&[u8]> {
    let (_tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, content) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81 => {
            let (length, content) = rest.split_first()?;
            (usize::from(*length), content)
        }
        0x82 => {
            let (length, content) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), content)
        }
        _ => return None,
    };
    (content.len() == length).then_some(content)
}

const MALFORMED_EXTENSION: Violation = Violation::Malformed {
    what: "an extension",
    allowed: "one DER value as RFC 5280 has it",
};

/// Enough for every profile we know; each costs a look at all before it.
const MAX_EXTENSIONS: usize = 32;
