//! A root of the operator's own, where that is claimed; elsewhere it is refused.

use std::time::Duration;

use chancery_core::Secret;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls_pki_types::CertificateDer;

use super::Report;
use super::stage::{CANARY, Stage, YEAR, ensure, key_pair, text};
use crate::{CaProvider, ConfigureRequest, ErrorKind, KeySpec, SecretOptions};

pub(super) async fn check<P: CaProvider + 'static>(stage: &Stage<'_, P>, report: &mut Report) {
    report.record(
        "import: the root is the one given, or it is refused",
        given(stage).await,
    );
    report.record(
        "import: leafs stand on the root given, also after a restart",
        signs(stage).await,
    );
    report.record(
        "import: a key of another certificate is misconfigured",
        other_key(stage).await,
    );
    report.record(
        "import: a certificate that is no CA is misconfigured",
        no_ca(stage).await,
    );
    report.record(
        "import: a root that has expired is misconfigured",
        expired(stage).await,
    );
    report.record(
        "import: bytes that are no key are misconfigured",
        no_key(stage).await,
    );
}

/// A root that no provider made.
struct Own {
    key: KeyPair,
    certificate: rcgen::Certificate,
}

impl Own {
    /// `change` spoils it. It lives so long that no clock is outside.
    fn new<P: CaProvider + 'static>(
        stage: &Stage<'_, P>,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<Self, String> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "Conformance Root");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let now = u64::try_from(stage.now().unix_seconds()).map_err(text)?;
        let now = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(now);
        params.not_before = now - 10 * YEAR;
        params.not_after = now + 20 * YEAR;
        change(&mut params);
        let key = key_pair(KeySpec::EcP384)?;
        let certificate = params.self_signed(&key).map_err(text)?;
        Ok(Self { key, certificate })
    }

    fn der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }
}

/// A configuration with that key and certificate.
fn configuration<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    certificate: &rcgen::Certificate,
    key: String,
    state: Option<Secret>,
) -> Result<ConfigureRequest, String> {
    let mut configuration = stage.configuration(state)?;
    let secrets = &configuration.secrets;
    let others = secrets.names().filter_map(|name| {
        let secret = secrets.find(name)?;
        Some((name, secret.clone()))
    });
    let key = ("PrivateKey", Secret::new(key.into_bytes()));
    configuration.secrets = others.chain([key]).collect::<SecretOptions>();
    let certificate = certificate.pem().into();
    configuration
        .options
        .insert("RootCert".to_owned(), certificate);
    Ok(configuration)
}

/// A provider with a good root; `None` if it claims not to take any, and refuses.
async fn imported<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    own: &Own,
    state: Option<Secret>,
) -> Result<Option<P>, String> {
    let mut provider = stage.make();
    let claimed = provider.describe().capabilities.import_root;
    let key = own.key.serialize_pem();
    let configuration = configuration(stage, &own.certificate, key, state)?;
    let answer = provider.configure(&configuration).await;
    if !claimed {
        stage.failed(answer, ErrorKind::Misconfigured)?;
        return Ok(None);
    }
    stage.done("configure", answer)?;
    Ok(Some(provider))
}

async fn given<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let own = Own::new(stage, |_| {})?;
    let Some(provider) = imported(stage, &own, None).await? else {
        return Ok(());
    };
    let request = stage.root_request(1, YEAR)?;
    let answer = stage.done("root", provider.root(&request).await)?;
    ensure(answer.certificate == *own.der(), || {
        "it is another root".to_owned()
    })
}

async fn signs<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let own = Own::new(stage, |_| {})?;
    let Some(provider) = imported(stage, &own, None).await? else {
        return Ok(());
    };
    let first = stage.awake(provider, &stage.root_request(1, YEAR)?).await?;
    stage.verified(&first, &[], &[]).await?;
    let state = Some(first.answer.state);
    let Some(provider) = imported(stage, &own, state).await? else {
        return Err("after a restart it is refused".to_owned());
    };
    let again = stage.awake(provider, &stage.root_request(2, YEAR)?).await?;
    ensure(again.answer.certificate == *own.der(), || {
        "after a restart it is another root".to_owned()
    })?;
    stage.verified(&again, &[], &[]).await
}

/// What is wrong with it is the operator's to hear before anything is changed.
async fn refused<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    certificate: &rcgen::Certificate,
    key: String,
) -> Result<(), String> {
    let configuration = configuration(stage, certificate, key, None)?;
    let answer = stage.make().configure(&configuration).await;
    stage.failed(answer, ErrorKind::Misconfigured)
}

async fn other_key<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let own = Own::new(stage, |_| {})?;
    let other = key_pair(KeySpec::EcP384)?;
    refused(stage, &own.certificate, other.serialize_pem()).await
}

async fn no_ca<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let own = Own::new(stage, |params| params.is_ca = IsCa::ExplicitNoCa)?;
    refused(stage, &own.certificate, own.key.serialize_pem()).await
}

async fn expired<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let own = Own::new(stage, |params| {
        params.not_after = params.not_before + YEAR;
    })?;
    refused(stage, &own.certificate, own.key.serialize_pem()).await
}

async fn no_key<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let own = Own::new(stage, |_| {})?;
    // In the shape of a key, with something in it that nobody must see.
    let key = format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n");
    refused(stage, &own.certificate, key).await
}
