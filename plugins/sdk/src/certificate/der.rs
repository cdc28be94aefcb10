//! Just enough DER (X.690) to write and read certificates, quickly.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag `[number]`, primitive.
pub(super) const fn context(number: u8) -> u8 {
    0x80 | number
}

/// The tag `[number]`, constructed.
pub(super) const fn constructed(number: u8) -> u8 {
    0xa0 | number
}

/// Writes values one after another into one buffer.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// What was written from `start` on.
    pub(super) fn since(&self, start: usize) -> &[u8] {
        self.0.get(start..).unwrap_or_default()
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes that are DER already.
    pub(super) fn raw(&mut self, der: &[u8]) {
        self.0.extend_from_slice(der);
    }

    /// A value with that content.
    pub(super) fn value(&mut self, tag: u8, content: &[u8]) {
        self.nested(tag, |writer| writer.raw(content));
    }

    /// A value whose content `write` writes.
    pub(super) fn nested(&mut self, tag: u8, write: impl FnOnce(&mut Self)) {
        self.0.push(tag);
        let place = self.0.len();
        self.0.push(0);
        write(self);
        let length = self.0.len() - place - 1;
        if let Ok(short @ 0..=0x7f) = u8::try_from(length) {
            self.put(place, short);
            return;
        }
        let octets = length.to_be_bytes();
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        let digits = octets.get(zeros..).unwrap_or_default();
        self.put(place, 0x80 | u8::try_from(digits.len()).unwrap_or(0x7f));
        // What was written moves up to make room: some hundred bytes at most.
        self.0
            .splice(place + 1..place + 1, digits.iter().copied())
            .for_each(drop);
    }

    /// A bit string of whole octets.
    pub(super) fn bit_string(&mut self, octets: &[u8]) {
        self.nested(BIT_STRING, |writer| {
            writer.raw(&[0]);
            writer.raw(octets);
        });
    }

    /// A number that is not negative, the most significant byte first.
    pub(super) fn unsigned(&mut self, bytes: &[u8]) {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let digits = bytes.get(zeros..).unwrap_or_default();
        self.nested(INTEGER, |writer| {
            if digits.first().is_none_or(|first| first & 0x80 != 0) {
                writer.raw(&[0]);
            }
            writer.raw(digits);
        });
    }

    fn put(&mut self, place: usize, byte: u8) {
        if let Some(slot) = self.0.get_mut(place) {
            *slot = byte;
        }
    }
}

/// One value and its parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// With tag and length.
    pub(super) raw: &'a [u8],
}

/// Reads values one after another.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What has not been read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The next value, whatever it is.
    pub(super) fn any(&mut self) -> Option<Value<'a>> {
        let (&tag, after) = self.0.split_first()?;
        let (&first, after) = after.split_first()?;
        let (length, header) = match first {
            0..=0x7f => (usize::from(first), 2),
            // Indefinite, or longer than any certificate.
            0x80 | 0x84.. => return None,
            long => {
                let octets = usize::from(long & 0x7f);
                let digits = after.get(..octets)?;
                let length = digits
                    .iter()
                    .fold(0, |length, digit| length << 8 | usize::from(*digit));
                (length, 2 + octets)
            }
        };
        let (raw, rest) = self.0.split_at_checked(header + length)?;
        self.0 = rest;
        let content = raw.get(header..)?;
        Some(Value { tag, content, raw })
    }

    /// The next value, which has that tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<Value<'a>> {
        self.optional(tag)
    }

    /// The next value if it has that tag.
    pub(super) fn optional(&mut self, tag: u8) -> Option<Value<'a>> {
        if *self.0.first()? != tag {
            return None;
        }
        self.any()
    }

    /// What is in the only value here, which has that tag.
    pub(super) fn only(mut self, tag: u8) -> Option<Self> {
        let value = self.expect(tag)?;
        self.is_empty().then_some(Self(value.content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_at_every_length_of_length() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000] {
            let inner = vec![7; length];
            let mut writer = Writer::with_capacity(0);
            writer.nested(SEQUENCE, |writer| writer.value(OCTET_STRING, &inner));
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes).only(SEQUENCE).unwrap();
            let value = reader.any().unwrap();
            assert_eq!((value.tag, value.content), (OCTET_STRING, &inner[..]));
            assert!(reader.is_empty(), "{length}");
        }
    }

    #[test]
    fn a_number_is_as_short_as_it_can_be_and_not_negative() {
        for (bytes, written) in [
            (&[][..], &[2, 1, 0][..]),
            (&[0, 0], &[2, 1, 0]),
            (&[0, 1], &[2, 1, 1]),
            (&[0x7f], &[2, 1, 0x7f]),
            (&[0x80], &[2, 2, 0, 0x80]),
        ] {
            let mut writer = Writer::with_capacity(0);
            writer.unsigned(bytes);
            assert_eq!(writer.into_bytes(), written);
        }
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
            assert!(Reader::new(bytes).any().is_none(), "{bytes:?}");
        }
    }
}
