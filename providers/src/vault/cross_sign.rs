//! Another CA's root under this one's.
//!
//! `sign-intermediate` takes name, key and extensions from a CSR, if it is told to. Whoever holds
//! the root's key can make one.
//!
//! `sign-self-issued` puts our key and name over a certificate and changes nothing else, so
//! that name, key, identifier and usages stay to the byte; but serial and validity stay too, and
//! if both roots have the same name even whose key has signed. It does not ask whether the
//! certificate is signed. So it is given one that is not: the foreign root with the serial, the
//! validity and the authority key identifier that are wanted.

use chancery_core::{CheckedRoot, Serial, Timestamp};
use rustls_pki_types::CertificateDer;

use super::der::{self, GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME};
use super::endpoints::{SignRequest, SignSelfIssued};
use super::held::{Root, read};
use super::intermediate::Signed;
use super::issuers;
use super::pem;
use super::root::backdated;
use super::root_csr;
use super::session::Session;
use crate::{CrossSignRequest, ErrorKind, ProviderError};

/// Signs the foreign root.
///
/// One whose key is in the root mount, as after a change of nothing but the key, asks for it in a
/// CSR, and so does one that came with a request; neither takes `sudo`. Any other is signed as it
/// stands, if `any_root` is allowed.
pub(super) async fn cross_sign(
    session: &Session,
    root: &Root,
    request: &CrossSignRequest,
    any_root: bool,
) -> Result<CertificateDer<'static>, ProviderError> {
    CheckedRoot::restore(&request.root).map_err(|violation| {
        ProviderError::refused(format!("this root cannot be cross-signed: {violation}"))
    })?;
    let begin = request.validity.not_before.max(root.issuer.not_before());
    let end = request.validity.not_after.min(root.issuer.not_after());
    if begin >= end {
        return Err(ProviderError::refused(format!(
            "the root ends at {end}, before the cross-signed certificate would begin at {begin}"
        )));
    }
    if let Some(key_id) = neighbour(session, root, &request.root).await?
        && let Some(csr) =
            root_csr::of_key(session, &root.signer.place, &request.root, key_id).await?
        && let Some(signed) = by_request(session, root, request, csr, end).await?
    {
        return Ok(signed);
    }
    if let Some(csr) = &request.csr {
        let csr = pem::of_request(csr);
        match by_request(session, root, request, csr, end).await {
            Ok(None) => {}
            // What is not signed so may be signed the other way.
            Err(error) if any_root && error.kind() == ErrorKind::Refused => {}
            Ok(Some(signed)) => return Ok(signed),
            Err(error) => return Err(error),
        }
    }
    if !any_root {
        return Err(lacks_sudo(&root.signer.place.mount, request));
    }
    as_it_stands(session, root, request, [begin, end]).await
}

fn lacks_sudo(mount: &str, request: &CrossSignRequest) -> ProviderError {
    let why = match request.csr {
        Some(_) => "what Vault makes of the request for this root cannot stand in for it",
        None => "this root comes without a request made with its key",
    };
    ProviderError::refused(format!(
        "{why}, and the Vault token may not sign a root of another CA as it stands, add to its \
         policy:\n\npath \"{mount}/issuer/+/sign-self-issued\" {{ capabilities = [\"sudo\", \
         \"update\"] }}\n"
    ))
}

/// The id of the foreign root's key, if that is in the mount of this root.
async fn neighbour(
    session: &Session,
    root: &Root,
    foreign: &CertificateDer<'static>,
) -> Result<Option<String>, ProviderError> {
    let place = &root.signer.place;
    for issuer in issuers::listed(session, place).await? {
        if issuer.key_id.is_empty() || issuer.issuer_id == root.signer.issuer_id {
            continue;
        }
        let chain = issuers::read(session, place, &issuer.issuer_id).await?;
        if chain.unwrap_or_default().first() == Some(foreign) {
            return Ok(Some(issuer.key_id));
        }
    }
    Ok(None)
}

/// `None` if what comes of it cannot stand in for the foreign root: HashiCorp's Vault, say, writes
/// a name anew.
async fn by_request(
    session: &Session,
    root: &Root,
    request: &CrossSignRequest,
    csr: String,
    end: Timestamp,
) -> Result<Option<CertificateDer<'static>>, ProviderError> {
    let place = &root.signer.place;
    let foreign = read(&request.root)?;
    let path_length = foreign.path_length().map(i32::try_from);
    let call = SignRequest {
        mount: place.mount.clone(),
        issuer: root.signer.issuer_id.clone(),
        csr,
        max_path_length: path_length.and_then(Result::ok).unwrap_or(-1),
        not_after: end.to_string(),
        not_before_duration: backdated(request.validity.not_before, &root.issuer),
        skid: foreign.subject_key_id().to_string(),
        use_csr_values: true,
    };
    let signed: Signed = match session.call(place, call).await {
        Ok(signed) => signed,
        Err(failure) => return Err(session.explain(failure).await),
    };
    let certificate = pem::certificate(&signed.certificate)?;
    let made = read(&certificate)?;
    let same = made.subject_der() == foreign.subject_der()
        && made.spki_der() == foreign.spki_der()
        && made.subject_key_id() == foreign.subject_key_id();
    Ok(same.then_some(certificate))
}

