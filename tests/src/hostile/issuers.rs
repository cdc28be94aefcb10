//! Good leafs with something wrong above them.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, Error,
    ExtendedKeyUsagePurpose as Purpose, GeneralSubtree, IsCa, KeyUsagePurpose as Usage,
    NameConstraints,
};

use super::{HostileCase, TestCa};

pub(super) fn cases(ca: &TestCa) -> Result<Vec<HostileCase>, Error> {
    let mut cases = Vec::new();
    for (name, rule, change) in CHANGES {
        let sub = ca.intermediate("hostile intermediate", change)?;
        cases.push(under(name, rule, &sub, &[&sub])?);
    }
    let expired = ca.intermediate("hostile intermediate", |sub| {
        ca.set_validity(sub, -3600, -5);
    })?;
    cases.push(under("expired issuer", "Expired", &expired, &[&expired])?);
    cases.extend(strangers(ca)?);
    cases.extend(long_paths(ca)?);
    cases.extend(mazes(ca)?);
    Ok(cases)
}

/// A leaf signed by `signer` with `behind` sent along.
fn under(
    name: &str,
    rule: &'static str,
    signer: &TestCa,
    behind: &[&TestCa],
) -> Result<HostileCase, Error> {
    let (leaf, key_pkcs8) = signer.leaf(|_| {})?;
    let mut chain = vec![leaf];
    chain.extend(behind.iter().map(|ca| ca.der().to_vec()));
    Ok(HostileCase {
        name: name.to_owned(),
        rule,
        chain,
        key_pkcs8,
    })
}

/// Leafs behind which no trusted root stands.
fn strangers(ca: &TestCa) -> Result<Vec<HostileCase>, Error> {
    let stranger = TestCa::root_named("stranger", ca.trust_domain(), ca.now())?;
    let twin = TestCa::root(ca.trust_domain(), ca.now())?;
    let sub = ca.intermediate("hostile intermediate", |_| {})?;
    let under_twin = twin.intermediate("hostile intermediate", |_| {})?;
    // A good leaf of ours, used as if it were a CA's certificate.
    let leaf_as_issuer = ca.intermediate("web", |leaf| {
        leaf.is_ca = IsCa::ExplicitNoCa;
        leaf.key_usages = vec![Usage::DigitalSignature];
    })?;
    let mut own_root = under("root as a leaf", "LeafIsCa", ca, &[])?;
    own_root.chain = vec![ca.der().to_vec()];
    own_root.key_pkcs8 = ca.key_pkcs8();
    Ok(vec![
        under("stranger's root", "UnknownIssuer", &stranger, &[])?,
        under(
            "stranger's root sent along",
            "UnknownIssuer",
            &stranger,
            &[&stranger],
        )?,
        under("root of the same name", "Signature", &twin, &[])?,
        under(
            "root of the same name sent along",
            "Signature",
            &twin,
            &[&twin],
        )?,
        under(
            "intermediate of a twin root",
            "Signature",
            &under_twin,
            &[&under_twin],
        )?,
        under("intermediate left out", "UnknownIssuer", &sub, &[])?,
        under(
            "leaf as issuer",
            "NotCa",
            &leaf_as_issuer,
            &[&leaf_as_issuer],
        )?,
        own_root,
    ])
}

/// Chains that are longer than somebody permits.
fn long_paths(ca: &TestCa) -> Result<Vec<HostileCase>, Error> {
    let last = ca.intermediate("last", |sub| {
        sub.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    })?;
    let below = last.intermediate("below", |_| {})?;
    let mut row = vec![ca.intermediate("row 0", |_| {})?];
    for number in 1..8 {
        let above = row.last().unwrap_or(ca);
        let next = above.intermediate(&format!("row {number}"), |_| {})?;
        row.push(next);
    }
    let signer = row.last().unwrap_or(ca);
    let behind: Vec<&TestCa> = row.iter().rev().collect();
    Ok(vec![
        under("one CA too deep", "PathLength", &below, &[&below, &last])?,
        under(
            "eight intermediates in a row",
            "ChainLength",
            signer,
            &behind,
        )?,
    ])
}

/// Many CAs of one name, so that a path builder has many ways to try (RUSTSEC-2023-0053).
fn mazes(ca: &TestCa) -> Result<Vec<HostileCase>, Error> {
    let mut crowd = Vec::new();
    for _ in 0..60 {
        let unknown = TestCa::root_named("maze", ca.trust_domain(), ca.now())?;
        crowd.push(unknown.intermediate("maze", |_| {})?);
    }
    let everyone: Vec<&TestCa> = crowd.iter().collect();
    let (few, _) = everyone.split_at(7);
    let signer = TestCa::root_named("maze", ca.trust_domain(), ca.now())?;
    // The same maze in front of the victim's own root: each step costs a signature.
    let name = "hostile test root";
    let twin = TestCa::root(ca.trust_domain(), ca.now())?;
    let mut doors = Vec::new();
    for _ in 0..7 {
        doors.push(twin.intermediate(name, |_| {})?);
    }
    let doors: Vec<&TestCa> = doors.iter().collect();
    let small = doors.split_at(2).0;
    Ok(vec![
        under("sixty CAs of one name", "ChainLength", &signer, &everyone)?,
        under("seven CAs of one name", "PathComplexity", &signer, few)?,
        under(
            "seven CAs of the root's name",
            "PathComplexity",
            &twin,
            &doors,
        )?,
        under("two CAs of the root's name", "Signature", &twin, small)?,
    ])
}

fn basic_constraints(critical: bool) -> CustomExtension {
    let content = vec![0x30, 3, 1, 1, 0xff];
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 19], content);
    extension.set_criticality(critical);
    extension
}

fn common_name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}

type Change = fn(&mut CertificateParams);

const CHANGES: &[(&str, &str, Change)] = &[
    ("issuer that says CA:FALSE", "NotCa", |sub| {
        sub.is_ca = IsCa::ExplicitNoCa;
    }),
    ("issuer without basic constraints", "NotCa", |sub| {
        sub.is_ca = IsCa::NoCa;
    }),
    ("issuer without keyCertSign", "KeyUsageMissing", |sub| {
        sub.key_usages = vec![Usage::DigitalSignature, Usage::CrlSign];
    }),
    ("issuer without key usage", "KeyUsageMissing", |sub| {
        sub.key_usages.clear();
    }),
    (
        "issuer whose constraints are not critical",
        "BasicConstraintsNotCritical",
        |sub| {
            sub.is_ca = IsCa::NoCa;
            sub.custom_extensions = vec![basic_constraints(false)];
        },
    ),
    ("issuer without a key identifier", "Missing", |sub| {
        sub.is_ca = IsCa::NoCa;
        sub.custom_extensions = vec![basic_constraints(true)];
    }),
    ("issuer for code signing", "Purpose", |sub| {
        sub.extended_key_usages = vec![Purpose::CodeSigning];
    }),
    ("issuer without a name", "EmptySubject", |sub| {
        sub.distinguished_name = DistinguishedName::new();
    }),
    ("issuer that may not name us", "NameConstraint", |sub| {
        sub.name_constraints = Some(NameConstraints {
            permitted_subtrees: Vec::new(),
            excluded_subtrees: vec![GeneralSubtree::DirectoryName(common_name(
                "web.svc.default.hostile.consul",
            ))],
        });
    }),
];
