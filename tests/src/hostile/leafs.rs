//! Leafs that say they may do what a leaf may not, or that say it in the wrong form.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, Error,
    ExtendedKeyUsagePurpose as Purpose, IsCa, KeyUsagePurpose as Usage, SerialNumber,
};

use super::ca::wrap;
use super::{HostileCase, TestCa, leaf_case};

pub(super) fn cases(ca: &TestCa) -> Result<Vec<HostileCase>, Error> {
    let mut cases = Vec::new();
    for (name, rule, change) in CHANGES {
        cases.push(leaf_case(ca, name, rule, change)?);
    }
    for (name, rule, from, to) in [
        ("expired five seconds ago", "Expired", -3600, -5),
        ("valid in five minutes", "NotYetValid", 300, 3600),
        ("validity that ends before it begins", "Expired", -5, -60),
    ] {
        cases.push(leaf_case(ca, name, rule, |leaf| {
            ca.set_validity(leaf, from, to);
        })?);
    }
    let uri = ca.uri("web");
    cases.push(leaf_case(ca, "no subject", "SanNotCritical", |leaf| {
        leaf.distinguished_name = DistinguishedName::new();
        leaf.subject_alt_names.clear();
        let names = wrap(0x30, &wrap(0x86, uri.as_bytes()));
        leaf.custom_extensions = vec![extension(&[2, 5, 29, 17], false, names)];
    })?);
    let (leaf, key_pkcs8) = ca.leaf(|_| {})?;
    for (name, rule, from, to) in [
        (
            "version 2",
            "Version",
            &[0xa0, 3, 2, 1, 2][..],
            &[0xa0, 3, 2, 1, 1][..],
        ),
        (
            "negative serial",
            "Serial",
            &[2, 2, 0x12, 0x34],
            &[2, 2, 0x92, 0x34],
        ),
        (
            "two-byte zero serial",
            "Serial",
            &[2, 2, 0x12, 0x34],
            &[2, 2, 0, 0],
        ),
    ] {
        cases.push(HostileCase {
            name: name.to_owned(),
            rule,
            chain: vec![ca.forge(&leaf, from, to)?],
            key_pkcs8: key_pkcs8.clone(),
        });
    }
    Ok(cases)
}

fn extension(oid: &[u64], critical: bool, content: Vec<u8>) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(oid, content);
    extension.set_criticality(critical);
    extension
}

type Change = fn(&mut CertificateParams);

const CHANGES: &[(&str, &str, Change)] = &[
    ("CA bit", "LeafIsCa", |leaf| {
        leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }),
    ("CA bit with path length 0", "LeafIsCa", |leaf| {
        leaf.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    }),
    ("keyCertSign", "KeyUsageForbidden", |leaf| {
        leaf.key_usages.push(Usage::KeyCertSign);
    }),
    ("cRLSign", "KeyUsageForbidden", |leaf| {
        leaf.key_usages.push(Usage::CrlSign);
    }),
    ("keyAgreement only", "KeyUsageMissing", |leaf| {
        leaf.key_usages = vec![Usage::KeyAgreement];
    }),
    ("no key usage", "KeyUsageMissing", |leaf| {
        leaf.key_usages.clear();
    }),
    ("no extended key usage", "Purpose", |leaf| {
        leaf.extended_key_usages.clear();
    }),
    ("codeSigning only", "Purpose", |leaf| {
        leaf.extended_key_usages = vec![Purpose::CodeSigning];
    }),
    ("serverAuth only, as a client", "Purpose", |leaf| {
        leaf.extended_key_usages = vec![Purpose::ServerAuth];
    }),
    ("anyExtendedKeyUsage", "AnyPurpose", |leaf| {
        leaf.extended_key_usages.push(Purpose::Any);
    }),
    ("serial 0", "Serial", |leaf| {
        leaf.serial_number = Some(SerialNumber::from_slice(&[0]));
    }),
    ("serial of 21 octets", "Serial", |leaf| {
        leaf.serial_number = Some(SerialNumber::from_slice(&[0x7f; 21]));
    }),
    ("no authority key identifier", "Missing", |leaf| {
        leaf.use_authority_key_identifier_extension = false;
    }),
    (
        "another authority key identifier",
        "AuthorityKeyId",
        |leaf| {
            leaf.use_authority_key_identifier_extension = false;
            let id = wrap(0x30, &wrap(0x80, &[1; 20]));
            leaf.custom_extensions = vec![extension(&[2, 5, 29, 35], false, id)];
        },
    ),
    ("critical authority key identifier", "NotCritical", |leaf| {
        leaf.use_authority_key_identifier_extension = false;
        let id = wrap(0x30, &wrap(0x80, &[1; 20]));
        leaf.custom_extensions = vec![extension(&[2, 5, 29, 35], true, id)];
    }),
    ("unknown critical extension", "CriticalExtension", |leaf| {
        leaf.custom_extensions = vec![extension(&[1, 2, 3, 4], true, vec![5, 0])];
    }),
    (
        "critical certificate policies",
        "CriticalExtension",
        |leaf| {
            let any = wrap(0x30, &wrap(0x30, &[6, 4, 0x55, 0x1d, 0x20, 0]));
            leaf.custom_extensions = vec![extension(&[2, 5, 29, 32], true, any)];
        },
    ),
    ("key usage twice", "DuplicateExtension", |leaf| {
        leaf.custom_extensions = vec![extension(&[2, 5, 29, 15], true, vec![3, 2, 7, 128])];
    }),
    ("forty extensions", "Extensions", |leaf| {
        let extra = |n| extension(&[1, 2, 3, n], false, vec![5, 0]);
        leaf.custom_extensions = (0..40).map(extra).collect();
    }),
    ("key usage with a byte behind", "Malformed", |leaf| {
        leaf.key_usages.clear();
        leaf.custom_extensions = vec![extension(&[2, 5, 29, 15], true, vec![3, 2, 7, 128, 0])];
    }),
    (
        "basic constraints nested a thousand deep",
        "Malformed",
        |leaf| {
            leaf.is_ca = IsCa::NoCa;
            let nested = (0..1000).fold(Vec::new(), |inner, _| wrap(0x30, &inner));
            leaf.custom_extensions = vec![extension(&[2, 5, 29, 19], true, nested)];
        },
    ),
    ("forty kilobytes", "ChainBytes", |leaf| {
        leaf.custom_extensions = vec![extension(&[1, 2, 3, 4], false, wrap(4, &[0; 40_000]))];
    }),
];
