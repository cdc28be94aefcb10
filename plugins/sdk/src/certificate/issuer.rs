//! A CA certificate together with its key: what signs.

use super::der::{Reader, Writer};
use super::extensions::{self, Constraints};
use super::write::{Draft, ca_extensions, check_uri, key_id, name};
use super::{Certificate, Facts};
use crate::{CrossSignRequest, Error, IntermediateTemplate, Key, LeafRequest, Timestamp, Validity};

/// A CA certificate together with its key. It signs what the templates say, and shortens each
/// life to its own.
///
/// ```no_run
/// use chancery_plugin::{Certificate, Error, Issuer, LeafRequest, keys, state};
///
/// fn sign_leaf(request: &LeafRequest) -> Result<Vec<Certificate>, Error> {
///     let none = || Error::refused("there is no root yet");
///     let root = Certificate::from_der(state::value("root").ok_or_else(none)?);
///     let issuer = Issuer::new(root, keys::open("root").ok_or_else(none)?)?;
///     issuer.leaf(request)
/// }
/// ```
#[derive(Debug)]
pub struct Issuer {
    key: Key,
    certificate: Certificate,
    links: Vec<Certificate>,
    name: Vec<u8>,
    key_id: Vec<u8>,
    algorithm: Vec<u8>,
    validity: Validity,
    path_length: Option<u8>,
    self_issued: bool,
}

impl Issuer {
    /// Joins a certificate and its key.
    ///
    /// # Errors
    /// [`Refused`](crate::ErrorKind::Refused) if they do not belong together, or if the
    /// certificate is no CA's or has no subject key identifier.
    pub fn new(certificate: Certificate, key: Key) -> Result<Self, Error> {
        let facts = certificate.read()?;
        if facts.public_key != key.public_key() {
            return Err(Error::refused(
                "the certificate is for another key than the one held",
            ));
        }
        let key_id = usable(&facts)?.to_vec();
        Ok(Self {
            name: facts.subject.to_vec(),
            key_id,
            algorithm: key.signature_algorithm(),
            validity: facts.validity,
            path_length: facts.path_length,
            self_issued: facts.is_self_issued(),
            links: Vec::new(),
            certificate,
            key,
        })
    }

    /// What stands between this certificate and the root, nearest first: it is sent along with
    /// leafs. Roots among them are left out.
    ///
    /// # Errors
    /// [`Refused`](crate::ErrorKind::Refused) if one of them is no certificate.
    pub fn with_links(mut self, links: Vec<Certificate>) -> Result<Self, Error> {
        for link in links {
            if !link.read()?.is_self_issued() {
                self.links.push(link);
            }
        }
        Ok(self)
    }

    /// The certificate that it signs under.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// When it counts.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// Whether it counts at that moment.
    #[must_use]
    pub const fn is_valid_at(&self, now: Timestamp) -> bool {
        self.validity.not_before <= now && now <= self.validity.not_after
    }

    /// Signs a leaf, and gives it with what links it to the root.
    ///
    /// # Errors
    /// [`Refused`](crate::ErrorKind::Refused) if the template cannot be written or has no life
    /// within the issuer's.
    pub fn leaf(&self, request: &LeafRequest) -> Result<Vec<Certificate>, Error> {
        let template = &request.template;
        check_uri(&template.uri)?;
        let subject = name(&template.common_name);
        let draft = Draft {
            serial: &template.serial,
            algorithm: &self.algorithm,
            issuer: &self.name,
            validity: self.shorten(template.validity)?,
            subject: &subject,
            public_key: &request.public_key,
        };
        let leaf = draft.sign(&self.key, |writer| {
            extensions::authority_key_id(writer, &self.key_id);
            extensions::uri(writer, &template.uri);
            extensions::key_usages(writer, template.key_usages);
            extensions::extended_key_usages(writer, &template.extended_key_usages);
            extensions::subject_key_id(writer, &key_id(&request.public_key));
            extensions::basic_constraints(writer, Constraints::Leaf);
        })?;
        let mut chain = vec![leaf];
        if !self.self_issued {
            chain.push(self.certificate.clone());
        }
        chain.extend_from_slice(&self.links);
        Ok(chain)
    }

