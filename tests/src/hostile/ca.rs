//! A certificate authority that signs whatever it is told to.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, Error, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SigningKey as _,
};

/// A root or intermediate with its key, for tests that need certificates nobody would make.
#[derive(Debug)]
pub struct TestCa {
    params: CertificateParams,
    key: KeyPair,
    der: Vec<u8>,
    pem: String,
    trust_domain: String,
    now: i64,
}

impl TestCa {
    /// A new root for `trust_domain`, valid from a day before to a year after `now` (seconds
    /// since the Unix epoch).
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn root(trust_domain: &str, now: i64) -> Result<Self, Error> {
        Self::root_named("hostile test root", trust_domain, now)
    }

    /// The same with a subject of its own.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn root_named(name: &str, trust_domain: &str, now: i64) -> Result<Self, Error> {
        let params = ca_params(name, trust_domain, now)?;
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            params,
            key,
            der: certificate.der().to_vec(),
            pem: certificate.pem(),
            trust_domain: trust_domain.to_owned(),
            now,
        })
    }

    /// An intermediate under this CA, changed by `change` before it is signed.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn intermediate(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<Self, Error> {
        let mut params = ca_params(name, &self.trust_domain, self.now)?;
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let key = KeyPair::generate()?;
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&key, &issuer)?;
        Ok(Self {
            params,
            key,
            der: certificate.der().to_vec(),
            pem: certificate.pem(),
            trust_domain: self.trust_domain.clone(),
            now: self.now,
        })
    }

    /// A leaf for the service `web`, changed by `change`, and its key (PKCS #8).
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn leaf(
        &self,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let name = "web.svc.default.hostile.consul";
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = vec![uri(&self.uri("web"))?];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        params.serial_number = Some(SerialNumber::from_slice(&[0x12, 0x34]));
        params.use_authority_key_identifier_extension = true;
        self.set_validity(&mut params, -60, 3600);
        change(&mut params);
        let key = KeyPair::generate()?;
        Ok((self.sign(&params, &key)?, key.serialize_der()))
    }

    /// Signs any parameters for any key.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn sign(
        &self,
        params: &CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<Vec<u8>, Error> {
        let issuer = Issuer::from_params(&self.params, &self.key);
        Ok(params.signed_by(key, &issuer)?.der().to_vec())
    }

    /// Replaces the first `from` in the signed part of `der` by `to`, of the same length, and
    /// signs it anew: for what rcgen refuses to write.
    ///
    /// # Errors
    /// When `from` is not there, or signing fails.
    pub fn forge(&self, der: &[u8], from: &[u8], to: &[u8]) -> Result<Vec<u8>, Error> {
        let missing = || Error::CouldNotParseCertificate;
        let (_, inside) = split_value(der).ok_or_else(missing)?;
        let signed_length = value_length(inside).ok_or_else(missing)?;
        let (signed, rest) = inside.split_at(signed_length);
        let algorithm_length = value_length(rest).ok_or_else(missing)?;
        let (algorithm, _) = rest.split_at(algorithm_length);
        let position = signed.windows(from.len()).position(|part| part == from);
        let (before, at) = signed.split_at(position.ok_or_else(missing)?);
        let (_, after) = at.split_at(from.len());
        let forged = [before, to, after].concat();
        let signature = self.key.sign(&forged)?;
        let bits = wrap(0x03, &[&[0], signature.as_slice()].concat());
        Ok(wrap(0x30, &[&forged, algorithm, &bits].concat()))
    }

    /// Sets a validity in seconds from this CA's `now`.
    pub fn set_validity(&self, params: &mut CertificateParams, from: i64, to: i64) {
        set_validity(params, self.now + from, self.now + to);
    }

    /// The SPIFFE ID of a service of this trust domain, its name as it is given.
    #[must_use]
    pub fn uri(&self, service: &str) -> String {
        format!(
            "spiffe://{}/ns/default/dc/dc1/svc/{service}",
            self.trust_domain
        )
    }

    /// The trust domain.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// What every test takes for the present, in seconds since the Unix epoch.
    #[must_use]
    pub const fn now(&self) -> i64 {
        self.now
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The key in PEM, to configure an agent's built-in provider with.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The key in DER (PKCS #8).
    #[must_use]
    pub fn key_pkcs8(&self) -> Vec<u8> {
        self.key.serialize_der()
    }
}

/// A URI for the subject alternative names.
pub(super) fn uri(text: &str) -> Result<SanType, Error> {
    Ok(SanType::URI(text.try_into()?))
}

/// One DER value of a tag and a content.
pub(super) fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    let length = content.len().to_be_bytes();
    let digits: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    match digits.as_slice() {
        [] => der.push(0),
        [short] if *short < 0x80 => der.push(*short),
        long => {
            der.push(0x80 | u8::try_from(long.len()).unwrap_or(0));
            der.extend_from_slice(long);
        }
    }
    der.extend_from_slice(content);
    der
}

fn split_value(der: &[u8]) -> Option<(usize, &[u8])> {
    let total = value_length(der)?;
    let first = usize::from(*der.get(1)?);
    let header = if first < 0x80 { 2 } else { 2 + (first & 0x7f) };
    Some((total, der.get(header..total)?))
}

fn value_length(der: &[u8]) -> Option<usize> {
    let first = usize::from(*der.get(1)?);
    if first < 0x80 {
        return Some(2 + first);
    }
    let digits = der.get(2..2 + (first & 0x7f))?;
    let content = digits
        .iter()
        .fold(0, |length, byte| length << 8 | usize::from(*byte));
    Some(2 + digits.len() + content)
}

fn set_validity(params: &mut CertificateParams, from: i64, to: i64) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let at = |seconds: i64| epoch + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    (params.not_before, params.not_after) = (at(from), at(to));
}

fn ca_params(name: &str, trust_domain: &str, now: i64) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = vec![uri(&format!("spiffe://{trust_domain}"))?];
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
    ];
    params.serial_number = Some(SerialNumber::from_slice(&[7]));
    set_validity(&mut params, now - 86_400, now + 86_400 * 365);
    Ok(params)
}