async fn as_it_stands(
    session: &Session,
    root: &Root,
    request: &CrossSignRequest,
    validity: [Timestamp; 2],
) -> Result<CertificateDer<'static>, ProviderError> {
    let wanted = Wanted {
        serial: &request.serial,
        validity,
        authority_key_id: root.issuer.subject_key_id().as_bytes(),
    };
    let wanted = wanted.written_into(&request.root).ok_or_else(|| {
        ProviderError::refused("this root cannot be cross-signed: it is not well-formed DER")
    })?;
    let call = SignSelfIssued {
        mount: root.signer.place.mount.clone(),
        issuer: root.signer.issuer_id.clone(),
        certificate: pem::of_certificate(&wanted),
    };
    match session.call::<Signed>(&root.signer.place, call).await {
        Ok(signed) => pem::certificate(&signed.certificate),
        Err(failure) => Err(session.explain(failure).await),
    }
}

/// What the certificate says otherwise than the foreign root.
struct Wanted<'a> {
    serial: &'a Serial,
    validity: [Timestamp; 2],
    authority_key_id: &'a [u8],
}

impl Wanted<'_> {
    /// `certificate` with these fields; its signature no longer fits.
    fn written_into(&self, certificate: &[u8]) -> Option<Vec<u8>> {
        let (outer, rest) = der::split(certificate)?;
        let parts = der::elements(outer.content)?;
        let [tbs, algorithm, signature] = parts.as_slice() else {
            return None;
        };
        if outer.tag != SEQUENCE || !rest.is_empty() {
            return None;
        }
        let mut whole = self.tbs(tbs.content)?;
        whole.extend_from_slice(algorithm.whole);
        whole.extend_from_slice(signature.whole);
        Some(der::element(SEQUENCE, &whole))
    }

    fn tbs(&self, content: &[u8]) -> Option<Vec<u8>> {
        let fields = der::elements(content)?;
        let [version, _serial, algorithm, issuer, _validity, after @ ..] = fields.as_slice() else {
            return None;
        };
        let mut content = version.whole.to_vec();
        content.extend(der::element(INTEGER, &unsigned(self.serial.as_bytes())));
        content.extend_from_slice(algorithm.whole);
        content.extend_from_slice(issuer.whole);
        let validity = self.validity.map(time).concat();
        content.extend(der::element(SEQUENCE, &validity));
        for field in after {
            match field.tag {
                EXTENSIONS => content.extend(self.extensions(field.content)?),
                _ => content.extend_from_slice(field.whole),
            }
        }
        Some(der::element(SEQUENCE, &content))
    }

    fn extensions(&self, content: &[u8]) -> Option<Vec<u8>> {
        let (list, _) = der::split(content)?;
        let mut kept = Vec::new();
        for extension in der::elements(list.content)? {
            if !extension.content.starts_with(AUTHORITY_KEY_ID) {
                kept.extend_from_slice(extension.whole);
            }
        }
        let key_id = der::element(KEY_ID, self.authority_key_id);
        let value = der::element(OCTET_STRING, &der::element(SEQUENCE, &key_id));
        let own = [AUTHORITY_KEY_ID, value.as_slice()].concat();
        kept.extend(der::element(SEQUENCE, &own));
        let list = der::element(SEQUENCE, &kept);
        Some(der::element(EXTENSIONS, &list))
    }
}

/// A number that is not negative, in as few octets as DER wants.
fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let significant = bytes.iter().position(|byte| *byte != 0).unwrap_or(0);
    let bytes = bytes.get(significant..).unwrap_or_default();
    let mut number = Vec::with_capacity(bytes.len() + 1);
    if bytes.first().is_none_or(|first| *first >= 0x80) {
        number.push(0);
    }
    number.extend_from_slice(bytes);
    number
}

/// UTCTime until 2049, GeneralizedTime from then on (RFC 5280 §4.1.2.5).
fn time(moment: Timestamp) -> Vec<u8> {
    let (year, month, day, hour, minute, second) = moment.civil();
    let rest = format!("{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    if (1950..2050).contains(&year) {
        let short = year % 100;
        return der::element(UTC_TIME, format!("{short:02}{rest}").as_bytes());
    }
    der::element(GENERALIZED_TIME, format!("{year:04}{rest}").as_bytes())
}

/// `[3]`, the last field of a certificate of version 3.
const EXTENSIONS: u8 = 0xa3;
/// `[0] IMPLICIT` in AuthorityKeyIdentifier.
const KEY_ID: u8 = 0x80;
const OCTET_STRING: u8 = 0x04;
/// The object identifier 2.5.29.35.
const AUTHORITY_KEY_ID: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x23];
