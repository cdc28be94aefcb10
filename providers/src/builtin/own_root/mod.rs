//! A root of one's own: `PrivateKey`, `RootCert` and `ExternalIntermediate`.
//!
//! | `PrivateKey` | `RootCert` | `ExternalIntermediate` | what signs leafs |
//! |---|---|---|---|
//! | – | – | – | a root that is made here, with a key that is made here |
//! | key | – | – | a root that is made here, with that key |
//! | key | root | – | that root |
//! | key | intermediate … root | – | that intermediate; the root is only trusted |
//! | – | root | true | an intermediate whose key is made here and that somebody signs by hand |
//!
//! Everything that would make leafs invalid later is refused when it is configured. Consul
//! takes all of it and fails at the next rotation.

mod vet;

use std::sync::Arc;

use chancery_core::{Printable, Secret, certificates_from_pem};
use rustls_pki_types::CertificateDer;

pub(super) use self::vet::{Expectations, vet, vet_external};
use super::basis::Basis;
use super::import::read_key;
use super::issuer::{Issuer, is_self_issued, parse};
use super::keys::CaKey;
use crate::options::Decoder;
use crate::{CaOptions, KeySpec, OptionMap, ProviderError, SecretOptions};

/// Where the root comes from, and what signs under it.
#[derive(Clone)]
pub(super) enum Source {
    /// The root and its key are made here.
    Made(KeySpec),
    /// The root is made here, with the operator's key.
    Key(Arc<CaKey>),
    /// The operator's root signs.
    Root(Arc<Issuer>),
    /// The operator's intermediate signs, the key of its root is elsewhere.
    Chain(Arc<Chain>),
    /// The operator's root, under which an intermediate is signed elsewhere.
    Offline(CertificateDer<'static>),
}

/// An intermediate with its key, and what is above it.
pub(super) struct Chain {
    pub(super) issuer: Arc<Issuer>,
    /// Between the intermediate and the root.
    pub(super) links: Arc<[CertificateDer<'static>]>,
    pub(super) root: CertificateDer<'static>,
}

impl Default for Source {
    fn default() -> Self {
        Self::Made(KeySpec::EcP256)
    }
}

impl Source {
    /// What the options say of the root: see [`Basis`].
    pub(super) fn basis(&self) -> Basis {
        match self {
            Self::Made(key) => Basis::made(&(*key).into()),
            Self::Key(key) => Basis::given("key", [key.public_key()]),
            Self::Root(issuer) => Basis::given("root", [issuer.certificate().to_vec()]),
            Self::Chain(chain) => Basis::given(
                "chain",
                std::iter::once(chain.issuer.certificate())
                    .chain(chain.links.iter())
                    .chain([&chain.root])
                    .map(|certificate| certificate.to_vec()),
            ),
            Self::Offline(root) => Basis::given("offline", [root.to_vec()]),
        }
    }

    /// Whether the root's key is here.
    pub(super) const fn has_root_key(&self) -> bool {
        match self {
            Self::Made(_) | Self::Key(_) | Self::Root(_) => true,
            Self::Chain(_) | Self::Offline(_) => false,
        }
    }

    /// The root, if the operator gave it.
    pub(super) fn given_root(&self) -> Option<&CertificateDer<'static>> {
        match self {
            Self::Made(_) | Self::Key(_) => None,
            Self::Root(issuer) => Some(issuer.certificate()),
            Self::Chain(chain) => Some(&chain.root),
            Self::Offline(root) => Some(root),
        }
    }
}

/// The options, of the right types and in combinations that make sense.
pub(super) struct Given {
    certificates: String,
    key: Option<Secret>,
    cross_signing: bool,
}

impl Given {
    /// Decodes; refuses combinations that nothing can be made of.
    pub(super) fn decode(
        options: &OptionMap,
        secrets: &SecretOptions,
    ) -> Result<Self, ProviderError> {
        let mut decoder = Decoder::new(options);
        let certificates = decoder.text("RootCert", "");
        let external = decoder.bool("ExternalIntermediate", false);
        let disabled = decoder.bool("DisableCrossSigning", false);
        decoder.finish()?;
        if certificates.contains("PRIVATE KEY") {
            return Err(ProviderError::misconfigured(
                "RootCert holds a private key: that belongs into PrivateKey alone, which is sealed \
                 and never shown",
            ));
        }
        let key = secrets.find("PrivateKey").cloned();
        let problem = match (external, certificates.is_empty(), &key) {
            (false, false, None) => "must provide a private key when providing a root cert",
            (true, true, _) => {
                "ExternalIntermediate needs RootCert: the root under which the intermediate is \
                 signed"
            }
            (true, false, Some(_)) => {
                "ExternalIntermediate is for a root whose key stays elsewhere: leave out \
                 PrivateKey, or leave out ExternalIntermediate to sign with the key"
            }
            _ => {
                return Ok(Self {
                    certificates,
                    key,
                    cross_signing: !disabled,
                });
            }
        };
        Err(ProviderError::misconfigured(problem))
    }

