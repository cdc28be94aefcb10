//! A certificate signing request, checked before anybody signs.

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::prelude::FromDer;

use super::facts::{Extensions, der_content};
use super::{
    Algorithms, CsrPolicy, KeyKind, KeyUsages, SignatureCheck, Violation, rules, signature,
};
use crate::identity::{Datacenter, SpiffeId};

/// A request that may be signed: its signature verifies (unless the policy says that it was made
/// here), its key is good, and it asks for one identity of ours and nothing else.
///
/// Its subject and whatever else it holds have no influence: a signer takes the identity and
/// the key from here and makes the rest itself.
#[derive(Clone, Debug)]
pub struct CheckedCsr {
    der: Vec<u8>,
    spki_der: Vec<u8>,
    identity: SpiffeId,
    key: KeyKind,
}

impl CheckedCsr {
    /// The greatest length of a request in bytes; one for RSA 4096 has about 1,700.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// Reads and checks a request in DER. The signature comes last: it is what costs time.
    ///
    /// Consul 1.8 does not verify the signature and takes the first of several URIs
    /// (CVE-2022-40716); both are refused here.
    ///
    /// # Errors
    /// The first rule that the request breaks.
    pub fn parse(
        der: &[u8],
        algorithms: Algorithms<'_>,
        policy: &CsrPolicy,
    ) -> Result<Self, Violation> {
        if der.len() > Self::MAX_BYTES {
            return Err(Violation::CsrTooLarge {
                found: der.len(),
                allowed: Self::MAX_BYTES,
            });
        }
        let (rest, request) =
            X509CertificationRequest::from_der(der).map_err(|_error| MALFORMED)?;
        if !rest.is_empty() {
            return Err(MALFORMED);
        }
        let info = &request.certification_request_info;
        let key = KeyKind::of(&info.subject_pki);
        rules::check_key(&key, &policy.keys)?;
        let identity = requested_identity(&request, policy)?;
        signature::check_envelope(der, info.raw, &request.signature_algorithm)?;
        if policy.signature == SignatureCheck::Verify {
            signature::verify(
                algorithms,
                &info.subject_pki,
                &request.signature_algorithm,
                info.raw,
                &request.signature_value.data,
                || format!("request for {identity}"),
            )?;
        }
        Ok(Self {
            der: der.to_vec(),
            spki_der: info.subject_pki.raw.to_vec(),
            identity,
            key,
        })
    }

    /// The identity asked for: a service's or an agent's.
    #[must_use]
    pub const fn identity(&self) -> &SpiffeId {
        &self.identity
    }

    /// The kind of the key.
    #[must_use]
    pub const fn key(&self) -> &KeyKind {
        &self.key
    }

    /// The public key as a SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// The request as it came, in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

fn requested_identity(
    request: &X509CertificationRequest<'_>,
    policy: &CsrPolicy,
) -> Result<SpiffeId, Violation> {
    let mut requested: Option<&[X509Extension<'_>]> = None;
    for attribute in request.certification_request_info.iter_attributes() {
        // An attribute is a set: of two values, one signer would see the first, another both.
        let one_value = der_content(attribute.value).and_then(der_content);
        if let ParsedCriAttribute::ExtensionRequest(list) = attribute.parsed_attribute() {
            if requested.is_some() || one_value.is_none() {
                return Err(Violation::DuplicateExtension {
                    found: "request".to_owned(),
                });
            }
            requested = Some(&list.extensions);
        }
    }
    let list = requested.unwrap_or_default();
    for extension in list {
        let sensible = matches!(
            extension.parsed_extension(),
            ParsedExtension::SubjectAlternativeName(_)
                | ParsedExtension::KeyUsage(_)
                | ParsedExtension::ExtendedKeyUsage(_)
                | ParsedExtension::BasicConstraints(_)
                | ParsedExtension::SubjectKeyIdentifier(_)
                | ParsedExtension::ParseError { .. }
        );
        if !sensible {
            return Err(Violation::CsrExtension {
                found: extension.oid.to_id_string(),
            });
        }
    }
    let extensions = Extensions::read(list)?;
    rules::check_no_ca(&extensions)?;
    let usages = extensions.key_usages.unwrap_or_default();
    rules::check_key_usages(usages, KeyUsages::NONE, LEAF_USAGES)?;
    if extensions.purposes.is_some_and(|purposes| purposes.any) {
        return Err(Violation::AnyPurpose);
    }
    let uri = rules::check_names(extensions.names.as_ref(), policy.other_names)?;
    let identity = SpiffeId::parse(uri).map_err(Violation::Identity)?;
    check_ours(&identity, policy)?;
    Ok(identity)
}

fn check_ours(identity: &SpiffeId, policy: &CsrPolicy) -> Result<(), Violation> {
    let datacenter: &Datacenter = match identity {
        SpiffeId::Agent(id) => id.datacenter(),
        SpiffeId::Service(id) => id.datacenter(),
        SpiffeId::Signing(_) => {
            return Err(Violation::CsrIdentity {
                found: identity.to_string(),
            });
        }
    };
    if *datacenter != policy.datacenter {
        return Err(Violation::CsrDatacenter {
            found: datacenter.to_string(),
            allowed: policy.datacenter.to_string(),
        });
    }
    if *identity.trust_domain() != policy.trust_domain {
        return Err(Violation::CsrTrustDomain {
            found: identity.trust_domain().to_string(),
            allowed: policy.trust_domain.to_string(),
        });
    }
    Ok(())
}

/// Usages that a request may name; the certificate's are decided by policy, not by the request.
const LEAF_USAGES: KeyUsages = KeyUsages::DIGITAL_SIGNATURE
    .union(KeyUsages::KEY_ENCIPHERMENT)
    .union(KeyUsages::DATA_ENCIPHERMENT)
    .union(KeyUsages::KEY_AGREEMENT);

const MALFORMED: Violation = Violation::Malformed {
    what: "certificate signing request",
    allowed: "one DER request (PKCS #10) and nothing after it",
};

#[cfg(test)]
mod tests;
