//! What is left of a great many crashes.
//!
//! An agent leaves a plugin alone after its fifth crash in a minute, so this is done here, in
//! this process: a plugin is configured, crashes four times and is dropped, again and again.

use chancery_providers::{CaProvider, PluginFile};
use chancery_tests::{Goals, hostile_guest, leaf_request, private, resident, root_request};

use crate::{Options, Outcome, stage};

const TRAPS: usize = 10_000;
const FEW_ENOUGH: usize = 4;

pub(crate) async fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    let path = hostile_guest("traps_always").await;
    let file = PluginFile::load(&path, None, None).await?;
    let own = std::process::id();
    // What is made once and kept is made now.
    crash(&file, options.count(1_000, FEW_ENOUGH)).await?;
    let before = (private(own)?, resident(own)?);
    let traps = options.count(TRAPS, 4 * FEW_ENOUGH);
    crash(&file, traps).await?;
    let after = (private(own)?, resident(own)?);
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!("memory of this process (MiB)");
    println!("{:<44}{:>9}{:>9}", "", "private", "resident");
    for (name, (private, resident)) in [
        ("before".to_owned(), before),
        (format!("after {traps} traps"), after),
    ] {
        println!(
            "{name:<44}{:>9.1}{:>9.1}",
            mebibytes(private),
            mebibytes(resident)
        );
    }
    goals.at_most(
        &format!("{traps} traps: memory more than before (MiB)"),
        mebibytes(after.1) - mebibytes(before.1),
        5.0,
    );
    Ok(())
}

async fn crash(file: &PluginFile, traps: usize) -> Outcome<()> {
    let request = leaf_request("web");
    for _ in 0..traps / FEW_ENOUGH {
        let plugin = stage::configured(file).await?;
        plugin.root(&root_request(1, false)).await?;
        for _ in 0..FEW_ENOUGH {
            match plugin.sign_leaf(&request).await {
                Err(error) if error.to_string().contains("crashed:") => {}
                Err(error) => return Err(error.into()),
                Ok(_) => return Err("it did not crash".into()),
            }
        }
    }
    Ok(())
}
