//! Many signings at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Report;
use super::stage::{Rooted, Stage, ensure, key_pair};
use crate::{CaProvider, KeySpec};

pub(super) async fn check<P: CaProvider + 'static>(stage: &Stage<'_, P>, report: &mut Report) {
    report.record(
        "load: signs 64 leafs at once, each as asked",
        at_once(stage).await,
    );
}

async fn at_once<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let Rooted { provider, root, .. } = stage.rooted().await?;
    let provider = Arc::new(provider);
    let mut running = Vec::new();
    for number in 1..=AT_ONCE {
        let key = key_pair(KeySpec::EcP256)?;
        let path = format!("ns/default/dc/dc1/svc/web-{number}");
        let request = stage.leaf_for(&key, &path, &[number; 16])?;
        let provider = Arc::clone(&provider);
        running.push(tokio::spawn(async move {
            let chain = provider.sign_leaf(&request).await;
            (request, chain)
        }));
    }
    let mut leafs = BTreeSet::new();
    for task in running {
        let (request, chain) = task.await.map_err(|error| error.to_string())?;
        let chain = stage.done("sign leaf", chain)?;
        let issuer = stage.issuer_of(&chain, &root)?;
        stage.checked_leaf(&request, &chain, &issuer)?;
        leafs.extend(chain.first().map(|leaf| leaf.to_vec()));
    }
    ensure(leafs.len() == usize::from(AT_ONCE), || {
        format!("only {} of {AT_ONCE} differ", leafs.len())
    })
}

const AT_ONCE: u8 = 64;
