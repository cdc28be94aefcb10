//! Secrets that a test plants, and the search for them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

/// A planted secret, in every form in which it might get out.
#[derive(Clone, Debug)]
pub struct Canary {
    name: String,
    forms: Vec<Vec<u8>>,
}

impl Canary {
    /// A secret text, such as a token.
    #[must_use]
    pub fn text(name: &str, secret: &str) -> Self {
        Self {
            name: name.to_owned(),
            forms: forms(secret.as_bytes()),
        }
    }

    /// A private key in PEM: its lines, its encoding, and the number in it.
    ///
    /// # Errors
    /// When it is no key.
    pub fn key(name: &str, pem: &str) -> Result<Self, rustls::pki_types::pem::Error> {
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes())?;
        let der = der.secret_der();
        // The public key follows the private one, and is in many places rightly.
        let private = scalar(der).and_then(|number| {
            let at = der.windows(number.len()).position(|part| part == number)?;
            Some(at..at + number.len())
        });
        let private = private.unwrap_or(0..der.len());
        let body = pem.lines().filter(|line| !line.starts_with("-----"));
        let mut all = Vec::new();
        let mut at = 0;
        for line in body {
            let end = at + line.len() / 4 * 3;
            if at < private.end && private.start < end {
                all.push(line.as_bytes().to_vec());
            }
            at = end;
        }
        all.push(der.to_vec());
        all.extend(scalar(der).map(forms).unwrap_or_default());
        Ok(Self {
            name: name.to_owned(),
            forms: all,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it can be seen in `bytes`.
    #[must_use]
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.forms.iter().any(|form| contains(bytes, form))
    }

    /// The files below `directory` in which it can be seen, and how many were looked at.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn files_below(&self, directory: &Path) -> io::Result<(Vec<PathBuf>, usize)> {
        let (mut found, mut looked) = (Vec::new(), 0);
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                let (mut more, count) = self.files_below(&path)?;
                found.append(&mut more);
                looked += count;
            } else if path.is_file() {
                looked += 1;
                if self.is_in(&fs::read(&path)?) {
                    found.push(path);
                }
            }
        }
        Ok((found, looked))
    }
}

/// The 32 bytes of a P-256 key: the octet string that follows its version.
fn scalar(der: &[u8]) -> Option<&[u8]> {
    let mark = [0x02, 0x01, 0x01, 0x04, 0x20];
    let at = der.windows(mark.len()).position(|part| part == mark)?;
    der.get(at + mark.len()..)?.get(..32)
}

/// As it is, in hexadecimal, and in base64 wherever it may begin in what is encoded.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut all = vec![
        secret.to_vec(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
    ];
    for skipped in 0..3 {
        let whole = secret.get(skipped..).unwrap_or_default();
        let whole = whole.get(..whole.len() / 3 * 3).unwrap_or_default();
        all.push(base64(whole).into_bytes());
    }
    all
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = three
            .iter()
            .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        for shift in [18, 12, 6, 0] {
            let letter = LETTERS.get(number >> shift & 63);
            text.extend(letter.map(|letter| char::from(*letter)));
        }
    }
    text
}

fn contains(bytes: &[u8], form: &[u8]) -> bool {
    form.len() >= 8 && bytes.windows(form.len()).any(|part| part == form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_secret_is_found_in_each_form_and_in_a_file_below() {
        let secret = "s.Planted-token-0123";
        let canary = Canary::text("token", secret);
        let encoded = "Xy1zLlBsYW50ZWQtdG9rZW4tMDEyMw==";
        for text in [
            format!("token={secret}"),
            "732e506c616e7465642d746f6b656e2d30313233".to_owned(),
            "732E506C616E7465642D746F6B656E2D30313233".to_owned(),
            encoded.to_owned(),
        ] {
            assert!(canary.is_in(text.as_bytes()), "{text}");
        }
        assert!(!canary.is_in(b"s.Planted-token-0124"));
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("clean"), "nothing").unwrap();
        fs::write(inner.join("dirty"), format!("x{secret}y")).unwrap();
        let (found, looked) = canary.files_below(directory.path()).unwrap();
        assert_eq!((found, looked), (vec![inner.join("dirty")], 2));
    }

    #[test]
    fn a_planted_key_is_found_as_pem_as_der_and_as_a_number() {
        let key = rcgen::KeyPair::generate().unwrap();
        let canary = Canary::key("key", &key.serialize_pem()).unwrap();
        let number = scalar(key.serialized_der()).unwrap();
        assert!(canary.is_in(key.serialize_pem().replace('\n', "\\n").as_bytes()));
        assert!(canary.is_in(key.serialized_der()));
        assert!(canary.is_in(number));
        assert!(!canary.is_in(&number[1..]));
    }
}
