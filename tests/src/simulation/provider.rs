//! What stands behind the provider trait in the product: keys, and objects in backends.

use chancery_core::{CaConfiguration, Der, Life, NewIssuer, OperationId, Sealed};

use super::certificates::{
    Certificate, CertificateId, Certificates, Party, from_der, stamp, to_der,
};
use super::schedule::{DAY, ProviderKind, Wish};

/// Roots live for ten years: no schedule sees one end.
const ROOT_LIFE: i64 = 3650 * DAY;

/// What an incarnation remembers: committed as its sealed state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) variant: u8,
    pub(super) root: CertificateId,
    pub(super) intermediate: Option<CertificateId>,
    /// Key of the intermediate that waits for a signature.
    pub(super) requested: Option<Party>,
}

impl Remembered {
    pub(super) fn seal(&self) -> Sealed {
        let mut bytes = vec![self.variant];
        for number in [
            self.root.0,
            self.intermediate.map_or(u32::MAX, |id| id.0),
            self.requested.map_or(u32::MAX, |party| party.0),
        ] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        Sealed::from_bytes(bytes)
    }

    pub(super) fn open(sealed: &Sealed) -> Option<Self> {
        let bytes = sealed.as_bytes();
        let number = |at: usize| -> Option<u32> {
            Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
        };
        let optional = |number: u32| (number != u32::MAX).then_some(number);
        Some(Self {
            variant: *bytes.first()?,
            root: CertificateId(number(1)?),
            intermediate: optional(number(5)?).map(CertificateId),
            requested: optional(number(9)?).map(Party),
        })
    }
}

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

/// What was ordered.
pub(super) struct Order<'a> {
    pub(super) epoch: u64,
    pub(super) operation: OperationId,
    pub(super) wish: Wish,
    /// What is remembered, and whether that is of this very incarnation.
    pub(super) memory: Option<(Remembered, bool)>,
    pub(super) renew_root: bool,
    pub(super) renew_intermediate: bool,
    pub(super) signed: Option<&'a [Der]>,
    /// The wall clock.
    pub(super) now: i64,
}

pub(super) enum Answer {
    Ready(Remembered),
    Request(Remembered),
    Refused,
    /// What was signed outside is for another key or under another root.
    WrongSignature,
}

impl Backends {
    pub(super) fn prepare(&mut self, order: &Order<'_>, all: &mut Certificates) -> Answer {
        match order.wish.kind {
            ProviderKind::Local => local(order, all),
            ProviderKind::Remote | ProviderKind::Plain => self.remote(order, all),
            ProviderKind::Offline => self.offline(order, all),
            ProviderKind::Given if order.renew_root => Answer::Refused,
            ProviderKind::Given => Answer::Ready(Remembered {
                variant: order.wish.variant,
                root: self.file(order, all),
                intermediate: None,
                requested: None,
            }),
        }
    }

