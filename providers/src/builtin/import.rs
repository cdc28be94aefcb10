//! An operator's own private key, read from PEM.

use chancery_core::{KeyPolicy, Secret};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use zeroize::Zeroize as _;

use super::keys::CaKey;
use crate::ProviderError;

/// The first private key of a PEM text, which stands in `option`. No reason is ever told that
/// could quote it.
pub(crate) fn read_key(option: &str, pem: &Secret) -> Result<CaKey, ProviderError> {
    let text = pem.expose();
    let encrypted = |label: &[u8]| text.windows(label.len()).any(|window| window == label);
    let mut der = match PrivateKeyDer::from_pem_slice(text) {
        Ok(der) if !encrypted(b"Proc-Type: 4,ENCRYPTED") => der,
        _ if encrypted(b"ENCRYPTED") => {
            return Err(ProviderError::misconfigured(format!(
                "{option} is encrypted: give it without a pass phrase, it is sealed before it is \
                 stored"
            )));
        }
        _ => {
            return Err(ProviderError::misconfigured(format!(
                "{option} holds no private key in PEM, allowed are EC PRIVATE KEY, RSA PRIVATE \
                 KEY and PRIVATE KEY"
            )));
        }
    };
    let key = CaKey::import(&der);
    der.zeroize();
    let policy = KeyPolicy::peer();
    let Some(key) = key else {
        return Err(ProviderError::misconfigured(format!(
            "{option} is of a kind that cannot be used, allowed are {policy}"
        )));
    };
    if !policy.allows(key.kind()) {
        return Err(ProviderError::misconfigured(format!(
            "{option} is {}, allowed are {policy}",
            key.kind()
        )));
    }
    Ok(key)
}
