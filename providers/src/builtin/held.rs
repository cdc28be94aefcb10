//! What one instance of the built-in CA holds in memory.

use std::sync::Arc;

use chancery_core::OperationId;
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};

use super::issuer::Issuer;
use super::keys::CaKey;
use crate::ProviderError;

/// Keys and certificates. Cloning shares them.
#[derive(Clone, Default)]
pub(super) struct Held {
    pub(super) root: Option<Arc<Issuer>>,
    /// What signs leafs if it is not the root, and what links it to a root.
    pub(super) intermediate: Option<(Arc<Issuer>, Arc<[CertificateDer<'static>]>)>,
    pub(super) pending: Option<Pending>,
    /// Cleaned up: nothing may be made or signed any more.
    pub(super) retired: bool,
}

/// A key whose intermediate somebody else is about to sign.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) operation: OperationId,
    pub(super) key: Arc<CaKey>,
    pub(super) csr: CertificateSigningRequestDer<'static>,
}

impl Held {
    /// Refuses everything once cleaned up.
    pub(super) fn check_alive(&self) -> Result<(), ProviderError> {
        if self.retired {
            Err(ProviderError::refused("this CA has been cleaned up"))
        } else {
            Ok(())
        }
    }

    /// The root, which signs CAs.
    pub(super) fn signing_root(&self) -> Result<Arc<Issuer>, ProviderError> {
        self.check_alive()?;
        self.root
            .clone()
            .ok_or_else(|| ProviderError::refused("this CA has no root yet"))
    }
}
