//! Certificates as bytes, written from symbols: what the product's checks read.
//!
//! Each says what the product's own certificates say, with a well-formed P-256 key and a name for
//! each [`Party`]. A CA's serial number is its place in the table.

use chancery_core::Timestamp;

use super::certificates::Party;
use super::signature;

/// What a CA's certificate says, and who signed it. In an honest one the two issuers are one.
#[derive(Clone, Copy, Debug)]
pub(super) struct CaText {
    pub(super) place: u32,
    pub(super) subject_name: Party,
    pub(super) subject_key: Party,
    pub(super) issuer: Party,
    pub(super) signer: Party,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    /// Below it there are leafs only.
    pub(super) is_last: bool,
}

/// What a leaf says, and who signed it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeafText<'a> {
    pub(super) serial: &'a [u8],
    pub(super) common_name: &'a str,
    pub(super) uri: &'a str,
    /// A SubjectPublicKeyInfo.
    pub(super) key: &'a [u8],
    pub(super) issuer: Party,
    pub(super) signer: Party,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    pub(super) is_ca: bool,
}

impl CaText {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut serial = [1, 0, 0, 0, 0];
        serial[1..].copy_from_slice(&self.place.to_be_bytes());
        certificate(self.signer, &serial, |out| {
            name(out, &party_name(self.issuer));
            validity(out, self.not_before, self.not_after);
            name(out, &party_name(self.subject_name));
            out.extend_from_slice(&public_key_info(self.subject_key));
            extensions(out, |out| {
                extension(out, BASIC_CONSTRAINTS, true, |out| {
                    value(out, SEQUENCE, |out| {
                        out.extend_from_slice(&[0x01, 1, 0xff]);
                        if self.is_last {
                            out.extend_from_slice(&[0x02, 1, 0]);
                        }
                    });
                });
                // keyCertSign and cRLSign.
                extension(out, KEY_USAGE, true, |out| {
                    out.extend_from_slice(&[0x03, 2, 1, 0x06]);
                });
                let key_id = self.subject_key.0.to_be_bytes();
                extension(out, SUBJECT_KEY_ID, false, |out| octets(out, 0x04, &key_id));
                authority_key_id(out, self.issuer);
                alternative_name(out, TRUST_DOMAIN);
            });
        })
    }
}

impl LeafText<'_> {
    pub(super) fn write(&self) -> Vec<u8> {
        certificate(self.signer, self.serial, |out| {
            name(out, &party_name(self.issuer));
            validity(out, self.not_before, self.not_after);
            name(out, self.common_name);
            out.extend_from_slice(self.key);
            extensions(out, |out| {
                if self.is_ca {
                    extension(out, BASIC_CONSTRAINTS, true, |out| {
                        value(out, SEQUENCE, |out| out.extend_from_slice(&[0x01, 1, 0xff]));
                    });
                }
                // digitalSignature.
                extension(out, KEY_USAGE, true, |out| {
                    out.extend_from_slice(&[0x03, 2, 7, 0x80]);
                });
                extension(out, EXTENDED_KEY_USAGE, false, |out| {
                    value(out, SEQUENCE, |out| {
                        octets(out, OBJECT_ID, CLIENT_AUTH);
                        octets(out, OBJECT_ID, SERVER_AUTH);
                    });
                });
                authority_key_id(out, self.issuer);
                alternative_name(out, self.uri);
            });
        })
    }
}

/// The place in the table that a CA's certificate has, from its serial number.
pub(super) fn place_of(der: &[u8]) -> Option<u32> {
    let octets = der.get(SERIAL_AT..SERIAL_AT + 4)?;
    Some(u32::from_be_bytes(octets.try_into().ok()?))
}

/// The SubjectPublicKeyInfo of a party's key.
pub(super) fn public_key_info(party: Party) -> [u8; KEY_INFO.len() + POINT] {
    let mut info = [0; KEY_INFO.len() + POINT];
    info[..KEY_INFO.len()].copy_from_slice(KEY_INFO);
    info[KEY_INFO.len()..].copy_from_slice(&point(party));
    info
}

fn point(party: Party) -> [u8; POINT] {
    let mut point = [0x5a; POINT];
    // Uncompressed.
    point[0] = 4;
    point[1..5].copy_from_slice(&party.0.to_be_bytes());
    point
}

fn party_name(party: Party) -> String {
    format!("party {:08}", party.0)
}

fn certificate(signer: Party, serial: &[u8], rest: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut signed = Vec::with_capacity(512);
    value(&mut signed, SEQUENCE, |out| {
        out.extend_from_slice(VERSION_3);
        integer(out, serial);
        out.extend_from_slice(ECDSA_WITH_SHA256);
        rest(out);
    });
    let signature = signature::sign(&point(signer), &signed);
    let mut der = Vec::with_capacity(signed.len() + 32);
    value(&mut der, SEQUENCE, |out| {
        out.extend_from_slice(&signed);
        out.extend_from_slice(ECDSA_WITH_SHA256);
        value(out, 0x03, |out| {
            out.push(0);
            out.extend_from_slice(&signature);
        });
    });
    der
}

