//! Leafs say what the template says, whatever the CSR says.

use chancery_core::{CertificateSummary, PeerRole, TrustBundle};
use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyUsagePurpose, SanType};
use rustls_pki_types::{CertificateSigningRequestDer, SubjectPublicKeyInfoDer};

use super::Report;
use super::stage::{
    DAY, DOMAIN, HOUR, Rooted, Stage, ensure, key_pair, same, seconds, text, trust_domain,
};
use crate::{CaProvider, KeySpec, LeafRequest};

pub(super) async fn check<P: CaProvider + 'static>(stage: &Stage<'_, P>, report: &mut Report) {
    for (name, key) in [
        ("leaf: breaks no rule with an EC P-256 key", KeySpec::EcP256),
        ("leaf: breaks no rule with an EC P-384 key", KeySpec::EcP384),
        ("leaf: breaks no rule with an EC P-521 key", KeySpec::EcP521),
        ("leaf: breaks no rule with an RSA key", KeySpec::Rsa2048),
    ] {
        report.record(name, key_kind(stage, key).await);
    }
    report.record(
        "leaf: may be an agent's",
        path(stage, "agent/client/dc/dc1/id/n1").await,
    );
    report.record(
        "leaf: may have a name in percent encoding",
        path(stage, "ns/default/dc/dc1/svc/caf%C3%A9").await,
    );
    report.record("leaf: lives as long as asked", life(stage).await);
    report.record("leaf: does not outlive its issuer", cut(stage).await);
    report.record("leaf: is refused after its issuer's end", late(stage).await);
    report.record(
        "leaf: has the serial and name asked for",
        chosen(stage).await,
    );
    report.record("leaf: is signed twice when asked twice", twice(stage).await);
    report.record("leaf: comes without the root", no_root(stage).await);
    report.record("leaf: verifies as a peer's", peer(stage).await);
    report.record("leaf: takes no name from the CSR", names(stage).await);
    report.record("leaf: takes no CA bit from the CSR", ca_bit(stage).await);
    report.record(
        "leaf: is refused for bytes that are no key",
        no_key(stage).await,
    );
}

/// Signs and applies the policy; gives the leaf's DER.
async fn issue<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    rooted: &Rooted<P>,
    request: &LeafRequest,
) -> Result<Vec<u8>, String> {
    let chain = stage.done("sign leaf", rooted.provider.sign_leaf(request).await)?;
    let issuer = stage.issuer_of(&chain, &rooted.root)?;
    stage.checked_leaf(request, &chain, &issuer)?;
    chain
        .first()
        .map(|leaf| leaf.to_vec())
        .ok_or_else(|| "the chain is empty".to_owned())
}

async fn key_kind<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    key: KeySpec,
) -> Result<(), String> {
    let request = stage.leaf_request(key)?;
    issue(stage, &stage.rooted().await?, &request)
        .await
        .map(drop)
}

async fn path<P: CaProvider + 'static>(stage: &Stage<'_, P>, path: &str) -> Result<(), String> {
    let request = stage.leaf_for(&key_pair(KeySpec::EcP256)?, path, &[0x42; 16])?;
    issue(stage, &stage.rooted().await?, &request)
        .await
        .map(drop)
}

async fn life<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let request = stage.leaf_request(KeySpec::EcP256)?;
    let leaf = issue(stage, &stage.rooted().await?, &request).await?;
    let summary = CertificateSummary::inspect(&leaf).map_err(text)?;
    // Some CAs count from their own clock: a minute more or less is the same life.
    let wanted = request.template.validity.not_after;
    let missing = wanted.saturating_since(summary.not_after);
    ensure(missing <= super::stage::MINUTE, || {
        format!("it ends at {}, asked was {wanted}", summary.not_after)
    })
}

async fn cut<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted_for(2 * HOUR).await?;
    let request = stage.leaf_request(KeySpec::EcP256)?;
    let leaf = issue(stage, &rooted, &request).await?;
    let summary = CertificateSummary::inspect(&leaf).map_err(text)?;
    ensure(
        summary.not_after <= rooted.root.issuer().not_after(),
        || format!("it ends at {}, its root before", summary.not_after),
    )
}

