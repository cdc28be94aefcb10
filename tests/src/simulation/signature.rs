//! Signatures without cryptography: whoever knows a key's bytes could make one, and nobody in the
//! simulation does who is not meant to.
//!
//! What stands for the private key is the public one. A signature is a digest of key and message,
//! so that all the checks around it are the product's own, and cost what they cost there.

use rustls_pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};

/// What verifies signatures here, in the place of a cryptographic library's algorithms.
pub(super) static ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[&Symbolic];

/// The signature of whoever has the key that belongs to `public_key`.
pub(super) fn sign(public_key: &[u8], message: &[u8]) -> [u8; 8] {
    let mut state = 0x243f_6a88_85a3_08d3;
    for part in [public_key, message] {
        state = mixed(state ^ part.len() as u64);
        for chunk in part.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            state = mixed(state ^ u64::from_be_bytes(word));
        }
    }
    state.to_be_bytes()
}

const fn mixed(word: u64) -> u64 {
    let word = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word ^ (word >> 29)
}

/// Goes by the name of ECDSA with P-256 and SHA-256, which is what the certificates say.
#[derive(Debug)]
struct Symbolic;

impl SignatureVerificationAlgorithm for Symbolic {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        if sign(public_key, message) == signature {
            Ok(())
        } else {
            Err(InvalidSignature)
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA256
    }
}