    fn remote(&mut self, order: &Order<'_>, all: &mut Certificates) -> Answer {
        let Wish { kind, variant, .. } = order.wish;
        let mine = |object: &&mut Object| object.kind == kind && !object.gone;
        let roots = |object: &&mut Object| {
            object.is_root
                && object.variant == variant
                && (!order.renew_root || object.operation == order.operation)
        };
        // Addressed by id where one is remembered, else whatever the mount has.
        let remembered = order
            .memory
            .filter(|(memory, _)| memory.variant == variant && !order.renew_root)
            .map(|(memory, _)| memory.root);
        let its = |object: &&mut Object| Some(object.certificate) == remembered;
        let root = if self.objects.iter_mut().filter(mine).any(|it| its(&it)) {
            self.objects.iter_mut().filter(mine).find(its)
        } else {
            self.objects.iter_mut().filter(mine).rfind(roots)
        };
        let root = if let Some(object) = root {
            object.users.push(order.epoch);
            object.certificate
        } else {
            let root = all.root(order.now);
            self.keep(order, true, root);
            root
        };
        let above = all.of(root).subject;
        let fits = |object: &&mut Object| {
            let certificate = all.of(object.certificate);
            !object.is_root
                && certificate.issuer == above
                && certificate.not_after > order.now
                && (!order.renew_intermediate || object.operation == order.operation)
        };
        let found = self.objects.iter_mut().filter(mine).rfind(fits);
        let intermediate = if let Some(object) = found {
            object.users.push(order.epoch);
            object.certificate
        } else {
            // Only the certificate is new, if that is all that was asked for.
            let mut old = self.objects.iter_mut().filter(mine);
            let key = old
                .rfind(|object| !object.is_root && !order.renew_intermediate)
                .map(|object| all.of(object.certificate).subject);
            let key = key.unwrap_or_else(|| all.party());
            let made = all.intermediate(key, root, order.wish.intermediate, order.now);
            self.keep(order, false, made);
            made
        };
        Answer::Ready(Remembered {
            variant,
            root,
            intermediate: Some(intermediate),
            requested: None,
        })
    }

    fn keep(&mut self, order: &Order<'_>, is_root: bool, certificate: CertificateId) {
        self.objects.push(Object {
            kind: order.wish.kind,
            variant: order.wish.variant,
            is_root,
            certificate,
            operation: order.operation,
            users: vec![order.epoch],
            gone: false,
        });
    }

    fn offline(&mut self, order: &Order<'_>, all: &mut Certificates) -> Answer {
        if order.renew_root {
            return Answer::Refused;
        }
        let root = self.file(order, all);
        let remembered = Remembered {
            variant: order.wish.variant,
            root,
            intermediate: None,
            requested: None,
        };
        if let Some(signed) = order.signed {
            let request = order.memory.and_then(|(memory, _)| memory.requested);
            let given = signed.first().map(from_der);
            let fits = given.is_some_and(|given| {
                let given = all.of(given);
                Some(given.subject) == request && given.issuer == all.of(root).subject
            });
            return if fits {
                Answer::Ready(Remembered {
                    intermediate: given,
                    ..remembered
                })
            } else {
                Answer::WrongSignature
            };
        }
        match order.memory {
            Some((memory, true)) if memory.requested.is_some() => Answer::Request(memory),
            Some((memory, _))
                if memory.root == root
                    && memory.intermediate.is_some_and(|id| {
                        !order.renew_intermediate && all.of(id).not_after > order.now
                    }) =>
            {
                Answer::Ready(Remembered {
                    requested: None,
                    ..memory
                })
            }
            _ => Answer::Request(Remembered {
                requested: Some(all.party()),
                ..remembered
            }),
        }
    }

