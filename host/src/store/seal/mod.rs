//! Sealing secrets before they reach a store, under a key that never does.

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_core::{Sealed, Secret};
use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use super::data_dir::{self, DataDir, DataDirError, KEY_FILE, STORE_FILE};

/// Seals and opens secrets with AES-256-GCM under the agent's own key.
///
/// A sealed value is bound to a context, so that one cannot be put in another's place: opening
/// under another context fails. Nonces are random; 2^32 seals under one key are far out of reach.
pub struct Sealer {
    key: RandomizedNonceKey,
    id: KeyId,
}

/// The start of a hash of the key: tells keys apart and tells nothing of them.
type KeyId = [u8; 8];

/// Why a key could not be had, or a sealed value not be opened.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The value was altered, or sealed for another context.
    #[error(
        "the sealed value does not open for {context}: it was altered, or sealed for something else"
    )]
    Altered {
        /// What it had to be sealed for.
        context: String,
    },
    /// The cipher or the system's random numbers failed.
    #[error("sealing failed")]
    Cipher,
    /// The key's file or its directory cannot be used.
    #[error(transparent)]
    File(#[from] DataDirError),
    /// There is a store, but not the key of its secrets.
    ///
    /// A new key would open nothing that is stored, and hide that the old one is gone.
    #[error("the seal key {} is missing, but the store {} exists and its secrets open with that key only: put the key back, or move the store aside to start afresh", key.display(), store.display())]
    KeyLost {
        /// Where the key was looked for.
        key: PathBuf,
        /// The store that needs it.
        store: PathBuf,
    },
    /// The key's file holds something else.
    #[error("{} is not a seal key: {reason}", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it. Never its contents.
        reason: &'static str,
    },
    /// The value is in a form that this version does not know.
    #[error(
        "the sealed value has form {found}, this version opens form {allowed}: run a newer version"
    )]
    UnknownForm {
        /// The form found.
        found: u8,
        /// The only form there is.
        allowed: u8,
    },
    /// The value was sealed under another key.
    #[error(
        "the value was sealed under key {found}, the seal key is {held}: put the right key back"
    )]
    WrongKey {
        /// The id of the key that sealed it.
        found: String,
        /// The id of the key at hand.
        held: String,
    },
}

impl Sealer {
    /// Opens the key at `configured`, or else in `directory`, and makes one on the first start.
    ///
    /// The first start is the one without a store in `directory`: call this before the store is
    /// opened. A key in `directory` must be reachable for its owner only; one kept elsewhere may
    /// be a link and readable by a group, as secrets mounted into containers are.
    ///
    /// # Errors
    /// [`SealError::KeyLost`] when there is a store without its key, else what is wrong with the
    /// file.
    pub fn open_or_create(
        directory: &DataDir,
        configured: Option<&Path>,
    ) -> Result<Self, SealError> {
        let path = configured.map_or_else(|| directory.path().join(KEY_FILE), Path::to_path_buf);
        let file = match configured {
            None => directory.open_file(KEY_FILE)?,
            Some(path) => open_elsewhere(path)?,
        };
        if let Some(file) = file {
            return Self::read(file, &path);
        }
        if directory.contains(STORE_FILE)? {
            return Err(SealError::KeyLost {
                key: path,
                store: directory.path().join(STORE_FILE),
            });
        }
        let key = random_key()?;
        let fill = |file| write_key(file, &key, &path);
        match configured {
            None => directory.create_file(KEY_FILE, fill)?,
            Some(path) => create_elsewhere(path, fill)?,
        }
        Self::new(&key)
    }

    /// A key that is gone with the process, beside a [`MemoryStore`](super::MemoryStore).
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn ephemeral() -> Result<Self, SealError> {
        Self::new(&*random_key()?)
    }

    fn new(key: &[u8; KEY_BYTES]) -> Result<Self, SealError> {
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(b"chancery seal key id\0");
        hash.update(key);
        let hash = hash.finish();
        Ok(Self {
            key: RandomizedNonceKey::new(&AES_256_GCM, key).map_err(cipher)?,
            id: *hash.as_ref().first_chunk().ok_or(SealError::Cipher)?,
        })
    }

    fn read(file: File, path: &Path) -> Result<Self, SealError> {
        let mut text = Zeroizing::new(Vec::with_capacity(LONGEST_KEY_FILE));
        file.take(LONGEST_KEY_FILE as u64)
            .read_to_end(&mut text)
            .map_err(|error| unusable("read", path, error))?;
        let wrong = |reason| SealError::NotAKey {
            path: path.into(),
            reason,
        };
        let encoded = text
            .strip_prefix(KEY_HEADER.as_bytes())
            .ok_or_else(|| wrong("it does not begin with the line that ours begin with"))?;
        let mut key = Zeroizing::new([0; KEY_BYTES + 2]);
        let length = STANDARD
            .decode_slice(encoded.trim_ascii_end(), &mut *key)
            .map_err(|_syntax| wrong("its second line is not the base64 text of 32 bytes"))?;
        match key.first_chunk() {
            Some(key) if length == KEY_BYTES => Self::new(key),
            _ => Err(wrong("its second line is not the base64 text of 32 bytes")),
        }
    }

