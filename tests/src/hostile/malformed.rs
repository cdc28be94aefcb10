//! Bytes that are no certificate, or nearly one.

use rcgen::Error;

use super::ca::wrap;
use super::{HostileCase, TestCa};

pub(super) fn cases(ca: &TestCa) -> Result<Vec<HostileCase>, Error> {
    let (leaf, key_pkcs8) = ca.leaf(|_| {})?;
    let half = leaf.get(..leaf.len() / 2).unwrap_or_default().to_vec();
    let mut longer = leaf.clone();
    longer.push(0);
    let mut flipped = leaf.clone();
    if let Some(last) = flipped.last_mut() {
        *last ^= 1;
    }
    // A length without an end, as BER has it and DER has not.
    let mut endless = leaf.clone();
    if let Some(length) = endless.get_mut(1) {
        *length = 0x80;
    }
    // The algorithm inside the signed part becomes another than the one outside.
    let ecdsa_sha256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let ecdsa_sha384 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    let two_algorithms = ca.forge(&leaf, &ecdsa_sha256, &ecdsa_sha384)?;
    let nested = (0..5000).fold(Vec::new(), |inner, _| wrap(0x30, &inner));
    let junk: &[(&str, &str, Vec<Vec<u8>>)] = &[
        ("half a certificate", "Malformed", vec![half.clone()]),
        ("one byte more", "Malformed", vec![longer]),
        ("flipped signature bit", "Signature", vec![flipped]),
        (
            "two signature algorithms",
            "Malformed",
            vec![two_algorithms],
        ),
        ("indefinite length", "Malformed", vec![endless]),
        ("no bytes", "Malformed", vec![Vec::new()]),
        ("one byte", "Malformed", vec![vec![0x30]]),
        ("zeros", "Malformed", vec![vec![0; 4096]]),
        (
            "length of four gigabytes",
            "Malformed",
            vec![vec![0x30, 0x84, 255, 255, 255, 255]],
        ),
        ("nested five thousand deep", "Malformed", vec![nested]),
        (
            "broken certificate behind a good leaf",
            "Malformed",
            vec![leaf.clone(), half],
        ),
        (
            "empty certificate behind a good leaf",
            "Malformed",
            vec![leaf, Vec::new()],
        ),
    ];
    let case = |(name, rule, chain): &(&str, &'static str, Vec<Vec<u8>>)| HostileCase {
        name: (*name).to_owned(),
        rule,
        chain: chain.clone(),
        key_pkcs8: key_pkcs8.clone(),
    };
    Ok(junk.iter().map(case).collect())
}
