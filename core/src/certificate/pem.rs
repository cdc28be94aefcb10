//! Certificates as PEM text (RFC 7468).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::Violation;

/// Reads every certificate of a PEM text, in order; blocks of another kind are passed over.
///
/// # Errors
/// When there is no certificate, or a block is broken.
pub fn certificates_from_pem(pem: &[u8]) -> Result<Vec<Vec<u8>>, Violation> {
    let blocks: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match blocks {
        Ok(blocks) if !blocks.is_empty() => {
            Ok(blocks.iter().map(|block| block.as_ref().to_vec()).collect())
        }
        _ => Err(Violation::Pem),
    }
}

/// Writes certificates as PEM, each ending in a newline: whoever joins two such texts gets one.
pub fn certificates_to_pem<T: AsRef<[u8]>>(chain: impl IntoIterator<Item = T>) -> String {
    let mut pem = String::new();
    for der in chain {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        let text = STANDARD.encode(der.as_ref());
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, tail) = rest.split_at(rest.len().min(LINE));
            pem.push_str(line);
            pem.push('\n');
            rest = tail;
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem
}

/// Characters a line (RFC 7468 §2).
const LINE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_come_back_and_each_ends_in_a_newline() {
        let chain = vec![vec![1; 100], vec![2; 48], vec![3]];
        let pem = certificates_to_pem(&chain);
        assert!(pem.ends_with("-----END CERTIFICATE-----\n"));
        assert!(pem.lines().all(|line| line.len() <= 64));
        assert_eq!(certificates_from_pem(pem.as_bytes()), Ok(chain));
    }

    #[test]
    fn text_without_a_readable_certificate_is_refused() {
        for pem in [
            "",
            "hello",
            "-----BEGIN CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ] {
            let read = certificates_from_pem(pem.as_bytes());
            assert_eq!(read, Err(Violation::Pem), "{pem}");
        }
    }
}
