//! Just enough DER to put other bytes into a certificate before it is signed.
//!
//! rcgen writes names anew from its own model, which has room for one attribute in a set and one
//! of each kind. A chain is built by comparing names byte for byte, so names and keys of others
//! are copied instead.

/// Splits off the first value of `bytes`, header included.
pub(super) fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (header, length) = header(bytes)?;
    bytes.split_at_checked(header.checked_add(length)?)
}

/// The content of `value`, which is exactly one value.
pub(super) fn content(value: &[u8]) -> Option<&[u8]> {
    let (start, length) = header(value)?;
    let content = value.get(start..)?;
    (content.len() == length).then_some(content)
}

/// A SEQUENCE of `parts`.
pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    wrap(SEQUENCE, parts)
}

/// A SET of `parts`, which are one or in order already.
pub(super) fn set(parts: &[&[u8]]) -> Vec<u8> {
    wrap(SET, parts)
}

/// `[0] IMPLICIT` around `parts`.
pub(super) fn implicit_0(parts: &[&[u8]]) -> Vec<u8> {
    wrap(IMPLICIT_0, parts)
}

/// A BIT STRING of whole octets.
pub(super) fn bit_string(octets: &[u8]) -> Vec<u8> {
    wrap(BIT_STRING, &[&[0], octets])
}

fn wrap(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut value = Vec::with_capacity(length + LONGEST_HEADER);
    value.push(tag);
    let octets = length.to_be_bytes();
    match u8::try_from(length) {
        Ok(short @ 0..=0x7f) => value.push(short),
        _ => {
            let zeros = octets.iter().take_while(|octet| **octet == 0).count();
            let digits = octets.get(zeros..).unwrap_or_default();
            value.push(0x80 | u8::try_from(digits.len()).unwrap_or(0x7f));
            value.extend_from_slice(digits);
        }
    }
    for part in parts {
        value.extend_from_slice(part);
    }
    value
}

/// The lengths of a value's header and of its content.
fn header(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes.get(1)? {
        short @ 0..=0x7f => Some((2, usize::from(short))),
        // Indefinite, or longer than any certificate.
        0x80 | 0x84.. => None,
        long => {
            let octets = usize::from(long & 0x7f);
            let digits = bytes.get(2..2 + octets)?;
            let length = digits
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit));
            Some((2 + octets, length))
        }
    }
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const IMPLICIT_0: u8 = 0xa0;
const BIT_STRING: u8 = 0x03;
/// Tag, length of length, and eight octets of length.
const LONGEST_HEADER: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrapped_is_found_again_at_every_length_of_length() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000] {
            let inner = vec![7; length];
            let mut value = sequence(&[&inner]);
            assert_eq!(content(&value), Some(&inner[..]), "{length}");
            value.push(9);
            assert_eq!(content(&value), None, "{length}: a byte follows");
            let (first, rest) = split(&value).unwrap();
            assert_eq!((first.len(), rest), (value.len() - 1, &[9][..]));
        }
        assert_eq!(bit_string(&[1, 2]), [3, 3, 0, 1, 2]);
    }

    #[test]
    fn what_is_cut_off_or_indefinite_is_no_value() {
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 1],
            &[0x30, 0x81],
            &[0x30, 0x82, 1],
            &[0x30, 0x82, 1, 0, 0],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert_eq!(split(bytes), None, "{bytes:?}");
            assert_eq!(content(bytes), None, "{bytes:?}");
        }
    }
}