    /// Signs an intermediate for the key `public_key` (a SubjectPublicKeyInfo, DER).
    ///
    /// # Errors
    /// As [`leaf`](Self::leaf), and if this issuer's path length is 0.
    pub fn intermediate(
        &self,
        public_key: &[u8],
        template: &IntermediateTemplate,
    ) -> Result<Certificate, Error> {
        self.may_sign_cas()?;
        check_uri(&template.uri)?;
        let subject = name(&template.common_name);
        let draft = Draft {
            serial: &template.serial,
            algorithm: &self.algorithm,
            issuer: &self.name,
            validity: self.shorten(template.validity)?,
            subject: &subject,
            public_key,
        };
        draft.sign(&self.key, |writer| {
            extensions::authority_key_id(writer, &self.key_id);
            let length = Some(template.path_length);
            ca_extensions(writer, &template.uri, &key_id(public_key), length);
        })
    }

    /// Signs another CA's root. Name, key and every extension but the authority key identifier
    /// are copied to the byte: a chain is built by comparing them.
    ///
    /// # Errors
    /// As [`intermediate`](Self::intermediate), and if `root` is no CA's certificate.
    pub fn cross_sign(&self, request: &CrossSignRequest) -> Result<Certificate, Error> {
        self.may_sign_cas()?;
        let foreign = request.root.read()?;
        usable(&foreign)?;
        let draft = Draft {
            serial: &request.serial,
            algorithm: &self.algorithm,
            issuer: &self.name,
            validity: self.shorten(request.validity)?,
            subject: foreign.subject,
            public_key: foreign.public_key,
        };
        draft.sign(&self.key, |writer| copy(writer, &foreign, &self.key_id))
    }

    /// Cuts `wanted` to the life of the issuer.
    ///
    /// # Errors
    /// [`Refused`](crate::ErrorKind::Refused) if nothing is left.
    pub fn shorten(&self, wanted: Validity) -> Result<Validity, Error> {
        shortened(wanted, self.validity)
    }

    fn may_sign_cas(&self) -> Result<(), Error> {
        if self.path_length == Some(0) {
            return Err(Error::refused(
                "the issuer's path length is 0: no CA may stand below it",
            ));
        }
        Ok(())
    }
}

/// What a CA elsewhere shall sign, under its certificate `issuer`, that puts its name and key over
/// a certificate as it stands and does not ask who signed that before, as the path
/// `sign-self-issued` of Vault and OpenBao: the foreign root with its own name as the issuer's, and
/// with the serial, the life (cut to that of `issuer`) and the authority key identifier that are
/// wanted. Its signature is none.
///
/// # Errors
/// [`Refused`](crate::ErrorKind::Refused) if one of both is no CA's certificate, or nothing is left
/// of the life.
pub fn unsigned_cross(
    request: &CrossSignRequest,
    issuer: &Certificate,
) -> Result<Certificate, Error> {
    let (foreign, own) = (request.root.read()?, issuer.read()?);
    usable(&foreign)?;
    let key_id = usable(&own)?;
    let draft = Draft {
        serial: &request.serial,
        algorithm: foreign.signature_algorithm,
        issuer: foreign.subject,
        validity: shortened(request.validity, own.validity)?,
        subject: foreign.subject,
        public_key: foreign.public_key,
    };
    draft.unsigned(|writer| copy(writer, &foreign, key_id))
}

/// The extensions of a foreign root, with who signs it now.
fn copy(writer: &mut Writer, foreign: &Facts<'_>, signed_by: &[u8]) {
    extensions::authority_key_id(writer, signed_by);
    let mut reader = Reader::new(foreign.extensions);
    while let Some(extension) = extensions::read(&mut reader) {
        if extension.oid != extensions::AUTHORITY_KEY_ID {
            writer.raw(extension.raw);
        }
    }
}

fn shortened(wanted: Validity, own: Validity) -> Result<Validity, Error> {
    let cut = Validity {
        not_before: wanted.not_before.max(own.not_before),
        not_after: wanted.not_after.min(own.not_after),
    };
    if cut.not_before < cut.not_after {
        return Ok(cut);
    }
    Err(Error::refused(format!(
        "a certificate from second {} to {} has no life within its issuer's, {} to {}",
        wanted.not_before, wanted.not_after, own.not_before, own.not_after
    )))
}

/// The key identifier of a certificate that may sign.
fn usable<'a>(facts: &Facts<'a>) -> Result<&'a [u8], Error> {
    if !facts.ca {
        return Err(Error::refused("the certificate is no CA"));
    }
    facts
        .subject_key_id
        .ok_or_else(|| Error::refused("the certificate has no subject key identifier"))
}
