//! From a file to a plugin that has said what it is.

use std::path::{Path, PathBuf};
use std::time::Instant;

use chancery_providers::PluginFile;
use chancery_tests::{Goals, guest, median};

use crate::{Options, Outcome};

const ROUNDS: usize = 30;
/// A process remembers the last two plugins, so that one file more is never found there.
const FILES: u8 = 3;

pub(crate) async fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let cache = folder.path().join("cache");
    let component = std::fs::read(guest("local-ca").await)?;
    let files = (0..FILES)
        .map(|number| {
            let path = folder.path().join(format!("local-ca-{number}.wasm"));
            std::fs::write(&path, remarked(&component, number))?;
            Ok(path)
        })
        .collect::<Outcome<Vec<PathBuf>>>()?;
    let (mut compiled, mut cached) = (Vec::new(), Vec::new());
    for file in &files {
        compiled.push(load(file, &cache, false).await?);
    }
    for _ in 0..options.count(ROUNDS, 1) {
        for file in &files {
            cached.push(load(file, &cache, true).await?);
        }
    }
    let [compiled, cached] = [compiled, cached].map(|times| median(&times));
    println!("local-ca, {} KiB, loaded (ms)", component.len() / 1024);
    println!("{:<44}{compiled:>9.2}", "compiled");
    println!("{:<44}{cached:>9.2}", "from the compiled cache");
    goals.at_most("loading from the compiled cache (ms)", cached, 5.0);
    Ok(())
}

/// How long it took, in milliseconds.
async fn load(path: &Path, cache: &Path, is_there: bool) -> Outcome<f64> {
    let start = Instant::now();
    let file = PluginFile::load(path, None, Some(cache)).await?;
    let took = start.elapsed().as_secs_f64() * 1e3;
    if file.was_compiled() != is_there {
        return Err("it was not loaded in the way that is measured".into());
    }
    Ok(took)
}

/// The same component with a custom section more: it does the same and has another hash.
pub(crate) fn remarked(component: &[u8], remark: u8) -> Vec<u8> {
    let mut bytes = component.to_vec();
    bytes.extend([0, 4, 2, b'r', b'm', remark]);
    bytes
}
