//! A request that an authority makes for another certificate of its own.

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use super::Issuer;
use crate::certificate::{Algorithms, CheckedCsr, Violation, signature};

impl Issuer {
    /// That `request`, a PKCS #10 in DER, asks for a certificate of this authority's name and was
    /// made with its key: what an authority that signs only requests is given in place of this
    /// certificate.
    ///
    /// A name that says the same in other bytes is another one: no chain through it would close.
    /// What else the request asks for is not looked at; what comes of it is to be checked.
    ///
    /// # Errors
    /// The first rule that the request breaks.
    pub fn check_own_request(
        &self,
        request: &[u8],
        algorithms: Algorithms<'_>,
    ) -> Result<(), Violation> {
        if request.len() > CheckedCsr::MAX_BYTES {
            return Err(Violation::CsrTooLarge {
                found: request.len(),
                allowed: CheckedCsr::MAX_BYTES,
            });
        }
        let Ok(([], parsed)) = X509CertificationRequest::from_der(request) else {
            return Err(Violation::Malformed {
                what: "certificate signing request",
                allowed: "one DER request (PKCS #10) and nothing after it",
            });
        };
        let info = &parsed.certification_request_info;
        if info.subject_pki.raw != self.spki_der {
            return Err(Violation::CsrKey {
                allowed: self.subject.clone(),
            });
        }
        if info.subject.as_raw() != self.subject_der {
            return Err(Violation::CsrSubject {
                found: info.subject.to_string(),
                allowed: self.subject.clone(),
            });
        }
        signature::check_envelope(request, info.raw, &parsed.signature_algorithm)?;
        signature::verify(
            algorithms,
            &info.subject_pki,
            &parsed.signature_algorithm,
            info.raw,
            &parsed.signature_value.data,
            || format!("request of {}", self.subject),
        )
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair};

    use super::*;
    use crate::certificate::testing::{TestCa, algorithms, assert_breaks, ca_params};

    fn request(key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = ca_params("Old Root").distinguished_name;
        change(&mut params);
        params.serialize_request(key).unwrap().der().to_vec()
    }

    #[test]
    fn a_request_for_the_same_name_with_the_same_key_is_good() {
        let ca = TestCa::root("Old Root");
        let good = request(&ca.key, |_| {});
        let root = ca.checked();
        root.issuer()
            .check_own_request(&good, algorithms())
            .unwrap();
    }

    #[test]
    fn another_key_another_name_and_a_broken_signature_are_refused() {
        let ca = TestCa::root("Old Root");
        let root = ca.checked();
        let check = |der: &[u8]| root.issuer().check_own_request(der, algorithms());

        let stranger = request(&KeyPair::generate().unwrap(), |_| {});
        assert_breaks(check(&stranger), "CsrKey");
        let renamed = request(&ca.key, |csr| {
            csr.distinguished_name = ca_params("New Root").distinguished_name;
        });
        assert_breaks(check(&renamed), "CsrSubject");
        // The same letters in other bytes.
        let rewritten = request(&ca.key, |csr| {
            let name = DnValue::PrintableString("Old Root".try_into().unwrap());
            csr.distinguished_name = rcgen::DistinguishedName::new();
            csr.distinguished_name.push(DnType::CommonName, name);
        });
        assert_breaks(check(&rewritten), "CsrSubject");

        let good = request(&ca.key, |_| {});
        let mut spoilt = good.clone();
        *spoilt.last_mut().unwrap() ^= 1;
        assert_breaks(check(&spoilt), "Signature");
        let longer = [good.as_slice(), &[0]].concat();
        assert_breaks(check(&longer), "Malformed");
        assert_breaks(check(b"<html>"), "Malformed");
        assert_breaks(check(&[0x30; CheckedCsr::MAX_BYTES + 1]), "CsrTooLarge");
    }
}
