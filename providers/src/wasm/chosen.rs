//! The plugin that a configuration chooses.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::file::PluginFile;
use super::options::WasmOptions;
use crate::registry::Surroundings;
use crate::{OptionMap, ProviderError, SecretOptions};

/// Where the plugin is that `options` choose.
///
/// # Errors
/// `Misconfigured`, with everything that is wrong with the options.
pub fn plugin_path(
    options: &OptionMap,
    surroundings: &Surroundings,
) -> Result<PathBuf, ProviderError> {
    WasmOptions::parse(options, &SecretOptions::default())?.locate(surroundings)
}

/// Loads the plugin that `options` choose: see [`PluginFile::load`].
///
/// # Errors
/// `Misconfigured` if the options are wrong, or the file is not the one that `sha256` names;
/// otherwise as [`PluginFile::load`].
pub async fn load_plugin(
    options: &OptionMap,
    surroundings: &Surroundings,
) -> Result<PluginFile, ProviderError> {
    let options = WasmOptions::parse(options, &SecretOptions::default())?;
    let path = options.locate(surroundings)?;
    PluginFile::read(&path, options.sha256, surroundings.cache_dir.as_deref()).await
}

/// The SHA-256 of a file, 64 hexadecimal digits.
///
/// # Errors
/// When it cannot be read.
pub fn plugin_sha256(path: &Path) -> std::io::Result<String> {
    use aws_lc_rs::digest::{Context, SHA256};
    let mut file = std::fs::File::open(path)?;
    let mut hash = Context::new(&SHA256);
    let mut chunk = vec![0; 64 << 10];
    loop {
        let length = file.read(&mut chunk)?;
        if length == 0 {
            break;
        }
        hash.update(chunk.get(..length).unwrap_or_default());
    }
    let digits = hash
        .finish()
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(digits)
}
