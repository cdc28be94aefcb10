//! The record layer and the key schedule of TLS 1.3 (RFC 8446 §5 and §7), as little of it as a
//! client made by hand needs.

use std::io;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{digest, hmac};
use tokio::io::{AsyncRead, AsyncReadExt};

pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

/// A secret of the key schedule.
pub(super) type Secret = [u8; 32];

/// The keys of one direction.
#[derive(Debug)]
pub(super) struct Direction {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
}

impl Direction {
    pub(super) fn new(secret: &Secret) -> io::Result<Self> {
        let key = expand_to(16, secret, "key", &[]);
        let key = UnboundKey::new(&AES_128_GCM, &key[..16]).map_err(unusable)?;
        let start = expand_to(12, secret, "iv", &[]);
        let mut iv = [0; 12];
        iv.copy_from_slice(&start[..12]);
        Ok(Self {
            key: LessSafeKey::new(key),
            iv,
            sequence: 0,
        })
    }

    /// A whole record with `content` sealed in it.
    pub(super) fn seal(&mut self, kind: u8, content: &[u8]) -> io::Result<Vec<u8>> {
        let mut inner = [content, &[kind]].concat();
        let header = header(APPLICATION_DATA, inner.len() + AES_128_GCM.tag_len());
        let nonce = self.nonce();
        self.key
            .seal_in_place_append_tag(nonce, Aad::from(header), &mut inner)
            .map_err(unusable)?;
        Ok([&header[..], &inner].concat())
    }

    /// The type and content of a sealed record's body.
    pub(super) fn open(&mut self, mut body: Vec<u8>) -> io::Result<(u8, Vec<u8>)> {
        let header = header(APPLICATION_DATA, body.len());
        let nonce = self.nonce();
        let inner = self.key.open_in_place(nonce, Aad::from(header), &mut body);
        let inner = inner.map_err(unusable)?;
        let end = inner.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        let kind = inner.get(end).copied().unwrap_or(0);
        Ok((kind, inner[..end].to_vec()))
    }

    fn nonce(&mut self) -> Nonce {
        let mut nonce = self.iv;
        for (byte, count) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= count;
        }
        self.sequence += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

/// A record in the clear.
pub(super) fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    [&header(kind, content.len())[..], content].concat()
}

/// Reads one record: its type and its body.
pub(super) async fn read_record(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<(u8, Vec<u8>)> {
    let mut header = [0; 5];
    stream.read_exact(&mut header).await?;
    let [kind, _, _, high, low] = header;
    let mut body = vec![0; usize::from(u16::from_be_bytes([high, low]))];
    stream.read_exact(&mut body).await?;
    Ok((kind, body))
}

/// HKDF-Expand-Label to a secret.
pub(super) fn expand(secret: &Secret, label: &str, context: &[u8]) -> Secret {
    expand_to(32, secret, label, context)
}

/// HKDF-Expand-Label to `length` bytes, which are followed by others to be ignored.
fn expand_to(length: u8, secret: &Secret, label: &str, context: &[u8]) -> Secret {
    let label = [b"tls13 ", label.as_bytes()].concat();
    let mut info = vec![0, length];
    for part in [label.as_slice(), context] {
        info.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
        info.extend_from_slice(part);
    }
    info.push(1);
    authenticate(secret, &info)
}

/// HMAC, which is HKDF-Extract too.
pub(super) fn authenticate(key: &[u8], message: &[u8]) -> Secret {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    whole(tag.as_ref())
}

pub(super) fn hash(message: &[u8]) -> Secret {
    whole(digest::digest(&digest::SHA256, message).as_ref())
}

fn whole(bytes: &[u8]) -> Secret {
    let mut secret = Secret::default();
    secret.copy_from_slice(bytes);
    secret
}

fn header(kind: u8, length: usize) -> [u8; 5] {
    let [.., high, low] = length.to_be_bytes();
    [kind, 3, 3, high, low]
}

fn unusable(_: aws_lc_rs::error::Unspecified) -> io::Error {
    io::Error::other("a record cannot be sealed or opened")
}
