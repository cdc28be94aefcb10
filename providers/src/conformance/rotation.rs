//! Three rotations in a row: bundles that are up to three roots old verify the newest leafs.

use std::collections::BTreeMap;

use super::stage::{DAY, Rooted, Stage, ensure};
use super::{Report, cross_sign};
use crate::{CaProvider, ErrorKind, KeySpec};

pub(super) async fn check<P: CaProvider + 'static>(stage: &Stage<'_, P>, report: &mut Report) {
    report.record(
        "rotation: three in a row verify over every pair of keys",
        rotations(stage).await,
    );
    report.record(
        "rotation: the key to start with is claimed",
        claimed(stage).await,
    );
    report.record(
        "rotation: a kind of key that is not claimed is refused",
        unclaimed(stage).await,
    );
}

async fn kinds<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<Vec<KeySpec>, String> {
    if !stage.setup.rotation_keys.is_empty() {
        return Ok(stage.setup.rotation_keys.clone());
    }
    let provider = stage.configured(None).await?;
    let mut kinds = provider.describe().capabilities.keys;
    kinds.retain(|kind| *kind != KeySpec::Rsa4096);
    Ok(kinds)
}

async fn rotations<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let mut made = BTreeMap::new();
    for kind in kinds(stage).await? {
        let mut row = Vec::new();
        for _ in 0..4 {
            row.push(stage.rooted_with(kind).await?);
        }
        made.insert(kind, row);
    }
    ensure(!made.is_empty(), || "no key is claimed".to_owned())?;
    for (first, firsts) in &made {
        for (second, seconds) in &made {
            // By turns, and never one CA twice even if both kinds are the same.
            let row = [
                firsts.first(),
                seconds.get(1),
                firsts.get(2),
                seconds.get(3),
            ];
            let row: Vec<_> = row.into_iter().flatten().collect();
            rotate(stage, &row)
                .await
                .map_err(|reason| format!("{first} and {second} by turns: {reason}"))?;
        }
    }
    Ok(())
}

async fn rotate<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    row: &[&Rooted<P>],
) -> Result<(), String> {
    let Some((newest, before)) = row.split_last() else {
        return Err("nothing to rotate".to_owned());
    };
    let mut links = Vec::new();
    for pair in row.windows(2).rev() {
        let [old, new] = pair else { continue };
        let request = cross_sign::wish(stage, old, new).await?;
        let answer = old.provider.cross_sign(&request).await;
        if !old.provider.describe().capabilities.cross_sign {
            return stage.refused(answer);
        }
        links.push(stage.done("cross-sign", answer)?);
    }
    let older: Vec<_> = before.iter().map(|rooted| &rooted.root).collect();
    stage.verified(newest, &links, &older).await
}

async fn claimed<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let provider = stage.configured(None).await?;
    let keys = provider.describe().capabilities.keys;
    ensure(keys.contains(&stage.setup.key), || {
        format!("{} is not among the keys it can make", stage.setup.key)
    })
}

/// When it is configured or when it is asked.
async fn unclaimed<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let provider = stage.configured(None).await?;
    let claimed = provider.describe().capabilities.keys;
    for kind in ALL.into_iter().filter(|kind| !claimed.contains(kind)) {
        let mut provider = stage.make();
        let configuration = stage.configuration_for(kind, None)?;
        let configured = provider.configure(&configuration).await;
        if configured.is_err() {
            stage.failed(configured, ErrorKind::Misconfigured)?;
            continue;
        }
        let mut request = stage.root_request(1, DAY)?;
        request.template.key = kind;
        stage.refused(provider.root(&request).await)?;
    }
    Ok(())
}

const ALL: [KeySpec; 6] = [
    KeySpec::EcP256,
    KeySpec::EcP384,
    KeySpec::EcP521,
    KeySpec::Ed25519,
    KeySpec::Rsa2048,
    KeySpec::Rsa4096,
];
