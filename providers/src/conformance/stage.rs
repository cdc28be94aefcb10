//! Providers to ask, and what they are asked.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chancery_core::{
    CaPolicy, CheckedIntermediate, CheckedLeaf, CheckedRoot, Datacenter, Issuer, KeyKind,
    LeafExpectation, LeafPolicy, OperationId, PeerRole, Secret, Serial, SignatureCheck, SpiffeId,
    Timestamp, TrustBundle, TrustDomain,
};
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, KeyPair, PublicKeyData, SanType};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};

use super::Setup;
use crate::{
    CaProvider, ConfigureRequest, CrossSignRequest, ErrorKind, ExtendedKeyUsage,
    IntermediateAnswer, IntermediateRequest, IntermediateTemplate, KeySpec, LeafRequest,
    LeafTemplate, OptionMap, ProviderError, RootAnswer, RootRequest, RootTemplate,
    SignIntermediateRequest, Validity,
};

/// Where checks run.
pub(super) struct Stage<'a, P> {
    make: &'a (dyn Fn() -> P + Sync),
    pub(super) setup: &'a Setup,
    texts: Mutex<Vec<String>>,
}

/// A provider that has been asked for its root.
pub(super) struct Rooted<P> {
    pub(super) provider: P,
    pub(super) answer: RootAnswer,
    pub(super) root: CheckedRoot,
}

