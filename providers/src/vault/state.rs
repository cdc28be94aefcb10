//! The provider's memory as versioned JSON. It names issuers by id and holds no key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_core::{OperationId, Secret};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use super::held::{Authority, Held, Intermediate, Root};
use super::options::Place;
use crate::ProviderError;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct StateV1 {
    version: u32,
    /// The address at which this was true.
    address: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<RootV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intermediate: Option<AuthorityV1>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    made: Vec<PlaceV1>,
}

#[derive(Serialize, Deserialize)]
struct RootV1 {
    signer: AuthorityV1,
    /// In base64 DER, from the signer's own issuer up to the root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    above: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct AuthorityV1 {
    place: PlaceV1,
    issuer_id: String,
    key_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<[u8; 16]>,
    /// In base64 DER.
    certificate: String,
}

#[derive(Serialize, Deserialize)]
struct PlaceV1 {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    namespace: String,
    mount: String,
}

/// Writes what `held` holds.
pub(super) fn write(address: &str, held: &Held) -> Result<Secret, ProviderError> {
    let state = StateV1 {
        version: VERSION,
        address: address.to_owned(),
        root: held.root.as_ref().map(|root| RootV1 {
            signer: write_authority(&root.signer),
            above: match root.is_direct() {
                true => Vec::new(),
                false => {
                    let between = root.links.iter().skip(1);
                    between
                        .chain([&root.certificate])
                        .map(|der| STANDARD.encode(der))
                        .collect()
                }
            },
        }),
        intermediate: held
            .intermediate
            .as_ref()
            .map(|intermediate| write_authority(&intermediate.authority)),
        made: held.made.iter().map(write_place).collect(),
    };
    serde_json::to_vec(&state)
        .map(Secret::new)
        .map_err(|error| ProviderError::broken(format!("cannot write the CA's state: {error}")))
}

/// Reads what [`write()`] wrote, and at which address that was.
pub(super) fn read(state: &Secret) -> Result<(String, Held), ProviderError> {
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
    let mut held = Held {
        made: state.made.iter().map(read_place).collect(),
        ..Held::default()
    };
    if let Some(stored) = &state.root {
        let above = stored.above.iter().map(|text| decode(text));
        let above: Vec<_> = above.collect::<Result<_, _>>()?;
        let root = Root::new(read_authority(&stored.signer)?, &above)?;
        if let Some(stored) = &state.intermediate {
            let intermediate = Intermediate::new(read_authority(stored)?, &root)?;
            held.intermediate = Some(intermediate.into());
        }
        held.root = Some(root.into());
    }
    Ok((state.address, held))
}

fn write_authority(authority: &Authority) -> AuthorityV1 {
    AuthorityV1 {
        place: write_place(&authority.place),
        issuer_id: authority.issuer_id.clone(),
        key_id: authority.key_id.clone(),
        operation: authority.operation.map(|operation| *operation.as_bytes()),
        certificate: STANDARD.encode(&authority.certificate),
    }
}

fn read_authority(stored: &AuthorityV1) -> Result<Authority, ProviderError> {
    Ok(Authority {
        place: read_place(&stored.place),
        issuer_id: stored.issuer_id.clone(),
        key_id: stored.key_id.clone(),
        operation: stored.operation.map(OperationId::from_bytes),
        certificate: decode(&stored.certificate)?,
    })
}

fn write_place(place: &Place) -> PlaceV1 {
    PlaceV1 {
        namespace: place.namespace.clone(),
        mount: place.mount.clone(),
    }
}

fn read_place(stored: &PlaceV1) -> Place {
    Place {
        namespace: stored.namespace.clone(),
        mount: stored.mount.clone(),
    }
}

fn decode(text: &str) -> Result<CertificateDer<'static>, ProviderError> {
    STANDARD
        .decode(text)
        .map(CertificateDer::from)
        .map_err(|_quotes| ProviderError::broken("the CA's state holds bad base64"))
}
