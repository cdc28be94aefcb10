//! Signatures that were seen to be good, so that a trial pays for each once.
//!
//! A trial verifies one leaf against every anchor, as a client and as a server, and the paths
//! share most of their links. Verifying signatures is nearly all of what that costs.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{Context, Digest, SHA256};
use chancery_core::Algorithms;
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};

/// The good signatures of one trial.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<HashSet<Vec<u8>>>);

impl Seen {
    /// The same algorithms, none of which verifies anything twice.
    pub(super) fn algorithms<'a>(
        &'a self,
        algorithms: Algorithms<'a>,
    ) -> impl Iterator<Item = Remembering<'a>> {
        algorithms.iter().map(|inner| Remembering {
            inner: *inner,
            seen: self,
        })
    }
}

/// An algorithm that knows what it has verified.
#[derive(Debug)]
pub(super) struct Remembering<'a> {
    inner: &'a dyn SignatureVerificationAlgorithm,
    seen: &'a Seen,
}

impl Remembering<'_> {
    /// Each part with its length, so that no other three parts come to the same.
    fn question(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Digest {
        let (of_key, of_signature) = (self.public_key_alg_id(), self.signature_alg_id());
        let mut hash = Context::new(&SHA256);
        for part in [
            of_key.as_ref(),
            of_signature.as_ref(),
            key,
            message,
            signature,
        ] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finish()
    }
}

impl SignatureVerificationAlgorithm for Remembering<'_> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let question = self.question(public_key, message, signature);
        let seen = || self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen().contains(question.as_ref()) {
            return Ok(());
        }
        self.inner
            .verify_signature(public_key, message, signature)?;
        seen().insert(question.as_ref().to_vec());
        Ok(())
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.inner.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.inner.signature_alg_id()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rustls_pki_types::alg_id;

    use super::*;

    /// Takes a signature that is the message, and counts how often it is asked.
    #[derive(Debug, Default)]
    struct Counting(AtomicUsize);

    impl SignatureVerificationAlgorithm for Counting {
        fn verify_signature(
            &self,
            _key: &[u8],
            message: &[u8],
            signature: &[u8],
        ) -> Result<(), InvalidSignature> {
            self.0.fetch_add(1, Ordering::Relaxed);
            (message == signature).then_some(()).ok_or(InvalidSignature)
        }

        fn public_key_alg_id(&self) -> AlgorithmIdentifier {
            alg_id::ECDSA_P256
        }

        fn signature_alg_id(&self) -> AlgorithmIdentifier {
            alg_id::ECDSA_SHA256
        }
    }

    #[test]
    fn a_good_signature_is_verified_once_and_a_bad_one_is_bad_each_time() {
        let (counting, seen) = (Counting::default(), Seen::default());
        let algorithms: Algorithms<'_> = &[&counting];
        let remembering = seen.algorithms(algorithms).next().unwrap();
        let asked = || counting.0.load(Ordering::Relaxed);
        for _ in 0..2 {
            assert!(remembering.verify_signature(b"key", b"m", b"m").is_ok());
        }
        assert_eq!(asked(), 1);
        for _ in 0..2 {
            assert!(remembering.verify_signature(b"key", b"m", b"x").is_err());
        }
        assert_eq!(asked(), 3);
        // Other bytes in the same order are another question.
        assert!(remembering.verify_signature(b"keym", b"", b"m").is_err());
        assert!(remembering.verify_signature(b"yek", b"m", b"m").is_ok());
        assert_eq!(asked(), 5);
    }
}
