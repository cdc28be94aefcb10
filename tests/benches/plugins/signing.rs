//! Leafs by a plugin whose key the host holds, beside the built-in CA.

use std::hint::black_box;
use std::time::Duration;

use chancery_core::{CheckedCsr, CsrPolicy, Datacenter, Serial, TrustDomain};
use chancery_providers::{BuiltIn, CaProvider, Guard, LeafRequest, Validity};
use chancery_tests::{Goals, TRUST_DOMAIN, leaf_request, median, now, vault_configuration};
use serde_json::json;

use crate::{Options, Outcome, stage};

const ROUNDS: usize = 100;

pub(crate) async fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    let file = stage::load("local-ca").await?;
    let plugin = stage::guarded(stage::configured(&file).await?, "wasm").await?;
    let mut built_in = BuiltIn::new();
    built_in
        .configure(&vault_configuration(&json!({}), None))
        .await?;
    let built_in = stage::guarded(built_in, "consul").await?;
    let policy = CsrPolicy::new(TrustDomain::parse(TRUST_DOMAIN)?, Datacenter::parse("dc1")?);
    let csr = leaf_request("web").csr.to_vec();
    let window = options.window(20);
    let (mut own, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..options.count(ROUNDS, 1) {
        stage::slice(&mut own, window, async || {
            issue(&built_in, &csr, &policy).await
        })
        .await?;
        stage::slice(&mut theirs, window, async || {
            issue(&plugin, &csr, &policy).await
        })
        .await?;
    }
    let shares: Vec<f64> = own
        .iter()
        .zip(&theirs)
        .map(|(own, it)| own / it * 100.0)
        .collect();
    let [own, theirs, share] = [own, theirs, shares].map(|figures| median(&figures));
    println!("leafs through the guard, CSR check included, one core (leafs/s; us each)");
    for (name, price) in [("built-in CA", own), ("local-ca, a plugin", theirs)] {
        println!("{name:<44}{:>9.0}{price:>9.1}", 1e6 / price);
    }
    goals.at_least("local-ca, % of the built-in CA's leafs/s", share, 80.0);
    Ok(())
}

/// The whole path of a CSR, from bytes to a leaf that was looked at.
async fn issue<P: CaProvider>(guard: &Guard<P>, csr: &[u8], policy: &CsrPolicy) -> Outcome<()> {
    let checked = CheckedCsr::parse(csr, stage::algorithms(), policy)?;
    let serial = Serial::from_be_bytes(&[0x41; 16]).ok_or("no serial number")?;
    let validity = Validity::backdated(LIFE, now());
    let request = LeafRequest::new(&checked, serial, validity).ok_or("the name fits no leaf")?;
    black_box(guard.issue_leaf(&request).await?);
    Ok(())
}

const LIFE: Duration = Duration::from_secs(72 * 3600);
