//! What a mount of the PKI engine holds.

use std::collections::BTreeMap;

use chancery_core::OperationId;
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use vaultrs::api::pki::requests::{ListIssuersRequest, ReadIssuerCertificateRequest};

use super::endpoints::{ListKeys, ReadDefaultIssuer};
use super::failure::Failure;
use super::options::Place;
use super::pem;
use super::session::Session;
use crate::ProviderError;

/// An issuer as the list shows it.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) issuer_id: String,
    /// Empty for a certificate whose key is elsewhere.
    pub(super) key_id: String,
}

#[derive(Default, Deserialize)]
struct Issuers {
    #[serde(default)]
    key_info: BTreeMap<String, IssuerInfo>,
}

#[derive(Deserialize)]
struct IssuerInfo {
    #[serde(default)]
    key_id: String,
}

#[derive(Default, Deserialize)]
struct Keys {
    #[serde(default)]
    key_info: BTreeMap<String, KeyInfo>,
}

#[derive(Deserialize)]
struct KeyInfo {
    #[serde(default)]
    key_name: String,
}

#[derive(Default, Deserialize)]
struct DefaultIssuer {
    #[serde(default)]
    default: String,
}

#[derive(Default, Deserialize)]
struct IssuerCertificate {
    #[serde(default)]
    certificate: String,
    #[serde(default)]
    ca_chain: Vec<String>,
}

/// The issuers of a mount; `None` if nothing is mounted there.
pub(super) async fn list(session: &Session, place: &Place) -> Result<Option<Vec<Listed>>, Failure> {
    let call = ListIssuersRequest {
        mount: place.mount.clone(),
    };
    match session.call::<Issuers>(place, call).await {
        Ok(found) => {
            let listed = found.key_info.into_iter().map(|(issuer_id, info)| Listed {
                issuer_id,
                key_id: info.key_id,
            });
            Ok(Some(listed.collect()))
        }
        Err(failure) if failure.is_unmounted() => Ok(None),
        // An empty list is "not found" too.
        Err(failure) if failure.is_absent() => Ok(Some(Vec::new())),
        Err(failure) => Err(failure),
    }
}

/// The issuers of a mount that is there.
pub(super) async fn listed(session: &Session, place: &Place) -> Result<Vec<Listed>, ProviderError> {
    match list(session, place).await {
        Ok(Some(listed)) => Ok(listed),
        Ok(None) => Err(gone(place)),
        Err(failure) => Err(session.explain(failure).await),
    }
}

/// The id of the key with that name.
pub(super) async fn key_called(
    session: &Session,
    place: &Place,
    name: &str,
) -> Result<Option<String>, ProviderError> {
    Ok(keys(session, place)
        .await?
        .into_iter()
        .find(|(_, key_name)| key_name == name)
        .map(|(id, _)| id))
}

/// The keys of a mount, by id, with their names.
pub(super) async fn keys(
    session: &Session,
    place: &Place,
) -> Result<Vec<(String, String)>, ProviderError> {
    let call = ListKeys {
        mount: place.mount.clone(),
    };
    match session.call::<Keys>(place, call).await {
        Ok(found) => Ok(found
            .key_info
            .into_iter()
            .map(|(id, info)| (id, info.key_name))
            .collect()),
        Err(failure) if failure.is_absent() && !failure.is_unmounted() => Ok(Vec::new()),
        Err(failure) => Err(session.explain(failure).await),
    }
}

/// The id of the issuer that the mount takes if nobody names one; only to be pinned.
pub(super) async fn default(
    session: &Session,
    place: &Place,
) -> Result<Option<String>, ProviderError> {
    let call = ReadDefaultIssuer {
        mount: place.mount.clone(),
    };
    match session.call::<DefaultIssuer>(place, call).await {
        Ok(found) => Ok(Some(found.default).filter(|id| !id.is_empty())),
        Err(failure) => Err(session.explain(failure).await),
    }
}

/// An issuer's certificate, and what has signed it, up to the root; `None` if there is no such
/// issuer.
pub(super) async fn read(
    session: &Session,
    place: &Place,
    issuer_id: &str,
) -> Result<Option<Vec<CertificateDer<'static>>>, ProviderError> {
    let call = ReadIssuerCertificateRequest {
        mount: place.mount.clone(),
        issuer: issuer_id.to_owned(),
    };
    let found: IssuerCertificate = match session.call(place, call).await {
        Ok(found) => found,
        Err(failure) if failure.is_unmounted() => return Err(gone(place)),
        // The engine answers with an internal error for an id that it does not know.
        Err(failure) if failure.is_absent() || failure.says("unable to find") => return Ok(None),
        Err(failure) => return Err(session.explain(failure).await),
    };
    let own = pem::certificate(&found.certificate)?;
    let mut chain = vec![own];
    for pem in &found.ca_chain {
        let next = pem::certificate(pem)?;
        if !chain.contains(&next) {
            chain.push(next);
        }
    }
    Ok(Some(chain))
}

/// The name of what is made for an operation, by which it is found again after a crash.
pub(super) fn name_of(operation: OperationId) -> String {
    let number = u128::from_be_bytes(*operation.as_bytes());
    format!("{PREFIX}{number:032x}")
}

/// The operation that a key of that name was made for; `None` if we have not made it.
pub(super) fn operation_of(name: &str) -> Option<OperationId> {
    let hex = name.strip_prefix(PREFIX).filter(|hex| hex.len() == 32)?;
    let number = u128::from_str_radix(hex, 16).ok()?;
    Some(OperationId::from_bytes(number.to_be_bytes()))
}

pub(super) fn gone(place: &Place) -> ProviderError {
    ProviderError::misconfigured(format!(
        "no PKI engine is mounted at {}/ in Vault",
        place.mount
    ))
}

const PREFIX: &str = "chancery-";
