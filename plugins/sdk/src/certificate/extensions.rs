//! The extensions that are written and read here (RFC 5280 §4.2.1).

use super::der::{
    BIT_STRING, BOOLEAN, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, Writer, context,
};
use crate::{ExtendedKeyUsage, KeyUsages};

/// 2.5.29.14
pub(super) const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];
/// 2.5.29.15
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
/// 2.5.29.17
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// 2.5.29.19
pub(super) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
/// 2.5.29.35
pub(super) const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 0x23];
/// 2.5.29.37
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// 1.3.6.1.5.5.7.3.1
const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
/// 1.3.6.1.5.5.7.3.2
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
const TRUE: u8 = 0xff;

/// Whose key it is: `CA` with how many CAs may follow, or nobody's.
#[derive(Clone, Copy)]
pub(super) enum Constraints {
    Ca(Option<u8>),
    Leaf,
}

pub(super) fn basic_constraints(writer: &mut Writer, constraints: Constraints) {
    extension(writer, BASIC_CONSTRAINTS, true, |writer| {
        writer.nested(SEQUENCE, |writer| {
            if let Constraints::Ca(path_length) = constraints {
                writer.value(BOOLEAN, &[TRUE]);
                if let Some(length) = path_length {
                    writer.unsigned(&[length]);
                }
            }
        });
    });
}

pub(super) fn key_usages(writer: &mut Writer, usages: KeyUsages) {
    // A list of named bits: bit 0 is the highest of the first octet, and there is none behind
    // the last one that is set (X.690 §11.2.2).
    let reversed = usages.bits().reverse_bits().to_be_bytes();
    let octets = match reversed {
        [0, 0] => &[][..],
        [_, 0] => reversed.get(..1).unwrap_or_default(),
        _ => &reversed,
    };
    let unused = octets.last().map_or(0, |last| last.trailing_zeros());
    extension(writer, KEY_USAGE, true, |writer| {
        writer.nested(BIT_STRING, |writer| {
            writer.raw(&[u8::try_from(unused).unwrap_or_default()]);
            writer.raw(octets);
        });
    });
}

pub(super) fn extended_key_usages(writer: &mut Writer, usages: &[ExtendedKeyUsage]) {
    if usages.is_empty() {
        return;
    }
    extension(writer, EXTENDED_KEY_USAGE, false, |writer| {
        writer.nested(SEQUENCE, |writer| {
            for usage in usages {
                let purpose = match usage {
                    ExtendedKeyUsage::ClientAuth => CLIENT_AUTH,
                    ExtendedKeyUsage::ServerAuth => SERVER_AUTH,
                };
                writer.value(OID, purpose);
            }
        });
    });
}

/// One URI (an IA5String, so it must be ASCII).
pub(super) fn uri(writer: &mut Writer, uri: &str) {
    extension(writer, SUBJECT_ALTERNATIVE_NAME, false, |writer| {
        writer.nested(SEQUENCE, |writer| writer.value(context(6), uri.as_bytes()));
    });
}

pub(super) fn subject_key_id(writer: &mut Writer, id: &[u8]) {
    extension(writer, SUBJECT_KEY_ID, false, |writer| {
        writer.value(OCTET_STRING, id);
    });
}

pub(super) fn authority_key_id(writer: &mut Writer, id: &[u8]) {
    extension(writer, AUTHORITY_KEY_ID, false, |writer| {
        writer.nested(SEQUENCE, |writer| writer.value(context(0), id));
    });
}

fn extension(writer: &mut Writer, oid: &[u8], critical: bool, write: impl FnOnce(&mut Writer)) {
    writer.nested(SEQUENCE, |writer| {
        writer.value(OID, oid);
        if critical {
            writer.value(BOOLEAN, &[TRUE]);
        }
        writer.nested(OCTET_STRING, write);
    });
}

/// One extension as it stands in a certificate.
#[derive(Clone, Copy)]
pub(super) struct Extension<'a> {
    pub(super) oid: &'a [u8],
    pub(super) content: &'a [u8],
    pub(super) raw: &'a [u8],
}

/// The next extension.
pub(super) fn read<'a>(reader: &mut Reader<'a>) -> Option<Extension<'a>> {
    let whole = reader.expect(SEQUENCE)?;
    let mut parts = Reader::new(whole.content);
    let oid = parts.expect(OID)?.content;
    let _critical = parts.optional(BOOLEAN);
    let content = parts.only(OCTET_STRING)?;
    Some(Extension {
        oid,
        content: content.rest(),
        raw: whole.raw,
    })
}

/// Whether it is a CA, and how many may follow below.
pub(super) fn read_constraints(content: &[u8]) -> Option<(bool, Option<u8>)> {
    let mut parts = Reader::new(content).only(SEQUENCE)?;
    let ca = parts
        .optional(BOOLEAN)
        .is_some_and(|value| value.content == [TRUE]);
    let path_length = match parts.optional(INTEGER).map(|value| value.content) {
        None => None,
        Some([length]) => Some(*length),
        // More than any chain has.
        Some(_) => Some(u8::MAX),
    };
    Some((ca, path_length))
}

/// The key identifier in an authority key identifier.
pub(super) fn read_authority(content: &[u8]) -> Option<&[u8]> {
    let mut parts = Reader::new(content).only(SEQUENCE)?;
    parts.optional(context(0)).map(|id| id.content)
}

/// The octets in an octet string.
pub(super) fn read_octets(content: &[u8]) -> Option<&[u8]> {
    Some(Reader::new(content).only(OCTET_STRING)?.rest())
}
