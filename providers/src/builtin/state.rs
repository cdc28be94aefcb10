//! What the built-in CA must remember, as versioned JSON that the host seals.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_core::{OperationId, Secret};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::basis::Basis;
use super::held::{Held, Intermediate, Pending, Root};
use super::issuer::Issuer;
use super::keys::{CaKey, kind_name, kind_named};
use crate::ProviderError;
use crate::secret_json::secret_json;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct StateV1 {
    version: u32,
    /// What the options said of the root; absent in states of 0.1, which knew only roots with a
    /// key of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    basis: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<IssuerV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intermediate: Option<IssuerV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<PendingV1>,
}

#[derive(Serialize, Deserialize)]
struct IssuerV1 {
    key: KeyV1,
    /// Certificates in base64 DER: the signing one, then what links it to a root.
    chain: Vec<String>,
    /// The wish that it was made for; absent in states of 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<[u8; 16]>,
}

#[derive(Serialize, Deserialize)]
struct PendingV1 {
    operation: [u8; 16],
    key: KeyV1,
    csr: String,
}

#[derive(Serialize, Deserialize)]
struct KeyV1 {
    kind: String,
    pkcs8: Zeroizing<String>,
}

/// Writes what `held` holds.
pub(super) fn write(held: &Held) -> Result<Secret, ProviderError> {
    let state = StateV1 {
        version: VERSION,
        basis: Some(held.basis.as_str().to_owned()),
        root: held
            .root
            .as_ref()
            .map(|root| write_issuer(&root.issuer, &[], root.operation)),
        intermediate: held
            .intermediate
            .as_ref()
            .map(|made| write_issuer(&made.issuer, &made.links, made.operation)),
        pending: held.pending.as_ref().map(|pending| PendingV1 {
            operation: *pending.operation.as_bytes(),
            key: write_key(&pending.key),
            csr: STANDARD.encode(&pending.csr),
        }),
    };
    secret_json(&state)
        .map_err(|error| ProviderError::broken(format!("cannot write the CA's state: {error}")))
}

/// Reads what [`write()`] wrote.
pub(super) fn read(state: &Secret) -> Result<Held, ProviderError> {
    // The decoder's reason could quote a key, so only its place is told.
    let state: StateV1 = serde_json::from_slice(state.expose()).map_err(|error| {
        ProviderError::broken(format!(
            "the CA's state cannot be read, at line {} column {}",
            error.line(),
            error.column()
        ))
    })?;
    if state.version != VERSION {
        return Err(ProviderError::broken(format!(
            "the CA's state has version {}, this build reads {VERSION}",
            state.version
        )));
    }
    let root = state.root.as_ref().map(|stored| {
        read_issuer(stored).map(|(issuer, _)| Root {
            issuer: issuer.into(),
            operation: stored.operation.map(OperationId::from_bytes),
        })
    });
    let root = root.transpose()?;
    let intermediate = state.intermediate.as_ref().map(|stored| {
        read_issuer(stored).map(|(issuer, links)| Intermediate {
            issuer: issuer.into(),
            links: links.into(),
            operation: stored.operation.map(OperationId::from_bytes),
        })
    });
    let basis = match (state.basis, &root) {
        (Some(basis), _) => Basis::restore(basis),
        (None, Some(root)) => Basis::made(root.issuer.key().kind()),
        (None, None) => Basis::default(),
    };
    let pending = state.pending.as_ref().map(|pending| {
        Ok::<_, ProviderError>(Pending {
            operation: OperationId::from_bytes(pending.operation),
            key: read_key(&pending.key)?.into(),
            csr: CertificateSigningRequestDer::from(decode(&pending.csr)?),
        })
    });
    Ok(Held {
        basis,
        root,
        intermediate: intermediate.transpose()?,
        pending: pending.transpose()?,
        retired: false,
    })
}

fn write_issuer(
    issuer: &Issuer,
    links: &[CertificateDer<'static>],
    operation: Option<OperationId>,
) -> IssuerV1 {
    IssuerV1 {
        operation: operation.map(|operation| *operation.as_bytes()),
        key: write_key(issuer.key()),
        chain: std::iter::once(issuer.certificate())
            .chain(links)
            .map(|certificate| STANDARD.encode(certificate))
            .collect(),
    }
}

fn read_issuer(stored: &IssuerV1) -> Result<(Issuer, Vec<CertificateDer<'static>>), ProviderError> {
    let mut chain = stored
        .chain
        .iter()
        .map(|text| decode(text).map(CertificateDer::from));
    let certificate = chain
        .next()
        .ok_or_else(|| ProviderError::broken("the CA's state holds a key without certificate"))??;
    let issuer = Issuer::new(certificate, read_key(&stored.key)?)
        .map_err(|error| ProviderError::broken(format!("the CA's state does not fit: {error}")))?;
    Ok((issuer, chain.collect::<Result<_, _>>()?))
}

fn write_key(key: &CaKey) -> KeyV1 {
    KeyV1 {
        kind: kind_name(key.kind()),
        pkcs8: Zeroizing::new(STANDARD.encode(key.pkcs8().expose())),
    }
}

fn read_key(stored: &KeyV1) -> Result<CaKey, ProviderError> {
    let kind = kind_named(&stored.kind).ok_or_else(|| {
        ProviderError::broken(format!(
            "the CA's state holds a key of the unknown kind {:?}",
            stored.kind
        ))
    })?;
    CaKey::from_pkcs8(kind, &Secret::new(decode(&stored.pkcs8)?))
}

fn decode(text: &str) -> Result<Vec<u8>, ProviderError> {
    STANDARD
        .decode(text)
        .ok()
        .ok_or_else(|| ProviderError::broken("the CA's state holds bad base64"))
}