    /// Seals `secret` for `context`, which says what it is, such as `ca-state/7`.
    ///
    /// # Errors
    /// When the cipher or the system's random numbers fail.
    pub fn seal(&self, secret: &Secret, context: &str) -> Result<Sealed, SealError> {
        let header = self.header();
        let mut text = Zeroizing::new(Vec::with_capacity(secret.expose().len() + TAG_BYTES));
        text.extend_from_slice(secret.expose());
        let nonce = self
            .key
            .seal_in_place_append_tag(associated(&header, context), &mut *text)
            .map_err(cipher)?;
        let mut sealed = Vec::with_capacity(HEADER_BYTES + NONCE_BYTES + text.len());
        sealed.extend_from_slice(&header);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&text);
        Ok(Sealed::from_bytes(sealed))
    }

    /// Opens what was sealed under this key for `context`.
    ///
    /// # Errors
    /// [`SealError::WrongKey`] when another key sealed it, [`SealError::Altered`] when it is not
    /// what was sealed for `context`.
    pub fn open(&self, sealed: &Sealed, context: &str) -> Result<Secret, SealError> {
        let altered = || SealError::Altered {
            context: context.into(),
        };
        let bytes = sealed.as_bytes();
        let (header, rest) = bytes
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or_else(altered)?;
        let [form, id @ ..] = header;
        if *form != FORM {
            return Err(SealError::UnknownForm {
                found: *form,
                allowed: FORM,
            });
        }
        if *id != self.id {
            return Err(SealError::WrongKey {
                found: hex(id),
                held: hex(&self.id),
            });
        }
        let (nonce, text) = rest
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or_else(altered)?;
        let mut text = Zeroizing::new(text.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self
            .key
            .open_in_place(nonce, associated(header, context), &mut text)
            .map_err(|_unspecified| altered())?;
        Ok(Secret::new(opened.to_vec()))
    }

    fn header(&self) -> [u8; HEADER_BYTES] {
        let [a, b, c, d, e, f, g, h] = self.id;
        [FORM, a, b, c, d, e, f, g, h]
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer(key {})", hex(&self.id))
    }
}

/// The header has a fixed length, so header and context cannot be cut apart in two ways.
fn associated(header: &[u8; HEADER_BYTES], context: &str) -> Aad<Vec<u8>> {
    Aad::from([&header[..], context.as_bytes()].concat())
}

fn random_key() -> Result<Zeroizing<[u8; KEY_BYTES]>, SealError> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    rand::fill(&mut *key).map_err(cipher)?;
    Ok(key)
}

fn write_key(mut file: File, key: &[u8; KEY_BYTES], path: &Path) -> Result<(), SealError> {
    let mut text = Zeroizing::new(String::with_capacity(LONGEST_KEY_FILE));
    text.push_str(KEY_HEADER);
    STANDARD.encode_string(key, &mut text);
    text.push('\n');
    file.write_all(text.as_bytes())
        .map_err(|error| unusable("write", path, error))
}

fn open_elsewhere(path: &Path) -> Result<Option<File>, SealError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => Ok(Some(data_dir::checked_elsewhere(file, path)?)),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(error) => Err(unusable("open", path, error.into())),
    }
}

fn create_elsewhere(
    path: &Path,
    fill: impl FnOnce(File) -> Result<(), SealError>,
) -> Result<(), SealError> {
    let (Some(parent), Some(name)) = (
        path.parent(),
        path.file_name().and_then(|name| name.to_str()),
    ) else {
        return Err(SealError::NotAKey {
            path: path.into(),
            reason: "its path does not end in a file name",
        });
    };
    let parent = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(parent, flags, Mode::empty())
        .map_err(|error| unusable("open", parent, error.into()))?;
    data_dir::create_in(&directory, parent, name, fill)
}

fn unusable(action: &'static str, path: &Path, source: std::io::Error) -> SealError {
    SealError::File(DataDirError::Access {
        action,
        path: path.into(),
        source: Arc::new(source),
    })
}

fn cipher(_: aws_lc_rs::error::Unspecified) -> SealError {
    SealError::Cipher
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The only form of sealed values: form, key id, nonce, AES-256-GCM text with its tag.
const FORM: u8 = 1;

const HEADER_BYTES: usize = 1 + size_of::<KeyId>();
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// The first line of a key file.
const KEY_HEADER: &str = "chancery seal key 1\n";

/// More than a key file of ours ever has; also keeps its text from moving about in memory.
const LONGEST_KEY_FILE: usize = 128;

#[cfg(test)]
mod tests;
