//! What one instance of the built-in CA holds in memory.

use std::sync::Arc;

use chancery_core::OperationId;
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};

use super::basis::Basis;
use super::issuer::Issuer;
use super::keys::CaKey;
use crate::ProviderError;

/// Keys and certificates. Cloning shares them.
#[derive(Clone, Default)]
pub(super) struct Held {
    /// What the options say of the root. Memory that was kept for another one does not count.
    pub(super) basis: Basis,
    pub(super) root: Option<Root>,
    /// What signs leafs if it is not the root.
    pub(super) intermediate: Option<Intermediate>,
    pub(super) pending: Option<Pending>,
    /// Cleaned up: nothing may be made or signed any more.
    pub(super) retired: bool,
}

/// A root, and the wish that it was made for (unknown if an older version made it).
#[derive(Clone)]
pub(super) struct Root {
    pub(super) issuer: Arc<Issuer>,
    pub(super) operation: Option<OperationId>,
}

/// An intermediate that another CA signed, what links it to a root, and the wish that it was
/// made for (unknown if an older version made it).
#[derive(Clone)]
pub(super) struct Intermediate {
    pub(super) issuer: Arc<Issuer>,
    pub(super) links: Arc<[CertificateDer<'static>]>,
    pub(super) operation: Option<OperationId>,
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

    /// The root that answers the wish `operation`: a renewal is answered by what it made.
    pub(super) fn root_for(&self, operation: OperationId, renew: bool) -> Option<Root> {
        let root = self.root.as_ref();
        root.filter(|root| !renew || root.operation == Some(operation))
            .cloned()
    }

    /// The intermediate that answers the wish `operation`, likewise.
    pub(super) fn intermediate_for(
        &self,
        operation: OperationId,
        renew: bool,
    ) -> Option<&Intermediate> {
        let intermediate = self.intermediate.as_ref();
        intermediate.filter(|made| !renew || made.operation == Some(operation))
    }

    /// The root that was made here.
    pub(super) fn own_root(&self) -> Result<Arc<Issuer>, ProviderError> {
        self.root
            .as_ref()
            .map(|root| Arc::clone(&root.issuer))
            .ok_or_else(|| ProviderError::refused("this CA has no root yet"))
    }
}
