//! Which signatures this process made itself, so that nobody need verify them.
//!
//! Verifying a leaf costs as much as signing it. If a plugin answers with a leaf that carries a
//! signature which the host made in this very call, with a key that never left the host, over
//! exactly the bytes that the leaf says were signed, then that signature is good: what is left
//! to compare is bytes. The guard still checks that the key is the issuer's, and everything that
//! the leaf says.

use std::sync::Arc;

use super::held_key::HeldKey;

/// What was signed in one call.
#[derive(Default)]
pub(super) struct Signatures(Vec<Signed>);

struct Signed {
    key: Arc<HeldKey>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Signatures {
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// Remembers the last few: a leaf takes one.
    pub(super) fn note(&mut self, key: &Arc<HeldKey>, message: Vec<u8>, signature: &[u8]) {
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        self.0.push(Signed {
            key: Arc::clone(key),
            message,
            signature: signature.to_vec(),
        });
    }

    /// The key, held here, that signed this certificate in this call, as a
    /// SubjectPublicKeyInfo.
    pub(super) fn key_of(&self, certificate: &[u8]) -> Option<Vec<u8>> {
        let (content, []) = element(certificate, SEQUENCE)? else {
            return None;
        };
        let (signed, rest) = whole(content)?;
        let (algorithm, rest) = whole(rest)?;
        let (bits, []) = element(rest, BIT_STRING)? else {
            return None;
        };
        let (0, signature) = bits.split_first().map(|(unused, bytes)| (*unused, bytes))? else {
            return None;
        };
        let found = self
            .0
            .iter()
            .find(|it| it.message == signed && it.signature == signature)?;
        let named = found.key.signature_algorithm_der();
        // Once outside of what is signed and once inside: peers choose how to verify by these.
        (algorithm == named && inner_algorithm(signed)? == named)
            .then(|| found.key.public_key_der().to_vec())
    }
}

/// The signature algorithm within a `TBSCertificate` (RFC 5280 §4.1), which follows version and
/// serial number.
fn inner_algorithm(signed: &[u8]) -> Option<&[u8]> {
    let (content, _) = element(signed, SEQUENCE)?;
    let (_version, rest) = whole(content)?;
    let (_serial, rest) = whole(rest)?;
    Some(whole(rest)?.0)
}

/// The content of the first element, which must have this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (head, end) = bounds(der)?;
    (*der.first()? == tag).then_some((der.get(head..end)?, der.get(end..)?))
}

/// The first element with its head, and what follows it.
fn whole(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, end) = bounds(der)?;
    der.split_at_checked(end)
}

/// Where the content of the first element begins and ends.
fn bounds(der: &[u8]) -> Option<(usize, usize)> {
    let (head, length) = match *der.get(1)? {
        short @ 0..=0x7f => (2, usize::from(short)),
        0x81 => (3, usize::from(*der.get(2)?)),
        0x82 => (
            4,
            usize::from(*der.get(2)?) << 8 | usize::from(*der.get(3)?),
        ),
        // No leaf is that long.
        _ => return None,
    };
    let end = head + length;
    (end <= der.len()).then_some((head, end))
}

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
const REMEMBERED: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeySpec;

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let length = u8::try_from(content.len()).unwrap();
        assert!(length < 0x80, "one byte tells the length");
        [&[tag, length], content.as_slice()].concat()
    }

    /// As much of a TBSCertificate as is looked at.
    fn signed_part(algorithm: &[u8]) -> Vec<u8> {
        let version = [0xa0, 3, 2, 1, 2];
        der(SEQUENCE, &[&version, &[2, 1, 7], algorithm])
    }

    fn certificate(signed: &[u8], algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
        let bits = der(BIT_STRING, &[&[0], signature]);
        der(SEQUENCE, &[signed, algorithm, &bits])
    }

    async fn key() -> Arc<HeldKey> {
        Arc::new(HeldKey::generate(KeySpec::Ed25519).await.unwrap())
    }

    fn sign(signatures: &mut Signatures, key: &Arc<HeldKey>, message: &[u8]) -> Vec<u8> {
        let signature = key.sign(message).unwrap();
        signatures.note(key, message.to_vec(), &signature);
        signature
    }

    #[tokio::test]
    async fn a_signature_of_this_call_is_known_with_its_key() {
        let (key, mut signatures) = (key().await, Signatures::default());
        let named = key.signature_algorithm_der();
        let signed = signed_part(named);
        let signature = sign(&mut signatures, &key, &signed);
        let leaf = certificate(&signed, named, &signature);
        assert_eq!(
            signatures.key_of(&leaf).as_deref(),
            Some(key.public_key_der())
        );
        signatures.forget();
        assert_eq!(signatures.key_of(&leaf), None);
    }

    #[tokio::test]
    async fn any_other_byte_is_not_vouched_for() {
        let (key, mut signatures) = (key().await, Signatures::default());
        let named = key.signature_algorithm_der();
        let signed = signed_part(named);
        let signature = sign(&mut signatures, &key, &signed);
        let leaf = certificate(&signed, named, &signature);
        for at in 0..leaf.len() {
            let mut other = leaf.clone();
            other[at] ^= 1;
            assert_eq!(signatures.key_of(&other), None, "byte {at}");
        }
        assert_eq!(signatures.key_of(&[leaf.as_slice(), &[0]].concat()), None);
        assert_eq!(signatures.key_of(&leaf[..leaf.len() - 1]), None);
        assert_eq!(signatures.key_of(&[]), None);
    }

    #[tokio::test]
    async fn another_algorithm_than_the_keys_is_not_vouched_for_though_it_was_signed() {
        let (key, mut signatures) = (key().await, Signatures::default());
        let named = key.signature_algorithm_der();
        let other = der(SEQUENCE, &[&[6, 3, 0x2b, 0x65, 0x71]]);
        let signed = signed_part(&other);
        let signature = sign(&mut signatures, &key, &signed);
        for algorithm in [named, &other] {
            let leaf = certificate(&signed, algorithm, &signature);
            assert_eq!(signatures.key_of(&leaf), None);
        }
    }
}
