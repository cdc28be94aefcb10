//! One root, as asked for, and never another.

use chancery_core::CertificateSummary;

use super::Report;
use super::stage::{DOMAIN, Stage, YEAR, ensure, same, seconds};
use crate::CaProvider;

pub(super) async fn check<P: CaProvider + 'static>(stage: &Stage<'_, P>, report: &mut Report) {
    report.record(
        "describe: has a name that configuring keeps",
        named(stage).await,
    );
    report.record("root: breaks no rule of the policy", policy(stage).await);
    report.record(
        "root: names the trust domain and nothing else",
        uri(stage).await,
    );
    report.record("root: has the key that was asked for", key(stage).await);
    report.record("root: ends no later than asked", end(stage).await);
    report.record("root: has a serial of 63 bits", serial(stage).await);
    report.record("root: is the same when asked again", again(stage).await);
    report.record(
        "root: is the same for another operation",
        other(stage).await,
    );
    report.record("root: is the same when asked at once", at_once(stage).await);
}

async fn named<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let before = stage.make().describe().name;
    ensure(!before.is_empty(), || "the name is empty".to_owned())?;
    same(&stage.configured(None).await?.describe().name, &before)
}

async fn policy<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    stage.rooted().await.map(|_| ())
}

async fn uri<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let summary = CertificateSummary::inspect(rooted.root.issuer().der())
        .map_err(|error| error.to_string())?;
    same(&summary.uris.join(", "), &format!("spiffe://{DOMAIN}"))
}

async fn key<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    same(rooted.root.issuer().key(), &stage.setup.key.into())
}

async fn end<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let found = stage.rooted_for(YEAR).await?.root.issuer().not_after();
    let wanted = stage.root_request(1, YEAR)?.template.validity.not_after;
    ensure(found <= seconds(wanted), || {
        format!("it ends at {found}, asked was {wanted}")
    })
}

async fn serial<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let wanted = stage.root_request(1, YEAR)?.template.serial;
    let found = rooted.root.issuer().serial();
    if rooted.provider.describe().capabilities.chooses_serials {
        return ensure(found.as_bytes() == wanted.as_bytes(), || {
            format!("it is {found}, not what was asked for")
        });
    }
    // Its own serials are long and random: clients that read a number see the low bits.
    ensure(found.as_bytes().len() >= 8, || {
        format!("it is {found}, must have at least 64 random bits")
    })
}

async fn again<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    repeated(stage, 1).await
}

async fn other<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    repeated(stage, 2).await
}

async fn repeated<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    operation: u8,
) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let request = stage.root_request(operation, YEAR)?;
    let second = stage.done("root", rooted.provider.root(&request).await)?;
    ensure(second.certificate == rooted.answer.certificate, || {
        "a second root was made".to_owned()
    })
}

async fn at_once<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let provider = stage.configured(None).await?;
    let request = stage.root_request(1, YEAR)?;
    let (first, second) = tokio::join!(provider.root(&request), provider.root(&request));
    let first = stage.done("root", first)?;
    let second = stage.done("root", second)?;
    ensure(second.certificate == first.certificate, || {
        "two roots were made".to_owned()
    })
}
