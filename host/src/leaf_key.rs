//! A service's new key and the request for its certificate.

use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _};
use chancery_core::{
    CheckedCsr, CsrPolicy, Datacenter, Secret, SignatureCheck, SpiffeId, TrustDomain, Violation,
    common_name,
};
use chancery_providers::KeySpec;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PublicKeyData, RsaKeySize, SanType,
    SignatureAlgorithm, SigningKey,
};
use zeroize::Zeroizing;

use crate::crypto;

/// A new key and the request for its certificate. The key leaves this agent only towards its
/// service.
///
/// There is no other way to one than [`LeafKey::make`], so whoever has one knows that the
/// request was signed by the key that came into being with it.
pub(crate) struct LeafKey {
    csr: Vec<u8>,
    pem: Secret,
}

impl LeafKey {
    /// A key of `kind`, whatever the CA's own key is.
    ///
    /// RSA takes up to seconds, so it never happens on a worker of the runtime.
    pub(crate) async fn make(identity: &SpiffeId, kind: KeySpec) -> Result<Self, String> {
        if !kind.is_rsa() {
            return Self::make_now(identity, kind);
        }
        let identity = identity.clone();
        tokio::task::spawn_blocking(move || Self::make_now(&identity, kind))
            .await
            .map_err(|error| said("making a key was cut off", &error))?
    }

    fn make_now(identity: &SpiffeId, kind: KeySpec) -> Result<Self, String> {
        let key = PrivateKey::generate(kind)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        if let Some(name) = common_name(identity) {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        let uri = identity
            .to_string()
            .try_into()
            .map_err(|error| said("the SPIFFE ID is no URI", &error))?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        let csr = match &key.signer {
            Signer::Elliptic(signer) => params.serialize_request(signer),
            Signer::Other(signer) => params.serialize_request(&**signer),
        };
        let csr = csr.map_err(|error| said("the request cannot be made", &error))?;
        Ok(Self {
            csr: csr.der().to_vec(),
            pem: key.pem,
        })
    }

    /// The request, checked as any other but for its signature: what [`LeafKey::make`] has just
    /// signed need not show that it holds the key. Verifying took a third of a leaf's time.
    pub(crate) fn request(
        &self,
        trust_domain: TrustDomain,
        datacenter: Datacenter,
    ) -> Result<CheckedCsr, Violation> {
        let mut policy = CsrPolicy::new(trust_domain, datacenter);
        policy.signature = SignatureCheck::ParseOnly;
        CheckedCsr::parse(&self.csr, crypto::algorithms(), &policy)
    }

    /// The key in PEM, in the form that Consul's clients expect of its kind: SEC1 (RFC 5915) for
    /// elliptic curves, PKCS #1 for RSA; PKCS #8 for Ed25519, which has no other.
    pub(crate) fn into_pem(self) -> Secret {
        self.pem
    }
}

struct PrivateKey {
    signer: Signer,
    pem: Secret,
}

enum Signer {
    Elliptic(Elliptic),
    Other(Zeroizing<KeyPair>),
}

/// A key as it was made. rcgen's own kind would have it encoded, read back and checked again,
/// which takes longer than making it.
struct Elliptic {
    key: EcdsaKeyPair,
    algorithm: &'static SignatureAlgorithm,
}

impl PublicKeyData for Elliptic {
    fn der_bytes(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

impl SigningKey for Elliptic {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature = self.key.sign(&SystemRandom::new(), message);
        let signature = signature.map_err(|_unspecified| rcgen::Error::RemoteKeyError)?;
        Ok(signature.as_ref().to_vec())
    }
}

impl PrivateKey {
    fn generate(kind: KeySpec) -> Result<Self, String> {
        match kind {
            KeySpec::EcP256 => Self::elliptic(
                &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
                &rcgen::PKCS_ECDSA_P256_SHA256,
            ),
            KeySpec::EcP384 => Self::elliptic(
                &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
                &rcgen::PKCS_ECDSA_P384_SHA384,
            ),
            KeySpec::EcP521 => Self::elliptic(
                &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
                &rcgen::PKCS_ECDSA_P521_SHA512,
            ),
            KeySpec::Ed25519 => {
                let signer = KeyPair::generate_for(&rcgen::PKCS_ED25519).map_err(not_made)?;
                let pem = pem("PRIVATE KEY", signer.serialized_der());
                Ok(Self::other(signer, pem))
            }
            KeySpec::Rsa2048 => Self::rsa(RsaKeySize::_2048),
            KeySpec::Rsa4096 => Self::rsa(RsaKeySize::_4096),
            // A kind that a newer library knows; this host would have to know its PEM form.
            other => Err(format!("this agent makes no {other} keys for leafs")),
        }
    }

