//! One variant per rule, each with what was found and what is allowed.

use super::KeyUsages;
use crate::identity::{Printable, SpiffeIdError};
use crate::time::Timestamp;

/// The rule that a certificate, a request or a chain broke.
///
/// The text is for people and logs: it never holds raw control bytes of a stranger. The three
/// that Consul's clients know ([`Violation::CsrDatacenter`], [`Violation::CsrIdentity`],
/// [`Violation::CsrTrustDomain`]) are Consul's, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// anyExtendedKeyUsage would make the certificate good for everything.
    #[error("extended key usage contains anyExtendedKeyUsage, allowed are named usages only")]
    AnyPurpose,
    /// The authority key identifier is not the issuer's key identifier.
    #[error("authority key identifier is {found}, the issuer's key identifier is {allowed}")]
    AuthorityKeyId {
        /// The one in the certificate.
        found: String,
        /// The issuer's.
        allowed: String,
    },
    /// A CA's basic constraints must be critical (RFC 5280 §4.2.1.9).
    #[error(
        "basic constraints of \"{}\" are not critical, those of a CA must be",
        Printable::new(found)
    )]
    BasicConstraintsNotCritical {
        /// The CA's subject.
        found: String,
    },
    /// More bytes than anybody honest sends.
    #[error("certificates have {found} bytes together, allowed are {allowed}")]
    ChainBytes {
        /// All bytes of the chain.
        found: usize,
        /// The limit.
        allowed: usize,
    },
    /// No certificate, or too many.
    #[error("chain has {found} certificates, allowed are 1 to {allowed}")]
    ChainLength {
        /// How many.
        found: usize,
        /// The limit.
        allowed: usize,
    },
    /// An extension is critical and nobody here knows it.
    #[error(
        "critical extension {found} is unknown, allowed are the ones of RFC 5280 that are checked here"
    )]
    CriticalExtension {
        /// Its object identifier.
        found: String,
    },
    /// The request's identity is of another datacenter.
    #[error("SPIFFE ID in CSR from a different datacenter: {found}, we are {allowed}")]
    CsrDatacenter {
        /// The one requested.
        found: String,
        /// Ours.
        allowed: String,
    },
    /// The request has an extension that a request has no business with.
    #[error(
        "request asks for extension {found}, allowed are subject alternative names, key usages and basic constraints"
    )]
    CsrExtension {
        /// Its object identifier.
        found: String,
    },
    /// The request's identity is neither a service's nor an agent's.
    #[error("SPIFFE ID in CSR must be a service or agent ID")]
    CsrIdentity {
        /// The one requested.
        found: String,
    },
    /// A request for an authority's own name is made with another key than the authority's.
    #[error(
        "request is made with another key than that of \"{}\", it must be made with the same",
        Printable::new(allowed)
    )]
    CsrKey {
        /// The authority.
        allowed: String,
    },
    /// A request for an authority's own name is for another name.
    #[error(
        "request is for the name \"{}\", expected is \"{}\"",
        Printable::new(found),
        Printable::new(allowed)
    )]
    CsrSubject {
        /// The one requested.
        found: String,
        /// The authority's.
        allowed: String,
    },
    /// More bytes than a request needs.
    #[error("request has {found} bytes, allowed are {allowed}")]
    CsrTooLarge {
        /// Its length.
        found: usize,
        /// The limit.
        allowed: usize,
    },
    /// The request's identity is of another trust domain.
    #[error("SPIFFE ID in CSR from a different trust domain: {found}, we are {allowed}")]
    CsrTrustDomain {
        /// The one requested.
        found: String,
        /// Ours.
        allowed: String,
    },
    /// One extension twice: which one counts would be anybody's guess (RFC 5280 §4.2).
    #[error("extension {found} is there more than once, allowed is once")]
    DuplicateExtension {
        /// Its object identifier.
        found: String,
    },
    /// A CA must have a name (RFC 5280 §4.1.2.6).
    #[error("subject of a CA is empty, at least one attribute is needed")]
    EmptySubject,
    /// Its time is over.
    #[error(
        "certificate of \"{}\" expired at {found}, it is {now}",
        Printable::new(subject)
    )]
    Expired {
        /// Whose certificate.
        subject: String,
        /// Its last second.
        found: Timestamp,
        /// When it was asked.
        now: Timestamp,
    },
    /// More extensions than anybody honest sends.
    #[error("there are {found} extensions, allowed are {allowed}")]
    Extensions {
        /// How many.
        found: usize,
        /// The limit.
        allowed: usize,
    },
    /// The URI is no SPIFFE ID.
    #[error("{0}")]
    Identity(SpiffeIdError),
    /// The certificate names another issuer than the one that was to sign it.
    #[error(
        "issuer is \"{}\", expected is \"{}\"",
        Printable::new(found),
        Printable::new(allowed)
    )]
    IssuerName {
        /// The one named.
        found: String,
        /// The one expected.
        allowed: String,
    },
    /// The key's kind or size is not allowed.
    #[error("key is {found}, allowed are {allowed}")]
    Key {
        /// Its kind.
        found: String,
        /// The allowed ones.
        allowed: String,
    },
    /// The certificate is for another key than the one it was asked for.
    #[error("certificate holds another public key than the request, it must hold the request's")]
    KeyMismatch,
    /// A usage is set that is not allowed.
    #[error("key usage is {found}, allowed are {allowed}")]
    KeyUsageForbidden {
        /// The usages set.
        found: KeyUsages,
        /// The usages allowed.
        allowed: KeyUsages,
    },
    /// A usage is missing.
    #[error("key usage is {found}, needed is {allowed}")]
    KeyUsageMissing {
        /// The usages set.
        found: KeyUsages,
        /// The usages needed.
        allowed: KeyUsages,
    },
    /// A leaf, or a request for one, says it is a CA (X509-SVID §4.1).
    #[error("basic constraints say CA:TRUE, a leaf's must say CA:FALSE or be absent")]
    LeafIsCa,
    /// The bytes are not what they should be.
    #[error("{what} is malformed, it must be {allowed}")]
    Malformed {
        /// The part that could not be read.
        what: &'static str,
        /// What it should be.
        allowed: &'static str,
    },
    /// An extension that must be there is not.
    #[error(
        "{what} of \"{}\" is missing, it must be present",
        Printable::new(subject)
    )]
    Missing {
        /// The extension.
        what: &'static str,
        /// Whose certificate.
        subject: String,
    },
    /// A name constraint of an issuer forbids the certificate, or cannot be read.
    #[error("an issuer's name constraints do not permit the names found, they must permit all")]
    NameConstraint,
    /// The certificate was to sign others and is no CA.
    #[error(
        "\"{}\" issued a certificate and is no CA, an issuer's basic constraints must say CA:TRUE",
        Printable::new(found)
    )]
    NotCa {
        /// Its subject.
        found: String,
    },
    /// RFC 5280 says that the extension must not be critical.
    #[error("{what} is critical, it must not be")]
    NotCritical {
        /// The extension.
        what: &'static str,
    },
    /// The identity is an agent's or the authority's (only services may connect).
    #[error(
        "identity is \"{}\", only a service's may connect",
        Printable::new(found)
    )]
    NotService {
        /// The URI.
        found: String,
    },
    /// Its time has not come.
    #[error(
        "certificate of \"{}\" begins at {found}, it is {now}",
        Printable::new(subject)
    )]
    NotYetValid {
        /// Whose certificate.
        subject: String,
        /// Its first second.
        found: Timestamp,
        /// When it was asked.
        now: Timestamp,
    },
    /// A name beside the URI.
    #[error("subject alternative name has {found}, allowed are {allowed}")]
    OtherName {
        /// Its kind.
        found: &'static str,
        /// The allowed kinds.
        allowed: &'static str,
    },
    /// Nothing outlives its issuer.
    #[error("certificate ends at {found}, its issuer ends at {allowed}")]
    OutlivesIssuer {
        /// The certificate's last second.
        found: Timestamp,
        /// The issuer's last second.
        allowed: Timestamp,
    },
    /// It lives longer than asked.
    #[error("certificate ends at {found}, asked was {allowed} at most")]
    OutlivesRequest {
        /// The certificate's last second.
        found: Timestamp,
        /// The last second asked for.
        allowed: Timestamp,
    },
    /// More ways through the chain than anybody honest offers.
    #[error(
        "chain has more than {allowed} ways to try on the way to a root, at most {allowed} are tried"
    )]
    PathComplexity {
        /// The limit.
        allowed: usize,
    },
    /// More CAs below one than it permits, or another limit than the one that was asked for.
    #[error("path length is {found}, the constraint is {allowed}")]
    PathLength {
        /// CAs below.
        found: String,
        /// CAs permitted below.
        allowed: String,
    },
    /// The text is not PEM certificates.
    #[error(
        "text holds no readable PEM certificate, it must be one or more \"BEGIN CERTIFICATE\" blocks"
    )]
    Pem,
    /// An extended key usage is missing or too much.
    #[error("extended key usage is {found}, needed is {allowed}")]
    Purpose {
        /// The usages found.
        found: String,
        /// The usages needed.
        allowed: &'static str,
    },
    /// With no subject, the SAN must be critical (RFC 5280 §4.2.1.6).
    #[error("subject is empty and the subject alternative name is not critical, then it must be")]
    SanNotCritical,
    /// The serial number is zero, negative or too long (RFC 5280 §4.1.2.2).
    #[error("serial number is {found}, allowed are 1 to {allowed} octets of a positive number")]
    Serial {
        /// The octets in hexadecimal.
        found: String,
        /// The most octets.
        allowed: usize,
    },
    /// The signature does not verify.
    #[error(
        "signature on \"{}\" does not verify with the issuer's key, it must",
        Printable::new(found)
    )]
    Signature {
        /// What was signed.
        found: String,
    },
    /// No algorithm that the caller passed fits.
    #[error("signature algorithm {found} with this key is none that is supported")]
    SignatureAlgorithm {
        /// Its object identifier.
        found: String,
    },
    /// It begins before its issuer, or before the earliest moment asked for.
    #[error("certificate begins at {found}, the earliest allowed is {allowed}")]
    StartsTooEarly {
        /// The certificate's first second.
        found: Timestamp,
        /// The earliest.
        allowed: Timestamp,
    },
    /// The identity is of another trust domain.
    #[error("trust domain is {found}, ours is {allowed}")]
    TrustDomain {
        /// The certificate's.
        found: String,
        /// Ours.
        allowed: String,
    },
    /// No trusted root stands behind the chain.
    #[error(
        "no trusted root stands behind issuer \"{}\", one of the {allowed} trusted roots must",
        Printable::new(found)
    )]
    UnknownIssuer {
        /// The leaf's issuer.
        found: String,
        /// How many roots are trusted.
        allowed: usize,
    },
    /// Exactly one URI makes an X.509-SVID (X509-SVID §2).
    #[error("subject alternative name has {found} URIs, allowed is exactly 1")]
    UriCount {
        /// How many.
        found: usize,
    },
    /// Only version 3 has extensions.
    #[error("certificate has version {found}, allowed is 3")]
    Version {
        /// The version, counted from 1.
        found: u32,
    },
    /// The certificate is for somebody else.
    #[error(
        "identity is \"{}\", expected is \"{}\"",
        Printable::new(found),
        Printable::new(allowed)
    )]
    WrongIdentity {
        /// The certificate's.
        found: String,
        /// The expected one.
        allowed: String,
    },
}