    /// Whether other CAs' roots may be signed.
    pub(super) const fn cross_signing(&self) -> bool {
        self.cross_signing
    }

    /// Reads the PEM, and joins the key and its certificate.
    pub(super) fn read(self, options: &CaOptions) -> Result<Source, ProviderError> {
        let key = self
            .key
            .as_ref()
            .map(|pem| read_key("PrivateKey", pem))
            .transpose()?;
        if self.certificates.is_empty() {
            return Ok(key.map_or(Source::Made(options.private_key), |key| {
                Source::Key(Arc::new(key))
            }));
        }
        let mut chain = read_chain(&self.certificates)?;
        let Some(root) = chain.pop() else {
            return Err(ProviderError::misconfigured(NO_CERTIFICATE));
        };
        let Some(key) = key else {
            return match chain.len() {
                0 => Ok(Source::Offline(root)),
                more => Err(ProviderError::misconfigured(format!(
                    "RootCert must be the root alone with ExternalIntermediate, it holds {} \
                     certificates",
                    more + 1
                ))),
            };
        };
        if chain.is_empty() {
            return Ok(Source::Root(Arc::new(join(root, key)?)));
        }
        let links = chain.split_off(1);
        let Some(first) = chain.pop() else {
            return Err(ProviderError::misconfigured(NO_CERTIFICATE));
        };
        Ok(Source::Chain(Arc::new(Chain {
            issuer: Arc::new(join(first, key)?),
            links: links.into(),
            root,
        })))
    }
}

/// The chain of `RootCert`, which ends with a root and has no other.
fn read_chain(text: &str) -> Result<Vec<CertificateDer<'static>>, ProviderError> {
    let chain: Vec<CertificateDer<'static>> = certificates_from_pem(text.as_bytes())
        .ok()
        .ok_or_else(|| ProviderError::misconfigured(NO_CERTIFICATE))?
        .into_iter()
        .map(CertificateDer::from)
        .collect();
    if chain.len() > MOST_CERTIFICATES {
        return Err(ProviderError::misconfigured(format!(
            "RootCert holds {} certificates, allowed are {MOST_CERTIFICATES}",
            chain.len()
        )));
    }
    for (position, certificate) in chain.iter().enumerate() {
        let place = position + 1;
        let parsed = parse(certificate).map_err(|error| {
            ProviderError::misconfigured(format!("RootCert: certificate {place}: {error}"))
        })?;
        let last = place == chain.len();
        let subject = parsed.subject().to_string();
        let subject = Printable::new(&subject);
        match (last, is_self_issued(&parsed)) {
            (true, false) => {
                let issuer = parsed.issuer().to_string();
                return Err(ProviderError::misconfigured(format!(
                    "RootCert must end with a root: the last certificate, \"{subject}\", was \
                     issued by \"{}\", which is not there",
                    Printable::new(&issuer)
                )));
            }
            (false, true) => {
                return Err(ProviderError::misconfigured(format!(
                    "RootCert must hold one root, and at its end: certificate {place}, \
                     \"{subject}\", is a root and {} more follow",
                    chain.len() - place
                )));
            }
            _ => {}
        }
    }
    Ok(chain)
}

fn join(certificate: CertificateDer<'static>, key: CaKey) -> Result<Issuer, ProviderError> {
    let parsed = parse(&certificate)?;
    if parsed.public_key().raw != key.public_key() {
        let subject = parsed.subject().to_string();
        return Err(ProviderError::misconfigured(format!(
            "PrivateKey does not belong to the first certificate in RootCert, \"{}\": it is \
             another key",
            Printable::new(&subject)
        )));
    }
    Issuer::new(certificate.clone(), key)
        .map_err(|error| ProviderError::misconfigured(format!("RootCert: {error}")))
}

const NO_CERTIFICATE: &str = "RootCert holds no certificate in PEM";
/// A leaf and as many come with each handshake.
const MOST_CERTIFICATES: usize = 4;

#[cfg(test)]
mod tests;
