//! What stands behind the providers: keys, and objects in backends that outlive every process.

use chancery_core::{OperationId, Timestamp};
use chancery_providers::Validity;

use super::certificates::{Certificate, CertificateId, Certificates, Party, from_bytes, seconds};
use super::schedule::{DAY, ProviderKind};

/// A certificate with its key, kept in a backend.
#[derive(Clone, Debug)]
struct Object {
    kind: ProviderKind,
    variant: u8,
    is_root: bool,
    certificate: CertificateId,
    operation: OperationId,
    /// Incarnations that made it or went on with it.
    users: Vec<u64>,
    gone: bool,
}

/// All backends.
#[derive(Default)]
pub(super) struct Backends {
    objects: Vec<Object>,
    /// Roots that operators have in files, made when first needed.
    files: Vec<(ProviderKind, u8, CertificateId)>,
    lost: Vec<CertificateId>,
}

/// Who orders what.
#[derive(Clone, Copy)]
pub(super) struct Order {
    pub(super) epoch: u64,
    pub(super) kind: ProviderKind,
    pub(super) variant: u8,
    pub(super) operation: OperationId,
    /// Whether what is there will not do.
    pub(super) renew: bool,
    pub(super) validity: Validity,
    pub(super) now: Timestamp,
}

impl Backends {
    /// Addressed by id where one is remembered, else whatever the mount has.
    pub(super) fn root(
        &mut self,
        order: &Order,
        remembered: Option<CertificateId>,
        all: &mut Certificates,
    ) -> CertificateId {
        let mine = |object: &&mut Object| object.kind == order.kind && !object.gone;
        let its = |object: &&mut Object| Some(object.certificate) == remembered;
        let fits = |object: &&mut Object| {
            object.is_root
                && object.variant == order.variant
                && (!order.renew || object.operation == order.operation)
        };
        let root = if self.objects.iter_mut().filter(mine).any(|it| its(&it)) {
            self.objects.iter_mut().filter(mine).find(its)
        } else {
            self.objects.iter_mut().filter(mine).rfind(fits)
        };
        if let Some(object) = root {
            object.users.push(order.epoch);
            return object.certificate;
        }
        let root = all.root(order.validity);
        self.keep(order, true, root);
        root
    }

    /// An intermediate under `root`: one that is there, or a new one.
    pub(super) fn intermediate(
        &mut self,
        order: &Order,
        root: CertificateId,
        all: &mut Certificates,
    ) -> CertificateId {
        let mine = |object: &&mut Object| object.kind == order.kind && !object.gone;
        let above = all.of(root).subject;
        let now = seconds(order.now);
        let fits = |object: &&mut Object| {
            let certificate = all.of(object.certificate);
            !object.is_root
                && certificate.issuer == above
                && certificate.not_after > now
                && (!order.renew || object.operation == order.operation)
        };
        if let Some(object) = self.objects.iter_mut().filter(mine).rfind(fits) {
            object.users.push(order.epoch);
            return object.certificate;
        }
        // Only the certificate is new, if that is all that was asked for.
        let mut old = self.objects.iter_mut().filter(mine);
        let key = old
            .rfind(|object| !object.is_root && !order.renew)
            .map(|object| all.of(object.certificate).subject);
        let key = key.unwrap_or_else(|| all.party());
        let made = all.intermediate(key, root, order.validity);
        self.keep(order, false, made);
        made
    }

    fn keep(&mut self, order: &Order, is_root: bool, certificate: CertificateId) {
        self.objects.push(Object {
            kind: order.kind,
            variant: order.variant,
            is_root,
            certificate,
            operation: order.operation,
            users: vec![order.epoch],
            gone: false,
        });
    }

    /// The root that an operator has in a file. Both files of `Given` are for one key.
    pub(super) fn file(&mut self, order: &Order, all: &mut Certificates) -> CertificateId {
        let Order { kind, variant, .. } = *order;
        let same =
            |(of, which, _): &&(ProviderKind, u8, CertificateId)| *of == kind && *which == variant;
        if let Some((.., id)) = self.files.iter().find(same) {
            return *id;
        }
        let sibling = self.files.iter().find(|(of, ..)| *of == kind);
        let validity = Validity {
            not_before: Validity::backdated(FILE_LIFE, order.now).not_before,
            not_after: order.now.saturating_add(FILE_LIFE),
        };
        let made = match sibling {
            Some((.., id)) if kind == ProviderKind::Given => {
                let key = all.of(*id).subject;
                all.root_of(key, validity)
            }
            _ => all.root(validity),
        };
        self.files.push((kind, variant, made));
        made
    }

    /// Whether the certificate's key can be used: it is in a file or a state, or not deleted.
    pub(super) fn has(&self, certificate: CertificateId) -> bool {
        let object = self
            .objects
            .iter()
            .find(|object| object.certificate == certificate);
        object.is_none_or(|object| !object.gone)
    }

    /// Whether it was deleted in a time that a restore has undone: nobody can bring it back.
    pub(super) fn is_lost(&self, certificate: CertificateId) -> bool {
        self.lost.contains(&certificate)
    }

    /// An older state counts again, but what was deleted stays so.
    pub(super) fn restored(&mut self) {
        let gone = self.objects.iter().filter(|object| object.gone);
        self.lost = gone.map(|object| object.certificate).collect();
    }

    /// Deletes what the incarnation made or used, except what is to be kept; says what went.
    pub(super) fn clean_up<'k>(
        &mut self,
        epoch: u64,
        everything: bool,
        keep: impl Iterator<Item = &'k [u8]>,
    ) -> Vec<CertificateId> {
        let keep: Vec<_> = keep.map(from_bytes).collect();
        let mut gone = Vec::new();
        for object in &mut self.objects {
            let its = object.users.contains(&epoch) && (everything || !object.is_root);
            if its && !object.gone && !keep.contains(&object.certificate) {
                object.gone = true;
                gone.push(object.certificate);
            }
        }
        gone
    }
}

const FILE_LIFE: std::time::Duration = std::time::Duration::from_secs(3650 * DAY.unsigned_abs());

impl Certificates {
    pub(super) fn root(&mut self, validity: Validity) -> CertificateId {
        let key = self.party();
        self.root_of(key, validity)
    }

    fn root_of(&mut self, key: Party, validity: Validity) -> CertificateId {
        self.add(Certificate {
            subject: key,
            issuer: key,
            not_before: seconds(validity.not_before),
            not_after: seconds(validity.not_after),
        })
    }

    /// Within the life of the root, whatever was asked for.
    pub(super) fn intermediate(
        &mut self,
        key: Party,
        root: CertificateId,
        validity: Validity,
    ) -> CertificateId {
        let above = self.of(root);
        let certificate = Certificate {
            subject: key,
            issuer: above.subject,
            not_before: seconds(validity.not_before).max(above.not_before),
            not_after: seconds(validity.not_after).min(above.not_after),
        };
        self.add_saying(certificate, |text| text.is_last = true)
    }
}
