//! What an incarnation remembers: its state, which the host commits with its certificates.

use chancery_core::{OperationId, Secret};

use super::certificates::{CertificateId, Party};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) variant: u8,
    pub(super) root: CertificateId,
    /// The order that the root was made for.
    pub(super) root_for: OperationId,
    pub(super) intermediate: Option<CertificateId>,
    /// Key of the intermediate that waits for a signature.
    pub(super) requested: Option<Party>,
    /// The order that the intermediate, or the request for it, was made for.
    pub(super) intermediate_for: OperationId,
}

impl Remembered {
    /// What leafs are signed with.
    pub(super) fn signs(&self) -> CertificateId {
        self.intermediate.unwrap_or(self.root)
    }

    pub(super) fn to_state(self) -> Secret {
        let mut bytes = vec![self.variant];
        for number in [
            self.root.0,
            self.intermediate.map_or(u32::MAX, |id| id.0),
            self.requested.map_or(u32::MAX, |party| party.0),
        ] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(self.root_for.as_bytes());
        bytes.extend_from_slice(self.intermediate_for.as_bytes());
        Secret::new(bytes)
    }

    pub(super) fn from_state(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| -> Option<u32> {
            Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
        };
        let operation = |at: usize| -> Option<OperationId> {
            Some(OperationId::from_bytes(
                bytes.get(at..at + 16)?.try_into().ok()?,
            ))
        };
        let optional = |number: u32| (number != u32::MAX).then_some(number);
        Some(Self {
            variant: *bytes.first()?,
            root: CertificateId(number(1)?),
            intermediate: optional(number(5)?).map(CertificateId),
            requested: optional(number(9)?).map(Party),
            root_for: operation(13)?,
            intermediate_for: operation(29)?,
        })
    }
}
