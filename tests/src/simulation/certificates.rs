//! Certificates without cryptography: who signed whom, from when to when.
//!
//! Each is in two forms. The law goes by the table, which holds what is true; the product gets the
//! bytes, which say what whoever wrote them wanted to say.

use chancery_core::{Der, Timestamp};

use super::der::{self, CaText};

/// What a certificate's name and key are together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Party(pub(super) u32);

/// A certificate by its place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CertificateId(pub(super) u32);

/// A CA certificate. Leafs are counted, not kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Certificate {
    pub(super) subject: Party,
    pub(super) issuer: Party,
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

/// Certificates on one path, the leaf among them, that TLS stacks accept.
const LONGEST_PATH: usize = 6;

/// Every CA certificate that was ever made.
#[derive(Default)]
pub(super) struct Certificates {
    table: Vec<(Certificate, Der)>,
    parties: u32,
}

impl Certificates {
    pub(super) const fn party(&mut self) -> Party {
        self.parties += 1;
        Party(self.parties)
    }

    /// Adds one whose bytes say the truth.
    pub(super) fn add(&mut self, certificate: Certificate) -> CertificateId {
        self.add_saying(certificate, |_| {})
    }

    /// Adds one of which `change` decides what its bytes say.
    pub(super) fn add_saying(
        &mut self,
        certificate: Certificate,
        change: impl FnOnce(&mut CaText),
    ) -> CertificateId {
        let place = u32::try_from(self.table.len()).unwrap_or(u32::MAX);
        let mut text = CaText {
            place,
            subject_name: certificate.subject,
            subject_key: certificate.subject,
            issuer: certificate.issuer,
            signer: certificate.issuer,
            not_before: stamp(certificate.not_before),
            not_after: stamp(certificate.not_after),
            is_last: false,
        };
        change(&mut text);
        self.table.push((certificate, Der::new(&text.write())));
        CertificateId(place)
    }

    pub(super) fn of(&self, id: CertificateId) -> Certificate {
        self.table[id.0 as usize].0
    }

    /// Its bytes.
    pub(super) fn der(&self, id: CertificateId) -> Der {
        self.table[id.0 as usize].1.clone()
    }

    /// The spans of time in which a path leads from a leaf of `issuer` over `chain` to one of
    /// `anchors`.
    pub(super) fn spans(
        &self,
        issuer: Party,
        chain: &[CertificateId],
        anchors: &[CertificateId],
    ) -> Vec<(i64, i64)> {
        let mut found = Vec::new();
        let path = Path {
            head: issuer,
            from: i64::MIN,
            until: i64::MAX,
            length: 1,
            used: 0,
        };
        self.walk(path, chain, anchors, &mut found);
        found
    }

    fn walk(
        &self,
        path: Path,
        chain: &[CertificateId],
        anchors: &[CertificateId],
        found: &mut Vec<(i64, i64)>,
    ) {
        for anchor in anchors.iter().map(|id| self.of(*id)) {
            if anchor.subject == path.head {
                found.push((
                    path.from.max(anchor.not_before),
                    path.until.min(anchor.not_after),
                ));
            }
        }
        if path.length == LONGEST_PATH {
            return;
        }
        for (place, id) in chain.iter().enumerate() {
            let certificate = self.of(*id);
            if certificate.subject == path.head && path.used & (1 << place) == 0 {
                let longer = Path {
                    head: certificate.issuer,
                    from: path.from.max(certificate.not_before),
                    until: path.until.min(certificate.not_after),
                    length: path.length + 1,
                    used: path.used | (1 << place),
                };
                self.walk(longer, chain, anchors, found);
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Path {
    head: Party,
    from: i64,
    until: i64,
    length: usize,
    used: u32,
}

/// Which certificate these bytes are.
pub(super) fn from_der(der: &Der) -> CertificateId {
    from_bytes(der.as_bytes())
}

pub(super) fn from_bytes(bytes: &[u8]) -> CertificateId {
    CertificateId(der::place_of(bytes).unwrap_or(u32::MAX))
}

/// Where virtual time begins, so that dates are dates.
const BEGINNING: i64 = 1_800_000_000;

pub(super) fn stamp(seconds: i64) -> Timestamp {
    Timestamp::from_unix(BEGINNING + seconds)
}

pub(super) const fn seconds(stamp: Timestamp) -> i64 {
    stamp.unix_seconds().saturating_sub(BEGINNING)
}