    /// The root that an operator has in a file. Both files of `Given` are for one key.
    fn file(&mut self, order: &Order<'_>, all: &mut Certificates) -> CertificateId {
        let Wish { kind, variant, .. } = order.wish;
        let same =
            |(of, which, _): &&(ProviderKind, u8, CertificateId)| *of == kind && *which == variant;
        if let Some((.., id)) = self.files.iter().find(same) {
            return *id;
        }
        let sibling = self.files.iter().find(|(of, ..)| *of == kind);
        let made = match sibling {
            Some((.., id)) if kind == ProviderKind::Given => {
                let key = all.of(*id).subject;
                all.root_of(key, order.now)
            }
            _ => all.root(order.now),
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
    pub(super) fn clean_up(
        &mut self,
        epoch: u64,
        everything: bool,
        keep: &[Der],
    ) -> Vec<CertificateId> {
        let keep: Vec<_> = keep.iter().map(from_der).collect();
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

/// Keys of this provider are in its state alone: what was not committed is lost.
fn local(order: &Order<'_>, all: &mut Certificates) -> Answer {
    if let Some((memory, true)) = order.memory {
        return Answer::Ready(memory);
    }
    let kept = order
        .memory
        .map(|(memory, _)| memory)
        .filter(|memory| memory.variant == order.wish.variant && !order.renew_root);
    let root = kept.map_or_else(|| all.root(order.now), |memory| memory.root);
    let has_intermediate = order.wish.variant == 1;
    let old = kept
        .and_then(|memory| memory.intermediate)
        .filter(|_| !order.renew_intermediate);
    let intermediate = has_intermediate.then(|| {
        old.unwrap_or_else(|| {
            let key = all.party();
            all.intermediate(key, root, order.wish.intermediate, order.now)
        })
    });
    Answer::Ready(Remembered {
        variant: order.wish.variant,
        root,
        intermediate,
        requested: None,
    })
}

impl Certificates {
    fn root(&mut self, now: i64) -> CertificateId {
        let key = self.party();
        self.root_of(key, now)
    }

    fn root_of(&mut self, key: Party, now: i64) -> CertificateId {
        self.add(Certificate {
            subject: key,
            issuer: key,
            not_before: now - 60,
            not_after: now + ROOT_LIFE,
        })
    }

    pub(super) fn intermediate(
        &mut self,
        key: Party,
        root: CertificateId,
        life: i64,
        now: i64,
    ) -> CertificateId {
        let above = self.of(root);
        self.add(Certificate {
            subject: key,
            issuer: above.subject,
            not_before: now - 60,
            not_after: (now + life).min(above.not_after),
        })
    }

    /// The issuer as the host would describe it after its checks.
    pub(super) fn issuer(&self, memory: &Remembered, outside: bool) -> NewIssuer {
        let root = self.of(memory.root);
        let intermediate = memory.intermediate.map(|id| self.of(id));
        let signs = intermediate.unwrap_or(root);
        NewIssuer {
            id: root_name(memory.root),
            name: String::new(),
            serial_number: u64::from(memory.root.0),
            signing_key_id: key_name(signs.subject),
            not_before: stamp(root.not_before),
            not_after: stamp(root.not_after),
            certificate: to_der(memory.root),
            intermediates: memory.intermediate.iter().map(|id| to_der(*id)).collect(),
            intermediate_life: intermediate.map(|certificate| Life {
                not_before: stamp(certificate.not_before),
                not_after: stamp(certificate.not_after),
            }),
            signed_outside: outside,
            private_key_type: String::new(),
            private_key_bits: 0,
        }
    }
}

pub(super) fn root_name(id: CertificateId) -> String {
    format!("r{}", id.0)
}

pub(super) fn key_name(party: Party) -> String {
    format!("k{}", party.0)
}

/// A wish as the configuration that core keeps, and back.
pub(super) fn configuration(wish: Wish) -> CaConfiguration {
    let mut options = serde_json::Map::new();
    options.insert("variant".to_owned(), wish.variant.into());
    let span = |seconds: i64| std::time::Duration::from_secs(seconds.unsigned_abs());
    CaConfiguration::new(
        wish.kind.name(),
        options,
        chancery_core::Lifetimes {
            leaf: span(wish.leaf),
            intermediate: span(wish.intermediate),
            root: span(ROOT_LIFE),
            bundle: span(wish.bundle),
        },
    )
}

pub(super) fn wish(configuration: &CaConfiguration) -> Wish {
    let kinds = ProviderKind::ALL;
    let kind = kinds
        .into_iter()
        .find(|kind| kind.name() == configuration.provider)
        .unwrap_or(ProviderKind::Local);
    let variant = configuration.options.get("variant");
    let span = |span: std::time::Duration| span.as_secs().cast_signed();
    Wish {
        kind,
        variant: u8::from(variant.is_some_and(|number| *number == 1)),
        leaf: span(configuration.lifetimes.leaf),
        intermediate: span(configuration.lifetimes.intermediate),
        bundle: span(configuration.lifetimes.bundle),
    }
}