impl Violation {
    /// The rule's own name, for metrics: a fixed word, never what was found.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::AnyPurpose => "any_purpose",
            Self::AuthorityKeyId { .. } => "authority_key_id",
            Self::BasicConstraintsNotCritical { .. } => "basic_constraints_not_critical",
            Self::ChainBytes { .. } => "chain_bytes",
            Self::ChainLength { .. } => "chain_length",
            Self::CriticalExtension { .. } => "critical_extension",
            Self::CsrDatacenter { .. } => "csr_datacenter",
            Self::CsrExtension { .. } => "csr_extension",
            Self::CsrIdentity { .. } => "csr_identity",
            Self::CsrKey { .. } => "csr_key",
            Self::CsrSubject { .. } => "csr_subject",
            Self::CsrTooLarge { .. } => "csr_too_large",
            Self::CsrTrustDomain { .. } => "csr_trust_domain",
            Self::DuplicateExtension { .. } => "duplicate_extension",
            Self::EmptySubject => "empty_subject",
            Self::Expired { .. } => "expired",
            Self::Extensions { .. } => "extensions",
            Self::Identity(_) => "identity",
            Self::IssuerName { .. } => "issuer_name",
            Self::Key { .. } => "key",
            Self::KeyMismatch => "key_mismatch",
            Self::KeyUsageForbidden { .. } => "key_usage_forbidden",
            Self::KeyUsageMissing { .. } => "key_usage_missing",
            Self::LeafIsCa => "leaf_is_ca",
            Self::Malformed { .. } => "malformed",
            Self::Missing { .. } => "missing",
            Self::NameConstraint => "name_constraint",
            Self::NotCa { .. } => "not_ca",
            Self::NotCritical { .. } => "not_critical",
            Self::NotService { .. } => "not_service",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::OtherName { .. } => "other_name",
            Self::OutlivesIssuer { .. } => "outlives_issuer",
            Self::OutlivesRequest { .. } => "outlives_request",
            Self::PathComplexity { .. } => "path_complexity",
            Self::PathLength { .. } => "path_length",
            Self::Pem => "pem",
            Self::Purpose { .. } => "purpose",
            Self::SanNotCritical => "san_not_critical",
            Self::Serial { .. } => "serial",
            Self::Signature { .. } => "signature",
            Self::SignatureAlgorithm { .. } => "signature_algorithm",
            Self::StartsTooEarly { .. } => "starts_too_early",
            Self::TrustDomain { .. } => "trust_domain",
            Self::UnknownIssuer { .. } => "unknown_issuer",
            Self::UriCount { .. } => "uri_count",
            Self::Version { .. } => "version",
            Self::WrongIdentity { .. } => "wrong_identity",
        }
    }
}