async fn late<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted_for(2 * HOUR).await?;
    let mut request = stage.leaf_request(KeySpec::EcP256)?;
    let end = seconds(rooted.root.issuer().not_after());
    request.template.validity.not_before = end.saturating_add(HOUR);
    request.template.validity.not_after = end.saturating_add(DAY);
    stage.refused(rooted.provider.sign_leaf(&request).await)
}

async fn chosen<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let request = stage.leaf_request(KeySpec::EcP256)?;
    let leaf = issue(stage, &rooted, &request).await?;
    let summary = CertificateSummary::inspect(&leaf).map_err(text)?;
    if !rooted.provider.describe().capabilities.chooses_serials {
        return ensure(summary.serial.as_bytes().len() >= 8, || {
            format!("its serial is {}, must have 64 bits", summary.serial)
        });
    }
    ensure(
        summary.serial.as_bytes() == request.template.serial.as_bytes(),
        || format!("its serial is {}, not the one asked for", summary.serial),
    )?;
    let wanted = format!("CN={}", request.template.common_name);
    same(&summary.subject, &wanted)
}

async fn twice<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let key = key_pair(KeySpec::EcP256)?;
    let first = stage.leaf_for(&key, "ns/default/dc/dc1/svc/web", &[0x43; 16])?;
    let second = stage.leaf_for(&key, "ns/default/dc/dc1/svc/web", &[0x44; 16])?;
    let first = issue(stage, &rooted, &first).await?;
    let second = issue(stage, &rooted, &second).await?;
    ensure(first != second, || "both are the same".to_owned())
}

async fn no_root<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let request = stage.leaf_request(KeySpec::EcP256)?;
    let chain = stage.done("sign leaf", rooted.provider.sign_leaf(&request).await)?;
    ensure(!chain.contains(&rooted.answer.certificate), || {
        "the root is in the chain".to_owned()
    })
}

async fn peer<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let request = stage.leaf_request(KeySpec::EcP256)?;
    let chain = stage.done("sign leaf", rooted.provider.sign_leaf(&request).await)?;
    let bundle = TrustBundle::new(trust_domain()?, [rooted.root]).map_err(text)?;
    let chain: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).collect();
    for role in [PeerRole::Client, PeerRole::Server] {
        bundle
            .verify_peer(&chain, role, stage.setup.algorithms, stage.now())
            .map_err(text)?;
    }
    Ok(())
}

async fn names<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "admin");
    params.subject_alt_names = vec![
        SanType::URI(ia5("spiffe://evil.example/ns/default/dc/dc1/svc/db")?),
        SanType::URI(ia5("spiffe://evil.example/ns/default/dc/dc1/svc/web")?),
        SanType::DnsName(ia5("vault.example.com")?),
    ];
    hostile(stage, &params).await
}

async fn ca_bit<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    hostile(stage, &params).await
}

/// The leaf is good all the same, or refused.
async fn hostile<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    params: &CertificateParams,
) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let key = key_pair(KeySpec::EcP256)?;
    let uri = format!("spiffe://{DOMAIN}/ns/default/dc/dc1/svc/web");
    let request = stage.leaf_of(&key, params, uri, &[0x45; 16])?;
    match rooted.provider.sign_leaf(&request).await {
        Ok(chain) => {
            let issuer = stage.issuer_of(&chain, &rooted.root)?;
            stage.checked_leaf(&request, &chain, &issuer).map(drop)
        }
        refused => stage.refused(refused),
    }
}

async fn no_key<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let mut request = stage.leaf_request(KeySpec::EcP256)?;
    request.csr = CertificateSigningRequestDer::from(b"no request".to_vec());
    request.public_key = SubjectPublicKeyInfoDer::from(b"no key".to_vec());
    stage.refused(rooted.provider.sign_leaf(&request).await)
}

fn ia5(value: &str) -> Result<Ia5String, String> {
    Ia5String::try_from(value).map_err(text)
}