impl<'a, P: CaProvider + 'static> Stage<'a, P> {
    pub(super) fn new(make: &'a (dyn Fn() -> P + Sync), setup: &'a Setup) -> Self {
        Self {
            make,
            setup,
            texts: Mutex::default(),
        }
    }

    /// What time it is.
    pub(super) fn now(&self) -> Timestamp {
        (self.setup.clock)()
    }

    /// An empty provider.
    pub(super) fn make(&self) -> P {
        (self.make)()
    }

    /// The configuration, with `state`.
    pub(super) fn configuration(&self, state: Option<Secret>) -> Result<ConfigureRequest, String> {
        self.configuration_for(self.setup.key, state)
    }

    /// The configuration of a CA whose own keys are of the kind `key`.
    pub(super) fn configuration_for(
        &self,
        key: KeySpec,
        state: Option<Secret>,
    ) -> Result<ConfigureRequest, String> {
        let mut options = key_options(key);
        options.extend(self.setup.options.clone());
        Ok(ConfigureRequest {
            trust_domain: trust_domain()?,
            datacenter: Datacenter::parse("dc1").map_err(text)?,
            options,
            secrets: self.setup.secrets.clone(),
            state,
        })
    }

    /// A configured provider.
    pub(super) async fn configured(&self, state: Option<Secret>) -> Result<P, String> {
        self.set_up(&self.configuration(state)?).await
    }

    /// A provider with that configuration.
    pub(super) async fn set_up(&self, configuration: &ConfigureRequest) -> Result<P, String> {
        let mut provider = self.make();
        self.done("configure", provider.configure(configuration).await)?;
        self.keep(format!("{:?}", provider.describe()));
        Ok(provider)
    }

    /// A provider with a root of ten years.
    pub(super) async fn rooted(&self) -> Result<Rooted<P>, String> {
        self.rooted_for(10 * YEAR).await
    }

    /// A provider with a root that lives so long, and with the intermediate that signs leafs
    /// if it makes its own.
    pub(super) async fn rooted_for(&self, life: Duration) -> Result<Rooted<P>, String> {
        let provider = self.configured(None).await?;
        self.awake(provider, &self.root_request(1, life)?).await
    }

    /// A provider whose own keys are of the kind `key`.
    pub(super) async fn rooted_with(&self, key: KeySpec) -> Result<Rooted<P>, String> {
        let provider = self.set_up(&self.configuration_for(key, None)?).await?;
        let mut request = self.root_request(1, YEAR)?;
        request.template.key = key;
        self.awake(provider, &request).await
    }

    /// A provider with the state of another, asked for a root by the wish `operation`.
    pub(super) async fn successor(
        &self,
        state: Secret,
        operation: u8,
        renew: bool,
    ) -> Result<Rooted<P>, String> {
        let provider = self.configured(Some(state)).await?;
        let mut request = self.root_request(operation, 10 * YEAR)?;
        request.renew = renew;
        self.awake(provider, &request).await
    }

    /// Asks for the root, and for the intermediate if there is to be one: then leafs can be
    /// signed.
    pub(super) async fn awake(
        &self,
        provider: P,
        request: &RootRequest,
    ) -> Result<Rooted<P>, String> {
        let mut answer = self.done("root", provider.root(request).await)?;
        if provider.describe().capabilities.own_intermediate {
            let mut request = self.intermediate_request(5)?;
            request.key = self.setup.key;
            let made = self.done("intermediate", provider.intermediate(&request).await)?;
            if let IntermediateAnswer::Ready { state, .. } = made {
                answer.state = state;
            }
        }
        let root = self.checked_root(&answer.certificate)?;
        Ok(Rooted {
            provider,
            answer,
            root,
        })
    }

    /// That a leaf of `rooted` breaks no rule and verifies against its root and `others` alone,
    /// with `links` sent along.
    pub(super) async fn verified(
        &self,
        rooted: &Rooted<P>,
        links: &[CertificateDer<'static>],
        others: &[&CheckedRoot],
    ) -> Result<(), String> {
        let request = self.leaf_request(KeySpec::EcP256)?;
        let answer = rooted.provider.sign_leaf(&request).await;
        let mut chain = self.done("sign leaf", answer)?;
        let issuer = self.issuer_of(&chain, &rooted.root)?;
        self.checked_leaf(&request, &chain, &issuer)?;
        chain.extend_from_slice(links);
        let chain: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).collect();
        for root in std::iter::once(&rooted.root).chain(others.iter().copied()) {
            let bundle = TrustBundle::new(trust_domain()?, [root.clone()]).map_err(text)?;
            let (algorithms, now) = (self.setup.algorithms, self.now());
            bundle
                .verify_peer(&chain, PeerRole::Server, algorithms, now)
                .map_err(text)?;
        }
        Ok(())
    }

    /// What a provider did, or its error in words; errors are kept to be searched for secrets.
    pub(super) fn done<T>(
        &self,
        what: &str,
        answer: Result<T, ProviderError>,
    ) -> Result<T, String> {
        answer.map_err(|error| {
            self.keep_error(&error);
            format!("{what}: {} ({error})", error.kind())
        })
    }

    /// That a provider refused, with an error of kind `Refused`.
    pub(super) fn refused<T>(&self, answer: Result<T, ProviderError>) -> Result<(), String> {
        self.failed(answer, ErrorKind::Refused)
    }

    /// That a provider answered with an error of that kind.
    pub(super) fn failed<T>(
        &self,
        answer: Result<T, ProviderError>,
        kind: ErrorKind,
    ) -> Result<(), String> {
        match answer {
            Ok(_) => Err(format!("it succeeded, must be {kind}")),
            Err(error) => {
                self.keep_error(&error);
                ensure(error.kind() == kind, || {
                    format!("it is {} ({error}), must be {kind}", error.kind())
                })
            }
        }
    }

    fn keep_error(&self, error: &ProviderError) {
        self.keep(format!("{error} {error:?} {}", error.report()));
    }

    /// Keeps a text that is searched for secrets in the end.
    fn keep(&self, text: String) {
        self.texts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text);
    }

    /// That none of the errors and descriptions so far holds one of the secrets.
    pub(super) fn leaked(&self) -> Result<(), String> {
        let texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        ensure(!texts.is_empty(), || "no error was seen".to_owned())?;
        let mut planted = vec![CANARY.to_owned()];
        for name in self.setup.secrets.names() {
            let secret = self.setup.secrets.find(name).map(Secret::expose);
            planted.push(String::from_utf8_lossy(secret.unwrap_or_default()).into_owned());
        }
        for secret in planted.iter().filter(|secret| !secret.is_empty()) {
            ensure(!texts.iter().any(|text| text.contains(secret)), || {
                "an error or a description holds a secret".to_owned()
            })?;
        }
        Ok(())
    }

    pub(super) fn root_request(
        &self,
        operation: u8,
        life: Duration,
    ) -> Result<RootRequest, String> {
        Ok(RootRequest {
            operation: OperationId::from_bytes([operation; 16]),
            renew: false,
            template: RootTemplate::new(
                "conformance",
                &trust_domain()?,
                [operation; 8],
                serial(&[operation, 0x7f, 1, 2, 3, 4, 5])?,
                self.setup.key,
                life,
                // Not backdated by the template, and the clocks may differ a little.
                self.now().saturating_sub(MINUTE),
            ),
        })
    }

    pub(super) fn intermediate_template(
        &self,
        life: Duration,
    ) -> Result<IntermediateTemplate, String> {
        Ok(IntermediateTemplate::new(
            "conformance",
            &trust_domain()?,
            [9; 8],
            serial(&[0x51; 16])?,
            life,
            self.now(),
        ))
    }

    pub(super) fn intermediate_request(
        &self,
        operation: u8,
    ) -> Result<IntermediateRequest, String> {
        Ok(IntermediateRequest {
            operation: OperationId::from_bytes([operation; 16]),
            renew: false,
            template: self.intermediate_template(YEAR)?,
            key: self.setup.key,
        })
    }

    pub(super) fn sign_intermediate_request(
        &self,
        csr: CertificateSigningRequestDer<'static>,
        life: Duration,
    ) -> Result<SignIntermediateRequest, String> {
        Ok(SignIntermediateRequest {
            public_key: spki(&csr)?.into(),
            csr,
            template: self.intermediate_template(life)?,
        })
    }

    pub(super) fn cross_sign_request(
        &self,
        root: &CertificateDer<'static>,
        life: Duration,
    ) -> Result<CrossSignRequest, String> {
        Ok(CrossSignRequest {
            root: root.clone(),
            csr: None,
            serial: serial(&[0x61; 16])?,
            validity: Validity::backdated(life, self.now()),
        })
    }

    /// An ordinary leaf for a service.
    pub(super) fn leaf_request(&self, key: KeySpec) -> Result<LeafRequest, String> {
        self.leaf_for(&key_pair(key)?, "ns/default/dc/dc1/svc/web", &[0x41; 16])
    }

    /// A leaf for that key, path and serial; it lives for a day.
    pub(super) fn leaf_for(
        &self,
        key: &KeyPair,
        path: &str,
        number: &[u8],
    ) -> Result<LeafRequest, String> {
        let uri = format!("spiffe://{DOMAIN}/{path}");
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(&*uri).map_err(text)?)];
        self.leaf_of(key, &params, uri, number)
    }

    /// A leaf whose CSR says what `params` say.
    pub(super) fn leaf_of(
        &self,
        key: &KeyPair,
        params: &CertificateParams,
        uri: String,
        number: &[u8],
    ) -> Result<LeafRequest, String> {
        let csr = params.serialize_request(key).map_err(text)?;
        let policy = LeafPolicy::issued();
        let key_usages = if key.is_compatible(&rcgen::PKCS_RSA_SHA256) {
            policy.key_usages_allowed_rsa
        } else {
            policy.key_usages_allowed_ec
        };
        Ok(LeafRequest {
            csr: csr.der().clone(),
            public_key: key.subject_public_key_info().into(),
            template: LeafTemplate {
                common_name: "web.svc.default.11111111.consul".to_owned(),
                uri,
                serial: serial(number)?,
                validity: Validity::backdated(DAY, self.now()),
                key_usages,
                extended_key_usages: vec![
                    ExtendedKeyUsage::ClientAuth,
                    ExtendedKeyUsage::ServerAuth,
                ],
            },
        })
    }

    pub(super) fn checked_root(&self, root: &[u8]) -> Result<CheckedRoot, String> {
        CheckedRoot::check(root, &CaPolicy::any(), self.setup.algorithms, self.now()).map_err(text)
    }

    /// Who signed the leaf of `chain`: the first intermediate in it, else the root.
    pub(super) fn issuer_of(
        &self,
        chain: &[CertificateDer<'_>],
        root: &CheckedRoot,
    ) -> Result<Issuer, String> {
        match chain.get(1) {
            Some(intermediate) => CheckedIntermediate::restore(intermediate)
                .map(|checked| checked.issuer().clone())
                .map_err(text),
            None => Ok(root.issuer().clone()),
        }
    }

    /// Applies the policy to a chain that answers `request`.
    pub(super) fn checked_leaf(
        &self,
        request: &LeafRequest,
        chain: &[CertificateDer<'_>],
        issuer: &Issuer,
    ) -> Result<CheckedLeaf, String> {
        let identity = SpiffeId::parse(&request.template.uri).map_err(text)?;
        let expected = LeafExpectation {
            identity: &identity,
            spki_der: &request.public_key,
            not_before: request.template.validity.not_before,
            not_after: request.template.validity.not_after,
            issuer,
            policy: &LeafPolicy::issued(),
            signature: SignatureCheck::Verify,
        };
        let chain = chain.iter().map(|der| der.to_vec()).collect();
        CheckedLeaf::check(chain, &expected, self.setup.algorithms, self.now()).map_err(text)
    }
}

/// The options that order a kind of key.
fn key_options(key: KeySpec) -> OptionMap {
    let kind = KeyKind::from(key);
    let mut options = OptionMap::new();
    options.insert("PrivateKeyType".to_owned(), kind.consul_type().into());
    options.insert("PrivateKeyBits".to_owned(), kind.bits().into());
    options
}

pub(super) fn trust_domain() -> Result<TrustDomain, String> {
    TrustDomain::parse(DOMAIN).map_err(text)
}

pub(super) fn serial(bytes: &[u8]) -> Result<Serial, String> {
    Serial::from_be_bytes(bytes).ok_or_else(|| "no serial number".to_owned())
}

/// A key for a leaf. RSA takes its time here: it is not worth another thread in a test.
pub(super) fn key_pair(key: KeySpec) -> Result<KeyPair, String> {
    crate::builtin::key_pair(key).map_err(text)
}

/// The public key of a CSR.
pub(super) fn spki(csr: &[u8]) -> Result<Vec<u8>, String> {
    use x509_parser::certification_request::X509CertificationRequest;
    use x509_parser::prelude::FromDer as _;

    let (_, csr) = X509CertificationRequest::from_der(csr).map_err(text)?;
    Ok(csr.certification_request_info.subject_pki.raw.to_vec())
}

pub(super) fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason()) }
}

/// That both are the same, else both in words.
pub(super) fn same<T: PartialEq + std::fmt::Display>(found: &T, wanted: &T) -> Result<(), String> {
    ensure(found == wanted, || {
        format!("it is {found}, must be {wanted}")
    })
}

pub(super) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// The moment as certificates hold it.
pub(super) fn seconds(moment: Timestamp) -> Timestamp {
    moment.whole_seconds()
}

pub(super) const CANARY: &str = "c0nf0rmance-canary";
pub(crate) const DOMAIN: &str = "11111111-2222-3333-4444-555555555555.consul";
pub(super) const DAY: Duration = Duration::from_secs(86_400);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const YEAR: Duration = Duration::from_secs(365 * 86_400);
