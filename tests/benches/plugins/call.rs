//! Into a plugin and back.

use std::hint::black_box;

use chancery_providers::{CaProvider, LeafRequest};
use chancery_tests::{Goals, leaf_request, median};

use crate::{Options, Outcome, stage};

/// Many and short, so that what else runs here hits all sides of a round alike.
const ROUNDS: usize = 100;

pub(crate) async fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    let echo = stage::configured(&stage::load("echo-guest").await?).await?;
    let local_ca = stage::configured(&stage::load("local-ca").await?).await?;
    let request = leaf_request("web");
    let window = options.window(20);
    let (mut native, mut warm, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.count(ROUNDS, 1) {
        stage::slice(&mut native, window, async || {
            black_box(echoed(black_box(&request)));
            Ok(())
        })
        .await?;
        stage::slice(&mut warm, window, async || {
            black_box(echo.sign_leaf(black_box(&request)).await?);
            Ok(())
        })
        .await?;
        stage::slice(&mut fresh, window, async || {
            Ok(local_ca.make_instance().await?)
        })
        .await?;
    }
    let [native, warm, fresh] = [native, warm, fresh].map(|prices| median(&prices));
    println!("a request for a leaf, answered with its own bytes (us)");
    println!("{:<44}{native:>9.2}", "a function of this program");
    println!("{:<44}{warm:>9.2}", "a warm plugin");
    println!("local-ca, a fresh instance (us)");
    println!("{:<44}{fresh:>9.2}", "made, configured and dropped");
    goals.at_most("a warm call beyond its work (us)", warm - native, 2.0);
    goals.at_most("a fresh instance (us)", fresh, 50.0);
    Ok(())
}

/// What the plugin does with it: takes what a request holds, and gives the CSR back.
fn echoed(request: &LeafRequest) -> Vec<Vec<u8>> {
    let template = &request.template;
    let taken = (
        request.public_key.to_vec(),
        template.common_name.clone(),
        template.uri.clone(),
        template.serial.as_bytes().to_vec(),
        template.extended_key_usages.clone(),
    );
    drop(black_box(taken));
    vec![request.csr.to_vec()]
}
