//! What a configured provider holds: issuers in Vault, each by its id.

use std::sync::Arc;

use chancery_core::{CheckedIntermediate, CheckedRoot, Issuer, OperationId};
use rustls_pki_types::CertificateDer;

use super::options::Place;
use crate::ProviderError;

/// The root and the intermediate of one instance.
#[derive(Clone, Default)]
pub(super) struct Held {
    pub(super) root: Option<Arc<Root>>,
    pub(super) intermediate: Option<Arc<Intermediate>>,
    /// Mounts that this provider has created, newest last.
    pub(super) made: Vec<Place>,
    pub(super) retired: bool,
}

/// An issuer of Vault: a certificate and the key that is kept there.
#[derive(Clone)]
pub(super) struct Authority {
    pub(super) place: Place,
    pub(super) issuer_id: String,
    pub(super) key_id: String,
    /// The wish it was made for; none if somebody else has made it.
    pub(super) operation: Option<OperationId>,
    pub(super) certificate: CertificateDer<'static>,
}

/// What stands at the top.
pub(super) struct Root {
    /// The self-signed certificate.
    pub(super) certificate: CertificateDer<'static>,
    /// What signs in the root mount: the root itself, or an authority somewhere below it.
    pub(super) signer: Authority,
    /// What is known of the signer.
    pub(super) issuer: Issuer,
    /// From the signer up to what the root has signed; empty if the signer is the root.
    pub(super) links: Vec<CertificateDer<'static>>,
}

/// What signs leafs.
pub(super) struct Intermediate {
    pub(super) authority: Authority,
    pub(super) issuer: Issuer,
    /// The root it stands under.
    pub(super) root: CertificateDer<'static>,
    /// The certificate, then what links it to the root.
    pub(super) chain: Vec<CertificateDer<'static>>,
}

impl Held {
    pub(super) fn check_alive(&self) -> Result<(), ProviderError> {
        if self.retired {
            return Err(ProviderError::refused(
                "this CA was replaced and has been cleaned up",
            ));
        }
        Ok(())
    }

    pub(super) fn root(&self) -> Result<Arc<Root>, ProviderError> {
        self.check_alive()?;
        self.root
            .clone()
            .ok_or_else(|| ProviderError::refused("the CA has no root yet"))
    }

    pub(super) fn intermediate(&self) -> Result<Arc<Intermediate>, ProviderError> {
        self.check_alive()?;
        self.intermediate
            .clone()
            .ok_or_else(|| ProviderError::refused("the CA has no intermediate yet"))
    }
}

impl Root {
    /// `above` begins with what has signed the signer and ends with the root; empty if the
    /// signer is the root.
    pub(super) fn new(
        signer: Authority,
        above: &[CertificateDer<'static>],
    ) -> Result<Self, ProviderError> {
        let issuer = read(&signer.certificate)?;
        let Some((root, between)) = above.split_last() else {
            CheckedRoot::restore(&signer.certificate).map_err(ProviderError::violating)?;
            return Ok(Self {
                certificate: signer.certificate.clone(),
                signer,
                issuer,
                links: Vec::new(),
            });
        };
        CheckedRoot::restore(root).map_err(ProviderError::violating)?;
        let links = std::iter::once(&signer.certificate).chain(between);
        Ok(Self {
            certificate: root.clone(),
            links: links.cloned().collect(),
            signer,
            issuer,
        })
    }

    /// Whether the signer is the root itself.
    pub(super) fn is_direct(&self) -> bool {
        self.links.is_empty()
    }
}

impl Intermediate {
    pub(super) fn new(authority: Authority, root: &Root) -> Result<Self, ProviderError> {
        let issuer = read(&authority.certificate)?;
        let chain = std::iter::once(&authority.certificate).chain(&root.links);
        Ok(Self {
            issuer,
            root: root.certificate.clone(),
            chain: chain.cloned().collect(),
            authority,
        })
    }
}

/// What is known of a CA's certificate.
pub(super) fn read(certificate: &[u8]) -> Result<Issuer, ProviderError> {
    CheckedIntermediate::restore(certificate)
        .map(|checked| checked.issuer().clone())
        .map_err(ProviderError::violating)
}