    fn elliptic(
        curve: &'static EcdsaSigningAlgorithm,
        algorithm: &'static SignatureAlgorithm,
    ) -> Result<Self, String> {
        let key = EcdsaKeyPair::generate(curve).map_err(not_made)?;
        let sec1: EcPrivateKeyRfc5915Der<'_> = key.private_key().as_der().map_err(not_encoded)?;
        let pem = pem("EC PRIVATE KEY", sec1.as_ref());
        let signer = Signer::Elliptic(Elliptic { key, algorithm });
        Ok(Self { signer, pem })
    }

    fn rsa(size: RsaKeySize) -> Result<Self, String> {
        let signer = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).map_err(not_made)?;
        let pkcs1 = inner_key(signer.serialized_der())
            .ok_or_else(|| "the new key is not in PKCS #8".to_owned())?;
        let pem = pem("RSA PRIVATE KEY", pkcs1);
        Ok(Self::other(signer, pem))
    }

    fn other(signer: KeyPair, pem: Secret) -> Self {
        Self {
            signer: Signer::Other(Zeroizing::new(signer)),
            pem,
        }
    }
}

fn said(what: &str, error: &dyn std::fmt::Display) -> String {
    format!("{what}: {error}")
}

fn not_made(error: impl std::fmt::Display) -> String {
    said("no key could be made", &error)
}

fn not_encoded(error: impl std::fmt::Display) -> String {
    said("the new key cannot be encoded", &error)
}

/// What PKCS #8 wraps (RFC 5208 §5): the third field of the outer sequence, an octet string.
fn inner_key(pkcs8: &[u8]) -> Option<&[u8]> {
    let (outer, _) = value_of(0x30, pkcs8)?;
    let (_version, rest) = value_of(0x02, outer)?;
    let (_algorithm, rest) = value_of(0x30, rest)?;
    let (key, _attributes) = value_of(0x04, rest)?;
    Some(key)
}

/// Splits the DER value with this tag off the front.
fn value_of(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = bytes
                .iter()
                .fold(0, |length, byte| (length << 8) | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// A block of PEM.
pub(crate) fn pem(label: &str, der: &[u8]) -> Secret {
    use base64::Engine as _;
    let body = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(der));
    // Reserved in one piece: growing would leave parts of the key in freed memory.
    let mut pem = Vec::with_capacity(body.len() + body.len() / 64 + 2 * label.len() + 48);
    pem.extend_from_slice(format!("-----BEGIN {label}-----\n").as_bytes());
    for line in body.as_bytes().chunks(64) {
        pem.extend_from_slice(line);
        pem.push(b'\n');
    }
    pem.extend_from_slice(format!("-----END {label}-----\n").as_bytes());
    Secret::new(pem)
}

#[cfg(test)]
mod tests {
    use chancery_core::KeyPolicy;
    use rustls_pki_types::PrivateKeyDer;
    use rustls_pki_types::pem::PemObject as _;

    use super::*;

    #[tokio::test]
    async fn each_kind_has_the_pem_of_consul_and_tls_stacks_load_it() {
        let identity = SpiffeId::parse("spiffe://a.consul/ns/default/dc/dc1/svc/web").unwrap();
        for (kind, label) in [
            (KeySpec::EcP256, "EC PRIVATE KEY"),
            (KeySpec::EcP384, "EC PRIVATE KEY"),
            (KeySpec::EcP521, "EC PRIVATE KEY"),
            (KeySpec::Ed25519, "PRIVATE KEY"),
            (KeySpec::Rsa2048, "RSA PRIVATE KEY"),
        ] {
            let request = LeafKey::make(&identity, kind).await.unwrap();
            let pem = request.pem.expose();
            let first = format!("-----BEGIN {label}-----\n");
            assert!(pem.starts_with(first.as_bytes()), "{kind}");
            let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
            let is_of_form = match label {
                "EC PRIVATE KEY" => matches!(key, PrivateKeyDer::Sec1(_)),
                "RSA PRIVATE KEY" => matches!(key, PrivateKeyDer::Pkcs1(_)),
                _ => matches!(key, PrivateKeyDer::Pkcs8(_)),
            };
            assert!(is_of_form, "{kind}");
            rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
            let mut policy = CsrPolicy::new(
                identity.trust_domain().clone(),
                Datacenter::parse("dc1").unwrap(),
            );
            policy.keys = KeyPolicy::peer();
            CheckedCsr::parse(&request.csr, crypto::algorithms(), &policy).unwrap();
        }
    }

    #[test]
    fn what_is_not_pkcs8_has_no_key_inside() {
        for der in [
            &[][..],
            &[0x30],
            &[0x30, 0x05, 0x02, 0x01, 0x00],
            &[0x31, 0x00],
        ] {
            assert_eq!(inner_key(der), None);
        }
        let wrapped = [
            0x30, 0x0a, 0x02, 0x01, 0x00, 0x30, 0x00, 0x04, 0x03, 1, 2, 3,
        ];
        assert_eq!(inner_key(&wrapped), Some(&[1, 2, 3][..]));
    }
}