fn name(out: &mut Vec<u8>, common_name: &str) {
    value(out, SEQUENCE, |out| {
        value(out, 0x31, |out| {
            value(out, SEQUENCE, |out| {
                octets(out, OBJECT_ID, COMMON_NAME);
                octets(out, 0x0c, common_name.as_bytes());
            });
        });
    });
}

fn validity(out: &mut Vec<u8>, not_before: Timestamp, not_after: Timestamp) {
    value(out, SEQUENCE, |out| {
        time(out, not_before);
        time(out, not_after);
    });
}

/// UTCTime as long as that can be, as RFC 5280 wants it.
fn time(out: &mut Vec<u8>, moment: Timestamp) {
    let (year, month, day, hour, minute, second) = moment.civil();
    let is_short = year < 2050;
    value(out, if is_short { 0x17 } else { 0x18 }, |out| {
        if !is_short {
            two_digits(out, year / 100);
        }
        for part in [year % 100, month, day, hour, minute, second] {
            two_digits(out, part);
        }
        out.push(b'Z');
    });
}

fn two_digits(out: &mut Vec<u8>, number: i64) {
    for digit in [number / 10 % 10, number % 10] {
        out.push(b'0' + u8::try_from(digit).unwrap_or(0));
    }
}

fn extensions(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    value(out, 0xa3, |out| value(out, SEQUENCE, write));
}

fn extension(out: &mut Vec<u8>, id: &[u8], critical: bool, write: impl FnOnce(&mut Vec<u8>)) {
    value(out, SEQUENCE, |out| {
        octets(out, OBJECT_ID, id);
        if critical {
            out.extend_from_slice(&[0x01, 1, 0xff]);
        }
        value(out, 0x04, write);
    });
}

fn authority_key_id(out: &mut Vec<u8>, issuer: Party) {
    extension(out, AUTHORITY_KEY_ID, false, |out| {
        value(out, SEQUENCE, |out| {
            octets(out, 0x80, &issuer.0.to_be_bytes());
        });
    });
}

fn alternative_name(out: &mut Vec<u8>, uri: &str) {
    extension(out, ALTERNATIVE_NAME, false, |out| {
        value(out, SEQUENCE, |out| octets(out, 0x86, uri.as_bytes()));
    });
}

fn integer(out: &mut Vec<u8>, magnitude: &[u8]) {
    value(out, 0x02, |out| {
        if magnitude.first().is_some_and(|first| *first >= 0x80) {
            out.push(0);
        }
        out.extend_from_slice(magnitude);
    });
}

fn octets(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    value(out, tag, |out| out.extend_from_slice(content));
}

/// Appends a value whose content `write` appends.
fn value(out: &mut Vec<u8>, tag: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    let at = out.len();
    out.push(0);
    write(out);
    let length = out.len() - at - 1;
    let [.., high, low] = length.to_be_bytes();
    match length {
        0..=0x7f => out[at] = low,
        0x80..=0xff => {
            out[at] = 0x81;
            out.insert(at + 1, low);
        }
        _ => {
            out[at] = 0x82;
            out.splice(at + 1..at + 1, [high, low]);
        }
    }
}

const SEQUENCE: u8 = 0x30;
const OBJECT_ID: u8 = 0x06;
/// Behind the headers of certificate and signed part, which have more than 255 bytes each, the
/// version, and the first octets of the number.
const SERIAL_AT: usize = 4 + 4 + VERSION_3.len() + 3;
const VERSION_3: &[u8] = &[0xa0, 3, 0x02, 1, 2];
const ECDSA_WITH_SHA256: &[u8] = &[
    0x30, 10, 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
];
/// A key on P-256, up to its point.
const KEY_INFO: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 8, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0,
];
const POINT: usize = 65;
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 29, 19];
const KEY_USAGE: &[u8] = &[0x55, 29, 15];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 29, 37];
const SUBJECT_KEY_ID: &[u8] = &[0x55, 29, 14];
const AUTHORITY_KEY_ID: &[u8] = &[0x55, 29, 35];
const ALTERNATIVE_NAME: &[u8] = &[0x55, 29, 17];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
/// Of the cluster id that every schedule has.
const TRUST_DOMAIN: &str = "spiffe://5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a.consul";

#[cfg(test)]
mod tests {
    use chancery_core::{CaPolicy, CheckedRoot};

    use super::*;

    fn root(signer: Party) -> Vec<u8> {
        let party = Party(7);
        let text = CaText {
            place: 300,
            subject_name: party,
            subject_key: party,
            issuer: party,
            signer,
            not_before: Timestamp::from_unix(1_800_000_000),
            not_after: Timestamp::from_unix(2_800_000_000),
            is_last: false,
        };
        text.write()
    }

    #[test]
    fn the_product_reads_a_root_and_sees_who_signed_it() {
        let now = Timestamp::from_unix(1_800_000_000);
        let honest = root(Party(7));
        assert_eq!(place_of(&honest), Some(300));
        let check = |der: &[u8]| {
            CheckedRoot::check(der, &CaPolicy::any(), signature::ALGORITHMS, now)
                .map_err(|violation| violation.rule())
        };
        let read = check(&honest).expect("an honest root");
        assert_eq!(read.issuer().not_after().unix_seconds(), 2_800_000_000);
        assert_eq!(read.issuer().spki_der(), public_key_info(Party(7)));
        assert_eq!(check(&root(Party(8))), Err("signature"));
    }
}
